//! What is asked: principals, resources, and their attributes.

use serde_json::{Map, Value, json};

use super::{Generator, Question};
use crate::expression::{ATTRIBUTES, CLAIMS, TEXTS};
use crate::pdp::TOKEN;

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

impl Generator {
    pub(super) fn question(
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
        if self.chance(60) {
            principal[TOKEN] = self.claims();
        }
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

    /// What a token says. A claim that is null is none to Cerbos.
    fn claims(&mut self) -> Value {
        let mut claims = Map::new();
        for name in CLAIMS {
            let value = match name {
                _ if self.chance(20) => continue,
                _ if name != "iss" && self.chance(20) => self.attribute(),
                "iss" => TEXTS[self.rng.usize(..TEXTS.len())].into(),
                "level" => self.number(),
                "groups" => json!(["a", TEXTS[self.rng.usize(..TEXTS.len())]]),
                _ => json!({"unit": TEXTS[self.rng.usize(..TEXTS.len())]}),
            };
            if !value.is_null() {
                claims.insert(name.to_owned(), value);
            }
        }
        claims.into()
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
    pub(super) fn attribute(&mut self) -> Value {
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
