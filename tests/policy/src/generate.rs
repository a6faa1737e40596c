//! Policy sets and requests from a grammar, by seed.
//!
//! Each set keeps to names of its own (kinds, roles, principals, scopes), so that one decision point can hold hundreds of sets at once.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::expression::{ATTRIBUTES, Names, TEXTS, Writer};

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
const ASKED_ACTIONS: [&str; 11] = [
    "view",
    "view:public",
    "view:private:x",
    "edit",
    "edit:own:draft",
    "edit:own",
    "delete",
    "delete:x:y",
    "éa",
    "vie",
    "a b",
];
const SCOPE_PERMISSIONS: [Option<&str>; 4] = [
    None,
    None,
    Some("SCOPE_PERMISSIONS_OVERRIDE_PARENT"),
    Some("SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS"),
];

/// The case of a seed.
pub fn case(seed: u64, size: Size) -> Case {
    Generator { rng: Rng::with_seed(seed), seed }.case(size)
}

struct Generator {
    rng: Rng,
    seed: u64,
}

impl Generator {
    fn name(&self, what: &str) -> String {
        format!("{what}{}", self.seed)
    }

    fn roles(&self) -> Vec<String> {
        ["a", "b", "c", "d"].iter().map(|role| format!("r{}{role}", self.seed)).collect()
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

    fn expression(&mut self, names: &Names) -> Value {
        let depth = self.rng.u32(0..4);
        Writer::new(&mut self.rng, names).truth(depth).into()
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
                when.insert(moment.to_owned(), Writer::new(&mut self.rng, names).anything(depth).into());
            }
        }
        if when.is_empty() { Value::Null } else { json!({"when": when}) }
    }

    /// Local variables and constants; their names go into `names`.
    fn variables(&mut self, body: &mut Map<String, Value>, names: &mut Names, exports: bool) {
        if self.chance(40) {
            // Named after the seed: to Cerbos, constants of the same names and of some values are one.
            let constants = [self.name("c0_"), self.name("c1_")];
            let local = json!({&constants[0]: self.attribute(), &constants[1]: self.attribute()});
            names.constants.extend(constants);
            let mut constants = json!({"local": local});
            if exports && self.chance(50) {
                constants["import"] = json!([self.name("cs")]);
                names.constants.push(self.name("e0_"));
            }
            body.insert("constants".to_owned(), constants);
        }
        if self.chance(50) {
            let mut local = Map::new();
            for name in ["v0", "v1", "v2"] {
                let depth = self.rng.u32(0..3);
                let text = Writer::new(&mut self.rng, names).anything(depth);
                local.insert(name.to_owned(), text.into());
                names.variables.push(name.to_owned());
            }
            let mut variables = json!({"local": local});
            if exports && self.chance(50) {
                variables["import"] = json!([self.name("vs")]);
                names.variables.push("w0".to_owned());
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
        let exported = Names { roles: self.roles(), ..Names::default() };
        policies.push((self.name("vs"), {
            let text = Writer::new(&mut self.rng, &exported).anything(2);
            json!({"apiVersion": "api.cerbos.dev/v1", "exportVariables": {"name": self.name("vs"), "definitions": {"w0": text}}})
        }));
        policies.push((self.name("cs"), {
            let value = self.attribute();
            json!({"apiVersion": "api.cerbos.dev/v1", "exportConstants": {"name": self.name("cs"), "definitions": {self.name("e0_"): value}}})
        }));
        let derived = self.derived_roles(&mut policies);
        let kinds: Vec<String> = (0..2).map(|n| format!("k{}n{n}", self.seed)).collect();
        let scopes = self.scopes();
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
            if !policies.iter().any(|(_, policy)| policy.to_string().contains(&wanted)) {
                policies.retain(|(name, _)| *name != set);
            }
        }
    }

    fn derived_roles(&mut self, policies: &mut Vec<(String, Value)>) -> Vec<String> {
        let mut body = Map::new();
        let mut names = Names { roles: self.roles(), ..Names::default() };
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
            let permissions = self.permissions(level);
            let mut body = Map::new();
            body.insert("resource".to_owned(), kind.into());
            body.insert("version".to_owned(), version.into());
            if !scope.is_empty() {
                body.insert("scope".to_owned(), scope.as_str().into());
            }
            if let Some(permissions) = permissions {
                body.insert("scopePermissions".to_owned(), permissions.into());
            }
            let mut names = Names { roles: self.roles(), ..Names::default() };
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
            policies.push((
                format!("{kind}_{version}_{level}"),
                json!({"apiVersion": "api.cerbos.dev/v1", "resourcePolicy": body}),
            ));
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
            let permissions = self.permissions(level);
            let mut body = Map::new();
            body.insert("principal".to_owned(), id.into());
            body.insert("version".to_owned(), "default".into());
            if !scope.is_empty() {
                body.insert("scope".to_owned(), scope.as_str().into());
            }
            if let Some(permissions) = permissions {
                body.insert("scopePermissions".to_owned(), permissions.into());
            }
            let mut names = Names { roles: self.roles(), ..Names::default() };
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
            policies.push((
                format!("{id}_{level}"),
                json!({"apiVersion": "api.cerbos.dev/v1", "principalPolicy": body}),
            ));
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
        let names = Names { roles: self.roles(), ..Names::default() };
        let rules: Vec<Value> = self
            .some(&resources)
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
            body["parentRoles"] = self.some(&self.roles()).into();
        }
        policies
            .push((format!("role_{role}"), json!({"apiVersion": "api.cerbos.dev/v1", "rolePolicy": body})));
    }

    fn question(
        &mut self,
        principals: &[String],
        kinds: &[String],
        scopes: &[String],
        resources: usize,
    ) -> Question {
        let mut roles = self.roles();
        roles.extend(self.role_policies());
        roles.push(self.name("stranger"));
        let mut principal = json!({
            "id": principals[self.rng.usize(..principals.len())],
            "roles": self.some(&roles),
            "attr": self.attributes(),
        });
        if self.chance(30) {
            principal["scope"] = scopes[self.rng.usize(..scopes.len())].as_str().into();
        }
        let resources = (0..resources)
            .map(|index| {
                let mut actions: Vec<&str> =
                    ASKED_ACTIONS.iter().copied().filter(|_| self.rng.bool()).collect();
                if actions.is_empty() {
                    actions.push("view");
                }
                let mut resource = json!({
                    "kind": kinds[self.rng.usize(..kinds.len())],
                    "id": format!("{}{index}", TEXTS[self.rng.usize(1..5)]),
                    "attr": self.attributes(),
                });
                if self.chance(60) {
                    resource["scope"] = scopes[self.rng.usize(..scopes.len())].as_str().into();
                }
                if self.chance(20) {
                    resource["policyVersion"] = "v2".into();
                }
                json!({"resource": resource, "actions": actions})
            })
            .collect();
        Question { principal, resources }
    }

    fn attributes(&mut self) -> Value {
        let mut attributes = Map::new();
        for name in ATTRIBUTES {
            if self.chance(25) {
                continue;
            }
            let value = if self.chance(20) { self.attribute() } else { self.expected(name) };
            attributes.insert(name.to_owned(), value);
        }
        attributes.into()
    }

    /// A value of the type that the grammar mostly expects.
    fn expected(&mut self, name: &str) -> Value {
        match name {
            "n" => self.number(),
            "flag" => self.rng.bool().into(),
            "l" => (0..self.rng.usize(..4)).map(|_| self.attribute()).collect(),
            "m" => json!({"x": self.attribute(), "y": self.number()}),
            "t" => TEXTS[14].into(),
            "ip" => TEXTS[12].into(),
            "path" => TEXTS[15].into(),
            _ => TEXTS[self.rng.usize(..TEXTS.len())].into(),
        }
    }

    fn number(&mut self) -> Value {
        [
            json!(0),
            json!(1),
            json!(-1),
            json!(2),
            json!(0.1),
            json!(-2.5),
            json!(42),
            json!(1.5e300),
            json!(9_007_199_254_740_993_i64),
            json!(-0.0),
            json!(2.5e-310),
            json!(i64::MAX),
        ][self.rng.usize(..12)]
        .clone()
    }

    /// A value of any type.
    fn attribute(&mut self) -> Value {
        match self.rng.u8(..12) {
            0 => Value::Null,
            1 => self.rng.bool().into(),
            2..=4 => self.number(),
            5 => json!([]),
            6 => json!({}),
            7 => json!([self.number(), TEXTS[self.rng.usize(..TEXTS.len())]]),
            8 => json!({"x": self.number(), "y": {"x": null}}),
            _ => TEXTS[self.rng.usize(..TEXTS.len())].into(),
        }
    }
}
