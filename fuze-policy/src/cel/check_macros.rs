//! Macros: `has`, the comprehensions over one and two variables, `cel.bind`, `optMap`, `sortBy`, `math.least`.

use std::sync::Arc;

use super::ast::{Expr, Fold, FoldKind, Kind, Span};
use super::check::{Checker, qualified_name};
use super::error::ParseError;
use super::raw::{Node, Raw};
use super::signatures;
use super::types::Ty;
use super::value::Value;

type Expanded = Result<Option<(Kind, Ty)>, ParseError>;

/// The expression that a call stands for, if it is a macro: as in cel-go, by name and number of arguments.
pub(super) fn expand(
    checker: &mut Checker<'_>,
    target: Option<&Node>,
    name: &str,
    args: &[Node],
    span: Span,
) -> Expanded {
    let Some(target) = target else {
        return match (name, args) {
            ("has", [argument]) => has(checker, argument).map(Some),
            _ => Ok(None),
        };
    };
    let namespace = qualified_name(target);
    let fold = |kind, variables| Some(Shape { kind, variables, filtered: false, span });
    let shape = match (name, args) {
        ("bind", [variable, init, body]) if namespace.as_deref() == Some("cel") => {
            return bind(checker, variable, init, body).map(Some);
        }
        ("least" | "greatest", _) if namespace.as_deref() == Some("math") => {
            return extreme(checker, target, name, args, span).map(Some);
        }
        ("optMap", [variable, body]) => return opt_map(checker, target, variable, body, false).map(Some),
        ("optFlatMap", [variable, body]) => return opt_map(checker, target, variable, body, true).map(Some),
        ("sortBy", [_, _]) => fold(FoldKind::SortBy, 1),
        ("all", [_, _]) => fold(FoldKind::All, 1),
        ("all", [_, _, _]) => fold(FoldKind::All, 2),
        ("exists", [_, _]) => fold(FoldKind::Exists, 1),
        ("exists", [_, _, _]) => fold(FoldKind::Exists, 2),
        ("exists_one", [_, _]) => fold(FoldKind::ExistsOne, 1),
        ("exists_one" | "existsOne", [_, _, _]) => fold(FoldKind::ExistsOne, 2),
        ("filter", [_, _]) => fold(FoldKind::Filter, 1),
        ("map", [_, _] | [_, _, _]) => fold(FoldKind::Map, 1),
        ("transformList", [_, _, _] | [_, _, _, _]) => fold(FoldKind::Map, 2),
        ("transformMap", [_, _, _] | [_, _, _, _]) => fold(FoldKind::TransformMap, 2),
        ("transformMapEntry", [_, _, _] | [_, _, _, _]) => fold(FoldKind::TransformMapEntry, 2),
        _ => None,
    };
    match shape {
        Some(shape) => shape.with_filter(args).check(checker, target, args).map(Some),
        None => Ok(None),
    }
}

fn variable(checker: &Checker<'_>, node: &Node) -> Result<Arc<str>, ParseError> {
    match &node.raw {
        Raw::Name { name, absolute: false } if &**name != "__result__" => Ok(Arc::clone(name)),
        _ => Err(checker.error(node.span, "expected a name for a variable")),
    }
}

fn has(checker: &mut Checker<'_>, argument: &Node) -> Result<(Kind, Ty), ParseError> {
    let Raw::Select { operand, field, optional: false } = &argument.raw else {
        return Err(checker.error(argument.span, "`has` asks for a field: write `has(R.attr.owner)`"));
    };
    let (operand, ty) = checker.expr(operand)?;
    checker.field_of(&operand, &ty, field, argument.span)?;
    Ok((Kind::Has { operand: Box::new(operand), field: Arc::clone(field) }, Ty::Bool))
}

fn bind(checker: &mut Checker<'_>, name: &Node, init: &Node, body: &Node) -> Result<(Kind, Ty), ParseError> {
    let name = variable(checker, name)?;
    let (init, ty) = checker.expr(init)?;
    let (body, result) = checker.with_variables(&[(name, ty)], |checker| checker.expr(body))?;
    let result = checker.types.resolve(&result);
    Ok((Kind::Bind(Box::new([init, body])), result))
}

fn opt_map(
    checker: &mut Checker<'_>,
    target: &Node,
    name: &Node,
    body: &Node,
    flat: bool,
) -> Result<(Kind, Ty), ParseError> {
    let name = variable(checker, name)?;
    let span = target.span;
    let (operand, ty) = checker.expr(target)?;
    let value = checker.types.variable();
    if !checker.types.assign(&ty, &Ty::optional(value.clone())) {
        let ty = checker.types.resolve(&ty);
        return Err(checker.error(span, format!("expected an optional, found {ty}")));
    }
    let value = checker.types.resolve(&value);
    let (body, result) = checker.with_variables(&[(name, value)], |checker| checker.expr(body))?;
    let given = if flat { result } else { Ty::optional(result) };
    // Both branches of the choice that the macro stands for are optionals of one type.
    let none = Ty::optional(checker.types.variable());
    let result = checker.operator("?:", &[Ty::Bool, given, none], body.span)?;
    Ok((Kind::OptMap { operand: Box::new(operand), body: Box::new(body), flat }, result))
}

fn extreme(
    checker: &mut Checker<'_>,
    target: &Node,
    name: &str,
    args: &[Node],
    span: Span,
) -> Result<(Kind, Ty), ParseError> {
    let wrong = |checker: &Checker<'_>, node: &Node| {
        checker.error(node.span, format!("`math.{name}` takes numbers or one list of them"))
    };
    match args {
        [] => return Err(checker.error(span, format!("`math.{name}` takes at least one number"))),
        [Node { raw: Raw::List(items), .. }] if !items.is_empty() => {
            if let Some((node, _)) = items.iter().find(|(node, _)| !may_be_number(node)) {
                return Err(wrong(checker, node));
            }
        }
        args => {
            if let Some(node) = args.iter().find(|node| !may_be_number(node)) {
                return Err(wrong(checker, node));
            }
        }
    }
    let internal = if name == "least" { "math.@min" } else { "math.@max" };
    let function =
        signatures::find(internal).ok_or_else(|| wrong(checker, args.first().unwrap_or(target)))?;
    let checked = args.iter().map(|arg| checker.expr(arg)).collect::<Result<Vec<_>, _>>()?;
    if args.len() <= 2 {
        checker.apply(function, checked, false, span)
    } else {
        checker.apply_to_list(function, checked, span)
    }
}

/// Whether the expression is not plainly something else than a number.
fn may_be_number(node: &Node) -> bool {
    match &node.raw {
        Raw::Literal(value) => matches!(value, Value::Int(_) | Value::Uint(_) | Value::Double(_)),
        Raw::List(_) | Raw::Map(_) => false,
        _ => true,
    }
}

/// A comprehension before its parts are checked.
struct Shape {
    kind: FoldKind,
    variables: usize,
    filtered: bool,
    span: Span,
}

impl Shape {
    fn with_filter(mut self, args: &[Node]) -> Self {
        self.filtered = args.len() == self.variables + 2;
        self
    }

    fn check(
        self,
        checker: &mut Checker<'_>,
        target: &Node,
        args: &[Node],
    ) -> Result<(Kind, Ty), ParseError> {
        let (names, parts) = args.split_at_checked(self.variables).unwrap_or_default();
        let names = names.iter().map(|node| variable(checker, node)).collect::<Result<Vec<_>, _>>()?;
        if let ([first, second], [_, node]) = (names.as_slice(), args.get(..2).unwrap_or_default())
            && first == second
        {
            return Err(checker.error(node.span, format!("`{first}` names two variables of one macro")));
        }
        let (range, ty) = checker.expr(target)?;
        let (key, value) = self.elements(checker, &ty, target.span)?;
        let types = if self.variables == 2 { vec![key.clone(), value] } else { vec![value] };
        let element = types.first().cloned().unwrap_or(Ty::Dyn);
        let variables: Vec<_> = names.into_iter().zip(types).collect();
        let (filter, body, result) = checker.with_variables(&variables, |checker| {
            let filter = match parts {
                [filter, _] => Some(checker.boolean(filter)?),
                _ => None,
            };
            let body =
                parts.last().ok_or_else(|| checker.error(self.span, "the macro lacks its last argument"))?;
            let (body, result) = self.body(checker, body, element, &ty)?;
            Ok((filter, body, result))
        })?;
        let result = checker.types.resolve(&result);
        let fold = Fold { kind: self.kind, range, variables: self.variables, filter, body };
        Ok((Kind::Fold(Box::new(fold)), result))
    }

    /// Types of the key or index, and of what a single variable or the second of two is.
    fn elements(&self, checker: &mut Checker<'_>, range: &Ty, span: Span) -> Result<(Ty, Ty), ParseError> {
        Ok(match (checker.types.resolve(range), self.variables) {
            (Ty::List(element), _) => (Ty::Int, *element),
            (Ty::Map(both), 2) => *both,
            (Ty::Map(both), _) => (both.0.clone(), both.0),
            (Ty::Dyn, _) => (Ty::Dyn, Ty::Dyn),
            (Ty::Var(_), _) => {
                checker.types.assign(&Ty::Dyn, range);
                (Ty::Dyn, Ty::Dyn)
            }
            (other, _) => {
                return Err(checker.error(span, format!("expected a list or map to walk, found {other}")));
            }
        })
    }

    fn body(
        &self,
        checker: &mut Checker<'_>,
        node: &Node,
        element: Ty,
        range: &Ty,
    ) -> Result<(Expr, Ty), ParseError> {
        match self.kind {
            FoldKind::All | FoldKind::Exists | FoldKind::ExistsOne => Ok((checker.boolean(node)?, Ty::Bool)),
            FoldKind::Filter => Ok((checker.boolean(node)?, Ty::list(element))),
            FoldKind::Map => {
                let (body, ty) = checker.expr(node)?;
                Ok((body, Ty::list(ty)))
            }
            FoldKind::TransformMap => {
                let (body, ty) = checker.expr(node)?;
                Ok((body, Ty::map(element, ty)))
            }
            FoldKind::TransformMapEntry => {
                let (body, ty) = checker.expr(node)?;
                let entry = Ty::map(checker.types.variable(), checker.types.variable());
                if checker.types.assign(&ty, &entry) {
                    return Ok((body, entry));
                }
                let ty = checker.types.resolve(&ty);
                Err(checker.error(node.span, format!("expected a map of the entries to add, found {ty}")))
            }
            FoldKind::SortBy => self.sort_key(checker, node, range),
        }
    }

    fn sort_key(&self, checker: &mut Checker<'_>, node: &Node, range: &Ty) -> Result<(Expr, Ty), ParseError> {
        let (body, ty) = checker.expr(node)?;
        let resolved = checker.types.resolve(&ty);
        if !matches!(
            resolved,
            Ty::Dyn
                | Ty::Var(_)
                | Ty::Bool
                | Ty::Int
                | Ty::Uint
                | Ty::Double
                | Ty::String
                | Ty::Bytes
                | Ty::Timestamp
                | Ty::Duration
        ) {
            return Err(checker.error(node.span, format!("{resolved} has no order to sort by")));
        }
        let unknown = |ty: &Ty| matches!(ty, Ty::Dyn | Ty::Var(_));
        if unknown(&resolved) && unknown(&checker.types.resolve(range)) {
            return Ok((body, Ty::Dyn));
        }
        let list = Ty::list(checker.types.variable());
        if !checker.types.assign(range, &list) {
            return Err(checker.error(self.span, "only lists can be sorted"));
        }
        Ok((body, list))
    }
}
