//! `#[tool]`: parse into a model, validate, expand; on a mistake a stub, so that one mistake gives one error.

mod attribute;
mod expand;
mod fingerprint;
mod function;
mod valid;

use proc_macro2::TokenStream;
use quote::quote;

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
            mistakes.syntax(error);
            return untouched(item, mistakes);
        }
    };
    if function.is_method {
        return untouched(item, mistakes);
    }
    let declaration = Declaration { attribute, function, code };
    valid::check(&declaration, &mut mistakes);
    match mistakes.into_error() {
        None => expand::tool(&declaration),
        Some(errors) => expand::stub(&declaration, errors),
    }
}

/// The errors, and the item as it is: no tool can come of it, and the rest of the program still finds it.
fn untouched(item: TokenStream, mistakes: Mistakes) -> TokenStream {
    let errors = mistakes.into_error().map(|error| error.into_compile_error());
    quote! { #errors #item }
}
