//! The attributes that an author puts on a declaration, by where they belong in the expansion.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Meta};

/// The attributes, by where they belong in the expansion.
#[derive(Default)]
pub(crate) struct Attributes {
    /// On every item: `cfg`.
    pub(crate) everywhere: Vec<Attribute>,
    /// On the tool's type: documentation, `deprecated`.
    pub(crate) on_type: Vec<Attribute>,
    /// On the type and its implementation: lint levels.
    pub(crate) lints: Vec<Attribute>,
    /// On the method that holds the body: everything else.
    pub(crate) on_body: Vec<Attribute>,
    /// The documentation, as the model reads it.
    pub(crate) description: String,
}

impl Attributes {
    pub(crate) fn sort(attributes: Vec<Attribute>) -> Self {
        let mut sorted = Self::default();
        let mut lines: Vec<String> = Vec::new();
        for attribute in attributes {
            if let Some(line) = doc_line(&attribute) {
                lines.push(line);
            }
            let path = attribute.path();
            let target = if path.is_ident("cfg") {
                &mut sorted.everywhere
            } else if path.is_ident("doc") || path.is_ident("deprecated") {
                &mut sorted.on_type
            } else if ["allow", "warn", "deny", "forbid"].iter().any(|lint| path.is_ident(lint)) {
                &mut sorted.lints
            } else {
                // `expect` too: in two places it would be unfulfilled in one of them.
                &mut sorted.on_body
            };
            target.push(attribute);
        }
        sorted.description = description(&lines);
        sorted
    }

    /// What keeps a deprecated type's own implementation quiet.
    pub(crate) fn allow_deprecated(&self) -> Option<TokenStream> {
        let deprecated = self.on_type.iter().any(|attribute| attribute.path().is_ident("deprecated"));
        deprecated.then(|| quote! { #[allow(deprecated, reason = "its own declaration is no use of it")] })
    }
}

fn doc_line(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(meta) = &attribute.meta else { return None };
    let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &meta.value else { return None };
    meta.path.is_ident("doc").then(|| text.value())
}

/// Lines of documentation as one text, without the space that follows `///`.
fn description(lines: &[String]) -> String {
    let lines: Vec<_> = lines
        .iter()
        .flat_map(|line| line.split('\n'))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    lines.join("\n").trim().to_owned()
}
