//! What both declarations share: keys with values, parsed so that one mistake does not hide the next.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{ParseBuffer, ParseStream};
use syn::spanned::Spanned;
use syn::{Expr, Ident, LitInt, LitStr, Path, Token, Type, braced, bracketed, parenthesized};

use crate::errors::{Mistake, Mistakes, did_you_mean};
use crate::vocabulary::Term;

/// What the author says about one key.
pub(crate) enum Fact<T> {
    /// Nothing.
    Missing,
    /// Something wrong, which has been reported.
    Wrong,
    /// The value.
    Stated { key: Ident, value: T },
}

impl<T> Fact<T> {
    /// The value, or `Wrong` when parsing has reported why there is none.
    pub(crate) fn stated(key: &Ident, value: Option<T>) -> Self {
        match value {
            Some(value) => Self::Stated { key: key.clone(), value },
            None => Self::Wrong,
        }
    }

    pub(crate) fn value(&self) -> Option<&T> {
        match self {
            Self::Stated { value, .. } => Some(value),
            Self::Missing | Self::Wrong => None,
        }
    }

    pub(crate) fn key(&self) -> Option<&Ident> {
        match self {
            Self::Stated { key, .. } => Some(key),
            Self::Missing | Self::Wrong => None,
        }
    }

    /// What was misspelt is wrong, unless it also stands there rightly.
    pub(crate) fn misspelt(&mut self) {
        if self.is_missing() {
            *self = Self::Wrong;
        }
    }

    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }
}

/// A word of a vocabulary, as the author wrote it.
#[derive(Clone)]
pub(crate) struct Word {
    pub(crate) ident: Ident,
    pub(crate) term: &'static Term,
}

impl Word {
    pub(crate) fn span(&self) -> Span {
        self.ident.span()
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.term.name == name
    }

    /// The marker type's name, at the author's word.
    pub(crate) fn marker(&self) -> Ident {
        Ident::new(self.term.marker, self.span())
    }
}

/// How a declaration separates key and value, and what it is called in its errors.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    /// `#[tool]`, `define_agent!`.
    pub(crate) owner: &'static str,
    pub(crate) separator: char,
    pub(crate) keys: &'static [&'static str],
}

impl Form {
    /// A line to paste.
    fn line(self, key: impl std::fmt::Display, example: &str) -> String {
        if self.separator == ':' { format!("{key}: {example},") } else { format!("{key} = {example},") }
    }
}

/// What the author says under one key of a form.
pub(crate) enum Entry<'a, 'b> {
    /// The known key, given for the first time. The input stands behind it.
    Known(&'a Ident, ParseStream<'b>),
    /// Not the key, but probably meant to be: it has been reported, and is not missing on top of that.
    Misspelt(&'static str),
}

/// Reads `key = value, …` to the end of `input`.
pub(crate) fn entries(
    form: Form,
    input: ParseStream<'_>,
    mistakes: &mut Mistakes,
    mut each: impl FnMut(Entry<'_, '_>, &mut Mistakes),
) {
    let mut seen: Vec<Ident> = Vec::new();
    while !input.is_empty() {
        let Ok(key) = input.call(Ident::parse_any) else {
            mistakes.at_span(input.span(), Mistake::new("expected a key").allowed(form.keys));
            skip_value(input);
            continue;
        };
        if !form.keys.iter().any(|known| key == known) {
            let meant = did_you_mean(&key.to_string(), form.keys.iter().copied());
            mistakes.at(&key, unknown_key(form, &key, meant));
            if let Some(meant) = meant {
                each(Entry::Misspelt(meant), mistakes);
            }
            skip_value(input);
            continue;
        }
        if seen.contains(&key) {
            mistakes.at(&key, format!("`{key}` is given twice: keep one of the two"));
            skip_value(input);
            continue;
        }
        seen.push(key.clone());
        let before = mistakes.count();
        each(Entry::Known(&key, input), mistakes);
        end_of_value(form, &key, input, mistakes, before);
    }
}

fn unknown_key(form: Form, key: &Ident, meant: Option<&str>) -> Mistake {
    let owner = form.owner;
    let what = match meant {
        Some(meant) => format!("unknown key `{key}` of `{owner}`: did you mean `{meant}`?"),
        None => format!("unknown key `{key}` of `{owner}`"),
    };
    Mistake::new(what).allowed(form.keys)
}

fn end_of_value(form: Form, key: &Ident, input: ParseStream<'_>, mistakes: &mut Mistakes, before: usize) {
    if input.is_empty() {
        return;
    }
    if input.peek(Token![,]) {
        skip_value(input);
        return;
    }
    let next_key =
        input.fork().call(Ident::parse_any).ok().filter(|next| form.keys.iter().any(|k| next == k));
    if mistakes.count() == before {
        let what = match &next_key {
            Some(next) => format!("expected `,` between `{key}` and `{next}`"),
            None => format!("expected `,` after the value of `{key}`"),
        };
        mistakes.at_span(input.span(), what);
    }
    if next_key.is_none() {
        skip_value(input);
    }
}

/// Goes on behind the next comma.
fn skip_value(input: ParseStream<'_>) {
    while !input.is_empty() {
        if input.parse::<Token![,]>().is_ok() || input.parse::<TokenTree>().is_err() {
            return;
        }
    }
}

/// Passes the sign between key and value. `None`: it is missing, and reported.
pub(crate) fn separator(
    form: Form,
    key: &Ident,
    input: ParseStream<'_>,
    example: &str,
    mistakes: &mut Mistakes,
) -> Option<()> {
    let separator = form.separator;
    let found = match separator {
        ':' => input.parse::<Token![:]>().is_ok(),
        _ => input.parse::<Token![=]>().is_ok(),
    };
    let has_value = found && !input.is_empty() && !input.peek(Token![,]);
    if has_value {
        return Some(());
    }
    let line = form.line(key, example);
    if !found && !input.is_empty() && !input.peek(Token![,]) {
        mistakes
            .at_span(input.span(), Mistake::new(format!("expected `{separator}` after `{key}`")).write(line));
    } else {
        mistakes.at(key, Mistake::new(format!("`{key}` has no value")).write(line));
    }
    None
}

/// A word of `table`.
pub(crate) fn word(
    key: &str,
    table: &'static [Term],
    input: ParseStream<'_>,
    mistakes: &mut Mistakes,
) -> Option<Word> {
    let ident = ident(key, table.iter().map(|term| term.name), input, mistakes)?;
    let term = table.iter().find(|term| ident == term.name);
    if term.is_none() {
        mistakes.at(&ident, unknown_word(key, &ident.to_string(), table.iter().map(|term| term.name)));
    }
    term.map(|term| Word { ident, term })
}

/// An identifier where a word of `allowed` is expected.
pub(crate) fn ident(
    key: &str,
    allowed: impl Iterator<Item = &'static str> + Clone,
    input: ParseStream<'_>,
    mistakes: &mut Mistakes,
) -> Option<Ident> {
    if let Ok(ident) = input.call(Ident::parse_any) {
        return Some(ident);
    }
    let mistake = match input.fork().parse::<LitStr>() {
        Ok(text) if allowed.clone().any(|word| word == text.value()) => Mistake::new(format!(
            "`{key}` takes a word, not a string: write `{}` without quotes",
            text.value()
        )),
        _ => Mistake::new(format!("`{key}` takes a word")),
    };
    mistakes.at_span(next_span(input), mistake.allowed(allowed));
    None
}

/// The span of the next token, whole where it is a group.
pub(crate) fn next_span(input: ParseStream<'_>) -> Span {
    input.fork().parse::<TokenTree>().map_or_else(|_| input.span(), |token| token.span())
}

/// A word that is in no vocabulary.
pub(crate) fn unknown_word(
    key: &str,
    word: &str,
    allowed: impl Iterator<Item = &'static str> + Clone,
) -> Mistake {
    let what = match did_you_mean(word, allowed.clone()) {
        Some(known) => format!("unknown value `{word}` of `{key}`: did you mean `{known}`?"),
        None => format!("unknown value `{word}` of `{key}`"),
    };
    Mistake::new(what).allowed(allowed)
}

/// A string that is not empty.
pub(crate) fn text(key: &str, input: ParseStream<'_>, mistakes: &mut Mistakes) -> Option<LitStr> {
    let Ok(text) = input.parse::<LitStr>() else {
        mistakes.at_span(next_span(input), format!("`{key}` takes a string: write it in quotes"));
        return None;
    };
    if text.value().trim().is_empty() {
        mistakes.at(&text, format!("`{key}` is empty"));
        return None;
    }
    Some(text)
}

/// A string of 1 to `longest` characters that evidence can record.
pub(crate) fn name(
    key: &str,
    longest: usize,
    signs: &str,
    input: ParseStream<'_>,
    mistakes: &mut Mistakes,
) -> Option<LitStr> {
    let text = text(key, input, mistakes)?;
    if is_name(&text.value(), longest, signs) {
        return Some(text);
    }
    let signs: Vec<_> = signs.chars().map(String::from).collect();
    let signs = signs.join(" ");
    mistakes.at(&text, format!("`{key}` has 1 to {longest} characters of `A-Z a-z 0-9 {signs}`"));
    None
}

/// The signs of a name as evidence records it, beside letters and digits.
pub(crate) const NAME_SIGNS: &str = "._:/@+-";
/// The signs of a tool's name, beside letters and digits.
pub(crate) const TOOL_NAME_SIGNS: &str = "_-";

/// Whether a model may call a tool by this name.
pub(crate) fn is_tool_name(text: &str) -> bool {
    is_name(text, 64, TOOL_NAME_SIGNS)
}

pub(crate) fn is_name(text: &str, longest: usize, signs: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || signs.contains(c);
    !text.is_empty() && text.len() <= longest && text.chars().all(plain)
}

/// A limit: a whole number from `least` to `most`.
pub(crate) fn number(
    key: &str,
    least: u64,
    most: u64,
    input: ParseStream<'_>,
    mistakes: &mut Mistakes,
) -> Option<u64> {
    let span = next_span(input);
    let number = input.parse::<LitInt>().ok().filter(|number| number.suffix().is_empty());
    let value = number.and_then(|number| number.base10_parse::<u64>().ok());
    let what = match value {
        Some(value) if value < least => {
            format!("`{key}` is at least {least}: it says where work stops by itself (AI Act Art. 14(4)(e))")
        }
        Some(value) if value > most => format!("`{key}` is at most {most}"),
        Some(value) => return Some(value),
        None => format!("`{key}` takes a whole number without suffix, of at least {least}"),
    };
    mistakes.at_span(span, what);
    None
}

/// An expression, such as the path to a constant.
pub(crate) fn expression(key: &str, input: ParseStream<'_>, mistakes: &mut Mistakes) -> Option<Expr> {
    let span = next_span(input);
    let value = input.parse::<Expr>().ok();
    if value.is_none() {
        mistakes.at_span(span, format!("`{key}` takes an expression, such as the name of a constant"));
    }
    value
}

/// How long something is kept: the name of a constant, or what makes a `Retention`.
pub(crate) fn retention(form: Form, input: ParseStream<'_>, mistakes: &mut Mistakes) -> Option<Expr> {
    let value = expression("retention", input, mistakes)?;
    if !matches!(value, Expr::Lit(_)) {
        return Some(value);
    }
    let what = "`retention` has three windows, for content, hashes and decisions (GDPR Art. 5(1)(e)): name a `const` of type `Retention`";
    mistakes.at(&value, Mistake::new(what).write(form.line("retention", "RETENTION")));
    None
}

/// Goes to the next element of a list.
pub(crate) fn next_in_list(key: &str, input: ParseStream<'_>, mistakes: &mut Mistakes, before: usize) {
    if !input.is_empty() && !input.peek(Token![,]) && mistakes.count() == before {
        mistakes.at_span(next_span(input), format!("expected `,` in `{key}`"));
    }
    skip_value(input);
}

/// `[lookup, record]`.
pub(crate) struct Tools {
    pub(crate) span: Span,
    pub(crate) paths: Vec<Path>,
}

/// A list of tools.
pub(crate) fn tools(input: ParseStream<'_>, m: &mut Mistakes) -> Option<Tools> {
    let span = next_span(input);
    let Some(content) = bracketed(input) else {
        m.at_span(span, Mistake::new("`tools` takes a list of tools").write("tools: [lookup],"));
        return None;
    };
    let before = m.count();
    let mut paths: Vec<Path> = Vec::new();
    while !content.is_empty() {
        let at = next_span(&content);
        match content.call(Path::parse_mod_style) {
            Ok(path) => {
                if paths.iter().any(|known| shown(known) == shown(&path)) {
                    m.at(
                        &path,
                        format!("tool `{}` stands twice in `tools`: keep one of the two", shown(&path)),
                    );
                }
                paths.push(path);
            }
            Err(_) => m.at_span(
                at,
                "`tools` takes the names of tools: functions under `#[tool]`, or types that implement `Tool`",
            ),
        }
        next_in_list("tools", &content, m, before);
    }
    (m.count() == before).then_some(Tools { span, paths })
}

/// A type.
pub(crate) fn ty(key: &str, input: ParseStream<'_>, mistakes: &mut Mistakes) -> Option<Type> {
    let span = next_span(input);
    let value = input.parse::<Type>().ok();
    if value.is_none() {
        mistakes.at_span(span, format!("`{key}` takes a type"));
    }
    value
}

/// The content of braces.
///
/// # Errors
/// When no brace comes next.
pub(crate) fn braces(input: ParseStream<'_>) -> syn::Result<ParseBuffer<'_>> {
    let content;
    braced!(content in input);
    Ok(content)
}

/// The content of parentheses, where they come next.
pub(crate) fn parenthesised(input: ParseStream<'_>) -> Option<ParseBuffer<'_>> {
    let open = || {
        let content;
        parenthesized!(content in input);
        Ok::<_, syn::Error>(content)
    };
    open().ok()
}

/// The content of brackets, where they come next.
pub(crate) fn bracketed(input: ParseStream<'_>) -> Option<ParseBuffer<'_>> {
    let open = || {
        let content;
        bracketed!(content in input);
        Ok::<_, syn::Error>(content)
    };
    open().ok()
}

/// Goes on behind a group, where one comes next: what it belongs to has been reported.
pub(crate) fn skip_group(input: ParseStream<'_>) {
    if input.peek(syn::token::Paren) || input.peek(syn::token::Brace) || input.peek(syn::token::Bracket) {
        let _skipped = input.parse::<TokenTree>();
    }
}

/// Reports what follows the only value in parentheses.
pub(crate) fn nothing_more(key: &str, input: ParseStream<'_>, mistakes: &mut Mistakes) {
    let _trailing = input.parse::<Option<Token![,]>>();
    if !input.is_empty() {
        mistakes.at_span(next_span(input), format!("`{key}` takes one value"));
        let _skipped = input.parse::<TokenStream>();
    }
}

/// `type Name = Type;` at the author's type, `()` where there is none: so that an error about the item points there.
pub(crate) fn associated(name: &str, else_at: Span, ty: Option<&Type>) -> TokenStream {
    let name = |span| Ident::new(name, span);
    match ty {
        Some(ty) => {
            let span = ty.span();
            let name = name(span);
            quote_spanned! { span=> type #name = #ty; }
        }
        None => {
            let name = name(else_at);
            quote_spanned! { else_at=> type #name = (); }
        }
    }
}

/// A type as an author would write it.
pub(crate) fn shown(tokens: &impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (spaced, tight) in
        [(" < ", "<"), (" <", "<"), ("< ", "<"), (" >", ">"), (" ,", ","), (" :: ", "::"), (":: ", "::")]
    {
        text = text.replace(spaced, tight);
    }
    text
}
