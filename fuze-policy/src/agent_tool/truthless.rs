//! Conditions that can be neither true nor false: a list, a number, a text.
//!
//! Cerbos 0.55 takes them, also strictly, and what is not `true` does not hold. A DENY whose author forgot `.size() > 0` would never deny.

use std::collections::BTreeMap;

use crate::cel::{Kind, Root, Type};
use crate::cerbos::{Condition, DerivedRole, Expression, Params, Place, PolicySet, Problem, Whom};

use super::{KIND, rows};

/// Conditions of what decides about tools that come to no truth.
pub(super) fn find(set: &PolicySet) -> Vec<Problem> {
    let mut found: BTreeMap<Place, String> = BTreeMap::new();
    let mut look = |condition: Option<&Condition>, params: &Params| {
        condition.into_iter().for_each(|condition| each(condition, params, &mut found));
    };
    let of_roles = set.role_rows().filter(|row| row.resource.matches(KIND)).map(|row| &row.rule);
    for rule in rows(set).map(|row| &row.rule).chain(of_roles) {
        look(rule.condition.as_ref(), &rule.params);
    }
    for role in rows(set).filter_map(|row| derived(&row.whom)) {
        look(role.condition.as_ref(), &role.params);
    }
    found.into_iter().map(|(place, message)| Problem { place, message }).collect()
}

fn derived(whom: &Whom) -> Option<&DerivedRole> {
    match whom {
        Whom::DerivedRole { role, .. } => Some(role),
        Whom::Role(_) | Whom::Resource(_) => None,
    }
}

fn each(condition: &Condition, params: &Params, found: &mut BTreeMap<Place, String>) {
    match condition {
        Condition::Expr(expression) => {
            let Some(ty) = comes_to(expression, params).filter(|ty| *ty != Type::Bool) else { return };
            let message = format!(
                "this condition comes to {}, which is never `true`: it never holds, on Cerbos as here, so that a DENY under it never denies. \
                 Write what has to be true of it{}",
                word(ty),
                mend(ty)
            );
            found.insert(expression.place.clone(), message);
        }
        Condition::All(all) | Condition::Any(all) | Condition::None(all) => {
            all.iter().for_each(|condition| each(condition, params, found));
        }
    }
}

/// The type of what an expression comes to; of a variable alone, of what that stands for. A variable names only those before it.
fn comes_to(expression: &Expression, params: &Params) -> Option<Type> {
    let mut expression = expression;
    let mut before = params.variables.as_slice();
    loop {
        let Kind::Path(path) = &expression.program.expr().kind else { return expression.program.comes_to() };
        let [name] = path.keys.as_slice() else { return expression.program.comes_to() };
        if path.root != Root::Variables {
            return expression.program.comes_to();
        }
        let at = before.iter().position(|variable| variable.name == *name)?;
        expression = &before.get(at)?.expr;
        before = before.get(..at)?;
    }
}

fn word(ty: Type) -> String {
    match ty {
        Type::List => "a list".to_owned(),
        Type::Map => "a mapping".to_owned(),
        Type::String => "text".to_owned(),
        Type::Int | Type::Uint | Type::Double => "a number".to_owned(),
        Type::Null => "`null`".to_owned(),
        other => format!("a value of the type `{}`", other.name()),
    }
}

fn mend(ty: Type) -> &'static str {
    match ty {
        Type::List | Type::Map => {
            ", such as `size(…) > 0`, or use `.exists(x, …)` in place of `.filter(x, …)`"
        }
        Type::String => ", such as `… == \"…\"`",
        Type::Int | Type::Uint | Type::Double => ", such as `… > 0.0`",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cerbos::Source;

    fn problems(policy: &str) -> Vec<String> {
        let source = Source::new("a.yaml", &format!("apiVersion: api.cerbos.dev/v1\n{policy}"));
        find(&PolicySet::load(&[source]).unwrap()).iter().map(ToString::to_string).collect()
    }

    fn rule(expr: &str) -> String {
        format!(
            "resourcePolicy:\n  resource: agent.tool\n  version: default\n  variables: {{local: {{n: '1 + 1', m: V.n, d: R.attr.args.d}}}}\n  rules:\n    \
             - {{actions: [\"*\"], effect: EFFECT_DENY, roles: [\"*\"], condition: {{match: {{expr: '{expr}'}}}}}}\n"
        )
    }

    #[test]
    fn what_is_never_true_is_refused() {
        for (expr, word) in [
            (r#"R.attr.args.l.filter(x, x == "bad")"#, "a list"),
            ("R.attr.args.l.size()", "a number"),
            ("R.attr.args.amount + 1.0", "a number"),
            ("string(R.attr.args.x)", "text"),
            ("P.roles", "a list"),
            ("[R.attr.args.x]", "a list"),
            (r#"{"a": true}"#, "a mapping"),
            ("V.n", "a number"),
            ("V.m", "a number"),
            ("null", "`null`"),
            ("timestamp(R.attr.args.t)", "a value of the type `google.protobuf.Timestamp`"),
            (r#"R.attr.args.x == "a" ? 1 : 2"#, "a number"),
        ] {
            let found = problems(&rule(expr));
            assert_eq!(found.len(), 1, "{expr}: {found:?}");
            assert!(found[0].starts_with("a.yaml:7:"), "{}", found[0]);
            assert!(found[0].contains(&format!("comes to {word}, which")), "{expr}: {}", found[0]);
        }
    }

    #[test]
    fn what_may_be_true_is_not() {
        for expr in [
            "R.attr.args.x",
            "V.d",
            "R.attr.args.l.size() > 0",
            r#"R.attr.args.x == "a" ? true : R.attr.args.y"#,
            "false",
            r#"R.attr["args"]["x"]"#,
        ] {
            assert_eq!(problems(&rule(expr)), Vec::<String>::new(), "{expr}");
        }
    }

    #[test]
    fn every_condition_about_tools_is_looked_at() {
        let parts = "resourcePolicy: {resource: agent.tool, version: default, rules: [{actions: [invoke], effect: EFFECT_ALLOW, roles: [a], condition: \
                     {match: {all: {of: [{any: {of: [{expr: '1'}]}}, {none: {of: [{expr: P.roles}]}}]}}}}]}";
        assert_eq!(problems(parts).len(), 2);
        let principal = "principalPolicy: {principal: p, version: default, rules: [{resource: 'agent.*', actions: [{action: invoke, effect: \
                         EFFECT_DENY, condition: {match: {expr: '1'}}}]}]}";
        assert_eq!(problems(principal).len(), 1);
        let role = "rolePolicy: {role: r, version: default, rules: [{resource: agent.tool, allowActions: [invoke], condition: {match: {expr: '1'}}}]}";
        assert_eq!(problems(role).len(), 1);
        let elsewhere = "resourcePolicy: {resource: album, version: default, rules: [{actions: [view], effect: EFFECT_ALLOW, roles: [a], condition: \
                         {match: {expr: '1'}}}]}";
        assert_eq!(problems(elsewhere), Vec::<String>::new());
    }

    #[test]
    fn derived_roles_are_looked_at() {
        let sources = [
            ("roles.yaml", "derivedRoles: {name: set, definitions: [{name: d, parentRoles: [a], condition: {match: {expr: size(P.id)}}}]}"),
            (
                "tool.yaml",
                "resourcePolicy: {resource: agent.tool, version: default, importDerivedRoles: [set], rules: [{actions: [invoke], effect: \
                 EFFECT_ALLOW, derivedRoles: [d]}]}",
            ),
        ]
        .map(|(name, text)| Source::new(name, &format!("apiVersion: api.cerbos.dev/v1\n{text}")));
        let found = find(&PolicySet::load(&sources).unwrap());
        assert_eq!(found.iter().map(|problem| &*problem.place.file).collect::<Vec<_>>(), ["roles.yaml"]);
    }
}
