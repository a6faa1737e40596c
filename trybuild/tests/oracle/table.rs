//! The rules as a table over plain values, written from the law and not from the types: it shares no code, no names and
//! no order of checks with them.

use std::collections::BTreeSet;

/// What a tool touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Public,
    Confidential,
    Personal,
    SpecialCategory,
}

/// A place, by how wide it is: each holds those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Eu,
    Eea,
    Adequate,
    Us,
    Other,
}

/// GDPR Art. 6(1), by its letter: `a` to `f`.
pub(crate) type LawfulBasis = char;

/// GDPR Art. 9(2), by its letter: `a` to `j`; and whether a law is cited with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) letter: char,
    pub(crate) cites_law: bool,
}

/// Where a tool sends data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sends {
    Nothing,
    ToEu,
    ToEea,
    ToHostsIn(Place),
    Anywhere,
}

/// What running a tool does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    Read,
    Idempotent,
    Once,
}

/// When a tool stops for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stops {
    Never,
    Sometimes,
    Always,
}

/// A declaration about GDPR Art. 22.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decides {
    No,
    /// By a letter of Art. 22(2), if one is given.
    Yes(Option<char>),
}

/// A tool as declared. What is `None` or empty is not stated.
#[derive(Clone, Debug)]
pub(crate) struct ToolFacts {
    pub(crate) class: Class,
    pub(crate) condition: Option<Condition>,
    pub(crate) bases: Vec<LawfulBasis>,
    pub(crate) residency: Option<Place>,
    pub(crate) sends: Sends,
    pub(crate) does: Does,
    pub(crate) stops: Stops,
    pub(crate) asks_midway: bool,
}

/// An agent with that one tool.
#[derive(Clone, Debug)]
pub(crate) struct AgentFacts {
    pub(crate) basis: LawfulBasis,
    pub(crate) model: Place,
    /// A point of Annex III, such as `4a`.
    pub(crate) point: Option<&'static str>,
    pub(crate) decides: Decides,
    pub(crate) has_plan: bool,
    pub(crate) decision_days: u32,
}

/// The numbers of the rules that a declaration breaks.
pub(crate) fn broken(tool: &ToolFacts, agent: &AgentFacts) -> BTreeSet<usize> {
    let mut rules = BTreeSet::new();
    let mut broken = |rule: usize, when: bool| {
        if when {
            rules.insert(rule);
        }
    };
    let of_a_person = matches!(tool.class, Class::Personal | Class::SpecialCategory);
    let special = tool.class == Class::SpecialCategory;
    let high_risk = agent.point.is_some() || agent.decides != Decides::No;

    // Art. 9(2), and the letters that rest on Union or Member State law.
    broken(1, special && tool.condition.is_none());
    broken(1, tool.condition.is_some_and(|c| "bghij".contains(c.letter) && !c.cites_law));

    // Facts that are missing, and facts that do not apply.
    broken(2, of_a_person && (tool.bases.is_empty() || tool.residency.is_none()));
    broken(2, !special && tool.condition.is_some());
    broken(2, !of_a_person && !tool.bases.is_empty());
    broken(2, tool.class == Class::Public && tool.residency.is_some());

    // Where the data may be; what is not stated for data of no person is anywhere.
    let widest = tool.residency.unwrap_or(Place::Other);
    broken(3, special && tool.residency != Some(Place::Eu));
    let reach = match tool.sends {
        Sends::Nothing => None,
        Sends::ToEu => Some(Place::Eu),
        Sends::ToEea => Some(Place::Eea),
        Sends::ToHostsIn(place) => Some(place),
        Sends::Anywhere => Some(Place::Other),
    };
    broken(3, reach.is_some_and(|reach| reach > widest));

    broken(4, of_a_person && !tool.bases.contains(&agent.basis));
    broken(5, agent.model > widest);
    broken(6, high_risk && (!agent.has_plan || tool.stops != Stops::Always));
    broken(7, agent.decides == Decides::Yes(None));
    let admits_decisions = tool.condition.is_some_and(|c| c.letter == 'a' || c.letter == 'g');
    broken(7, special && agent.decides != Decides::No && !admits_decisions);
    broken(8, high_risk && agent.decision_days < 184);
    broken(20, tool.asks_midway && tool.does == Does::Once);
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table itself, at examples that a person worked out.
    #[test]
    fn the_table_says_what_a_person_says() {
        let tool = ToolFacts {
            class: Class::SpecialCategory,
            condition: Some(Condition { letter: 'h', cites_law: true }),
            bases: vec!['b'],
            residency: Some(Place::Eu),
            sends: Sends::Nothing,
            does: Does::Once,
            stops: Stops::Always,
            asks_midway: false,
        };
        let agent = AgentFacts {
            basis: 'b',
            model: Place::Eu,
            point: Some("4a"),
            decides: Decides::No,
            has_plan: true,
            decision_days: 184,
        };
        let check = |tool: ToolFacts, agent: AgentFacts, rules: &[usize]| {
            assert_eq!(broken(&tool, &agent), rules.iter().copied().collect(), "{tool:?} {agent:?}");
        };
        let (t, a) = (|| tool.clone(), || agent.clone());
        check(t(), a(), &[]);
        check(ToolFacts { condition: Some(Condition { letter: 'h', cites_law: false }), ..t() }, a(), &[1]);
        check(ToolFacts { residency: Some(Place::Eea), ..t() }, a(), &[3]);
        check(ToolFacts { sends: Sends::ToHostsIn(Place::Us), ..t() }, a(), &[3]);
        check(t(), AgentFacts { basis: 'f', ..a() }, &[4]);
        check(t(), AgentFacts { model: Place::Us, ..a() }, &[5]);
        check(t(), AgentFacts { has_plan: false, ..a() }, &[6]);
        check(ToolFacts { stops: Stops::Sometimes, ..t() }, a(), &[6]);
        check(t(), AgentFacts { decides: Decides::Yes(Some('a')), ..a() }, &[7]);
        check(t(), AgentFacts { decision_days: 183, ..a() }, &[8]);
        check(ToolFacts { asks_midway: true, ..t() }, a(), &[20]);
    }
}
