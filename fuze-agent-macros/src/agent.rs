//! `define_agent!`: parse into a model, validate, expand; on a mistake a stub, so that one mistake gives one error.

mod body;
mod expand;
#[cfg(test)]
mod tests;
mod valid;

use proc_macro2::TokenStream;

use crate::errors::Mistakes;
use body::Declaration;

/// The expansion of `define_agent! { declaration }`.
pub(crate) fn define_agent(declaration: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let declaration = read(declaration, &mut mistakes);
    match (declaration, mistakes.into_error()) {
        (Some(declaration), None) => expand::agent(&declaration),
        (Some(declaration), Some(errors)) => expand::stub(&declaration, errors),
        (None, errors) => errors.map(syn::Error::into_compile_error).unwrap_or_default(),
    }
}

/// The declaration, with all its mistakes reported. `None`: it has no name.
fn read(declaration: TokenStream, mistakes: &mut Mistakes) -> Option<Declaration> {
    let declaration =
        Declaration::parse(declaration, mistakes).map_err(|error| mistakes.syntax(error)).ok()?;
    valid::check(&declaration, mistakes);
    Some(declaration)
}
