//! `#[tool]`: parse into a model, validate, expand; on a mistake a stub, so that one mistake gives one error.

mod attribute;
mod expand;
mod fingerprint;
mod function;
#[cfg(test)]
mod tests;
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
    let declaration = read(attribute, item.clone(), &mut mistakes);
    match (declaration, mistakes.into_error()) {
        (Some(declaration), None) => expand::tool(&declaration),
        (Some(declaration), Some(errors)) => expand::stub(&declaration, errors),
        (None, errors) => untouched(&item, errors),
    }
}

/// The declaration, with all its mistakes reported. `None`: no type can stand in its place.
fn read(attribute: TokenStream, item: TokenStream, mistakes: &mut Mistakes) -> Option<Declaration> {
    let code = fingerprint::of(&attribute, &item);
    let attribute = Attribute::parse(attribute, mistakes);
    let function = Function::parse(item, mistakes).map_err(|error| mistakes.syntax(error)).ok()?;
    let is_method = function.is_method;
    let declaration = Declaration { attribute, function, code };
    valid::check(&declaration, mistakes);
    (!is_method).then_some(declaration)
}

/// The errors, and the item as it is: no tool can come of it, and the rest of the program still finds it.
fn untouched(item: &TokenStream, errors: Option<syn::Error>) -> TokenStream {
    let errors = errors.map(|error| error.into_compile_error());
    quote! { #errors #item }
}
