//! Rules that a Cerbos PDP takes for one another.
//!
//! Cerbos 0.55 keeps one of all the rules of its table that look alike, known by a hash of their action, effect, expressions, constants
//! and so on, and gives all of them its conditions and outputs; it keeps constants and variables in the same way, by a hash of their
//! own. The hashes take one content after the other and not what it is the content of. Whether expressions stand in `all`, `any` or
//! `none`, in the condition of a rule or of its derived role, which of two outputs one is, `false` or `null` or `""`, `[]` or `{}`:
//! all that is one to them. Which rule is kept is chance where they stand in several files. A set where that makes a difference is
//! refused.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::super::model::{Effect, ScopePermissions};
use super::super::problem::{Collector, Place};
use super::super::set::{
    Condition, DerivedRole, Expression, Params, PolicyInfo, PolicyKind, PolicySet, Rule, Whom,
};
use crate::cel::{Key, Map, Value};

/// Tells rules, constants and variables of a set that Cerbos mixes up.
pub(super) fn tell(set: &PolicySet, out: &mut Collector) {
    let mut mixed = Mixed {
        seen: HashMap::new(),
        looks: HashMap::new(),
        kept: HashMap::new(),
        params: HashMap::new(),
        out,
    };
    for row in set.rows() {
        let Some(policy) = set.policy(row.policy) else { continue };
        let role = match &row.whom {
            Whom::DerivedRole { role, .. } => Some(&**role),
            Whom::Role(_) | Whom::Resource(_) => None,
        };
        mixed.add(&Kept { rule: &row.rule, role }, policy, row.action.as_str().to_owned());
    }
    for row in set.role_rows() {
        let Some(policy) = set.policy(row.policy) else { continue };
        let actions: BTreeSet<&str> = row.allow_actions.iter().map(|action| action.as_str()).collect();
        mixed.add(&Kept { rule: &row.rule, role: None }, policy, format!("{actions:?}"));
    }
}

/// What Cerbos evaluates of a rule: the rule, for a derived role or for others.
#[derive(Clone, Copy)]
struct Kept<'s> {
    rule: &'s Rule,
    role: Option<&'s DerivedRole>,
}

type Address = (*const Rule, Option<*const DerivedRole>);

struct Mixed<'s, 'o> {
    /// By the addresses of rule and derived role: how they look.
    seen: HashMap<Address, u32>,
    /// By the bytes that are hashed.
    looks: HashMap<Vec<u8>, u32>,
    /// By action and look: the first of them.
    kept: HashMap<(String, u32), Kept<'s>>,
    /// By the bytes that are hashed: what they really are, and where.
    params: HashMap<Vec<u8>, (Vec<u8>, Place)>,
    out: &'o mut Collector,
}

impl<'s> Mixed<'s, '_> {
    fn add(&mut self, kept: &Kept<'s>, policy: &PolicyInfo, action: String) {
        let address = kept.address();
        let look = match self.seen.get(&address) {
            Some(look) => *look,
            None => {
                self.params(&kept.rule.params, &policy.place);
                if let Some(role) = kept.role {
                    self.params(&role.params, &role.place);
                }
                let next = u32::try_from(self.looks.len()).unwrap_or(u32::MAX);
                let look = *self.looks.entry(look(kept, policy)).or_insert(next);
                self.seen.insert(address, look);
                look
            }
        };
        let first = *self.kept.entry((action, look)).or_insert(*kept);
        if first.address() != kept.address() && first.meaning() != kept.meaning() {
            let place = &kept.rule.place;
            let message = format!(
                "{}: Cerbos 0.55 takes this for {} ({}) and decides both by one of them, by chance: they have the same effect and \
                 action, and the same expressions, if in another order of `all`, `any`, `none`, derived roles or outputs. Change the \
                 text of an expression, with brackets around it for example",
                kept.told(),
                first.told(),
                first.rule.place
            );
            self.out.add(&place.file, place.at, message);
        }
    }

    fn params(&mut self, params: &Params, place: &Place) {
        let written = bytes_of(params, true);
        match self.params.get(&bytes_of(params, false)) {
            Some((other, other_place)) if *other != written => {
                let names: Vec<String> =
                    params.constants.iter().map(|(name, _)| format!("`{}`", name_of(name))).collect();
                let message = format!(
                    "Cerbos 0.55 takes the constants here ({}) for those of {other_place} and decides by one of both, by chance: \
                     it does not tell `false`, `null` and `\"\"` from each other, nor lists from maps. Give one of them another name",
                    names.join(", ")
                );
                self.out.add(&place.file, place.at, message);
            }
            Some(_) => {}
            None => {
                self.params.insert(bytes_of(params, false), (written, place.clone()));
            }
        }
    }
}

impl<'s> Kept<'s> {
    fn told(&self) -> String {
        let rule = &self.rule.source;
        match self.role {
            Some(role) => format!("the rule `{rule}` for the derived role `{}`", role.name),
            None => format!("the rule `{rule}`"),
        }
    }

    fn address(&self) -> Address {
        (std::ptr::from_ref(self.rule), self.role.map(std::ptr::from_ref))
    }

    fn meaning(&self) -> Whole<'s> {
        let Self { rule, role } = *self;
        let condition = rule.condition.as_ref().map(meaning);
        let source = |expression: &'s Option<Arc<Expression>>| expression.as_ref().map(|e| &*e.source);
        Whole {
            condition: if rule.inverted { condition.map(not) } else { condition },
            role: role.and_then(|role| role.condition.as_ref()).map(meaning),
            outputs: [source(&rule.output.rule_activated), source(&rule.output.condition_not_met)],
        }
    }
}

/// What a rule comes to. Its constants and variables are compared on their own.
#[derive(PartialEq)]
struct Whole<'s> {
    condition: Option<Meaning<'s>>,
    role: Option<Meaning<'s>>,
    outputs: [Option<&'s str>; 2],
}

/// A condition without what does not matter: `all` and `any` of one, of their own kind, and double `none`.
#[derive(PartialEq)]
enum Meaning<'s> {
    Expr(&'s str),
    All(Vec<Meaning<'s>>),
    Any(Vec<Meaning<'s>>),
    Not(Box<Meaning<'s>>),
}

fn meaning(condition: &Condition) -> Meaning<'_> {
    match condition {
        Condition::Expr(expression) => Meaning::Expr(&expression.source),
        Condition::All(list) => {
            let mut all = Vec::new();
            for item in list.iter().map(meaning) {
                match item {
                    Meaning::All(inner) => all.extend(inner),
                    other => all.push(other),
                }
            }
            single(all).unwrap_or_else(Meaning::All)
        }
        Condition::Any(list) => any(list),
        Condition::None(list) => not(any(list)),
    }
}

fn any(list: &[Condition]) -> Meaning<'_> {
    let mut all = Vec::new();
    for item in list.iter().map(meaning) {
        match item {
            Meaning::Any(inner) => all.extend(inner),
            other => all.push(other),
        }
    }
    single(all).unwrap_or_else(Meaning::Any)
}

/// The item of a list that has no other.
fn single<'s>(mut list: Vec<Meaning<'s>>) -> Result<Meaning<'s>, Vec<Meaning<'s>>> {
    match (list.pop(), list.is_empty()) {
        (Some(only), true) => Ok(only),
        (last, _) => {
            list.extend(last);
            Err(list)
        }
    }
}

fn not(meaning: Meaning<'_>) -> Meaning<'_> {
    match meaning {
        Meaning::Not(inner) => *inner,
        other => Meaning::Not(Box::new(other)),
    }
}

/// What Cerbos hashes of a rule, but for its action.
fn look(kept: &Kept<'_>, policy: &PolicyInfo) -> Vec<u8> {
    let Kept { rule, role } = kept;
    let mut bytes = Vec::new();
    let condition = rule.condition.as_ref();
    let role_condition = role.and_then(|role| role.condition.as_ref());
    for condition in [condition, role_condition].into_iter().flatten() {
        expressions(condition, &mut bytes);
    }
    let of_role_policy = policy.kind == PolicyKind::Role;
    bytes.push(match rule.effect {
        _ if of_role_policy => 0,
        Effect::Allow if !rule.inverted => 1,
        Effect::Allow | Effect::Deny => 2,
    });
    bytes.push(match policy.scope_permissions {
        _ if of_role_policy => 0,
        ScopePermissions::OverrideParent => 1,
        ScopePermissions::RequireParentalConsentForAllows => 2,
    });
    for output in [&rule.output.rule_activated, &rule.output.condition_not_met].into_iter().flatten() {
        expression(output, &mut bytes);
    }
    bytes.extend(bytes_of(&rule.params, false));
    bytes.extend(role.map(|role| bytes_of(&role.params, false)).into_iter().flatten());
    bytes.push(u8::from(policy.kind == PolicyKind::Principal));
    bytes.push(u8::from(of_role_policy));
    bytes.push(u8::from(condition.is_some()) + 2 * u8::from(role_condition.is_some()));
    bytes
}

fn expressions(condition: &Condition, bytes: &mut Vec<u8>) {
    match condition {
        Condition::Expr(one) => expression(one, bytes),
        Condition::All(list) | Condition::Any(list) | Condition::None(list) => {
            list.iter().for_each(|item| expressions(item, bytes));
        }
    }
}

/// An expression; what it was compiled to follows, here a mark, so that nothing else looks like one.
fn expression(expression: &Expression, bytes: &mut Vec<u8>) {
    text(&expression.source, bytes);
    bytes.extend([0xff; 3]);
}

/// Variables and constants as they are hashed; told apart by kind if that is asked for.
fn bytes_of(params: &Params, kinds: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for variable in &params.variables {
        text(&variable.name, &mut bytes);
        expression(&variable.expr, &mut bytes);
    }
    members(&params.constants, kinds, &mut bytes);
    bytes
}

fn members(map: &Map, kinds: bool, bytes: &mut Vec<u8>) {
    for (name, value) in map.iter() {
        text(&name_of(name), bytes);
        constant(value, kinds, bytes);
    }
}

fn name_of(key: &Key) -> Arc<str> {
    match key {
        Key::String(name) => name.clone(),
        // INVARIANT: constants come from YAML, where they are named by text.
        Key::Bool(_) | Key::Int(_) | Key::Uint(_) | Key::Double(_) => Arc::default(),
    }
}

fn constant(value: &Value, kinds: bool, bytes: &mut Vec<u8>) {
    let mut kind = |tag: u8, length: usize| {
        if kinds {
            bytes.push(tag);
            bytes.extend(length.to_le_bytes());
        }
    };
    match value {
        Value::Bool(held) => {
            kind(1, 0);
            bytes.push(u8::from(*held));
        }
        Value::Double(number) => {
            kind(2, 0);
            bytes.extend(number.to_bits().to_le_bytes());
        }
        Value::String(written) => {
            kind(3, 0);
            text(written, bytes);
        }
        Value::List(items) => {
            kind(4, items.len());
            items.iter().for_each(|item| constant(item, kinds, bytes));
        }
        Value::Map(map) => {
            kind(5, map.len());
            members(map, kinds, bytes);
        }
        // `null`; JSON has no other kinds.
        _ => {
            kind(0, 0);
            bytes.push(0);
        }
    }
}

/// A text after its length, which takes seven bits a byte.
fn text(text: &str, bytes: &mut Vec<u8>) {
    let mut length = text.len();
    while length > 0x7f {
        bytes.extend(u8::try_from(length & 0x7f).map(|low| low | 0x80));
        length >>= 7;
    }
    bytes.extend(u8::try_from(length));
    bytes.extend(text.as_bytes());
}

#[cfg(test)]
mod tests;
