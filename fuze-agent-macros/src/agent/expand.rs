//! The code that a person could have written: the agent's type and one `impl Agent`.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Ident, LitStr, Path};

use super::body::{AnnexIii, Art22, Declaration, Oversight};
use crate::parse::{Fact, Tools, associated};

/// The expansion of a declaration without mistakes.
pub(crate) fn agent(agent: &Declaration) -> TokenStream {
    items(agent, false)
}

/// The errors, and an agent that keeps the rest of the program quiet: without risk and without tools, so that every rule
/// between them is met.
pub(crate) fn stub(agent: &Declaration, errors: syn::Error) -> TokenStream {
    let errors = errors.into_compile_error();
    let items = items(agent, true);
    quote! { #errors #items }
}

fn items(agent: &Declaration, stub: bool) -> TokenStream {
    let Declaration { attributes, visibility, agent: name, .. } = agent;
    let (cfg, on_type, lints, on_body) =
        (&attributes.everywhere, &attributes.on_type, &attributes.lints, &attributes.on_body);
    let deprecated = attributes.allow_deprecated();
    let plan = plan(agent);
    let tools = listed(agent);
    let implementation = implementation(agent, stub);
    let checks = (!stub).then(|| checks(agent));
    // Where the compiler points at the agent, it points at its name.
    let unit = quote_spanned! { name.span()=> struct #name; };
    quote! {
        #(#cfg)* #(#on_type)* #(#lints)* #(#on_body)*
        #[derive(Clone, Copy, Debug)]
        #visibility #unit

        #(#cfg)* #(#lints)*
        #deprecated
        const _: () = {
            #plan
            #tools
            #implementation
            #checks
        };
    }
}

fn plan(agent: &Declaration) -> Option<TokenStream> {
    let visibility = &agent.visibility;
    let Some(Oversight::HumanApproval { plan, training, .. }) = agent.oversight.value() else { return None };
    let (plan, training) = (plan.value()?, training.value()?);
    Some(quote! {
        #visibility struct __Plan;
        impl ::fuze_agent::law::oversight::Plan for __Plan {
            const ID: &'static ::core::primitive::str = #plan;
            const TRAINING: &'static ::core::primitive::str = #training;
        }
    })
}

fn implementation(agent: &Declaration, stub: bool) -> TokenStream {
    let name = &agent.agent;
    let basis = match agent.lawful_basis.value() {
        Some(basis) => {
            let marker = basis.marker();
            quote_spanned! { basis.span()=> ::fuze_agent::law::lawful::#marker }
        }
        None => quote! { ::fuze_agent::law::lawful::Contract },
    };
    let annex_iii = annex_iii(agent, stub);
    let art22 = art22(agent, stub);
    let oversight = oversight(agent, stub);
    let residency = match agent.model_residency.value() {
        Some(place) => {
            let marker = place.marker();
            quote_spanned! { place.span()=> ::fuze_agent::law::residency::#marker }
        }
        None => quote! { ::fuze_agent::law::residency::Other },
    };
    let deps = associated("Deps", name.span(), agent.deps.value());
    let output = associated("Output", name.span(), agent.output.value());
    let wire_name = match agent.name.value() {
        Some(name) => name.clone(),
        None => LitStr::new(&name.unraw().to_string(), name.span()),
    };
    let description = &agent.attributes.description;
    let purpose = or(agent.purpose.value(), quote! { "none" });
    let instructions = or(agent.instructions.value(), quote! { "none" });
    let retention = or(agent.retention.value(), quote! { ::fuze_agent::Retention::days("none", 1, 1, 184) });
    let limits = limits(agent);
    let tools = tools(agent, stub);
    let guardrails = guardrails(agent);
    let items = quote! {
        type LawfulBasis = #basis;
        type AnnexIii = #annex_iii;
        type Art22 = #art22;
        type Oversight = #oversight;
        type ModelResidency = #residency;
        #deps
        #output
        const NAME: &'static ::core::primitive::str = #wire_name;
        const DESCRIPTION: &'static ::core::primitive::str = #description;
        const PURPOSE: &'static ::core::primitive::str = #purpose;
        const INSTRUCTIONS: &'static ::core::primitive::str = #instructions;
        const RETENTION: ::fuze_agent::Retention = #retention;
        const LIMITS: ::fuze_agent::Limits = #limits;
        #tools
        #guardrails
    };
    // At the author's name, braces included: the compiler points here where it lists implementations.
    quote_spanned! { name.span()=> impl ::fuze_agent::Agent for #name { #items } }
}

fn or(value: Option<&impl quote::ToTokens>, quiet: TokenStream) -> TokenStream {
    value.map_or(quiet, quote::ToTokens::to_token_stream)
}

fn annex_iii(agent: &Declaration, stub: bool) -> TokenStream {
    match agent.annex_iii.value().filter(|_| !stub) {
        Some(AnnexIii::Point { area_ident, point, .. }) => {
            let marker = point.marker();
            quote_spanned! { area_ident.span()=> ::fuze_agent::law::annex_iii::#area_ident::#marker }
        }
        Some(AnnexIii::None(none)) => quote_spanned! { none.span()=> ::fuze_agent::law::annex_iii::None },
        None => quote! { ::fuze_agent::law::annex_iii::None },
    }
}

fn art22(agent: &Declaration, stub: bool) -> TokenStream {
    match agent.art22.value().filter(|_| !stub) {
        Some(Art22::Decides { decides, basis }) => {
            let marker = basis.marker();
            quote_spanned! { decides.span()=> ::fuze_agent::law::art22::Decides<::fuze_agent::law::art22::#marker> }
        }
        Some(Art22::None(none)) => quote_spanned! { none.span()=> ::fuze_agent::law::art22::None },
        None => quote! { ::fuze_agent::law::art22::None },
    }
}

fn oversight(agent: &Declaration, stub: bool) -> TokenStream {
    match agent.oversight.value().filter(|_| !stub) {
        Some(Oversight::HumanApproval { human_approval, .. }) => {
            quote_spanned! { human_approval.span()=> ::fuze_agent::law::oversight::HumanApproval<__Plan> }
        }
        Some(Oversight::None(none)) => {
            quote_spanned! { none.span()=> ::fuze_agent::law::oversight::NoOversight }
        }
        None => quote! { ::fuze_agent::law::oversight::NoOversight },
    }
}

fn limits(agent: &Declaration) -> TokenStream {
    let narrow = |fact: &Fact<u64>| u32::try_from(fact.value().copied().unwrap_or(1)).unwrap_or(u32::MAX);
    let (steps, retries) = (narrow(&agent.max_steps), narrow(&agent.retry_budget));
    let tokens = agent.token_budget.value().copied().unwrap_or(1);
    let depth = agent.max_depth.value().map(|_| {
        let depth = narrow(&agent.max_depth);
        quote! { __limits.max_depth = #depth; }
    });
    let model = agent.model_time_limit_ms.value().map(|ms| {
        quote! { __limits.model_time_limit = ::core::time::Duration::from_millis(#ms); }
    });
    let run = agent.run_time_limit_ms.value().map(|ms| {
        quote! { __limits.run_time_limit = ::core::time::Duration::from_millis(#ms); }
    });
    let new = quote! { ::fuze_agent::Limits::new(#steps, #retries, #tokens) };
    if depth.is_none() && model.is_none() && run.is_none() {
        return new;
    }
    quote! {{
        let mut __limits = #new;
        #depth #model #run
        __limits
    }}
}

fn tools(agent: &Declaration, stub: bool) -> TokenStream {
    let empty = Tools { span: Span::call_site(), paths: Vec::new() };
    let Tools { span, paths } = agent.tools.value().unwrap_or(&empty);
    let this = Ident::new("self", Span::mixed_site());
    if stub || paths.is_empty() {
        let none = quote_spanned! { *span=> type Tools = (); };
        return quote! {
            #none
            fn tools(&#this) -> Self::Tools {}
        };
    }
    let values = paths.iter().enumerate().map(|(position, path)| {
        let alias = tool_alias(position, path);
        quote_spanned! { alias.span()=>
            ::fuze_agent::agent::ToolOf::<Self, _>::new(::fuze_agent::__private::Listed::<#alias>::tool(#alias {}))
        }
    });
    // The caret of what all of them lack: on the author's list.
    let list = quote_spanned! { *span=>
        type Tools = ::fuze_agent::agent::ToolsOf<
            Self, ::fuze_agent::logic::Of<__PERSONAL>, ::fuze_agent::logic::Of<__APPROVAL>,
        >;
    };
    quote! {
        #list
        fn tools(&#this) -> Self::Tools {
            ::fuze_agent::agent::ToolsOf::new((#(#values,)*))
        }
    }
}

/// What the implementation says of the tools. Their types stand in bodies and constants only: none is part of what the
/// agent shows, so that a `pub` agent may have private ones.
fn listed(agent: &Declaration) -> TokenStream {
    let paths = agent.tools.value().map(|tools| tools.paths.as_slice()).unwrap_or_default();
    if paths.is_empty() {
        return TokenStream::new();
    }
    // Each tool's path stands once in the expansion, so that a slip in it is one error; type and value go by this name.
    let aliases: Vec<_> =
        paths.iter().enumerate().map(|(position, path)| tool_alias(position, path)).collect();
    quote! {
        #[allow(unused_imports, reason = "for what is no tool")]
        use ::fuze_agent::__private::NotATool as _;
        #(type #aliases = #paths;)*
        const __PERSONAL: ::core::primitive::bool = false #(|| ::fuze_agent::__private::Listed::<#aliases>::PERSONAL)*;
        const __APPROVAL: ::core::primitive::bool = false #(|| ::fuze_agent::__private::Listed::<#aliases>::APPROVAL)*;
        const __NAMES: &[&::core::primitive::str] = &[#(::fuze_agent::__private::Listed::<#aliases>::NAME),*];
    }
}

/// What constants can still break, after what the macro has checked: the retention, the names of the tools, and the
/// constants of tools that another than the macro wrote.
fn checks(agent: &Declaration) -> TokenStream {
    let name = &agent.agent;
    let at = agent.retention.value().map_or(name.span(), Spanned::span);
    let facts = quote_spanned! { at=> ::fuze_agent::agent::check_facts::<#name>() };
    let paths = agent.tools.value().map(|tools| tools.paths.as_slice()).unwrap_or_default();
    let tools = paths.iter().enumerate().flat_map(|(position, path)| {
        let alias = tool_alias(position, path);
        let span = alias.span();
        [
            quote_spanned! { span=> ::fuze_agent::tool::check::<#alias>() },
            quote_spanned! { span=> ::fuze_agent::agent::check_name_of_tool(__NAMES, #position) },
        ]
    });
    let checks = [facts].into_iter().chain(tools);
    quote! { #(const _: () = #checks;)* }
}

fn tool_alias(position: usize, path: &Path) -> Ident {
    // At the tool's own name, which the path ends with.
    let span = path.segments.last().map_or_else(|| path.span(), |last| last.ident.span());
    format_ident!("__Tool{position}", span = span)
}

fn guardrails(agent: &Declaration) -> Option<TokenStream> {
    let guardrails = agent.guardrails.value()?;
    let this = Ident::new("self", Span::mixed_site());
    let with = guardrails.iter().map(|guardrail| quote_spanned! { guardrail.span()=> .with(#guardrail) });
    Some(quote! {
        fn guardrails(&#this) -> ::fuze_agent::guardrail::Guardrails {
            ::fuze_agent::guardrail::Guardrails::none() #(#with)*
        }
    })
}
