//! The function below `#[tool]`: its signature is the tool's interface.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{
    Attribute, FnArg, GenericArgument, Ident, Pat, PathArguments, ReturnType, Signature, Token, Type,
    Visibility,
};

use crate::attributes::Attributes;
use crate::errors::{Mistake, Mistakes};
use crate::parse::shown;

/// A function that becomes a tool.
pub(crate) struct Function {
    pub(crate) attributes: Attributes,
    pub(crate) visibility: Visibility,
    pub(crate) name: Ident,
    pub(crate) asyncness: Option<Token![async]>,
    pub(crate) fn_token: Token![fn],
    pub(crate) ctx: Option<CtxParameter>,
    pub(crate) arguments: Vec<Argument>,
    /// `None`: it has been reported.
    pub(crate) result: Option<ResultType>,
    /// With its braces.
    pub(crate) body: Group,
    /// Whether the signature is fit to carry the body.
    pub(crate) sound: bool,
    /// Whether it stands in an `impl` or a trait, where no type can be declared.
    pub(crate) is_method: bool,
}

/// `ctx: &Ctx<'_, Deps>`.
pub(crate) struct CtxParameter {
    /// `None`: it is `_`.
    pub(crate) name: Option<Ident>,
    pub(crate) pattern: TokenStream,
    pub(crate) ty: Type,
    pub(crate) deps: Type,
}

/// One argument of the tool.
pub(crate) struct Argument {
    pub(crate) docs: Vec<Attribute>,
    pub(crate) mutability: Option<Token![mut]>,
    pub(crate) name: Ident,
    pub(crate) ty: Type,
}

/// `Result<Output, ToolError>`.
pub(crate) struct ResultType {
    pub(crate) whole: Type,
    pub(crate) output: Type,
    /// Whether it names its error by an alias, so that only the compiler knows it.
    pub(crate) is_alias: bool,
}

impl Function {
    /// Reads a function.
    ///
    /// # Errors
    /// When it is not one.
    pub(crate) fn parse(item: TokenStream, mistakes: &mut Mistakes) -> syn::Result<Self> {
        let shown = item.clone();
        let parser = |input: ParseStream<'_>| {
            let attributes = input.call(Attribute::parse_outer)?;
            let visibility: Visibility = input.parse()?;
            let signature: Signature = input.parse()?;
            let body: TokenTree = input.parse()?;
            input.parse::<syn::parse::Nothing>()?;
            Ok((attributes, visibility, signature, body))
        };
        let (attributes, visibility, signature, body) =
            parser.parse2(item).map_err(|_| not_a_function(shown))?;
        let Some(body) = block(body) else {
            return Err(syn::Error::new_spanned(
                &signature.ident,
                "a tool needs a body: a block after its signature",
            ));
        };
        let attributes = once(attributes, mistakes);
        let before = mistakes.count();
        let is_method = signature.receiver().is_some();
        qualifiers(&signature, mistakes);
        let parameters = parameters(&signature, mistakes);
        let result = result_type(&signature, mistakes);
        Ok(Self {
            attributes: Attributes::sort(attributes),
            visibility,
            name: signature.ident,
            asyncness: signature.asyncness,
            fn_token: signature.fn_token,
            ctx: parameters.ctx,
            arguments: parameters.arguments,
            result,
            body,
            sound: mistakes.count() == before,
            is_method,
        })
    }
}

/// The attributes without a second `#[tool]`, which would make a tool of the tool's own method.
fn once(attributes: Vec<Attribute>, m: &mut Mistakes) -> Vec<Attribute> {
    let (tools, rest): (Vec<_>, Vec<_>) = attributes
        .into_iter()
        .partition(|attribute| attribute.path().segments.last().is_some_and(|last| last.ident == "tool"));
    for tool in &tools {
        m.at(tool, "`#[tool]` is given twice: keep one of the two");
    }
    rest
}

/// A block in braces, also where another macro passed it on.
fn block(token: TokenTree) -> Option<Group> {
    let TokenTree::Group(group) = token else { return None };
    match group.delimiter() {
        Delimiter::Brace => Some(group),
        Delimiter::None => group.stream().into_iter().next().and_then(block),
        Delimiter::Parenthesis | Delimiter::Bracket => None,
    }
}

fn not_a_function(item: TokenStream) -> syn::Error {
    syn::Error::new_spanned(item, "`#[tool]` stands on a function: `async fn`, or `fn` for blocking work")
}

fn qualifiers(signature: &Signature, m: &mut Mistakes) {
    if let Some(token) = &signature.constness {
        m.at(token, "a tool is not `const`: it runs when the model calls it");
    }
    if let Some(token) = &signature.unsafety {
        m.at(token, "a tool is not `unsafe`: the pipeline calls it");
    }
    if let Some(abi) = &signature.abi {
        m.at(abi, "a tool has no ABI of its own: the pipeline calls it");
    }
    if let Some(variadic) = &signature.variadic {
        m.at(variadic, "a tool's arguments are named one by one: the model reads them as a schema");
    }
    if !signature.generics.params.is_empty() {
        m.at(&signature.generics, "a tool has no generics: the model needs one schema");
    } else if let Some(clause) = &signature.generics.where_clause {
        m.at(clause, "a tool has no `where` clause: the model needs one schema");
    }
}

struct Parameters {
    ctx: Option<CtxParameter>,
    arguments: Vec<Argument>,
}

fn parameters(signature: &Signature, m: &mut Mistakes) -> Parameters {
    let mut parameters = Parameters { ctx: None, arguments: Vec::new() };
    for (position, input) in signature.inputs.iter().enumerate() {
        let typed = match input {
            FnArg::Receiver(receiver) => {
                m.at(
                    receiver,
                    "a tool takes no `self`: what it shares with others comes through `ctx.deps()`",
                );
                continue;
            }
            FnArg::Typed(typed) => typed,
        };
        if names_ctx(&typed.ty) {
            parameters.ctx = ctx_parameter(typed, position, m).or(parameters.ctx);
        } else if let Some(argument) = argument(typed, m) {
            if parameters.arguments.iter().any(|known| known.name == argument.name) {
                m.at(&argument.name, format!("argument `{}` is declared twice", argument.name));
                continue;
            }
            parameters.arguments.push(argument);
        }
    }
    parameters
}

fn names_ctx(ty: &Type) -> bool {
    let inner = match ty {
        Type::Reference(reference) => &*reference.elem,
        other => other,
    };
    last_segment(inner).is_some_and(|segment| segment.ident == "Ctx" || segment.ident == "ToolCtx")
}

fn last_segment(ty: &Type) -> Option<&syn::PathSegment> {
    match ty {
        Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
        _ => None,
    }
}

fn ctx_parameter(typed: &syn::PatType, position: usize, m: &mut Mistakes) -> Option<CtxParameter> {
    const EXAMPLE: &str = "ctx: &Ctx<'_, Deps>";
    if position != 0 {
        m.at(typed, Mistake::new("`ctx` is the first parameter, and there is one").write(EXAMPLE));
        return None;
    }
    for attribute in &typed.attrs {
        m.at(attribute, "`ctx` takes no attribute: the model does not see it");
    }
    let deps = match &*typed.ty {
        Type::Reference(reference) if reference.mutability.is_none() => deps_of(&reference.elem),
        _ => None,
    };
    let Some(deps) = deps else {
        m.at(
            &typed.ty,
            Mistake::new("the dispatch is lent: `ctx` is a shared reference with the dependencies' type")
                .write(EXAMPLE),
        );
        return None;
    };
    let name = match &*typed.pat {
        Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => {
            Some(pattern.ident.clone())
        }
        Pat::Wild(_) => None,
        other => {
            m.at(other, Mistake::new("`ctx` is a plain name").write(EXAMPLE));
            return None;
        }
    };
    let pattern = typed.pat.to_token_stream();
    Some(CtxParameter { name, pattern, ty: (*typed.ty).clone(), deps })
}

fn deps_of(ty: &Type) -> Option<Type> {
    let segment = last_segment(ty).filter(|segment| segment.ident == "Ctx")?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    let mut types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    });
    let anonymous = arguments.args.iter().all(|argument| match argument {
        GenericArgument::Lifetime(lifetime) => lifetime.ident == "_",
        GenericArgument::Type(_) => true,
        _ => false,
    });
    types.next().filter(|_| anonymous && types.next().is_none())
}

fn argument(typed: &syn::PatType, m: &mut Mistakes) -> Option<Argument> {
    let mut docs = Vec::new();
    for attribute in &typed.attrs {
        if attribute.path().is_ident("doc") {
            docs.push(attribute.clone());
        } else {
            m.at(attribute, "an argument takes documentation only: give it a type of its own to say more");
        }
    }
    let before = m.count();
    let pattern = match &*typed.pat {
        Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => Some(pattern),
        other => {
            m.at(
                other,
                Mistake::new("an argument is a plain name: the model calls it by that name")
                    .write(format!("name: {}", shown(&typed.ty))),
            );
            None
        }
    };
    owned("an argument is", &typed.ty, m);
    let pattern = pattern.filter(|_| m.count() == before)?;
    Some(Argument {
        docs,
        mutability: pattern.mutability,
        name: pattern.ident.clone(),
        ty: (*typed.ty).clone(),
    })
}

/// Reports borrowed and opaque types: what comes from the model, or goes to it, is data with one schema.
fn owned(what: &str, ty: &Type, m: &mut Mistakes) {
    if let Type::Reference(reference) = ty {
        let owned = match &*reference.elem {
            Type::Path(path) if path.path.is_ident("str") => "String".to_owned(),
            Type::Slice(slice) => format!("Vec<{}>", shown(&slice.elem)),
            other => shown(other),
        };
        m.at(ty, Mistake::new(format!("{what} owned: it is parsed from the call")).write(owned));
    } else if let Some(token) = borrow_within(ty.to_token_stream()) {
        m.at_span(token.span(), format!("{what} owned: no references or lifetimes within its type"));
    } else if let Type::ImplTrait(_) = ty {
        m.at(ty, format!("{what} of one known type: the model needs its schema"));
    } else if let Type::Infer(_) = ty {
        m.at(ty, format!("{what} of one known type: write it out"));
    }
}

fn borrow_within(tokens: TokenStream) -> Option<TokenTree> {
    tokens.into_iter().find_map(|token| match &token {
        TokenTree::Punct(punct) if punct.as_char() == '&' || punct.as_char() == '\'' => Some(token),
        TokenTree::Group(group) => borrow_within(group.stream()),
        _ => None,
    })
}

fn result_type(signature: &Signature, m: &mut Mistakes) -> Option<ResultType> {
    let ReturnType::Type(_, ty) = &signature.output else {
        m.at(
            &signature.ident,
            Mistake::new(format!("tool `{}` returns nothing: a tool returns a result", signature.ident))
                .write("-> Result<(), ToolError>"),
        );
        return None;
    };
    let wrong = |m: &mut Mistakes| {
        m.at(
            ty,
            Mistake::new("a tool returns a result: the model needs its failures too")
                .write(format!("-> Result<{}, ToolError>", shown(ty))),
        );
    };
    let Some(segment) = last_segment(ty).filter(|segment| segment.ident == "Result") else {
        wrong(m);
        return None;
    };
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        m.at(ty, Mistake::new("this result names no output").write("-> Result<(), ToolError>"));
        return None;
    };
    let types: Vec<&Type> = arguments
        .args
        .iter()
        .filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        })
        .collect();
    let output = match types.as_slice() {
        [output] => *output,
        [output, error] => {
            if last_segment(error).is_none_or(|segment| segment.ident != "ToolError") {
                m.at(
                    error,
                    Mistake::new("a tool fails with `ToolError`; `?` turns other errors into it")
                        .write(format!("-> Result<{}, ToolError>", shown(output))),
                );
                return None;
            }
            *output
        }
        _ => {
            m.at(
                ty,
                Mistake::new("a tool's result has an output and an error").write("-> Result<(), ToolError>"),
            );
            return None;
        }
    };
    let before = m.count();
    owned("the output is", output, m);
    (m.count() == before).then(|| ResultType {
        whole: (**ty).clone(),
        output: output.clone(),
        is_alias: types.len() == 1,
    })
}

impl ResultType {
    pub(crate) fn span(&self) -> proc_macro2::Span {
        self.whole.span()
    }
}
