//! What stands in `define_agent! { … }`.

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Expr, Ident, LitStr, Token, Type, Visibility};

use crate::attributes::Attributes;
use crate::errors::{Mistake, Mistakes};
use crate::parse::{self, Entry, Fact, Form, Tools, Word};
use crate::vocabulary::{self, Area};

/// An agent as its author declares it.
pub(crate) struct Declaration {
    pub(crate) attributes: Attributes,
    pub(crate) visibility: Visibility,
    pub(crate) agent: Ident,
    pub(crate) purpose: Fact<LitStr>,
    pub(crate) instructions: Fact<Expr>,
    pub(crate) lawful_basis: Fact<Word>,
    pub(crate) annex_iii: Fact<AnnexIii>,
    pub(crate) art22: Fact<Art22>,
    pub(crate) oversight: Fact<Oversight>,
    pub(crate) model_residency: Fact<Word>,
    pub(crate) retention: Fact<Expr>,
    pub(crate) tools: Fact<Tools>,
    pub(crate) deps: Fact<Type>,
    pub(crate) output: Fact<Type>,
    pub(crate) max_steps: Fact<u64>,
    pub(crate) retry_budget: Fact<u64>,
    pub(crate) token_budget: Fact<u64>,
    pub(crate) guardrails: Fact<Vec<Expr>>,
    pub(crate) max_depth: Fact<u64>,
    pub(crate) model_time_limit_ms: Fact<u64>,
    pub(crate) run_time_limit_ms: Fact<u64>,
    pub(crate) name: Fact<LitStr>,
}

/// `none`, or `employment::recruitment`.
pub(crate) enum AnnexIii {
    None(Ident),
    Point { area: &'static Area, area_ident: Ident, point: Word },
}

/// `none`, or `decides(contract_necessity)`.
pub(crate) enum Art22 {
    None(Ident),
    Decides { decides: Ident, basis: Word },
}

/// `none`, or `human_approval { plan: "…", training: "…" }`.
pub(crate) enum Oversight {
    None(Ident),
    /// A fact that is not there has been reported.
    HumanApproval {
        human_approval: Ident,
        plan: Fact<LitStr>,
        training: Fact<LitStr>,
    },
}

/// The form of the declaration.
pub(crate) const FORM: Form = Form {
    owner: "define_agent!",
    separator: ':',
    keys: &[
        "purpose",
        "instructions",
        "lawful_basis",
        "annex_iii",
        "art22",
        "oversight",
        "model_residency",
        "retention",
        "tools",
        "deps",
        "output",
        "max_steps",
        "retry_budget",
        "token_budget",
        "guardrails",
        "max_depth",
        "model_time_limit_ms",
        "run_time_limit_ms",
        "name",
    ],
};

const HUMAN_APPROVAL: Form = Form { owner: "human_approval", separator: ':', keys: &["plan", "training"] };

/// A line to paste for human oversight.
pub(crate) const OVERSIGHT_LINE: &str =
    "oversight: human_approval { plan: \"oversight.hr.v1\", training: \"hr-2026\" },";

impl Declaration {
    /// Reads everything, and reports everything that cannot be read.
    ///
    /// # Errors
    /// When there is no agent's name or no body.
    pub(crate) fn parse(tokens: TokenStream, mistakes: &mut Mistakes) -> syn::Result<Self> {
        let parser = |input: ParseStream<'_>| Self::read(input, mistakes);
        parser.parse2(tokens)
    }

    fn read(input: ParseStream<'_>, mistakes: &mut Mistakes) -> syn::Result<Self> {
        let attributes = Attributes::sort(input.call(Attribute::parse_outer)?);
        let visibility: Visibility = input.parse()?;
        let Ok(agent) = input.parse::<Ident>() else {
            let text = "`define_agent!` needs the agent's name\nwrite: `pub HiringAgent { … }`";
            return Err(syn::Error::new(parse::next_span(input), text));
        };
        if !input.peek(syn::token::Brace) {
            let text = format!("agent `{agent}` has no body\nwrite: `{agent} {{ … }}`");
            return Err(syn::Error::new_spanned(agent, text));
        }
        let content = parse::braces(input)?;
        let mut declaration = Self::empty(attributes, visibility, agent);
        parse::entries(FORM, &content, mistakes, |entry, m| match entry {
            Entry::Known(key, input) => declaration.entry(key, input, m),
            Entry::Misspelt(key) => declaration.misspelt(key),
        });
        if !input.is_empty() {
            mistakes.at_span(
                parse::next_span(input),
                "`define_agent!` declares one agent: nothing may follow its body",
            );
            input.parse::<TokenStream>()?;
        }
        Ok(declaration)
    }

    fn empty(attributes: Attributes, visibility: Visibility, agent: Ident) -> Self {
        Self {
            attributes,
            visibility,
            agent,
            purpose: Fact::Missing,
            instructions: Fact::Missing,
            lawful_basis: Fact::Missing,
            annex_iii: Fact::Missing,
            art22: Fact::Missing,
            oversight: Fact::Missing,
            model_residency: Fact::Missing,
            retention: Fact::Missing,
            tools: Fact::Missing,
            deps: Fact::Missing,
            output: Fact::Missing,
            max_steps: Fact::Missing,
            retry_budget: Fact::Missing,
            token_budget: Fact::Missing,
            guardrails: Fact::Missing,
            max_depth: Fact::Missing,
            model_time_limit_ms: Fact::Missing,
            run_time_limit_ms: Fact::Missing,
            name: Fact::Missing,
        }
    }

    fn entry(&mut self, key: &Ident, input: ParseStream<'_>, m: &mut Mistakes) {
        let name = key.to_string();
        let k = name.as_str();
        let Some((_, example)) = EXAMPLES.iter().find(|(known, _)| *known == k) else { return };
        let given = parse::separator(FORM, key, input, example, m).is_some();
        // What `value` reads stands behind the separator.
        macro_rules! fact {
            ($field:ident, $value:expr) => {
                self.$field = Fact::stated(key, if given { $value } else { None })
            };
        }
        match k {
            "purpose" => fact!(purpose, parse::name(k, 128, parse::NAME_SIGNS, input, m)),
            "instructions" => fact!(instructions, instructions(input, m)),
            "lawful_basis" => fact!(lawful_basis, parse::word(k, vocabulary::LAWFUL_BASIS, input, m)),
            "annex_iii" => fact!(annex_iii, annex_iii(input, m)),
            "art22" => fact!(art22, art22(input, m)),
            "oversight" => fact!(oversight, oversight(input, m)),
            "model_residency" => fact!(model_residency, parse::word(k, vocabulary::RESIDENCY, input, m)),
            "retention" => fact!(retention, parse::retention(FORM, input, m)),
            "tools" => fact!(tools, tools(input, m)),
            "deps" => fact!(deps, parse::ty(k, input, m)),
            "output" => fact!(output, parse::ty(k, input, m)),
            "max_steps" => fact!(max_steps, parse::number(k, 1, u32::MAX.into(), input, m)),
            "retry_budget" => fact!(retry_budget, parse::number(k, 0, u32::MAX.into(), input, m)),
            "token_budget" => fact!(token_budget, parse::number(k, 1, u64::MAX, input, m)),
            "guardrails" => fact!(guardrails, guardrails(input, m)),
            "max_depth" => fact!(max_depth, parse::number(k, 0, u32::MAX.into(), input, m)),
            "model_time_limit_ms" => fact!(model_time_limit_ms, parse::number(k, 1, u64::MAX, input, m)),
            "run_time_limit_ms" => fact!(run_time_limit_ms, parse::number(k, 1, u64::MAX, input, m)),
            _ => fact!(name, parse::name(k, 128, parse::NAME_SIGNS, input, m)),
        }
    }
}

impl Declaration {
    fn misspelt(&mut self, key: &str) {
        match key {
            "purpose" => self.purpose.misspelt(),
            "instructions" => self.instructions.misspelt(),
            "lawful_basis" => self.lawful_basis.misspelt(),
            "annex_iii" => self.annex_iii.misspelt(),
            "art22" => self.art22.misspelt(),
            "oversight" => self.oversight.misspelt(),
            "model_residency" => self.model_residency.misspelt(),
            "retention" => self.retention.misspelt(),
            "tools" => self.tools.misspelt(),
            "deps" => self.deps.misspelt(),
            "output" => self.output.misspelt(),
            "max_steps" => self.max_steps.misspelt(),
            "retry_budget" => self.retry_budget.misspelt(),
            "token_budget" => self.token_budget.misspelt(),
            "guardrails" => self.guardrails.misspelt(),
            "max_depth" => self.max_depth.misspelt(),
            "model_time_limit_ms" => self.model_time_limit_ms.misspelt(),
            "run_time_limit_ms" => self.run_time_limit_ms.misspelt(),
            _ => self.name.misspelt(),
        }
    }
}

/// Each key with a value to paste.
pub(crate) const EXAMPLES: &[(&str, &str)] = &[
    ("purpose", "\"employment-screening\""),
    ("instructions", "\"Read the dossier, then recommend.\""),
    ("lawful_basis", "contract"),
    ("annex_iii", "none"),
    ("art22", "none"),
    ("oversight", "none"),
    ("model_residency", "eu"),
    ("retention", "RETENTION"),
    ("tools", "[lookup]"),
    ("deps", "()"),
    ("output", "String"),
    ("max_steps", "8"),
    ("retry_budget", "1"),
    ("token_budget", "50_000"),
    ("guardrails", "[NoSecrets]"),
    ("max_depth", "4"),
    ("model_time_limit_ms", "60_000"),
    ("run_time_limit_ms", "3_600_000"),
    ("name", "\"hiring\""),
];

fn instructions(input: ParseStream<'_>, m: &mut Mistakes) -> Option<Expr> {
    if input.peek(LitStr) && !input.peek2(Token![.]) {
        let text = parse::text("instructions", input, m)?;
        return Some(Expr::Lit(syn::ExprLit { attrs: Vec::new(), lit: syn::Lit::Str(text) }));
    }
    parse::expression("instructions", input, m)
}

fn area_names() -> impl Iterator<Item = &'static str> + Clone {
    vocabulary::ANNEX_III.iter().map(|area| area.name)
}

fn area_forms(area: &Area) -> Vec<String> {
    area.points.iter().map(|point| format!("{}::{}", area.name, point.name)).collect()
}

fn annex_iii(input: ParseStream<'_>, m: &mut Mistakes) -> Option<AnnexIii> {
    let words = ["none"].into_iter().chain(area_names());
    let ident = parse::ident("annex_iii", words.clone(), input, m)?;
    if ident == "none" {
        return Some(AnnexIii::None(ident));
    }
    let rest = || {
        input.parse::<Token![::]>()?;
        input.call(Ident::parse_any)
    };
    let point = if input.peek(Token![::]) { rest().ok() } else { None };
    let Some(area) = vocabulary::ANNEX_III.iter().find(|area| ident == area.name) else {
        m.at(&ident, parse::unknown_word("annex_iii", &ident.to_string(), words));
        return None;
    };
    let line = || area_forms(area).first().map(|form| format!("annex_iii: {form},")).unwrap_or_default();
    let Some(point_ident) = point else {
        m.at(
            &ident,
            Mistake::new(format!(
                "`annex_iii: {ident}` names an area: the points have legal effect (AI Act Annex III)"
            ))
            .allowed(area_forms(area))
            .write(line()),
        );
        return None;
    };
    let Some(term) = area.points.iter().find(|term| point_ident == term.name) else {
        let known = area.points.iter().map(|term| term.name);
        let what = match crate::errors::did_you_mean(&point_ident.to_string(), known) {
            Some(known) => format!(
                "unknown point `{point_ident}` of AI Act Annex III, area `{ident}`: did you mean `{known}`?"
            ),
            None => format!("unknown point `{point_ident}` of AI Act Annex III, area `{ident}`"),
        };
        m.at(&point_ident, Mistake::new(what).allowed(area_forms(area)));
        return None;
    };
    Some(AnnexIii::Point { area, area_ident: ident, point: Word { ident: point_ident, term } })
}

fn art22_names() -> impl Iterator<Item = &'static str> + Clone {
    vocabulary::ART22_BASIS.iter().map(|term| term.name)
}

fn art22(input: ParseStream<'_>, m: &mut Mistakes) -> Option<Art22> {
    const EXAMPLE: &str = "art22: decides(contract_necessity),";
    let words = ["none", "decides"].into_iter();
    let ident = parse::ident("art22", words.clone(), input, m)?;
    if ident == "none" {
        return Some(Art22::None(ident));
    }
    if ident != "decides" {
        let text = ident.to_string();
        // The basis without `decides` is a likely slip.
        let mistake = if art22_names().any(|name| name == text) {
            Mistake::new(format!(
                "`{text}` is the basis of a decision: say that the agent decides (GDPR Art. 22)"
            ))
            .write(format!("art22: decides({text}),"))
        } else {
            parse::unknown_word("art22", &text, words).write(EXAMPLE)
        };
        m.at(&ident, mistake);
        parse::skip_group(input);
        return None;
    }
    let missing = || {
        Mistake::new(
            "`decides` is missing its basis: a solely automated decision needs one (GDPR Art. 22(2))",
        )
        .allowed(art22_names())
        .write(EXAMPLE)
    };
    let Some(content) = parse::parenthesised(input) else {
        m.at(&ident, missing());
        return None;
    };
    if content.is_empty() {
        m.at(&ident, missing());
        return None;
    }
    let basis = parse::word("decides", vocabulary::ART22_BASIS, &content, m);
    parse::nothing_more("decides", &content, m);
    basis.map(|basis| Art22::Decides { decides: ident, basis })
}

fn oversight(input: ParseStream<'_>, m: &mut Mistakes) -> Option<Oversight> {
    let words = ["none", "human_approval"].into_iter();
    let ident = parse::ident("oversight", words.clone(), input, m)?;
    if ident == "none" {
        return Some(Oversight::None(ident));
    }
    if ident != "human_approval" {
        m.at(&ident, parse::unknown_word("oversight", &ident.to_string(), words).write(OVERSIGHT_LINE));
        parse::skip_group(input);
        return None;
    }
    if !input.peek(syn::token::Brace) {
        parse::skip_group(input);
        m.at(
            &ident,
            Mistake::new(
                "`human_approval` names its plan and the overseers' training (AI Act Art. 14, 26(2))",
            )
            .write(OVERSIGHT_LINE),
        );
        return None;
    }
    let content = parse::braces(input).ok()?;
    let (mut plan, mut training) = (Fact::Missing, Fact::Missing);
    parse::entries(HUMAN_APPROVAL, &content, m, |entry, m| match entry {
        Entry::Misspelt("plan") => plan.misspelt(),
        Entry::Misspelt(_) => training.misspelt(),
        Entry::Known(key, input) => {
            let (fact, key_name, example) = if key == "plan" {
                (&mut plan, "plan", "\"oversight.hr.v1\"")
            } else {
                (&mut training, "training", "\"hr-2026\"")
            };
            let value = parse::separator(HUMAN_APPROVAL, key, input, example, m)
                .and_then(|()| parse::name(key_name, 128, parse::NAME_SIGNS, input, m));
            *fact = Fact::stated(key, value);
        }
    });
    Some(Oversight::HumanApproval { human_approval: ident, plan, training })
}

fn tools(input: ParseStream<'_>, m: &mut Mistakes) -> Option<Tools> {
    let tools = parse::tools(input, m)?;
    let Some(extra) = tools.paths.get(16) else { return Some(tools) };
    m.at(
        extra,
        "an agent has up to 16 tools, so that a person can oversee what it does (AI Act Art. 14): make another agent of the others",
    );
    None
}

fn guardrails(input: ParseStream<'_>, m: &mut Mistakes) -> Option<Vec<Expr>> {
    let span = parse::next_span(input);
    let Some(content) = parse::bracketed(input) else {
        m.at_span(
            span,
            Mistake::new("`guardrails` takes a list of guardrails").write("guardrails: [NoSecrets],"),
        );
        return None;
    };
    let before = m.count();
    let mut guardrails = Vec::new();
    while !content.is_empty() {
        guardrails.extend(parse::expression("guardrails", &content, m));
        parse::next_in_list("guardrails", &content, m, before);
    }
    (m.count() == before).then_some(guardrails)
}
