//! Constants and variables of a policy: its own, the imported and the old ones at the top level.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::super::model::{Named, Policy, fields::json_of};
use super::super::problem::{Collector, Place};
use super::super::set::{Expression, Params, Variable};
use super::super::yaml::{Node, Text};
use super::expressions::{References, expression};
use crate::cel::{DEEPEST, Expr, Map, Root, Value, nesting};
use crate::cerbos::names;

/// Variables and constants of one policy.
const MOST: usize = 250;

/// A constant or variable with the place where it is defined.
#[derive(Clone, Debug)]
pub(super) struct Defined<T> {
    pub(super) name: Arc<str>,
    pub(super) place: Place,
    pub(super) value: T,
}

/// A variable that was read, unless it is no expression.
pub(super) type Read = Option<Arc<Expression>>;

/// Reads constants as they stand in a file.
pub(super) fn constants(
    file: &Arc<str>,
    named: &[Named<Node>],
    out: &mut Collector,
) -> Vec<Defined<serde_json::Value>> {
    let read = |constant: &Named<Node>| {
        let value = json_of(file, &constant.value, out);
        defined(file, constant, value, out)
    };
    named.iter().map(read).collect()
}

/// Reads variables as they stand in a file.
pub(super) fn variables(file: &Arc<str>, named: &[Named<Text>], out: &mut Collector) -> Vec<Defined<Read>> {
    named
        .iter()
        .map(|variable| {
            let read = expression(file, &variable.value, out);
            defined(file, variable, read, out)
        })
        .collect()
}

fn defined<T, V>(file: &Arc<str>, named: &Named<T>, value: V, out: &mut Collector) -> Defined<V> {
    if let Err(why) = names::identifier(&named.name) {
        out.add(file, named.name_at, why);
    }
    Defined { name: named.name.clone(), place: Place { file: file.clone(), at: named.name_at }, value }
}

/// Everything that the expressions of one policy can name.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    constants: BTreeMap<Arc<str>, serde_json::Value>,
    variables: BTreeMap<Arc<str>, Defined<Read>>,
    references: BTreeMap<Arc<str>, References>,
    /// Variables, each after those it names.
    order: Vec<Arc<str>>,
    /// How deep each constant and variable is, with the variables that it names written out.
    nested: HashMap<(Root, Arc<str>), u32>,
}

/// What the expressions of a policy do name, directly or through variables.
#[derive(Debug, Default)]
pub(super) struct Usage {
    constants: BTreeSet<Arc<str>>,
    variables: BTreeSet<Arc<str>>,
}

impl Definitions {
    /// Puts together what a policy defines and imports, and tells what is defined twice, missing or circular.
    pub(super) fn new(
        policy: &Policy,
        constants: Vec<Defined<serde_json::Value>>,
        variables: Vec<Defined<Read>>,
        out: &mut Collector,
    ) -> Self {
        let mut all = Self::default();
        if constants.len() + variables.len() > MOST {
            out.add(
                &policy.file,
                policy.at,
                format!(
                    "a policy can name {MOST} variables and constants at most, the imported ones included"
                ),
            );
            return all;
        }
        for constant in once("constant", policy, constants, out) {
            all.constants.insert(constant.name, constant.value);
        }
        for variable in once("variable", policy, variables, out) {
            let references = variable
                .value
                .as_ref()
                .map_or_else(References::default, |e| References::of(e.program.expr()));
            all.references.insert(variable.name.clone(), references);
            all.variables.insert(variable.name.clone(), variable);
        }
        all.tell_missing(out);
        all.sort(out);
        all.tell_deep(out);
        all
    }

    /// Tells variables that are too deep once those that they name are written out. Each that such a one is named by would be, too: it counts
    /// as if it named nothing.
    fn tell_deep(&mut self, out: &mut Collector) {
        for (name, value) in &self.constants {
            self.nested.insert((Root::Constants, name.clone()), depth_of(value));
        }
        for name in &self.order {
            let Some(Defined { place, value: Some(read), .. }) = self.variables.get(name) else { continue };
            let mut nested = self.nesting(read.program.expr());
            if nested > DEEPEST {
                out.add(&place.file, place.at, too_deep(&format!("the variable `{name}`")));
                nested = 1;
            }
            self.nested.insert((Root::Variables, name.clone()), nested);
        }
    }

    fn nesting(&self, expr: &Expr) -> u32 {
        nesting(expr, &|path| match path.keys.first() {
            Some(name) => self.nested.get(&(path.root, name.clone())).copied().unwrap_or(1),
            // `V.?x` looks for the name while deciding, among those that were computed before.
            None => {
                let all = self.nested.iter().filter(|((root, _), _)| *root == path.root);
                all.map(|(_, nested)| *nested).max().map_or(1, |deepest| deepest + 1)
            }
        })
    }

    fn tell_missing(&self, out: &mut Collector) {
        for (name, references) in &self.references {
            let Some(Defined { place, .. }) = self.variables.get(name) else { continue };
            for constant in references.constants.iter().filter(|c| !self.constants.contains_key(*c)) {
                out.add(
                    &place.file,
                    place.at,
                    format!("the variable `{name}` names the constant `{constant}`, which is not defined"),
                );
            }
            for variable in references.variables.iter().filter(|v| !self.variables.contains_key(*v)) {
                out.add(
                    &place.file,
                    place.at,
                    format!("the variable `{name}` names the variable `{variable}`, which is not defined"),
                );
            }
        }
    }

    /// Sorts the variables so that each comes after those it names; by name where that leaves a choice.
    fn sort(&mut self, out: &mut Collector) {
        let mut waiting: BTreeMap<Arc<str>, BTreeSet<Arc<str>>> = BTreeMap::new();
        let mut named_by: HashMap<Arc<str>, Vec<Arc<str>>> = HashMap::new();
        for (name, references) in &self.references {
            let needs: BTreeSet<Arc<str>> =
                references.variables.iter().filter(|v| self.variables.contains_key(*v)).cloned().collect();
            for need in &needs {
                named_by.entry(need.clone()).or_default().push(name.clone());
            }
            waiting.insert(name.clone(), needs);
        }
        let mut ready: BTreeSet<Arc<str>> =
            waiting.iter().filter(|(_, needs)| needs.is_empty()).map(|(name, _)| name.clone()).collect();
        while let Some(name) = ready.pop_first() {
            waiting.remove(&name);
            for other in named_by.get(&name).into_iter().flatten() {
                if let Some(needs) = waiting.get_mut(other) {
                    needs.remove(&name);
                    if needs.is_empty() {
                        ready.insert(other.clone());
                    }
                }
            }
            self.order.push(name);
        }
        self.tell_circles(waiting, out);
    }

    /// What waits for ever waits in a circle, or for one.
    fn tell_circles(&self, mut waiting: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>, out: &mut Collector) {
        for (name, needs) in &mut waiting {
            if needs.remove(name)
                && let Some(variable) = self.variables.get(name)
            {
                let message = format!("the variable `{name}` names itself");
                out.add(&variable.place.file, variable.place.at, message);
            }
        }
        while let Some(first) = waiting.keys().next().cloned() {
            // Who is in a circle with the first: whoever it leads to, and who leads to it.
            let onwards = reach(&first, |name| waiting.get(name).into_iter().flatten().collect());
            let back = reach(&first, |name| {
                waiting.iter().filter(|(_, needs)| needs.contains(name)).map(|(other, _)| other).collect()
            });
            let circle: Vec<&Defined<Read>> =
                onwards.intersection(&back).filter_map(|name| self.variables.get(name)).collect();
            if let (Some(smallest), true) = (circle.first(), circle.len() > 1) {
                let places: Vec<String> =
                    circle.iter().map(|v| format!("`{}` ({})", v.name, v.place)).collect();
                let message = format!("variables name each other in a circle: {}", places.join(", "));
                out.add(&smallest.place.file, smallest.place.at, message);
            }
            waiting.retain(|name, _| *name != first && !(onwards.contains(name) && back.contains(name)));
        }
    }

    /// Notes what an expression names; tells what is not there.
    pub(super) fn note(&self, usage: &mut Usage, expression: &Expression, out: &mut Collector) {
        let references = References::of(expression.program.expr());
        let Place { file, at } = &expression.place;
        if self.nesting(expression.program.expr()) > DEEPEST {
            out.add(file, *at, too_deep("this expression"));
        }
        for name in &references.constants {
            if !self.constants.contains_key(name) {
                out.add(file, *at, format!("the constant `{name}` is not defined"));
            }
            usage.constants.insert(name.clone());
        }
        let mut next: Vec<Arc<str>> = Vec::new();
        for name in references.variables {
            if self.variables.contains_key(&name) {
                next.push(name);
            } else {
                out.add(file, *at, format!("the variable `{name}` is not defined"));
            }
        }
        while let Some(name) = next.pop() {
            let Some(references) = self.references.get(&name) else { continue };
            if usage.variables.insert(name) {
                usage.constants.extend(references.constants.iter().cloned());
                next.extend(references.variables.iter().cloned());
            }
        }
    }
}

fn too_deep(what: &str) -> String {
    format!(
        "{what} is nested deeper than {DEEPEST} levels, with the variables and constants that it names written out: let fewer variables put \
         what they name into lists, mappings or further operators"
    )
}

fn depth_of(json: &serde_json::Value) -> u32 {
    match json {
        serde_json::Value::Array(items) => 1 + items.iter().map(depth_of).max().unwrap_or(0),
        serde_json::Value::Object(fields) => 1 + fields.values().map(depth_of).max().unwrap_or(0),
        _ => 1,
    }
}

/// The name and all that it leads to.
fn reach<'n>(first: &'n Arc<str>, next: impl Fn(&Arc<str>) -> Vec<&'n Arc<str>>) -> BTreeSet<Arc<str>> {
    let mut reached = BTreeSet::from([first.clone()]);
    let mut open = vec![first.clone()];
    while let Some(name) = open.pop() {
        for other in next(&name) {
            if reached.insert(other.clone()) {
                open.push(other.clone());
            }
        }
    }
    reached
}

/// Tells names that are defined more than once and keeps the first of each.
fn once<T>(kind: &str, policy: &Policy, all: Vec<Defined<T>>, out: &mut Collector) -> Vec<Defined<T>> {
    let mut first: Vec<Defined<T>> = Vec::with_capacity(all.len());
    let mut at: HashMap<Arc<str>, usize> = HashMap::new();
    for item in all {
        match at.get(&item.name).and_then(|i| first.get(*i)) {
            Some(other) => {
                let message = format!(
                    "the {kind} `{}` is defined twice for this policy: at {} and at {}",
                    item.name, other.place, item.place
                );
                // Told at the policy's own definition, or at the policy if both are imported.
                let own = [&item.place, &other.place].into_iter().find(|place| place.file == policy.file);
                out.add(&policy.file, own.map_or(policy.at, |place| place.at), message);
            }
            None => {
                at.insert(item.name.clone(), first.len());
                first.push(item);
            }
        }
    }
    first
}

/// Gives the same number to the same constants and variables.
#[derive(Default)]
pub(super) struct ParamsPool(HashMap<String, Arc<Params>>);

impl ParamsPool {
    /// What the expressions of a policy use, of what they can name.
    pub(super) fn params(&mut self, definitions: &Definitions, usage: &Usage) -> Arc<Params> {
        let variables: Vec<Variable> = definitions
            .order
            .iter()
            .filter(|name| usage.variables.contains(*name))
            .filter_map(|name| {
                let expr = definitions.variables.get(name)?.value.clone()?;
                Some(Variable { name: name.clone(), expr })
            })
            .collect();
        let constants: BTreeMap<&Arc<str>, &serde_json::Value> =
            definitions.constants.iter().filter(|(name, _)| usage.constants.contains(*name)).collect();
        let mut content = String::new();
        for Variable { name, expr } in &variables {
            content.push_str(&format!("{name}={:?};", expr.source));
        }
        for (name, value) in &constants {
            content.push_str(&format!("{name}:{value};"));
        }
        let id = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        let params = self.0.entry(content).or_insert_with(|| {
            let constants: Map = constants
                .into_iter()
                .map(|(name, value)| (name.as_ref(), Value::from(value.clone())))
                .collect();
            Arc::new(Params { id, constants: Arc::new(constants), variables })
        });
        params.clone()
    }
}
