//! From a document to a policy.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::problem::{Collector, Position};
use super::super::yaml::{Node, Text};
use super::condition::{condition, output};
use super::fields::{Fields, expression_of, list_of, text_of};
use super::policy::{
    Body, Constants, DerivedRolesPolicy, Effect, ExportConstants, ExportVariables, Named, Policy,
    PrincipalPolicy, ResourcePolicy, RoleDefinition, RolePolicy, SchemaRef, Schemas, ScopePermissions,
    Variables,
};
use super::rules::{ActionRule, PrincipalRule, ResourceRule, RoleRule};
use crate::cerbos::names;

const BODIES: [&str; 6] =
    ["resourcePolicy", "principalPolicy", "rolePolicy", "derivedRoles", "exportVariables", "exportConstants"];

/// Reads one policy. What is wrong with it goes into the collector; then the answer may be `None`.
pub(crate) fn policy(file: &Arc<str>, node: &Node, out: &mut Collector) -> Option<Policy> {
    let mut fields = Fields::of(file, node, "a policy", out)?;
    if fields.has("tests") && !fields.has("apiVersion") {
        let message = "this is a test suite and no policy: let the name of its file end in `_test.yaml`";
        fields.refuse(fields.at, message, out);
        return None;
    }
    api_version(&mut fields, out);
    let disabled = fields.flag("disabled", out);
    let description = fields.text("description", out);
    fields.take("$schema");
    let annotations = metadata(&mut fields, out);
    let variables = fields.named("variables", out, expression);

    let mut given: Vec<&'static str> = BODIES.into_iter().filter(|body| fields.has(body)).collect();
    given.sort_by_key(|body| fields.key_at(body));
    let at = given.first().map_or(fields.at, |body| fields.key_at(body));
    let body = match *given.as_slice() {
        [] => {
            fields.refuse(
                fields.at,
                format!("a policy needs one of {}", BODIES.map(|b| format!("`{b}`")).join(", ")),
                out,
            );
            None
        }
        [kind] => body(&mut fields, kind, out),
        [first, second, ..] => {
            let message = format!(
                "a policy has one body: `{first}` stands here already, put `{second}` into a file of its own"
            );
            fields.refuse(fields.key_at(second), message, out);
            None
        }
    };
    for kind in given {
        fields.take(kind);
    }
    for kind in BODIES {
        // Known even where absent, so that a misspelled body gets a hint.
        fields.take(kind);
    }
    if let (Some(first), Some(Body::ExportVariables(_) | Body::ExportConstants(_))) =
        (variables.first(), &body)
    {
        fields.refuse(
            first.name_at,
            "variables at the top level have no effect here: put them under `definitions`",
            out,
        );
    }
    fields.finish(out);
    Some(Policy { file: file.clone(), at, disabled, description, annotations, variables, body: body? })
}

fn api_version(fields: &mut Fields<'_>, out: &mut Collector) {
    const VERSION: &str = "api.cerbos.dev/v1";
    if let Some(text) = fields.required_text("apiVersion", out)
        && &*text.value != VERSION
    {
        fields.refuse(text.at, format!("`apiVersion` must be `{VERSION}`, this is `{}`", text.value), out);
    }
}

fn metadata(fields: &mut Fields<'_>, out: &mut Collector) -> Vec<Named<Text>> {
    let Some(mut inner) = fields.mapping("metadata", "metadata", out) else { return Vec::new() };
    for known in ["sourceFile", "hash", "storeIdentifer", "storeIdentifier", "sourceAttributes"] {
        inner.take(known);
    }
    let annotations = inner.named("annotations", out, |node| text_of(node).ok_or("text"));
    inner.finish(out);
    annotations
}

fn body(fields: &mut Fields<'_>, kind: &str, out: &mut Collector) -> Option<Body> {
    match kind {
        "resourcePolicy" => resource_policy(fields.mapping("resourcePolicy", "a resource policy", out)?, out)
            .map(Body::Resource),
        "principalPolicy" => {
            principal_policy(fields.mapping("principalPolicy", "a principal policy", out)?, out)
                .map(Body::Principal)
        }
        "rolePolicy" => role_policy(fields.mapping("rolePolicy", "a role policy", out)?, out).map(Body::Role),
        "derivedRoles" => derived_roles(fields.mapping("derivedRoles", "a set of derived roles", out)?, out)
            .map(Body::DerivedRoles),
        "exportVariables" => {
            let mut inner = fields.mapping("exportVariables", "a set of exported variables", out)?;
            let name = set_name(&mut inner, out);
            let definitions = inner.named("definitions", out, expression);
            inner.finish(out);
            Some(Body::ExportVariables(ExportVariables { name: name?, definitions }))
        }
        _ => {
            let mut inner = fields.mapping("exportConstants", "a set of exported constants", out)?;
            let name = set_name(&mut inner, out);
            let definitions = inner.named("definitions", out, |node| Ok(node.clone()));
            inner.finish(out);
            Some(Body::ExportConstants(ExportConstants { name: name?, definitions }))
        }
    }
}

fn resource_policy(mut fields: Fields<'_>, out: &mut Collector) -> Option<ResourcePolicy> {
    let resource = whole_name(&mut fields, "resource", out);
    let version = version(&mut fields, out);
    let scope = scope(&mut fields, out);
    let scope_permissions = scope_permissions(&mut fields, out);
    let import_derived_roles = set_names(&mut fields, "importDerivedRoles", out);
    let file = fields.file.clone();
    let rules = list_of(&mut fields, "rules", out, |node, out| {
        resource_rule(Fields::of(&file, node, "a rule", out)?, out)
    });
    let rules = rules.unwrap_or_default();
    twice(&fields, rules.iter().filter_map(|rule| rule.name.as_ref()), "a rule", out);
    let schemas = schemas(&mut fields, out);
    let variables = variables(&mut fields, out);
    let constants = constants(&mut fields, out);
    fields.finish(out);
    Some(ResourcePolicy {
        resource: resource?,
        version: version?,
        scope: scope?,
        scope_permissions,
        import_derived_roles,
        rules,
        schemas,
        variables,
        constants,
    })
}

fn resource_rule(mut fields: Fields<'_>, out: &mut Collector) -> Option<ResourceRule> {
    let name = rule_name(&mut fields, out);
    let actions = fields.required_texts("actions", out);
    let derived_roles = set_names(&mut fields, "derivedRoles", out);
    let roles = fields.texts("roles", out);
    if roles.is_empty()
        && derived_roles.is_empty()
        && !fields.reported("roles")
        && !fields.reported("derivedRoles")
    {
        let called = name.as_ref().map_or(String::new(), |name| format!(" `{}`", name.value));
        fields.refuse(
            fields.at,
            format!("the rule{called} names neither `roles` nor `derivedRoles`: nobody could use it"),
            out,
        );
    }
    let effect = effect(&mut fields, out);
    let condition = condition(&mut fields, out);
    let output = output(&mut fields, out);
    fields.finish(out);
    Some(ResourceRule {
        at: fields.at,
        name,
        actions,
        roles,
        derived_roles,
        effect: effect?,
        condition,
        output,
    })
}

fn principal_policy(mut fields: Fields<'_>, out: &mut Collector) -> Option<PrincipalPolicy> {
    let principal = whole_name(&mut fields, "principal", out);
    let version = version(&mut fields, out);
    let scope = scope(&mut fields, out);
    let scope_permissions = scope_permissions(&mut fields, out);
    let file = fields.file.clone();
    let rules = list_of(&mut fields, "rules", out, |node, out| {
        principal_rule(Fields::of(&file, node, "a rule", out)?, out)
    });
    let rules = rules.unwrap_or_default();
    twice(&fields, rules.iter().map(|rule| &rule.resource), "the rules for resource", out);
    let variables = variables(&mut fields, out);
    let constants = constants(&mut fields, out);
    fields.finish(out);
    Some(PrincipalPolicy {
        principal: principal?,
        version: version?,
        scope: scope?,
        scope_permissions,
        rules,
        variables,
        constants,
    })
}

fn principal_rule(mut fields: Fields<'_>, out: &mut Collector) -> Option<PrincipalRule> {
    let resource = fields.required_text("resource", out);
    let file = fields.file.clone();
    let actions = list_of(&mut fields, "actions", out, |node, out| {
        action_rule(Fields::of(&file, node, "an action rule", out)?, out)
    });
    let actions = actions.unwrap_or_default();
    if actions.is_empty() && !fields.reported("actions") {
        fields.refuse(fields.key_at("actions"), "a rule needs `actions` with at least one item", out);
    }
    twice(&fields, actions.iter().filter_map(|action| action.name.as_ref()), "an action rule", out);
    fields.finish(out);
    Some(PrincipalRule { at: fields.at, resource: resource?, actions })
}

fn action_rule(mut fields: Fields<'_>, out: &mut Collector) -> Option<ActionRule> {
    let name = rule_name(&mut fields, out);
    let action = fields.required_text("action", out);
    let effect = effect(&mut fields, out);
    let condition = condition(&mut fields, out);
    let output = output(&mut fields, out);
    fields.finish(out);
    Some(ActionRule { at: fields.at, name, action: action?, effect: effect?, condition, output })
}

fn role_policy(mut fields: Fields<'_>, out: &mut Collector) -> Option<RolePolicy> {
    let role = whole_name(&mut fields, "role", out);
    let version = if fields.has("version") {
        version(&mut fields, out)
    } else {
        Some(Text::plain("default", fields.at))
    };
    fields.take("version");
    let scope = scope(&mut fields, out);
    let at = fields.key_at("scopePermissions");
    if scope_permissions(&mut fields, out) == Some(ScopePermissions::OverrideParent) {
        let message = "a role policy overrides no parent, and Cerbos refuses to read one that says so: take `scopePermissions` out";
        fields.refuse(at, message, out);
    }
    let parent_roles = fields.texts("parentRoles", out);
    let file = fields.file.clone();
    let rules = list_of(&mut fields, "rules", out, |node, out| {
        role_rule(Fields::of(&file, node, "a rule", out)?, out)
    });
    let variables = variables(&mut fields, out);
    let constants = constants(&mut fields, out);
    fields.finish(out);
    Some(RolePolicy {
        role: role?,
        version: version?,
        scope: scope?,
        parent_roles,
        rules: rules.unwrap_or_default(),
        variables,
        constants,
    })
}

fn role_rule(mut fields: Fields<'_>, out: &mut Collector) -> Option<RoleRule> {
    let name = rule_name(&mut fields, out);
    let resource = fields.required_text("resource", out);
    let allow_actions = fields.required_texts("allowActions", out);
    let condition = condition(&mut fields, out);
    let output = output(&mut fields, out);
    fields.finish(out);
    Some(RoleRule { at: fields.at, name, resource: resource?, allow_actions, condition, output })
}

fn derived_roles(mut fields: Fields<'_>, out: &mut Collector) -> Option<DerivedRolesPolicy> {
    let name = set_name(&mut fields, out);
    let file = fields.file.clone();
    let definitions = list_of(&mut fields, "definitions", out, |node, out| {
        let mut inner = Fields::of(&file, node, "a derived role", out)?;
        let name = set_name(&mut inner, out);
        let parent_roles = inner.required_texts("parentRoles", out);
        let condition = condition(&mut inner, out);
        inner.finish(out);
        Some(RoleDefinition { at: inner.at, name: name?, parent_roles, condition })
    });
    let definitions = definitions.unwrap_or_default();
    if definitions.is_empty() && !fields.reported("definitions") {
        fields.refuse(
            fields.key_at("definitions"),
            "a set of derived roles needs `definitions` with at least one item",
            out,
        );
    }
    twice(&fields, definitions.iter().map(|role| &role.name), "a derived role", out);
    let variables = variables(&mut fields, out);
    let constants = constants(&mut fields, out);
    fields.finish(out);
    Some(DerivedRolesPolicy { name: name?, definitions, variables, constants })
}

fn variables(fields: &mut Fields<'_>, out: &mut Collector) -> Variables {
    let Some(mut inner) = fields.mapping("variables", "variables", out) else { return Variables::default() };
    let import = set_names(&mut inner, "import", out);
    let local = inner.named("local", out, expression);
    inner.finish(out);
    Variables { import, local }
}

fn constants(fields: &mut Fields<'_>, out: &mut Collector) -> Constants {
    let Some(mut inner) = fields.mapping("constants", "constants", out) else { return Constants::default() };
    let import = set_names(&mut inner, "import", out);
    let local = inner.named("local", out, |node| Ok(node.clone()));
    inner.finish(out);
    Constants { import, local }
}

fn schemas(fields: &mut Fields<'_>, out: &mut Collector) -> Schemas {
    let Some(mut inner) = fields.mapping("schemas", "schemas", out) else { return Schemas::default() };
    let principal = schema(&mut inner, "principalSchema", out);
    let resource = schema(&mut inner, "resourceSchema", out);
    inner.finish(out);
    Schemas { principal, resource }
}

fn schema(fields: &mut Fields<'_>, name: &'static str, out: &mut Collector) -> Option<SchemaRef> {
    let mut inner = fields.mapping(name, "a schema", out)?;
    let reference = inner.required_text("ref", out);
    let mut ignore_when = Vec::new();
    if let Some(mut when) = inner.mapping("ignoreWhen", "`ignoreWhen`", out) {
        ignore_when = when.required_texts("actions", out);
        when.finish(out);
    }
    inner.finish(out);
    Some(SchemaRef { reference: reference?, ignore_when })
}

fn effect(fields: &mut Fields<'_>, out: &mut Collector) -> Option<Effect> {
    let text = fields.required_text("effect", out)?;
    match &*text.value {
        "EFFECT_ALLOW" => Some(Effect::Allow),
        "EFFECT_DENY" => Some(Effect::Deny),
        "EFFECT_REQUIRES_APPROVAL" => {
            fields.refuse(
                text.at,
                "`EFFECT_REQUIRES_APPROVAL` is not an effect of Cerbos: allow the action `invoke` and leave \
                 `invoke:auto` unallowed; `fuze policy migrate` does so where a rule names `invoke` of a tool alone, and says what to do \
                 elsewhere",
                out,
            );
            None
        }
        other => {
            fields.refuse(
                text.at,
                format!("`effect` must be `EFFECT_ALLOW` or `EFFECT_DENY`, this is `{other}`"),
                out,
            );
            None
        }
    }
}

fn scope_permissions(fields: &mut Fields<'_>, out: &mut Collector) -> Option<ScopePermissions> {
    const OVERRIDE: &str = "SCOPE_PERMISSIONS_OVERRIDE_PARENT";
    const CONSENT: &str = "SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS";
    let text = fields.text("scopePermissions", out)?;
    match &*text.value {
        // Cerbos takes nothing for unspecified, and refuses an empty text.
        "" if fields.is_null("scopePermissions") => None,
        "SCOPE_PERMISSIONS_UNSPECIFIED" => None,
        OVERRIDE => Some(ScopePermissions::OverrideParent),
        CONSENT => Some(ScopePermissions::RequireParentalConsentForAllows),
        other => {
            let this = match other {
                "" => "an empty text; leave it out to say neither".to_owned(),
                other => format!("`{other}`"),
            };
            let message = format!("`scopePermissions` must be `{OVERRIDE}` or `{CONSENT}`, this is {this}");
            fields.refuse(text.at, message, out);
            None
        }
    }
}

/// The name of a resource, principal or role: no glob.
fn whole_name(fields: &mut Fields<'_>, field: &'static str, out: &mut Collector) -> Option<Text> {
    let text = fields.required_text(field, out)?;
    if text.value.contains(['!', '*', '?', '[', ']', '{', '}']) {
        let message =
            format!("`{field}` is a name, not a pattern: `!*?[]{{}}` cannot stand in `{}`", text.value);
        fields.refuse(text.at, message, out);
        return None;
    }
    Some(text)
}

fn version(fields: &mut Fields<'_>, out: &mut Collector) -> Option<Text> {
    let text = fields.required_text("version", out)?;
    checked(fields, text, names::is_word, "a version has letters, digits and `_` only", out)
}

/// The scope; the root scope if there is none.
fn scope(fields: &mut Fields<'_>, out: &mut Collector) -> Option<Text> {
    match fields.text("scope", out) {
        None if fields.reported("scope") => None,
        None => Some(Text::plain("", fields.at)),
        Some(text) => checked(
            fields,
            text,
            names::is_scope,
            "a scope is names of letters, digits, `_` and `-` with dots between them; leave it out for the root",
            out,
        ),
    }
}

fn rule_name(fields: &mut Fields<'_>, out: &mut Collector) -> Option<Text> {
    let text = fields.text("name", out).filter(|text| !text.value.is_empty())?;
    checked(
        fields,
        text,
        names::is_rule_name,
        "a rule's name begins with a letter and goes on with letters, digits and `_@.-`",
        out,
    )
}

fn set_name(fields: &mut Fields<'_>, out: &mut Collector) -> Option<Text> {
    let text = fields.required_text("name", out)?;
    checked(fields, text, names::is_set_name, SET_NAME, out)
}

fn set_names(fields: &mut Fields<'_>, field: &'static str, out: &mut Collector) -> Vec<Text> {
    let all = fields.texts(field, out);
    all.into_iter().filter_map(|text| checked(fields, text, names::is_set_name, SET_NAME, out)).collect()
}

const SET_NAME: &str = "such a name has letters, digits and `_-.` only";

fn checked(
    fields: &Fields<'_>,
    text: Text,
    is_good: fn(&str) -> bool,
    rule: &str,
    out: &mut Collector,
) -> Option<Text> {
    if is_good(&text.value) {
        return Some(text);
    }
    fields.refuse(text.at, format!("`{}` cannot stand here: {rule}", text.value), out);
    None
}

/// An expression of a mapping.
fn expression(node: &Node) -> Result<Text, &'static str> {
    expression_of(node).ok_or("text")
}

/// Tells names that are used twice.
fn twice<'t>(fields: &Fields<'_>, names: impl Iterator<Item = &'t Text>, what: &str, out: &mut Collector) {
    let mut seen: HashMap<&str, Position> = HashMap::new();
    for name in names {
        if let Some(first) = seen.get(&*name.value) {
            let message = format!("{what} `{}` stands here a second time, first at {first}", name.value);
            fields.refuse(name.at, message, out);
        } else {
            seen.insert(&name.value, name.at);
        }
    }
}
