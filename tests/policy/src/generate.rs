//! Policy sets and requests from a grammar, by seed.
//!
//! Each set keeps to names of its own (kinds, roles, principals, scopes), so that one decision point can hold hundreds of sets at once.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::expression::{Names, Writer};
use crate::{ours, rewrite};

mod request;

/// A policy set and what is asked of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it was made from.
    pub seed: u64,
    /// The policies, each with its file name.
    pub policies: Vec<(String, Value)>,
    /// The questions.
    pub questions: Vec<Question>,
}

/// One principal and what it asks of several resources.
#[derive(Clone, Debug)]
pub struct Question {
    /// As the API takes it.
    pub principal: Value,
    /// Each with its actions: `{"resource": …, "actions": […]}`.
    pub resources: Vec<Value>,
}

impl Case {
    /// Every principal with every resource that it asks about.
    pub fn asked(&self) -> impl Iterator<Item = (&Value, &Value)> {
        self.questions.iter().flat_map(|question| {
            question.resources.iter().map(move |resource| (&question.principal, resource))
        })
    }
}

/// How large a case is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Principals that ask.
    pub questions: usize,
    /// Resources for each.
    pub resources: usize,
}

const RULE_ACTIONS: [&str; 14] = [
    "view",
    "view:public",
    "edit",
    "view:*",
    "*",
    "edit:**",
    "v*",
    "edit:?wn:draft",
    "{view,edit}",
    "edit:[a-o]wn:*",
    "*:draft",
    "delete",
    "edit:[!o]wn:draft",
    "éa",
];
const SCOPE_PERMISSIONS: [Option<&str>; 4] = [
    None,
    None,
    Some("SCOPE_PERMISSIONS_OVERRIDE_PARENT"),
    Some("SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS"),
];

/// The case of a seed.
pub fn case(seed: u64, size: Size) -> Case {
    let mut rng = Rng::with_seed(seed);
    let mistaken = rng.u8(..100) < 5;
    Generator { rng, seed, mistaken, written: 0 }.case(size)
}

/// Whether we refuse an expression because Cerbos reads it by mistake.
fn is_misread(text: &str, names: &Names) -> bool {
    let all = |names: &[String], value: Value| -> Map<String, Value> {
        names.iter().map(|name| (name.clone(), value.clone())).collect()
    };
    let policy = json!({"apiVersion": "api.cerbos.dev/v1", "resourcePolicy": {
        "resource": "r",
        "version": "default",
        "variables": {"local": all(&names.variables, "true".into())},
        "constants": {"local": all(&names.constants, 1.into())},
        "rules": [{
            "actions": ["a"], "roles": ["r"], "effect": "EFFECT_ALLOW", "condition": {"match": {"expr": text}},
        }],
    }});
    let refused = ours::load_policies(&[("p".to_owned(), policy)]);
    refused
        .is_err_and(|problems| problems.all().iter().any(|problem| problem.message.contains("Cerbos 0.55")))
}

struct Generator {
    rng: Rng,
    seed: u64,
    /// Whether the set may hold what Cerbos decides by chance or by mistake, so that we refuse it.
    mistaken: bool,
    /// Constants so far.
    written: u32,
}

impl Generator {
    fn name(&self, what: &str) -> String {
        format!("{what}{}", self.seed)
    }

    fn roles(&self) -> Vec<String> {
        let many = if self.seed.is_multiple_of(3) { 'i' } else { 'd' };
        ('a'..=many).map(|role| format!("r{}{role}", self.seed)).collect()
    }

    fn role_policies(&self) -> Vec<String> {
        ["x", "y"].iter().map(|role| format!("p{}{role}", self.seed)).collect()
    }

    fn chance(&mut self, in_hundred: u8) -> bool {
        self.rng.u8(..100) < in_hundred
    }

    fn some(&mut self, from: &[String]) -> Vec<String> {
        let mut some: Vec<String> = from.iter().filter(|_| self.rng.bool()).cloned().collect();
        if some.is_empty() {
            some.extend(from.get(self.rng.usize(..from.len())).cloned());
        }
        self.rng.shuffle(&mut some);
        some
    }

    fn actions(&mut self) -> Vec<Value> {
        let count = self.rng.usize(1..4);
        let mut actions: Vec<&str> =
            (0..count).map(|_| RULE_ACTIONS[self.rng.usize(..RULE_ACTIONS.len())]).collect();
        actions.sort_unstable();
        actions.dedup();
        actions.into_iter().map(Value::from).collect()
    }

    /// A text that is not one of those which Cerbos reads by mistake; others that cannot be read may come.
    fn text(&mut self, names: &Names, write: impl Fn(&mut Writer<'_>) -> String) -> Value {
        loop {
            let text = write(&mut Writer::new(&mut self.rng, names));
            if self.mistaken || !is_misread(&text, names) {
                return text.into();
            }
        }
    }

    fn expression(&mut self, names: &Names) -> Value {
        let depth = self.rng.u32(0..4);
        self.text(names, |writer| writer.truth(depth))
    }

    fn matching(&mut self, names: &Names, depth: u32) -> Value {
        if depth == 0 || self.chance(60) {
            return json!({"expr": self.expression(names)});
        }
        let operator = ["all", "any", "none"][self.rng.usize(..3)];
        let of: Vec<Value> = (0..self.rng.usize(1..4)).map(|_| self.matching(names, depth - 1)).collect();
        json!({operator: {"of": of}})
    }

    fn condition(&mut self, names: &Names) -> Value {
        json!({"match": self.matching(names, 2)})
    }

    fn output(&mut self, names: &Names) -> Value {
        let mut when = Map::new();
        for moment in ["ruleActivated", "conditionNotMet"] {
            if self.chance(60) {
                let depth = self.rng.u32(0..3);
                when.insert(moment.to_owned(), self.text(names, |writer| writer.anything(depth)));
            }
        }
        if when.is_empty() { Value::Null } else { json!({"when": when}) }
    }

    /// Local variables and constants; their names go into `names`.
    fn variables(&mut self, body: &mut Map<String, Value>, names: &mut Names, exports: bool) {
        if self.chance(40) {
            // To Cerbos, constants of the same names and of some values are one.
            self.written += u32::from(!self.mistaken);
            let constants = ["c0", "c1"].map(|name| format!("{name}_{}_{}", self.seed, self.written));
            let local = json!({&constants[0]: self.attribute(), &constants[1]: self.attribute()});
            names.constants.extend(constants);
            let mut constants = json!({"local": local});
            if exports && self.chance(50) {
                constants["import"] = json!([self.name("cs")]);
                names.constants.extend([self.name("e0_"), self.name("e1_")]);
            }
            body.insert("constants".to_owned(), constants);
        }
        if self.chance(50) {
            let mut local = Map::new();
            for name in ["v0", "v1", "v2"] {
                let depth = self.rng.u32(0..3);
                local.insert(name.to_owned(), self.text(names, |writer| writer.anything(depth)));
                names.variables.push(name.to_owned());
            }
            let mut variables = json!({"local": local});
            if exports && self.chance(50) {
                variables["import"] = json!([self.name("vs")]);
                names.variables.extend(["w0", "w1"].map(str::to_owned));
            }
            body.insert("variables".to_owned(), variables);
        }
    }

    fn rule(&mut self, index: usize, names: &Names, derived: &[String]) -> Value {
        let mut rule = json!({
            "actions": self.actions(),
            "effect": if self.chance(65) { "EFFECT_ALLOW" } else { "EFFECT_DENY" },
        });
        if self.chance(70) {
            rule["name"] = format!("rule-{index}").into();
        }
        let by_derived = !derived.is_empty() && self.chance(40);
        if by_derived {
            rule["derivedRoles"] = self.some(derived).into();
        }
        if !by_derived || self.chance(20) {
            rule["roles"] = match self.rng.u8(..10) {
                0 => json!(["*"]),
                1 => json!([format!("r{}*", self.seed)]),
                2 => self.some(&self.role_policies()).into(),
                _ => self.some(&self.roles()).into(),
            };
        }
        if self.chance(65) {
            rule["condition"] = self.condition(names);
        }
        if self.chance(15) {
            let output = self.output(names);
            if !output.is_null() {
                rule["output"] = output;
            }
        }
        rule
    }

    fn scopes(&mut self) -> Vec<String> {
        let deep = self.rng.usize(1..6);
        let mut scopes = vec![String::new()];
        let mut scope = self.name("s");
        for level in ["", "a", "b", "c", "d"].iter().take(deep - 1) {
            if !level.is_empty() {
                scope = format!("{scope}.{level}");
            }
            scopes.push(scope.clone());
        }
        scopes
    }

    /// Every policy of one scope must say the same, and the root is everybody's.
    fn permissions(&self, level: usize) -> Option<&'static str> {
        let draw = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(7 * level as u32) as usize;
        if level == 0 { None } else { SCOPE_PERMISSIONS[draw % SCOPE_PERMISSIONS.len()] }
    }

    fn case(mut self, size: Size) -> Case {
        let mut policies = Vec::new();
        let scopes = self.scopes();
        let mut exported = Names { roles: self.roles(), scopes: scopes.clone(), ..Names::default() };
        policies.push((self.name("vs"), {
            let first = self.text(&exported, |writer| writer.anything(2));
            exported.variables.push("w0".to_owned());
            let second = self.text(&exported, |writer| writer.anything(1));
            json!({"apiVersion": "api.cerbos.dev/v1", "exportVariables": {"name": self.name("vs"), "definitions": {"w0": first, "w1": second}}})
        }));
        policies.push((self.name("cs"), {
            let definitions = json!({self.name("e0_"): self.attribute(), self.name("e1_"): self.attribute()});
            json!({"apiVersion": "api.cerbos.dev/v1", "exportConstants": {"name": self.name("cs"), "definitions": definitions}})
        }));
        let derived = self.derived_roles(&scopes, &mut policies);
        let kinds: Vec<String> = (0..2).map(|n| format!("k{}n{n}", self.seed)).collect();
        for kind in &kinds {
            for version in ["default", "v2"] {
                if version == "default" || self.chance(30) {
                    self.resource_policies(kind, version, &scopes, &derived, &mut policies);
                }
            }
        }
        let principals: Vec<String> = (0..3).map(|n| format!("u{}n{n}", self.seed)).collect();
        for id in principals.iter().take(2) {
            if self.chance(50) {
                self.principal_policies(id, &kinds, &scopes, &mut policies);
            }
        }
        for role in self.role_policies() {
            if self.chance(40) {
                self.role_policy(&role, &kinds, &scopes, &mut policies);
            }
        }
        self.drop_unused(&mut policies);
        if !self.mistaken {
            // To Cerbos, rules with the same expressions are one.
            let mut number = 0;
            for (_, policy) in &mut policies {
                rewrite::expressions(policy, &mut |text| {
                    number += 1;
                    *text += &format!(" // {number}");
                });
            }
        }
        let questions = (0..size.questions)
            .map(|_| self.question(&principals, &kinds, &scopes, size.resources))
            .collect();
        Case { seed: self.seed, policies, questions }
    }

    /// Cerbos does not look into sets that nothing imports, and we do: what is wrong with one would be a difference.
    fn drop_unused(&self, policies: &mut Vec<(String, Value)>) {
        // Derived roles import variables and constants, so they go first.
        for set in ["dr", "vs", "cs"].map(|set| self.name(set)) {
            let wanted = format!("[\"{set}\"]");
            let enabled = |policy: &Value| policy.get("disabled").is_none();
            if !policies.iter().any(|(_, policy)| enabled(policy) && policy.to_string().contains(&wanted)) {
                policies.retain(|(name, _)| *name != set);
            }
        }
    }

    fn derived_roles(&mut self, scopes: &[String], policies: &mut Vec<(String, Value)>) -> Vec<String> {
        let mut body = Map::new();
        let mut names = self.names(scopes);
        self.variables(&mut body, &mut names, true);
        let mut all = Vec::new();
        let mut definitions = Vec::new();
        for index in 0..self.rng.usize(1..5) {
            let name = format!("d{}{index}", self.seed);
            let parents = if self.chance(15) { vec!["*".to_owned()] } else { self.some(&self.roles()) };
            let mut definition = json!({"name": name, "parentRoles": parents});
            if self.chance(70) {
                definition["condition"] = self.condition(&names);
            }
            definitions.push(definition);
            all.push(name);
        }
        body.insert("name".to_owned(), self.name("dr").into());
        body.insert("definitions".to_owned(), definitions.into());
        policies.push((self.name("dr"), json!({"apiVersion": "api.cerbos.dev/v1", "derivedRoles": body})));
        all
    }

    /// How a policy of a scope begins.
    fn head(&self, what: &str, [name, version]: [&str; 2], level: usize, scope: &str) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert(what.to_owned(), name.into());
        body.insert("version".to_owned(), version.into());
        if !scope.is_empty() {
            body.insert("scope".to_owned(), scope.into());
        }
        if let Some(permissions) = self.permissions(level) {
            body.insert("scopePermissions".to_owned(), permissions.into());
        }
        body
    }

    fn names(&self, scopes: &[String]) -> Names {
        Names { roles: self.roles(), scopes: scopes.to_vec(), ..Names::default() }
    }

    /// A policy as it stands in a file. One that no other builds on may be disabled.
    fn whole(&mut self, what: &str, body: impl Into<Value>, last: bool) -> Value {
        let mut policy = json!({"apiVersion": "api.cerbos.dev/v1", what: body.into()});
        if last && self.chance(8) {
            policy["disabled"] = true.into();
        }
        policy
    }

    fn resource_policies(
        &mut self,
        kind: &str,
        version: &str,
        scopes: &[String],
        derived: &[String],
        policies: &mut Vec<(String, Value)>,
    ) {
        let levels = self.rng.usize(1..=scopes.len());
        for (level, scope) in scopes.iter().take(levels).enumerate() {
            let mut body = self.head("resource", [kind, version], level, scope);
            let mut names = self.names(scopes);
            self.variables(&mut body, &mut names, true);
            let derived = if self.chance(70) {
                body.insert("importDerivedRoles".to_owned(), json!([self.name("dr")]));
                names.derived_roles = derived.to_vec();
                derived
            } else {
                &[]
            };
            let rules: Vec<Value> =
                (0..self.rng.usize(1..7)).map(|index| self.rule(index, &names, derived)).collect();
            body.insert("rules".to_owned(), rules.into());
            let policy = self.whole("resourcePolicy", body, level + 1 == levels);
            policies.push((format!("{kind}_{version}_{level}"), policy));
        }
    }

    fn principal_policies(
        &mut self,
        id: &str,
        kinds: &[String],
        scopes: &[String],
        policies: &mut Vec<(String, Value)>,
    ) {
        let levels = self.rng.usize(1..=scopes.len());
        for (level, scope) in scopes.iter().take(levels).enumerate() {
            let mut body = self.head("principal", [id, "default"], level, scope);
            let mut names = self.names(scopes);
            self.variables(&mut body, &mut names, true);
            let mut rules = Vec::new();
            let mut resources = kinds.to_vec();
            resources.push(format!("k{}*", self.seed));
            // One kind or pattern alone: the order in which Cerbos tries several changes from start to start, and with it which policy it
            // names where a condition fails.
            for resource in self.some(&resources).into_iter().take(1) {
                let actions: Vec<Value> = (0..self.rng.usize(1..4))
                    .map(|index| {
                        let mut action = json!({
                            "action": RULE_ACTIONS[self.rng.usize(..RULE_ACTIONS.len())],
                            "effect": if self.chance(60) { "EFFECT_ALLOW" } else { "EFFECT_DENY" },
                        });
                        if self.chance(50) {
                            action["name"] =
                                format!("{}-{index}", if resource.ends_with('*') { "any" } else { "one" })
                                    .into();
                        }
                        if self.chance(60) {
                            action["condition"] = self.condition(&names);
                        }
                        action
                    })
                    .collect();
                rules.push(json!({"resource": resource, "actions": actions}));
            }
            body.insert("rules".to_owned(), rules.into());
            let policy = self.whole("principalPolicy", body, level + 1 == levels);
            policies.push((format!("{id}_{level}"), policy));
        }
    }

    fn role_policy(
        &mut self,
        role: &str,
        kinds: &[String],
        scopes: &[String],
        policies: &mut Vec<(String, Value)>,
    ) {
        let mut resources = kinds.to_vec();
        resources.push(format!("k{}*", self.seed));
        let names = self.names(scopes);
        let mut of = self.some(&resources);
        if !self.mistaken && of.iter().any(|resource| resource.ends_with('*')) {
            // Of the conditions for a pattern and for a kind, Cerbos evaluates one by chance.
            of.truncate(1);
        }
        let rules: Vec<Value> = of
            .into_iter()
            .map(|resource| {
                let mut rule = json!({"resource": resource, "allowActions": self.actions()});
                if self.chance(50) {
                    rule["condition"] = self.condition(&names);
                }
                rule
            })
            .collect();
        let mut level = self.rng.usize(..scopes.len());
        if self.permissions(level).is_some() {
            level = 0; // where a role policy stands, the others say nothing
        }
        let scope = scopes[level].clone();
        let mut body = json!({"role": role, "version": "default", "rules": rules});
        if !scope.is_empty() {
            body["scope"] = scope.into();
        }
        if self.chance(60) {
            let mut above = self.roles();
            // A role policy's role may stand below another's.
            let [lower, upper] = &self.role_policies()[..] else { return };
            above.extend((role == lower && self.chance(60)).then(|| upper.clone()));
            body["parentRoles"] = self.some(&above).into();
        }
        let policy = self.whole("rolePolicy", body, true);
        policies.push((format!("role_{role}"), policy));
    }
}
