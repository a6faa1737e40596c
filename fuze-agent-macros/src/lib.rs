//! The macros of fuze-agent: `#[tool]` and `define_agent!`.

use proc_macro::TokenStream;

/// Declares a tool.
#[proc_macro_attribute]
pub fn tool(_: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// Declares an agent.
#[proc_macro]
pub fn define_agent(_: TokenStream) -> TokenStream {
    TokenStream::new()
}
