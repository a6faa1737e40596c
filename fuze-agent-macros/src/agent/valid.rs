//! The rules that one agent's declaration shows by itself. The types hold them too, and those between an agent and its
//! tools; here they speak at the author's word.

use syn::Ident;

use super::body::{AnnexIii, Art22, Declaration, EXAMPLES, OVERSIGHT_LINE, Oversight};
use crate::errors::{Mistake, Mistakes};
use crate::parse::{self, Fact};
use crate::vocabulary;

/// Reports every rule that the declaration breaks.
pub(crate) fn check(agent: &Declaration, m: &mut Mistakes) {
    let name = &agent.agent;
    if agent.attributes.description.is_empty() {
        m.at(
            name,
            Mistake::new(format!("agent `{name}` has no description: overseers read its documentation (AI Act Art. 13, 14(4)(a))"))
                .write("/// What this agent does, in a sentence."),
        );
    }
    required(agent, m);
    oversight(agent, m);
    if agent.name.is_missing() {
        let text = syn::ext::IdentExt::unraw(name).to_string();
        if !parse::is_name(&text, 128, parse::NAME_SIGNS) {
            let what = "an agent's name has 1 to 128 characters of `A-Z a-z 0-9 . _ : / @ + -`";
            m.at(name, Mistake::new(what).write("name: \"hiring\","));
        }
    }
}

fn required(agent: &Declaration, m: &mut Mistakes) {
    let name = &agent.agent;
    let bases = || vocabulary::LAWFUL_BASIS.iter().map(|term| term.name.to_owned()).collect();
    let residencies = || vocabulary::RESIDENCY.iter().map(|term| term.name.to_owned()).collect();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut need = |missing: bool, key: &str, why: &str, allowed: Vec<String>| {
        if missing {
            m.at(name, missing_key(name, key, why, allowed));
        }
    };
    need(agent.purpose.is_missing(), "purpose", "the purpose of processing (GDPR Art. 5(1)(b))", vec![]);
    need(agent.instructions.is_missing(), "instructions", "what its system prompt is", vec![]);
    need(
        agent.lawful_basis.is_missing(),
        "lawful_basis",
        "the basis on which it processes (GDPR Art. 6(1))",
        bases(),
    );
    need(
        agent.annex_iii.is_missing(),
        "annex_iii",
        "whether it is high-risk (AI Act Art. 6(2), Annex III)",
        ["none".to_owned()]
            .into_iter()
            .chain(vocabulary::ANNEX_III.iter().map(|area| format!("{}::…", area.name)))
            .collect(),
    );
    let bases = vocabulary::ART22_BASIS.iter().map(|term| format!("decides({})", term.name));
    need(
        agent.art22.is_missing(),
        "art22",
        "whether it decides by itself (GDPR Art. 22)",
        ["none".to_owned()].into_iter().chain(bases).collect(),
    );
    need(
        agent.oversight.is_missing() && !is_high_risk(agent),
        "oversight",
        "who oversees it (AI Act Art. 14)",
        words(&["none", "human_approval { plan: \"…\", training: \"…\" }"]),
    );
    need(
        agent.model_residency.is_missing(),
        "model_residency",
        "the widest place where its model may be hosted (GDPR Art. 44)",
        residencies(),
    );
    need(
        agent.retention.is_missing(),
        "retention",
        "how long what its runs leave is kept (GDPR Art. 5(1)(e))",
        vec![],
    );
    need(agent.tools.is_missing(), "tools", "what it can do", vec![]);
    need(agent.deps.is_missing(), "deps", "what its tools share, `()` for nothing", vec![]);
    need(agent.output.is_missing(), "output", "the type of its answer", vec![]);
    need(agent.max_steps.is_missing(), "max_steps", "after how many steps a run stops", vec![]);
    need(agent.retry_budget.is_missing(), "retry_budget", "how many repetitions a run may spend", vec![]);
    need(agent.token_budget.is_missing(), "token_budget", "how many tokens a run may spend", vec![]);
}

fn missing_key(name: &Ident, key: &str, why: &str, allowed: Vec<String>) -> Mistake {
    let example = EXAMPLES.iter().find(|(known, _)| *known == key).map_or("…", |(_, example)| *example);
    let mistake = Mistake::new(format!("`{key}` is missing: agent `{name}` does not say {why}"))
        .write(format!("{key}: {example},"));
    if allowed.is_empty() { mistake } else { mistake.allowed(allowed) }
}

/// An Annex III point or an Art. 22 decision.
fn is_high_risk(agent: &Declaration) -> bool {
    high_risk_because(agent).is_some()
}

fn high_risk_because(agent: &Declaration) -> Option<(Ident, String)> {
    if let Some(AnnexIii::Point { area, area_ident, point }) = agent.annex_iii.value() {
        let (area, name, number) = (area.name, point.term.name, point.term.article);
        return Some((
            area_ident.clone(),
            format!("`annex_iii: {area}::{name}` (AI Act Annex III {number})"),
        ));
    }
    if let Some(Art22::Decides { decides, basis }) = agent.art22.value() {
        let (name, article) = (basis.term.name, basis.term.article);
        return Some((decides.clone(), format!("`art22: decides({name})` (GDPR {article})")));
    }
    None
}

fn oversight(agent: &Declaration, m: &mut Mistakes) {
    if let Some(Oversight::HumanApproval { human_approval, plan, training }) = agent.oversight.value() {
        if plan.is_missing() {
            m.at(
                human_approval,
                Mistake::new(
                    "`plan` is missing: human oversight names the plan that it follows (AI Act Art. 14)",
                )
                .write(OVERSIGHT_LINE),
            );
        }
        if training.is_missing() {
            m.at(
                human_approval,
                Mistake::new(
                    "`training` is missing: overseers are trained and competent (AI Act Art. 26(2))",
                )
                .write(OVERSIGHT_LINE),
            );
        }
    }
    let Some((at, reason)) = high_risk_because(agent) else { return };
    match &agent.oversight {
        Fact::Stated { value: Oversight::None(none), .. } => m.at(
            none,
            Mistake::new(format!("`oversight: none` is not enough: {reason} needs human oversight (AI Act Art. 14, GDPR Art. 22(3))"))
                .allowed(["human_approval { plan: \"…\", training: \"…\" }"])
                .write(OVERSIGHT_LINE),
        ),
        Fact::Missing => m.at(
            at,
            Mistake::new(format!("`oversight` is missing: {reason} needs human oversight (AI Act Art. 14, GDPR Art. 22(3))"))
                .allowed(["human_approval { plan: \"…\", training: \"…\" }"])
                .write(OVERSIGHT_LINE),
        ),
        Fact::Stated { .. } | Fact::Wrong => {}
    }
}
