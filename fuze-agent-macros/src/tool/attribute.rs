//! What stands between the brackets of `#[tool(…)]`.

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, ExprClosure, Ident, LitStr, Pat, Token};

use crate::errors::{Mistake, Mistakes};
use crate::parse::{self, Entry, Fact, Form, Word};
use crate::vocabulary::{self, Art9};

/// The keys, each with what the author says about it.
pub(crate) struct Attribute {
    pub(crate) classification: Fact<Word>,
    pub(crate) art9_basis: Fact<Art9Basis>,
    pub(crate) lawful_bases: Fact<Vec<Word>>,
    pub(crate) residency: Fact<Word>,
    pub(crate) retention: Fact<Expr>,
    pub(crate) threat_boundary: Fact<Boundary>,
    pub(crate) effect: Fact<Word>,
    pub(crate) needs_approval: Fact<NeedsApproval>,
    pub(crate) requests_oversight: Fact<()>,
    pub(crate) time_limit_ms: Fact<u64>,
    pub(crate) grace_ms: Fact<u64>,
    pub(crate) name: Fact<LitStr>,
}

/// `explicit_consent`, or `public_health(law = "…")`.
pub(crate) struct Art9Basis {
    pub(crate) ident: Ident,
    pub(crate) basis: &'static Art9,
    pub(crate) law: Option<LitStr>,
}

/// `threat_boundary(…)`.
pub(crate) struct Boundary {
    pub(crate) egress: Fact<Egress>,
    pub(crate) file_system: Fact<Word>,
    pub(crate) observes_secrets: Fact<()>,
}

/// Where the tool may send data.
pub(crate) enum Egress {
    Word(Word),
    Hosts { hosts: Ident, place: Word, names: Vec<LitStr> },
}

/// When a human decides.
pub(crate) enum NeedsApproval {
    Always(Ident),
    When { args: Ident, body: Box<Expr> },
}

/// The form of the attribute.
pub(crate) const FORM: Form = Form {
    owner: "#[tool]",
    separator: '=',
    keys: &[
        "classification",
        "art9_basis",
        "lawful_bases",
        "residency",
        "retention",
        "threat_boundary",
        "effect",
        "needs_approval",
        "requests_oversight",
        "time_limit_ms",
        "grace_ms",
        "name",
    ],
};

const BOUNDARY: Form =
    Form { owner: "threat_boundary", separator: '=', keys: &["egress", "file_system", "observes_secrets"] };

impl Attribute {
    /// Reads everything, and reports everything that cannot be read.
    pub(crate) fn parse(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut attribute = Self {
            classification: Fact::Missing,
            art9_basis: Fact::Missing,
            lawful_bases: Fact::Missing,
            residency: Fact::Missing,
            retention: Fact::Missing,
            threat_boundary: Fact::Missing,
            effect: Fact::Missing,
            needs_approval: Fact::Missing,
            requests_oversight: Fact::Missing,
            time_limit_ms: Fact::Missing,
            grace_ms: Fact::Missing,
            name: Fact::Missing,
        };
        let parser = |input: ParseStream<'_>| {
            parse::entries(FORM, input, mistakes, |entry, mistakes| match entry {
                Entry::Known(key, input) => attribute.entry(key, input, mistakes),
                Entry::Misspelt(key) => attribute.misspelt(key),
            });
            Ok(())
        };
        if let Err(error) = parser.parse2(tokens) {
            mistakes.syntax(error);
        }
        attribute
    }

    fn entry(&mut self, key: &Ident, input: ParseStream<'_>, m: &mut Mistakes) {
        let name = key.to_string();
        let k = name.as_str();
        match k {
            "classification" => {
                let value = is(key, input, "personal", m)
                    .and_then(|()| parse::word(k, vocabulary::CLASSIFICATION, input, m));
                self.classification = Fact::stated(key, value);
            }
            "art9_basis" => {
                let value = is(key, input, "explicit_consent", m).and_then(|()| art9_basis(input, m));
                self.art9_basis = Fact::stated(key, value);
            }
            "lawful_bases" => {
                let value = is(key, input, "[contract]", m).and_then(|()| lawful_bases(input, m));
                self.lawful_bases = Fact::stated(key, value);
            }
            "residency" => {
                let value =
                    is(key, input, "eu", m).and_then(|()| parse::word(k, vocabulary::RESIDENCY, input, m));
                self.residency = Fact::stated(key, value);
            }
            "retention" => {
                let value = is(key, input, "RETENTION", m).and_then(|()| parse::retention(FORM, input, m));
                self.retention = Fact::stated(key, value);
            }
            "threat_boundary" => self.threat_boundary = Fact::stated(key, Boundary::parse(key, input, m)),
            "effect" => {
                let value =
                    is(key, input, "read", m).and_then(|()| parse::word(k, vocabulary::EFFECT, input, m));
                self.effect = Fact::stated(key, value);
            }
            "needs_approval" => {
                let value = is(key, input, "always", m).and_then(|()| needs_approval(input, m));
                self.needs_approval = Fact::stated(key, value);
            }
            "requests_oversight" => self.requests_oversight = Fact::stated(key, flag(key, input, m)),
            "time_limit_ms" => {
                let value = is(key, input, "5_000", m).and_then(|()| parse::number(k, 1, u64::MAX, input, m));
                self.time_limit_ms = Fact::stated(key, value);
            }
            "grace_ms" => {
                let value = is(key, input, "1_000", m).and_then(|()| parse::number(k, 0, u64::MAX, input, m));
                self.grace_ms = Fact::stated(key, value);
            }
            "name" => {
                let value = is(key, input, "\"lookup\"", m)
                    .and_then(|()| parse::name(k, 64, parse::TOOL_NAME_SIGNS, input, m));
                self.name = Fact::stated(key, value);
            }
            // `entries` gives only the keys of the form.
            _ => {}
        }
    }
}

impl Attribute {
    fn misspelt(&mut self, key: &str) {
        match key {
            "classification" => self.classification.misspelt(),
            "art9_basis" => self.art9_basis.misspelt(),
            "lawful_bases" => self.lawful_bases.misspelt(),
            "residency" => self.residency.misspelt(),
            "retention" => self.retention.misspelt(),
            "threat_boundary" => self.threat_boundary.misspelt(),
            "effect" => self.effect.misspelt(),
            "needs_approval" => self.needs_approval.misspelt(),
            "requests_oversight" => self.requests_oversight.misspelt(),
            "time_limit_ms" => self.time_limit_ms.misspelt(),
            "grace_ms" => self.grace_ms.misspelt(),
            _ => self.name.misspelt(),
        }
    }
}

impl Boundary {
    fn parse(key: &Ident, input: ParseStream<'_>, m: &mut Mistakes) -> Option<Self> {
        const EXAMPLE: &str = "threat_boundary(egress = none),";
        let mut boundary =
            Self { egress: Fact::Missing, file_system: Fact::Missing, observes_secrets: Fact::Missing };
        let Some(content) = parse::parenthesised(input) else {
            m.at(key, Mistake::new("`threat_boundary` takes its facts in parentheses").write(EXAMPLE));
            return None;
        };
        let before = m.count();
        parse::entries(BOUNDARY, &content, m, |entry, m| {
            if let Entry::Known(key, input) = entry {
                boundary.entry(key, input, m);
            }
        });
        if boundary.egress.is_missing() && m.count() == before {
            m.at(
                key,
                Mistake::new("`egress` is missing: the threat boundary says where the tool may send data (GDPR Art. 32, 44)")
                    .allowed(egress_forms())
                    .write(EXAMPLE),
            );
        }
        // Where something in it is wrong, it may be any of the facts.
        (m.count() == before).then_some(boundary)
    }

    fn entry(&mut self, key: &Ident, input: ParseStream<'_>, m: &mut Mistakes) {
        if key == "egress" {
            let value = is(key, input, "none", m).and_then(|()| egress(input, m));
            self.egress = Fact::stated(key, value);
        } else if key == "file_system" {
            let value = is(key, input, "read", m)
                .and_then(|()| parse::word("file_system", vocabulary::FILE_SYSTEM, input, m));
            self.file_system = Fact::stated(key, value);
        } else {
            self.observes_secrets = Fact::stated(key, flag(key, input, m));
        }
    }
}

fn is(key: &Ident, input: ParseStream<'_>, example: &str, m: &mut Mistakes) -> Option<()> {
    parse::separator(FORM, key, input, example, m)
}

fn flag(key: &Ident, input: ParseStream<'_>, m: &mut Mistakes) -> Option<()> {
    if input.is_empty() || input.peek(Token![,]) || !(input.peek(Token![=]) || input.peek(syn::token::Paren))
    {
        return Some(());
    }
    m.at(
        key,
        Mistake::new(format!("`{key}` takes no value: it says yes by standing there"))
            .write(format!("{key},")),
    );
    None
}

fn art9_names() -> impl Iterator<Item = &'static str> + Clone {
    vocabulary::ART9_BASIS.iter().map(|basis| basis.term.name)
}

fn art9_basis(input: ParseStream<'_>, m: &mut Mistakes) -> Option<Art9Basis> {
    let ident = parse::ident("art9_basis", art9_names(), input, m)?;
    let Some(basis) = vocabulary::ART9_BASIS.iter().find(|basis| ident == basis.term.name) else {
        m.at(&ident, parse::unknown_word("art9_basis", &ident.to_string(), art9_names()));
        parse::skip_group(input);
        return None;
    };
    let name = basis.term.name;
    let example = format!("art9_basis = {name}(law = \"§ 22(1) no. 1 b BDSG\"),");
    let Some(content) = parse::parenthesised(input) else {
        return Some(Art9Basis { ident, basis, law: None });
    };
    let law = content
        .call(syn::ext::IdentExt::parse_any)
        .and_then(|key: Ident| {
            content.parse::<Token![=]>()?;
            let law = content.parse::<LitStr>()?;
            let _ = content.parse::<Option<Token![,]>>();
            if key == "law" && content.is_empty() {
                Ok(law)
            } else {
                Err(content.error("not a law reference"))
            }
        })
        .ok();
    if law.is_none() {
        let _ = content.parse::<TokenStream>();
        m.at(
            &ident,
            Mistake::new(format!("the parentheses of `{name}` hold the reference to the law")).write(example),
        );
        return None;
    }
    Some(Art9Basis { ident, basis, law })
}

fn lawful_bases(input: ParseStream<'_>, m: &mut Mistakes) -> Option<Vec<Word>> {
    let names = vocabulary::LAWFUL_BASIS.iter().map(|term| term.name);
    if !input.peek(syn::token::Bracket) {
        let mistake = match input.fork().parse::<Ident>() {
            Ok(word) if names.clone().any(|name| word == name) => {
                Mistake::new("`lawful_bases` takes a list").write(format!("lawful_bases = [{word}],"))
            }
            _ => Mistake::new("`lawful_bases` takes a list of lawful bases (GDPR Art. 6(1))")
                .allowed(names)
                .write("lawful_bases = [contract],"),
        };
        m.at_span(parse::next_span(input), mistake);
        return None;
    }
    let span = parse::next_span(input);
    let content = parse::bracketed(input)?;
    let before = m.count();
    let mut bases: Vec<Word> = Vec::new();
    while !content.is_empty() {
        let word = parse::word("lawful_bases", vocabulary::LAWFUL_BASIS, &content, m);
        if let Some(word) = word {
            if bases.iter().any(|known| known.term == word.term) {
                m.at(
                    &word.ident,
                    format!("`{}` stands twice in `lawful_bases`: keep one of the two", word.ident),
                );
            }
            bases.push(word);
        }
        parse::next_in_list("lawful_bases", &content, m, before);
    }
    if bases.is_empty() && m.count() == before {
        m.at_span(
            span,
            Mistake::new("`lawful_bases` is empty: personal data needs at least one (GDPR Art. 6(1))")
                .allowed(names)
                .write("lawful_bases = [contract],"),
        );
    }
    (m.count() == before).then_some(bases)
}

pub(super) fn egress_forms() -> impl Iterator<Item = &'static str> + Clone {
    vocabulary::EGRESS.iter().map(|term| term.name).chain(["hosts(eu, \"api.example.eu\")"])
}

fn egress(input: ParseStream<'_>, m: &mut Mistakes) -> Option<Egress> {
    let words = vocabulary::EGRESS.iter().map(|term| term.name).chain(["hosts"]);
    let ident = parse::ident("egress", words.clone(), input, m)?;
    if let Some(term) = vocabulary::EGRESS.iter().find(|term| ident == term.name) {
        return Some(Egress::Word(Word { ident, term }));
    }
    if ident != "hosts" {
        m.at(&ident, parse::unknown_word("egress", &ident.to_string(), words));
        parse::skip_group(input);
        return None;
    }
    const EXAMPLE: &str = "egress = hosts(eu, \"api.example.eu\")";
    let before = m.count();
    let Some(content) = parse::parenthesised(input) else {
        m.at(&ident, Mistake::new("`hosts` takes the place of the hosts and their names").write(EXAMPLE));
        return None;
    };
    if content.is_empty() {
        m.at(&ident, Mistake::new("`hosts` takes the place of the hosts and their names").write(EXAMPLE));
        return None;
    }
    if content.peek(LitStr) {
        m.at_span(
            parse::next_span(&content),
            Mistake::new("`hosts` begins with the place where the hosts are (GDPR Art. 44)")
                .allowed(vocabulary::RESIDENCY.iter().map(|term| term.name))
                .write(EXAMPLE),
        );
        let _ = content.parse::<TokenStream>();
        return None;
    }
    let place = parse::word("hosts", vocabulary::RESIDENCY, &content, m);
    parse::next_in_list("hosts", &content, m, before);
    let mut names: Vec<LitStr> = Vec::new();
    while !content.is_empty() {
        if let Some(host) = parse::text("hosts", &content, m) {
            let value = host.value();
            if !is_host(&value) {
                m.at(&host, format!("`{value}` is not a host name: write it without scheme, path and port"));
            } else if names.iter().any(|known| known.value() == value) {
                m.at(&host, format!("host `{value}` is given twice: keep one of the two"));
            }
            names.push(host);
        }
        parse::next_in_list("hosts", &content, m, before);
    }
    if names.is_empty() && m.count() == before {
        m.at(
            &ident,
            Mistake::new("`hosts` names no host: the threat boundary names each (GDPR Art. 32)")
                .write(EXAMPLE),
        );
    }
    let place = place.filter(|_| m.count() == before)?;
    Some(Egress::Hosts { hosts: ident, place, names })
}

fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

fn needs_approval(input: ParseStream<'_>, m: &mut Mistakes) -> Option<NeedsApproval> {
    const EXAMPLE: &str = "needs_approval = |args| args.amount_cents > 100_000,";
    if input.peek(Ident) {
        let ident = input.call(Ident::parse_any).ok()?;
        if ident == "always" {
            return Some(NeedsApproval::Always(ident));
        }
        let what = if ident == "never" {
            "`needs_approval = never` is the default: leave the key out".to_owned()
        } else {
            format!("unknown value `{ident}` of `needs_approval`")
        };
        m.at(&ident, Mistake::new(what).allowed(["always", "|args| …"]).write(EXAMPLE));
        return None;
    }
    let span = parse::next_span(input);
    let closure = match input.parse::<Expr>() {
        Ok(Expr::Closure(closure)) => closure,
        Ok(_) => {
            m.at_span(
                span,
                Mistake::new("`needs_approval` takes `always` or a closure over the arguments")
                    .allowed(["always", "|args| …"])
                    .write(EXAMPLE),
            );
            return None;
        }
        Err(error) => {
            m.syntax(error);
            return None;
        }
    };
    predicate(closure, m)
}

fn predicate(closure: ExprClosure, m: &mut Mistakes) -> Option<NeedsApproval> {
    if let (1, Some(Pat::Ident(pattern))) = (closure.inputs.len(), closure.inputs.first()) {
        let plain = pattern.by_ref.is_none() && pattern.mutability.is_none() && pattern.subpat.is_none();
        if plain && closure.asyncness.is_none() && closure.capture.is_none() {
            return Some(NeedsApproval::When { args: pattern.ident.clone(), body: closure.body });
        }
    }
    m.at(
        &closure,
        Mistake::new("the closure of `needs_approval` takes the arguments as one plain name, and is neither `async` nor `move`")
            .write("needs_approval = |args| args.amount_cents > 100_000,"),
    );
    None
}

/// The egresses that are a word.
pub(super) fn egress_words() -> impl Iterator<Item = &'static str> + Clone {
    vocabulary::EGRESS.iter().map(|term| term.name)
}
