//! `define_agent!`: parse into a model, validate, expand; on a mistake a stub, so that one mistake gives one error.

mod body;
mod expand;
mod valid;

use proc_macro2::TokenStream;

use crate::errors::Mistakes;
use body::Declaration;

/// The expansion of `define_agent! { declaration }`.
pub(crate) fn define_agent(declaration: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let declaration = match Declaration::parse(declaration, &mut mistakes) {
        Ok(declaration) => declaration,
        Err(error) => return error.into_compile_error(),
    };
    valid::check(&declaration, &mut mistakes);
    match mistakes.into_error() {
        None => expand::agent(&declaration),
        Some(errors) => expand::stub(&declaration, errors),
    }
}
