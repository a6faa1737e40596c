//! Calls that somebody wrote down, such as the cases of test suites: they show what no cell stands for. Whether they do, the real evaluation
//! says.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json};

use super::model::scopes;
use super::vocabulary::{ARGS, ATTRIBUTES, Attribute, CLASSIFICATION, Domain, TENANT, TOOL_NAME, possible};
use super::{Policies, ToolDeclaration};
use crate::agent_tool::{ACTIONS, KIND};
use crate::cel::{Root, Timestamp};
use crate::cerbos::{CheckInput, Principal, Resource};

/// A call, and the time at which it is asked.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who asks about which tool.
    pub input: CheckInput,
    /// When; none if that is not said.
    pub now: Option<Timestamp>,
}

/// The same call as an agent asks it: what it leaves out is made up, what no agent asks is left out. `None` if no agent can ask it.
pub(super) fn as_asked(policies: &Policies<'_>, call: &Call) -> Option<CheckInput> {
    let Call { input: CheckInput { principal, resource, .. }, .. } = call;
    if resource.kind != KIND {
        return None;
    }
    let declared = policies.tools.map(|tools| &tools.tools).filter(|tools| !tools.is_empty());
    let tool = match declared {
        Some(tools) => Some(tools.iter().find(|tool| tool.name == resource.id)?),
        None => None,
    };
    let scope_of = |tenant: &str| scopes(policies.set).any(|scope| **scope == *tenant);
    let mut attributes = [JsonMap::new(), JsonMap::new()];
    let class = text_of(&resource.attr, "classification").or(tool.map(|tool| &*tool.classification));
    for (at, attribute) in ATTRIBUTES.iter().enumerate() {
        let [of_resource, of_principal] = &mut attributes;
        let (said, all) = match attribute.root {
            Root::ResourceAttr => (&resource.attr, of_resource),
            Root::PrincipalAttr => (&principal.attr, of_principal),
            _ => continue,
        };
        let said = said.get(attribute.name).cloned();
        let value = match (at, tool) {
            (_, Some(tool)) if attribute.of_tool => declared_as(tool, attribute.name),
            (TOOL_NAME, None) => Some(said.unwrap_or_else(|| Json::from(&*resource.id))),
            (CLASSIFICATION, None) if class.is_none() => Some(Json::from("public")),
            (TENANT, _) if !resource.scope.is_empty() && scope_of(&resource.scope) => {
                said.or_else(|| Some(Json::from(&*resource.scope)))
            }
            _ => said.or_else(|| made_up(attribute, class)),
        };
        if let Some(value) = value.filter(|value| !value.is_null()) {
            fits(attribute, &value).then_some(())?;
            all.insert(attribute.name.to_owned(), value);
        }
    }
    let [mut of_resource, of_principal] = attributes;
    let args = resource.attr.get(ARGS).cloned().unwrap_or_else(|| Json::Object(JsonMap::new()));
    let args_are_known = tool.and_then(|tool| tool.args.as_ref()).is_none_or(|known| {
        args.as_object().is_some_and(|args| args.keys().all(|name| known.contains(name)))
    });
    let is_called_so = text_of(&of_resource, "tool_name") == Some(&resource.id);
    let tenant = text_of(&of_principal, "tenant").unwrap_or_default();
    let scope = if scope_of(tenant) { tenant.to_owned() } else { String::new() };
    (args.is_object() && args_are_known && is_called_so).then_some(())?;
    of_resource.insert(ARGS.to_owned(), args);
    let may_be = |role: &&Arc<str>| {
        let declared = policies.tools.and_then(|tools| tools.roles.as_ref());
        !role.is_empty() && declared.is_none_or(|roles| roles.iter().any(|known| **known == ***role))
    };
    let roles: BTreeSet<Arc<str>> = principal.roles.iter().filter(may_be).cloned().collect();
    let principal = Principal {
        id: principal.id.clone(),
        roles: roles.into_iter().collect(),
        attr: of_principal,
        ..Principal::default()
    };
    let resource = Resource {
        kind: KIND.to_owned(),
        id: resource.id.clone(),
        scope,
        attr: of_resource,
        ..Resource::default()
    };
    let actions = ACTIONS.iter().map(|action| (*action).into()).collect();
    let input = CheckInput { principal, resource, actions, ..CheckInput::default() };
    (!input.principal.roles.is_empty() && !input.principal.id.is_empty() && possible(&input).is_ok())
        .then_some(input)
}

fn text_of<'j>(attributes: &'j JsonMap<String, Json>, name: &str) -> Option<&'j str> {
    attributes.get(name)?.as_str()
}

fn declared_as(tool: &ToolDeclaration, name: &str) -> Option<Json> {
    let text = match name {
        "tool_name" => &tool.name,
        "classification" => &tool.classification,
        "art9_basis" => tool.art9_basis.as_ref()?,
        "residency" => &tool.residency,
        "effect" => &tool.effect,
        _ => &tool.egress,
    };
    Some(Json::from(&**text))
}

/// What nobody said; `None` for what is not there then.
fn made_up(attribute: &Attribute, class: Option<&str>) -> Option<Json> {
    match attribute.domain {
        Domain::OfSpecial(_) if class != Some(super::vocabulary::SPECIAL) => None,
        Domain::Open(words) | Domain::Closed(words) | Domain::OfSpecial(words) => {
            words.first().map(|word| Json::from(*word))
        }
        Domain::Text => Some(Json::from("something-else")),
        Domain::Flag => Some(Json::from(false)),
        Domain::Count => Some(Json::from(0)),
    }
}

fn fits(attribute: &Attribute, value: &Json) -> bool {
    match attribute.domain {
        Domain::Text | Domain::Open(_) | Domain::Closed(_) | Domain::OfSpecial(_) => value.is_string(),
        Domain::Flag => value.is_boolean(),
        Domain::Count => value.as_f64().is_some_and(|count| count >= 0.0 && count.fract() == 0.0),
    }
}
