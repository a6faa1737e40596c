//! The code that a person could have written: the tool's type and one `impl Tool`.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Ident, LitStr, Visibility};

use super::Declaration;
use super::attribute::{Art9Basis, Attribute, Egress, NeedsApproval};
use super::function::{Argument, CtxParameter, Function, ResultType};
use crate::parse::{Fact, Word, associated, is_tool_name};

/// The expansion of a declaration without mistakes.
pub(crate) fn tool(tool: &Declaration) -> TokenStream {
    let name = &tool.function.name;
    let cfg = &tool.function.attributes.everywhere;
    let lints = &tool.function.attributes.lints;
    let deprecated = tool.function.attributes.allow_deprecated();
    let items = items(tool, false);
    // What the constants of a tool can still break, after what the macro has checked, is the retention.
    let at = tool.attribute.retention.value().map_or(name.span(), Spanned::span);
    let check = quote_spanned! { at=> ::fuze_agent::tool::check::<#name>() };
    quote! {
        #items
        #(#cfg)* #(#lints)*
        #deprecated
        const _: () = #check;
    }
}

/// The errors, and a tool that keeps the rest of the program quiet: its data is public, so that it fits everywhere.
pub(crate) fn stub(tool: &Declaration, errors: syn::Error) -> TokenStream {
    let errors = errors.into_compile_error();
    let items = items(tool, true);
    quote! { #errors #items }
}

fn items(tool: &Declaration, stub: bool) -> TokenStream {
    let Function { attributes, visibility, name, .. } = &tool.function;
    let (cfg, on_type, lints) = (&attributes.everywhere, &attributes.on_type, &attributes.lints);
    let helpers = helpers(tool);
    let implementation = implementation(tool, stub);
    let deprecated = attributes.allow_deprecated();
    // Where the compiler points at the tool, it points at the function.
    let unit = quote_spanned! { name.span()=> struct #name; };
    quote! {
        #(#cfg)* #(#on_type)* #(#lints)*
        #[allow(non_camel_case_types, reason = "a tool's type keeps the name of its function")]
        #[derive(Clone, Copy, Debug)]
        #visibility #unit

        #(#cfg)* #(#lints)*
        #deprecated
        #[allow(clippy::no_effect_underscore_binding, reason = "the author's parameters become bindings")]
        #[allow(private_bounds, private_interfaces, reason = "where it matters, E0446 says it at the author's type")]
        const _: () = {
            #helpers
            #implementation
        };
    }
}

/// The tool's name as the model calls it, at the author's token.
fn wire_name(tool: &Declaration) -> LitStr {
    let name = &tool.function.name;
    match &tool.attribute.name {
        Fact::Stated { value, .. } => value.clone(),
        Fact::Missing | Fact::Wrong => {
            let text = name.unraw().to_string();
            // One that is no name has been reported.
            let text = if is_tool_name(&text) { text } else { "stub".to_owned() };
            LitStr::new(&text, name.span())
        }
    }
}

/// The types that only the implementation names.
fn helpers(tool: &Declaration) -> TokenStream {
    let Function { visibility, arguments, .. } = &tool.function;
    let args = args_type();
    let arguments = arguments_type(visibility, arguments, &wire_name(tool));
    let law = law(&tool.attribute).map(|law| {
        quote! {
            #visibility struct __Law;
            impl ::fuze_agent::law::art9::LawReference for __Law {
                const CITATION: &'static ::core::primitive::str = #law;
            }
        }
    });
    let hosts = match egress(&tool.attribute) {
        Some(Egress::Hosts { names, .. }) => Some(quote! {
            #visibility struct __Hosts;
            impl ::fuze_agent::boundary::HostList for __Hosts {
                const HOSTS: &'static [&'static ::core::primitive::str] = &[#(#names),*];
            }
        }),
        Some(Egress::Word(_)) | None => None,
    };
    let predicate = match tool.attribute.needs_approval.value() {
        Some(NeedsApproval::When { args: parameter, body }) => {
            let bool = quote_spanned! { parameter.span()=> ::core::primitive::bool };
            let free = free(parameter);
            Some(quote! {
                #visibility struct __NeedsApproval;
                impl ::fuze_agent::law::oversight::Predicate<#args> for __NeedsApproval {
                    fn needs_approval(__args: &#args) -> #bool {
                        #free
                        let #parameter = __args;
                        #body
                    }
                }
            })
        }
        Some(NeedsApproval::Always(_)) | None => None,
    };
    quote! {
        #arguments
        #law
        #hosts
        #predicate
    }
}

/// The type of all arguments together.
///
/// Everything about it is written over any types that can be arguments; the author's are put in by one implementation,
/// which says at each type that it can. One that cannot is an error there, once, and nowhere else: with the author's types
/// in the derived code, it would be one wherever that code touches it.
///
/// All but the author's types stands in a module of its own, where no name of the author's is in scope: a tool is a unit
/// struct, and no binding of the derives could have its name.
fn arguments_type(visibility: &Visibility, arguments: &[Argument], wire_name: &LitStr) -> TokenStream {
    let args = args_type();
    let serde = quote! { ::fuze_agent::__private::serde };
    let schemars = quote! { ::fuze_agent::__private::schemars };
    let expecting = format!("an object with the arguments of `{}`", wire_name.value());
    let read = quote! {
        #[derive(#serde::Deserialize, #schemars::JsonSchema)]
        #[serde(crate = "::fuze_agent::__private::serde", deny_unknown_fields, bound = "", expecting = #expecting)]
        #[schemars(crate = "::fuze_agent::__private::schemars", rename = #wire_name, bound = "")]
    };
    if arguments.is_empty() {
        return quote! {
            mod __arguments {
                #read
                #[derive(#serde::Serialize)]
                pub struct __Arguments {}
            }
            #visibility type #args = __arguments::__Arguments;
        };
    }
    let argument = quote! { ::fuze_agent::tool::ToolArgument };
    // At the author's types, where the compiler shows what it asks for.
    let parameters: Vec<_> = arguments
        .iter()
        .enumerate()
        .map(|(at, Argument { ty, .. })| format_ident!("__Argument{at}", span = ty.span()))
        .collect();
    let bounds = arguments.iter().zip(&parameters).map(|(Argument { ty, .. }, parameter)| {
        quote_spanned! { ty.span()=> type #parameter: ::fuze_agent::tool::ToolArgument; }
    });
    let given = arguments.iter().zip(&parameters).map(|(Argument { ty, .. }, parameter)| {
        quote_spanned! { ty.span()=> type #parameter = #ty; }
    });
    let names: Vec<_> = arguments.iter().map(|argument| &argument.name).collect();
    let docs = arguments.iter().map(|Argument { docs, .. }| quote! { #(#docs)* });
    // Who can name the arguments can name the tool, so their fields need no visibility of their own. The trait's keeps the
    // author's types as private as they are.
    quote! {
        mod __arguments {
            pub(super) trait __Arguments {
                #(#bounds)*
            }
            pub struct __ArgumentsOf<__T: __Arguments> {
                #(pub #names: __T::#parameters,)*
            }
            #read
            struct __Read<__T: __Arguments> {
                #(#docs #names: <__T::#parameters as #argument>::Itself,)*
            }
            #[derive(#serde::Serialize)]
            #[serde(crate = "::fuze_agent::__private::serde", bound = "")]
            struct __Written<'__a, __T: __Arguments> {
                #(#names: &'__a <__T::#parameters as #argument>::Itself,)*
            }
            impl<__T: __Arguments> #serde::Serialize for __ArgumentsOf<__T> {
                fn serialize<__S: #serde::Serializer>(
                    &self,
                    serializer: __S,
                ) -> ::core::result::Result<__S::Ok, __S::Error> {
                    let written = __Written::<__T> { #(#names: ::fuze_agent::tool::AsJson::of(&self.#names),)* };
                    #serde::Serialize::serialize(&written, serializer)
                }
            }
            impl<'de, __T: __Arguments> #serde::Deserialize<'de> for __ArgumentsOf<__T> {
                fn deserialize<__D: #serde::Deserializer<'de>>(
                    deserializer: __D,
                ) -> ::core::result::Result<Self, __D::Error> {
                    let read = <__Read<__T> as #serde::Deserialize>::deserialize(deserializer)?;
                    ::core::result::Result::Ok(Self {
                        #(#names: ::fuze_agent::tool::AsJson::into_value(read.#names),)*
                    })
                }
            }
            impl<__T: __Arguments> #schemars::JsonSchema for __ArgumentsOf<__T> {
                fn schema_name() -> ::std::borrow::Cow<'static, str> {
                    <__Read<__T> as #schemars::JsonSchema>::schema_name()
                }
                fn schema_id() -> ::std::borrow::Cow<'static, str> {
                    <__Read<__T> as #schemars::JsonSchema>::schema_id()
                }
                fn json_schema(generator: &mut #schemars::SchemaGenerator) -> #schemars::Schema {
                    <__Read<__T> as #schemars::JsonSchema>::json_schema(generator)
                }
            }
        }
        #visibility struct __Given;
        impl __arguments::__Arguments for __Given {
            #(#given)*
        }
        #visibility type #args = __arguments::__ArgumentsOf<__Given>;
    }
}

fn args_type() -> Ident {
    format_ident!("__Args")
}

fn law(attribute: &Attribute) -> Option<&LitStr> {
    attribute.art9_basis.value().and_then(|basis| basis.law.as_ref())
}

fn egress(attribute: &Attribute) -> Option<&Egress> {
    attribute.threat_boundary.value().and_then(|boundary| boundary.egress.value())
}

fn implementation(tool: &Declaration, stub: bool) -> TokenStream {
    let Declaration { attribute, function, code } = tool;
    let name = &function.name;
    let args = args_type();
    let wire_name = wire_name(tool);
    // A stub passes the checks of the agents that name it.
    let description = if stub { "stub" } else { &function.attributes.description };
    let output = associated("Output", name.span(), function.result.as_ref().map(|result| &result.output));
    let (data, egress, effect) = if stub {
        let public = quote! { ::fuze_agent::law::data::Public };
        (public, quote! { ::fuze_agent::boundary::NoEgress }, quote! { ::fuze_agent::effect::Read })
    } else {
        (data(attribute), egress_type(attribute), effect(attribute, name.span()))
    };
    let approval = approval(attribute);
    let secrets = secrets(attribute);
    let requests = yes_or_no(&attribute.requests_oversight);
    let needs = needs(function);
    let args_item = quote_spanned! { name.span()=> type Args = #args; };
    let file_system = file_system(attribute);
    let retention = match &attribute.retention {
        Fact::Stated { value, .. } => quote! { #value },
        Fact::Missing | Fact::Wrong => quote! { ::fuze_agent::Retention::days("none", 1, 1, 184) },
    };
    let time_limit = duration("TIME_LIMIT", &attribute.time_limit_ms);
    let grace = duration("GRACE", &attribute.grace_ms);
    let run = run(function);
    let items = quote! {
        #args_item
        #output
        type Data = #data;
        type Egress = #egress;
        type Effect = #effect;
        type Approval = #approval;
        type Secrets = #secrets;
        type RequestsOversight = #requests;
        #needs
        const NAME: &'static ::core::primitive::str = #wire_name;
        const DESCRIPTION: &'static ::core::primitive::str = #description;
        const RETENTION: ::fuze_agent::Retention = #retention;
        const FILE_SYSTEM: ::fuze_agent::boundary::FileSystem = #file_system;
        const CODE: &'static ::core::primitive::str = #code;
        #time_limit
        #grace
        #run
    };
    // At the author's name, braces included: the compiler points here where it lists implementations.
    quote_spanned! { name.span()=> impl ::fuze_agent::Tool for #name { #items } }
}

fn residency(word: &Word) -> TokenStream {
    let marker = word.marker();
    quote_spanned! { word.span()=> ::fuze_agent::law::residency::#marker }
}

fn data(attribute: &Attribute) -> TokenStream {
    let public = quote! { ::fuze_agent::law::data::Public };
    let Some(class) = attribute.classification.value() else { return public };
    let marker = class.marker();
    let span = class.span();
    let at = attribute.residency.value().map(residency);
    let bases = attribute.lawful_bases.value().map(|bases| {
        let bases = bases.iter().map(|basis| {
            let marker = basis.marker();
            quote_spanned! { basis.span()=> ::fuze_agent::law::lawful::#marker }
        });
        quote! { (#(#bases,)*) }
    });
    match (class.term.name, bases, at) {
        ("public", ..) => quote_spanned! { span=> ::fuze_agent::law::data::#marker },
        ("confidential", _, Some(at)) => quote_spanned! { span=> ::fuze_agent::law::data::#marker<#at> },
        ("confidential", _, None) => quote_spanned! { span=> ::fuze_agent::law::data::#marker },
        ("personal", Some(bases), Some(at)) => {
            quote_spanned! { span=> ::fuze_agent::law::data::#marker<#bases, #at> }
        }
        ("special_category", Some(bases), Some(at)) => match attribute.art9_basis.value() {
            Some(basis) => {
                let basis = art9(basis);
                quote_spanned! { span=> ::fuze_agent::law::data::#marker<#basis, #bases, #at> }
            }
            None => public,
        },
        _ => public,
    }
}

fn art9(basis: &Art9Basis) -> TokenStream {
    let span = basis.ident.span();
    let marker = Ident::new(basis.basis.term.marker, span);
    let law = basis.law.as_ref().map(|_| quote_spanned! { span=> <__Law> });
    quote_spanned! { span=> ::fuze_agent::law::art9::#marker #law }
}

fn egress_type(attribute: &Attribute) -> TokenStream {
    match egress(attribute) {
        Some(Egress::Word(word)) => {
            let marker = word.marker();
            quote_spanned! { word.span()=> ::fuze_agent::boundary::#marker }
        }
        Some(Egress::Hosts { hosts, place, .. }) => {
            let place = residency(place);
            quote_spanned! { hosts.span()=> ::fuze_agent::boundary::Hosts<#place, __Hosts> }
        }
        None => quote! { ::fuze_agent::boundary::NoEgress },
    }
}

fn effect(attribute: &Attribute, name: Span) -> TokenStream {
    match &attribute.effect {
        Fact::Stated { value, .. } => {
            let marker = value.marker();
            quote_spanned! { value.span()=> ::fuze_agent::effect::#marker }
        }
        Fact::Missing => quote_spanned! { name=> ::fuze_agent::effect::Once },
        Fact::Wrong => quote! { ::fuze_agent::effect::Read },
    }
}

fn approval(attribute: &Attribute) -> TokenStream {
    match &attribute.needs_approval {
        Fact::Stated { value: NeedsApproval::Always(word), .. } => {
            quote_spanned! { word.span()=> ::fuze_agent::law::oversight::Always }
        }
        Fact::Stated { value: NeedsApproval::When { args, .. }, .. } => {
            quote_spanned! { args.span()=> ::fuze_agent::law::oversight::When<__NeedsApproval> }
        }
        Fact::Missing => quote! { ::fuze_agent::law::oversight::Never },
        Fact::Wrong => quote! { ::fuze_agent::law::oversight::Always },
    }
}

fn secrets(attribute: &Attribute) -> TokenStream {
    match attribute.threat_boundary.value() {
        Some(boundary) => yes_or_no(&boundary.observes_secrets),
        None => quote! { ::fuze_agent::logic::Yes },
    }
}

fn yes_or_no(flag: &Fact<()>) -> TokenStream {
    match flag {
        Fact::Stated { key, .. } => quote_spanned! { key.span()=> ::fuze_agent::logic::Yes },
        Fact::Missing => quote! { ::fuze_agent::logic::No },
        Fact::Wrong => quote! { ::fuze_agent::logic::Yes },
    }
}

fn needs(function: &Function) -> TokenStream {
    match &function.ctx {
        Some(ctx) if !is_unit(&ctx.deps) => {
            let deps = &ctx.deps;
            quote_spanned! { deps.span()=> type Needs = ::fuze_agent::tool::Uses<#deps>; }
        }
        Some(_) | None => quote! { type Needs = ::fuze_agent::tool::NoDeps; },
    }
}

fn is_unit(ty: &syn::Type) -> bool {
    matches!(ty, syn::Type::Tuple(tuple) if tuple.elems.is_empty())
}

fn file_system(attribute: &Attribute) -> TokenStream {
    let stated = attribute.threat_boundary.value().and_then(|boundary| boundary.file_system.value());
    match stated {
        Some(word) => {
            let marker = word.marker();
            quote_spanned! { word.span()=> ::fuze_agent::boundary::FileSystem::#marker }
        }
        None => quote! { ::fuze_agent::boundary::FileSystem::None },
    }
}

fn duration(name: &str, ms: &Fact<u64>) -> Option<TokenStream> {
    let name = format_ident!("{name}");
    ms.value()
        .map(|ms| quote! { const #name: ::core::time::Duration = ::core::time::Duration::from_millis(#ms); })
}

/// The method that holds the author's body. There is no function of the author's name any more, so nothing can call the
/// body but the pipeline, which has the permit.
fn run(function: &Function) -> TokenStream {
    let Function { attributes, asyncness, fn_token, arguments, body, .. } = function;
    let on_body = &attributes.on_body;
    // Not visible from the author's tokens. The dispatch is, which is lent to the author anyway: so that an error about
    // its type has no macro's mark.
    let hidden = Span::mixed_site().located_at(function.name.span());
    let [this, call, args] = ["self", "__call", "__args"].map(|name| Ident::new(name, hidden));
    let ctx = Ident::new("__ctx", function.ctx.as_ref().map_or(hidden, |parameter| parameter.ty.span()));
    let c = syn::Lifetime::new("'c", hidden);
    let asyncness = match asyncness {
        Some(token) => quote! { #token },
        None => quote_spanned! { fn_token.span=> async },
    };
    let parameters = quote! {
        &#c #this,
        #call: ::fuze_agent::Permit<#c, ::fuze_agent::ToolCall<Self>>,
        #ctx: ::fuze_agent::ToolCtx<#c, Self>
    };
    let Some(result) = function.result.as_ref().filter(|_| function.sound) else {
        let output = or_unit(function.result.as_ref().map(|result| &result.output));
        return quote! {
            async fn run<#c>(#parameters) -> ::core::result::Result<#output, ::fuze_agent::ToolError> {
                ::core::future::pending().await
            }
        };
    };
    let (result_type, same) = result_type(result);
    let bindings = arguments.iter().map(|Argument { mutability, name, ty, .. }| {
        let free = free(name);
        quote! { #free let #mutability #name: #ty = #args.#name; }
    });
    let open = if arguments.is_empty() {
        quote! { #same #call.into_args()?; }
    } else {
        quote! { #same let #args = #call.into_args()?; }
    };
    let run = quote! { #(#on_body)* #asyncness #fn_token run<#c>(#parameters) -> #result_type };
    if function.asyncness.is_some() {
        let of = quote! { ::fuze_agent::ToolCtx<#c, Self> };
        let lend = function.ctx.as_ref().map(|parameter| lend(parameter, &quote! { &#ctx }, &of));
        let block = within(body, quote! { #open #lend #(#bindings)* });
        quote! { #run #block }
    } else {
        let span = result.span();
        // Seen in the errors about the author's `ctx`.
        let at = function.ctx.as_ref().map_or(hidden, |parameter| parameter.ty.span());
        let of = quote_spanned! { at=> ::fuze_agent::BlockingCtx<'_, Self> };
        let borrowed = quote_spanned! { at=> & };
        let lent = Ident::new("__lent", hidden);
        let lend = function.ctx.as_ref().map(|parameter| lend(parameter, &quote! { #lent }, &of));
        let closure = quote_spanned! { span=> move |#lent: #borrowed #of| -> #result_type };
        let block = within(body, quote! { #lend #(#bindings)* });
        quote! { #run { #open #ctx.on_blocking_pool(#closure #block).await } }
    }
}

/// Binds the author's `ctx` to what is lent, of the type `of`, and holds its author to the dependencies named.
fn lend(parameter: &CtxParameter, lent: &TokenStream, of: &TokenStream) -> TokenStream {
    let CtxParameter { name, pattern, ty, .. } = parameter;
    let free = name.as_ref().map(free);
    let lent = quote_spanned! { ty.span()=> #lent };
    quote! {
        #free
        let _: #ty = #lent;
        let #pattern: &#of = #lent;
    }
}

/// Lets a binding have this name where a tool has it too: a tool is a unit struct, which no binding can hide. A function
/// within the body hides it, and can be hidden.
fn free(name: &Ident) -> TokenStream {
    quote! {
        #[allow(non_snake_case, reason = "the binding of this name says it")]
        fn #name() {}
        let _ = #name;
    }
}

/// The type that `run` returns, and, for an alias, the question whether it is the author's too.
fn result_type(result: &ResultType) -> (TokenStream, Option<TokenStream>) {
    let ResultType { whole, output, is_alias } = result;
    if !is_alias {
        return (quote! { #whole }, None);
    }
    let span = result.span();
    let plain = quote_spanned! { span=> ::core::result::Result<#output, ::fuze_agent::ToolError> };
    let same = quote_spanned! { span=>
        let _: ::core::marker::PhantomData<#plain> = ::core::marker::PhantomData::<#whole>;
    };
    (plain, Some(same))
}

/// The author's block with `first` at its start, as one block: one more pair of braces would be one too many for a lint.
fn within(body: &Group, first: TokenStream) -> Group {
    let stream = body.stream();
    let mut start = stream.clone().into_iter();
    let is =
        |token: Option<TokenTree>, c| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == c);
    let has_inner_attributes = is(start.next(), '#') && is(start.next(), '!');
    let tokens = if has_inner_attributes {
        quote! { #first #body }
    } else {
        quote! { #first #stream }
    };
    let mut block = Group::new(Delimiter::Brace, tokens);
    block.set_span(body.span());
    block
}

fn or_unit(ty: Option<&syn::Type>) -> TokenStream {
    ty.map_or_else(|| quote! { () }, ToTokens::to_token_stream)
}
