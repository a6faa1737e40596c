//! `#[tool]`: parse into a model, validate, expand; on a mistake a stub, so that one mistake gives one error.

mod attribute;
mod expand;
mod fingerprint;
mod function;
mod valid;

use proc_macro2::TokenStream;

use crate::errors::Mistakes;
pub(crate) use attribute::Attribute;
pub(crate) use function::Function;

/// A tool as its author declares it.
pub(crate) struct Declaration {
    pub(crate) attribute: Attribute,
    pub(crate) function: Function,
    /// Hex SHA-256 of what the author wrote.
    pub(crate) code: String,
}

/// The expansion of `#[tool(attribute)] item`.
pub(crate) fn tool(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let code = fingerprint::of(&attribute, &item);
    let attribute = Attribute::parse(attribute, &mut mistakes);
    let function = match Function::parse(item.clone(), &mut mistakes) {
        Ok(function) => function,
        Err(error) => {
            // Not a function: what it is stays, so that the rest of the program still finds it.
            mistakes.syntax(error);
            let errors = mistakes.into_error().map(|error| error.into_compile_error());
            return quote::quote! { #errors #item };
        }
    };
    let declaration = Declaration { attribute, function, code };
    valid::check(&declaration, &mut mistakes);
    match mistakes.into_error() {
        None => expand::tool(&declaration),
        Some(errors) => expand::stub(&declaration, errors),
    }
}
