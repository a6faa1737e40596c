//! The macros of fuze-agent: `#[tool]`, `define_agent!` and `policy!`.
//!
//! They write implementations that a person could write by hand, and put what the types would say in many words into one
//! message at the author's token. They guarantee nothing by themselves: the types do.

mod agent;
mod attributes;
mod errors;
mod parse;
mod policy;
mod tool;
mod vocabulary;

use proc_macro::TokenStream;

#[doc = include_str!("../doc/tool.md")]
#[proc_macro_attribute]
pub fn tool(attribute: TokenStream, item: TokenStream) -> TokenStream {
    tool::tool(attribute.into(), item.into()).into()
}

#[doc = include_str!("../doc/agent.md")]
#[proc_macro]
pub fn define_agent(declaration: TokenStream) -> TokenStream {
    agent::define_agent(declaration.into()).into()
}

#[doc = include_str!("../doc/policy.md")]
#[proc_macro]
pub fn policy(declaration: TokenStream) -> TokenStream {
    policy::policy(declaration.into()).into()
}
