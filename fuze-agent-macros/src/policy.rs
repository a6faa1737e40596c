//! `policy!`: the policies that a build script has checked, held against the tools that they are about.

#[cfg(test)]
mod tests;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Ident, LitStr, Visibility};

use crate::errors::{Mistake, Mistakes};
use crate::parse::{self, Entry, Fact, Form, Tools};

/// The expansion of `policy! { declaration }`.
pub(crate) fn policy(declaration: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let declaration = read(declaration, &mut mistakes);
    match (declaration, mistakes.into_error()) {
        (Some(declaration), None) => declaration.expand(),
        (Some(declaration), Some(errors)) => {
            let errors = errors.into_compile_error();
            let stub = declaration.item(&quote! { ::fuze_agent::policy::BuiltPolicy::NOTHING });
            quote! { #errors #stub }
        }
        (None, errors) => errors.map(syn::Error::into_compile_error).unwrap_or_default(),
    }
}

/// Policies as their author declares them.
struct Declaration {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    name: Ident,
    directory: Fact<LitStr>,
    tools: Fact<Tools>,
}

const FORM: Form = Form { owner: "policy!", separator: ':', keys: &["directory", "tools"] };

/// The declaration, with all its mistakes reported. `None`: it has no name.
fn read(declaration: TokenStream, mistakes: &mut Mistakes) -> Option<Declaration> {
    let parser = |input: ParseStream<'_>| Declaration::read(input, mistakes);
    parser.parse2(declaration).map_err(|error| mistakes.syntax(error)).ok()
}

impl Declaration {
    fn read(input: ParseStream<'_>, mistakes: &mut Mistakes) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility: Visibility = input.parse()?;
        let Ok(name) = input.parse::<Ident>() else {
            let text = "`policy!` needs the name of a static\nwrite: `pub POLICY { … }`";
            return Err(syn::Error::new(parse::next_span(input), text));
        };
        if !input.peek(syn::token::Brace) {
            let text = format!("policy `{name}` has no body\nwrite: `{name} {{ … }}`");
            return Err(syn::Error::new_spanned(name, text));
        }
        let content = parse::braces(input)?;
        let (mut directory, mut tools) = (Fact::Missing, Fact::Missing);
        parse::entries(FORM, &content, mistakes, |entry, m| match entry {
            Entry::Misspelt("directory") => directory.misspelt(),
            Entry::Misspelt(_) => tools.misspelt(),
            Entry::Known(key, input) if key == "directory" => {
                let given = parse::separator(FORM, key, input, "\"policies\"", m);
                directory = Fact::stated(key, given.and_then(|()| parse::text("directory", input, m)));
            }
            Entry::Known(key, input) => {
                let given = parse::separator(FORM, key, input, "[lookup]", m);
                tools = Fact::stated(key, given.and_then(|()| parse::tools(input, m)));
            }
        });
        if !input.is_empty() {
            let text = "`policy!` declares one set of policies: nothing may follow its body";
            mistakes.at_span(parse::next_span(input), text);
            input.parse::<TokenStream>()?;
        }
        let mut need = |missing: bool, key: &str, why: &str, line: &str| {
            if missing {
                mistakes.at(&name, Mistake::new(format!("policy `{name}` needs `{key}`: {why}")).write(line));
            }
        };
        let why = "where the build script checked the policies, from the package";
        need(directory.is_missing(), "directory", why, "directory: \"policies\",");
        let why = "the tools that the policies are about, because a macro cannot see those of others";
        need(tools.is_missing(), "tools", why, "tools: [lookup],");
        Ok(Self { attributes, visibility, name, directory, tools })
    }

    fn expand(&self) -> TokenStream {
        let no_tools = Tools { span: Span::call_site(), paths: Vec::new() };
        let Tools { span, paths } = self.tools.value().unwrap_or(&no_tools);
        let Some(directory) = self.directory.value() else { return TokenStream::new() };
        let text = directory.value();
        let variable = LitStr::new(&format!("FUZE_POLICY:{text}"), directory.span());
        let unchecked = LitStr::new(
            &format!(
                "no build script has checked the policies in \"{text}\"; write into build.rs: \
                 `fuze_policy::build::Policies::in_directory(\"{text}\").compile();` and under [build-dependencies] `fuze-policy` \
                 with the feature `cerbos`"
            ),
            directory.span(),
        );
        let bundle = quote_spanned! { directory.span()=>
            ::core::include!(::core::env!(#variable, #unchecked))
        };
        // Where the policies and the tools do not fit, the compiler points at the tools.
        let built = quote_spanned! { *span=>
            ::fuze_agent::policy::BuiltPolicy::new::<
                { ::fuze_agent::policy::BuiltPolicy::length(&BUNDLE, TOOLS) }
            >(&BUNDLE, TOOLS)
        };
        self.item(&quote! {
            {
                static BUNDLE: ::fuze_agent::policy::Bundle = #bundle;
                const TOOLS: &[::fuze_agent::policy::Listed] =
                    &[#(::fuze_agent::policy::Listed::of::<#paths>()),*];
                #built
            }
        })
    }

    fn item(&self, value: &TokenStream) -> TokenStream {
        let Self { attributes, visibility, name, .. } = self;
        quote! {
            #(#attributes)*
            #visibility static #name: ::fuze_agent::policy::BuiltPolicy = #value;
        }
    }
}
