//! Which declarations are tried: four complete products around one question each, and a sample of everything.

use crate::table::{AgentFacts, Class, Condition, Decides, Does, Place, Sends, Stops, ToolFacts};

const PLACES: [Place; 5] = [Place::Eu, Place::Eea, Place::Adequate, Place::Us, Place::Other];
const BASES: [char; 6] = ['a', 'b', 'c', 'd', 'e', 'f'];
const DOES: [Does; 3] = [Does::Read, Does::Idempotent, Does::Once];
const STOPS: [Stops; 3] = [Stops::Never, Stops::Sometimes, Stops::Always];
const SENDS: [Sends; 6] = [
    Sends::Nothing,
    Sends::ToEu,
    Sends::ToEea,
    Sends::ToHostsIn(Place::Eea),
    Sends::ToHostsIn(Place::Us),
    Sends::Anywhere,
];
const DAYS: [u32; 4] = [30, 183, 184, 365];
/// Every point of Annex III.
pub(crate) const POINTS: [&str; 25] = [
    "1a", "1b", "1c", "2", "3a", "3b", "3c", "3d", "4a", "4b", "5a", "5b", "5c", "5d", "6a", "6b", "6c",
    "6d", "6e", "7a", "7b", "7c", "7d", "8a", "8b",
];

/// A tool and an agent.
pub(crate) type Pair = (ToolFacts, AgentFacts);

/// All that is tried.
pub(crate) fn pairs() -> Vec<Pair> {
    let mut pairs = tools_by_themselves();
    pairs.extend(data_against_agents());
    pairs.extend(oversight_against_risk());
    pairs.extend(every_point());
    pairs.extend(sample(1200));
    pairs
}

fn tool() -> ToolFacts {
    ToolFacts {
        class: Class::Personal,
        condition: None,
        bases: vec!['b'],
        residency: Some(Place::Eu),
        sends: Sends::Nothing,
        does: Does::Read,
        stops: Stops::Always,
        asks_midway: false,
    }
}

fn agent() -> AgentFacts {
    AgentFacts {
        basis: 'b',
        model: Place::Eu,
        point: None,
        decides: Decides::No,
        has_plan: true,
        decision_days: 365,
    }
}

/// Unstated, and every letter of Art. 9(2) with a law and without, where the letter rests on one.
fn conditions() -> Vec<Option<Condition>> {
    let mut conditions = vec![None];
    for letter in 'a'..='j' {
        let rests_on_law = "bghij".contains(letter);
        conditions.push(Some(Condition { letter, cites_law: rests_on_law }));
        if rests_on_law {
            conditions.push(Some(Condition { letter, cites_law: false }));
        }
    }
    conditions
}

fn residencies() -> impl Iterator<Item = Option<Place>> {
    std::iter::once(None).chain(PLACES.map(Some))
}

/// Class × Art. 9(2) × lawful bases × residency × egress, facts that do not apply included.
fn tools_by_themselves() -> Vec<Pair> {
    let mut pairs = Vec::new();
    let sets = [vec![], vec!['b'], vec!['a', 'b', 'f']];
    for residency in residencies() {
        for sends in SENDS {
            for bases in &sets {
                let personal = ToolFacts { bases: bases.clone(), residency, sends, ..tool() };
                pairs.push((personal, agent()));
            }
            let confidential =
                ToolFacts { class: Class::Confidential, bases: vec![], residency, sends, ..tool() };
            pairs.push((confidential, agent()));
        }
        for sends in [Sends::Nothing, Sends::ToEea] {
            for condition in conditions() {
                for bases in [vec![], vec!['b']] {
                    let class = Class::SpecialCategory;
                    pairs.push((ToolFacts { class, condition, bases, residency, sends, ..tool() }, agent()));
                }
            }
        }
        let class = Class::Public;
        for condition in [None, Some(Condition { letter: 'a', cites_law: false })] {
            for bases in [vec![], vec!['b']] {
                pairs.push((ToolFacts { class, condition, bases, residency, ..tool() }, agent()));
            }
        }
    }
    for sends in SENDS {
        pairs.push((
            ToolFacts { class: Class::Public, bases: vec![], residency: None, sends, ..tool() },
            agent(),
        ));
    }
    for class in [Class::Confidential, Class::Personal] {
        let condition = Some(Condition { letter: 'h', cites_law: true });
        pairs.push((ToolFacts { class, condition, ..tool() }, agent()));
    }
    pairs.push((ToolFacts { class: Class::Confidential, ..tool() }, agent()));
    pairs
}

/// Kinds of data × the agent's basis × the model's place × Art. 22.
fn data_against_agents() -> Vec<Pair> {
    let mut kinds = vec![ToolFacts { class: Class::Public, bases: vec![], residency: None, ..tool() }];
    for residency in [Place::Eu, Place::Us] {
        let residency = Some(residency);
        kinds.push(ToolFacts { class: Class::Confidential, bases: vec![], residency, ..tool() });
    }
    for residency in [Place::Eu, Place::Adequate, Place::Other] {
        for bases in [vec!['b'], vec!['a', 'f'], BASES.to_vec()] {
            kinds.push(ToolFacts { bases, residency: Some(residency), ..tool() });
        }
    }
    for (letter, cites_law) in [('a', false), ('f', false), ('g', true), ('h', true)] {
        let condition = Some(Condition { letter, cites_law });
        kinds.push(ToolFacts { class: Class::SpecialCategory, condition, bases: vec!['a', 'c'], ..tool() });
    }
    let mut pairs = Vec::new();
    for kind in &kinds {
        for basis in BASES {
            for model in PLACES {
                for decides in
                    [Decides::No, Decides::Yes(Some('a')), Decides::Yes(Some('b')), Decides::Yes(Some('c'))]
                {
                    pairs.push((kind.clone(), AgentFacts { basis, model, decides, ..agent() }));
                }
            }
        }
    }
    pairs
}

/// Annex III × Art. 22 × plan × approval × effect × questions midway × retention.
fn oversight_against_risk() -> Vec<Pair> {
    let mut pairs = Vec::new();
    for point in [None, Some("1a"), Some("4a")] {
        for decides in [Decides::No, Decides::Yes(None), Decides::Yes(Some('a'))] {
            for has_plan in [false, true] {
                for stops in STOPS {
                    for does in DOES {
                        for asks_midway in [false, true] {
                            for decision_days in DAYS {
                                pairs.push((
                                    ToolFacts { stops, does, asks_midway, ..tool() },
                                    AgentFacts { point, decides, has_plan, decision_days, ..agent() },
                                ));
                            }
                        }
                    }
                }
            }
        }
    }
    pairs
}

/// Each point of Annex III is high-risk.
fn every_point() -> Vec<Pair> {
    let mut pairs = Vec::new();
    for point in POINTS {
        for (stops, has_plan, decision_days) in [
            (Stops::Always, true, 184),
            (Stops::Always, true, 183),
            (Stops::Always, false, 184),
            (Stops::Sometimes, true, 184),
        ] {
            let tool = ToolFacts { stops, ..tool() };
            pairs.push((tool, AgentFacts { point: Some(point), has_plan, decision_days, ..agent() }));
        }
    }
    pairs
}

/// Everything at once, by a fixed sequence: the same on every machine.
fn sample(count: usize) -> Vec<Pair> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = move |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % bound
    };
    let conditions = conditions();
    let mut pairs = Vec::new();
    while pairs.len() < count {
        let class = [Class::Public, Class::Confidential, Class::Personal, Class::SpecialCategory][below(4)];
        let of_a_person = matches!(class, Class::Personal | Class::SpecialCategory);
        let basis = BASES[below(6)];
        let bases = match (of_a_person, below(8)) {
            (false, _) | (true, 0) => vec![],
            (true, 1..=5) => vec![basis],
            (true, _) => vec![BASES[below(6)], BASES[below(6)]],
        };
        let condition =
            if class == Class::SpecialCategory { conditions[below(conditions.len())] } else { None };
        let residency = match (class, below(8)) {
            (Class::Public, _) | (_, 0) => None,
            (Class::SpecialCategory, 1..=5) => Some(Place::Eu),
            _ => Some(PLACES[below(5)]),
        };
        let sends = if below(2) == 0 { Sends::Nothing } else { SENDS[below(6)] };
        let tool = ToolFacts {
            class,
            condition,
            bases,
            residency,
            sends,
            does: DOES[below(3)],
            stops: STOPS[below(3)],
            asks_midway: below(4) == 0,
        };
        let decides = match below(6) {
            0 => Decides::Yes(None),
            1 => Decides::Yes(Some(['a', 'b', 'c'][below(3)])),
            _ => Decides::No,
        };
        let agent = AgentFacts {
            basis: if below(4) == 0 { BASES[below(6)] } else { basis },
            model: if below(2) == 0 { Place::Eu } else { PLACES[below(5)] },
            point: if below(3) == 0 { Some(POINTS[below(25)]) } else { None },
            decides,
            has_plan: below(3) != 0,
            decision_days: DAYS[below(4)],
        };
        pairs.push((tool, agent));
    }
    pairs
}
