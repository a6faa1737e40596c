//! What is asked about a call: the same words to the engine in the process and to a Cerbos server.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::cerbos::{CheckInput, Principal, Resource};
use crate::{EngineError, Request};

use super::{ACTIONS, KIND};

/// A call as a Cerbos request. What the tool declares and what the run says stands in attributes of its own; what the model wrote stands
/// under `R.attr.args` and nowhere else. The run's roles are a set: each is asked once, in alphabetical order, because the order may decide
/// whose output counts, and whether a condition that fails is reached.
///
/// # Errors
/// When the run has no roles or one without a name, with which Cerbos takes no request; when the arguments are not a JSON object, which the loop never sends.
pub fn question(request: &Request<'_>, scope: &str) -> Result<CheckInput, EngineError> {
    let (tool, run, call) = (&request.tool, &request.run, &request.call);
    let args: Map<String, Value> = serde_json::from_slice(call.args)
        .map_err(|error| EngineError::Malformed(format!("the arguments are not a JSON object: {error}")))?;
    if run.roles.is_empty() {
        let why = "the run's principal has no role, and Cerbos decides by roles: give the run some (`roles`)";
        return Err(EngineError::Evaluation(why.to_owned()));
    }
    let roles: BTreeSet<&str> = run.roles.iter().map(String::as_str).collect();
    if roles.contains("") {
        let why = "the run's principal has a role without a name, and Cerbos takes no such request: give each role by its name (`roles`)";
        return Err(EngineError::Evaluation(why.to_owned()));
    }
    let mut resource = members([
        ("tool_name", tool.name.into()),
        ("classification", tool.classification.into()),
        ("residency", tool.residency.into()),
        ("effect", tool.effect.into()),
        ("egress", tool.egress.into()),
        ("depth", json!(f64::from(call.depth))),
        ("args", args.into()),
    ]);
    if let Some(basis) = tool.art9_basis {
        resource.insert("art9_basis".to_owned(), basis.into());
    }
    let principal = members([
        ("tenant", run.tenant.into()),
        ("purpose", run.purpose.into()),
        ("lawful_basis", run.lawful_basis.into()),
        ("annex_iii", run.annex_iii.into()),
        ("art22", run.art22.into()),
        ("has_subject", run.has_subject.into()),
    ]);
    Ok(CheckInput {
        principal: Principal {
            id: run.principal.to_owned(),
            roles: roles.into_iter().map(Into::into).collect(),
            attr: principal,
            ..Principal::default()
        },
        resource: Resource {
            kind: KIND.to_owned(),
            id: tool.name.to_owned(),
            scope: scope.to_owned(),
            attr: resource,
            ..Resource::default()
        },
        actions: ACTIONS.iter().map(|action| (*action).into()).collect(),
        ..CheckInput::default()
    })
}

fn members<const N: usize>(of: [(&str, Value); N]) -> Map<String, Value> {
    of.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
