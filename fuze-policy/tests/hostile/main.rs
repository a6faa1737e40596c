//! Policies and arguments written to break the engine: to make its two forms disagree, to make it slow, to be taken for another set.
#![cfg(feature = "cerbos")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod agreement;
#[path = "../common/mod.rs"]
mod common;
mod cost;
mod directory;
mod roles;
mod soundness;

use common::tools::{RUN, TOOL};
use fuze_policy::agent_tool::Cerbos;
use fuze_policy::cerbos::{Files, Source};
use fuze_policy::{CallFacts, Request, RunFacts, ToolFacts};

/// What is asked, with what is usual unless it is said otherwise.
#[derive(Clone)]
struct Asked {
    tool: &'static str,
    tenant: String,
    roles: Vec<String>,
    args: String,
}

impl Default for Asked {
    fn default() -> Self {
        Self { tool: "t", tenant: "acme".to_owned(), roles: vec!["a".to_owned()], args: "{}".to_owned() }
    }
}

impl Asked {
    fn args(args: impl Into<String>) -> Self {
        Self { args: args.into(), ..Self::default() }
    }

    fn roles(roles: &[&str]) -> Self {
        Self { roles: roles.iter().map(|role| (*role).to_owned()).collect(), ..Self::default() }
    }

    fn tenant(tenant: &str) -> Self {
        Self { tenant: tenant.to_owned(), ..Self::default() }
    }

    fn request(&self) -> Request<'_> {
        Request {
            tool: ToolFacts { name: self.tool, classification: "personal", effect: "read", ..TOOL },
            run: RunFacts {
                tenant: &self.tenant,
                roles: &self.roles,
                lawful_basis: "contract",
                has_subject: true,
                ..RUN
            },
            call: CallFacts { args: self.args.as_bytes(), depth: 0 },
        }
    }
}

/// Policies, each without the line of its API version.
fn try_engine(policies: &[String]) -> Result<Cerbos, String> {
    let policies = policies
        .iter()
        .enumerate()
        .map(|(at, body)| {
            Source::new(&format!("{at}.yaml"), &format!("apiVersion: api.cerbos.dev/v1\n{body}"))
        })
        .collect();
    Cerbos::new(&Files { policies, ..Files::default() }, None).map_err(|error| error.to_string())
}

fn engine(policies: &[String]) -> Cerbos {
    try_engine(policies).unwrap_or_else(|error| panic!("{error}"))
}

/// A policy for tools with these lines of its own and these rules, each a mapping in braces.
fn tools(head: &str, rules: &[String]) -> String {
    let rules: String = rules.iter().map(|rule| format!("    - {rule}\n")).collect();
    format!("resourcePolicy:\n  resource: agent.tool\n  version: default\n{head}  rules:\n{rules}")
}

/// A rule of both actions for everybody, under a condition.
fn rule(effect: &str, condition: &str) -> String {
    let condition = serde_json::Value::from(condition);
    format!(
        "{{actions: [invoke, 'invoke:auto'], effect: EFFECT_{effect}, roles: ['*'], condition: {{match: {{expr: {condition}}}}}}}"
    )
}
