//! Atoms: what a condition is put together of, each with the attributes it looks at and how far cells decide it.

use std::sync::Arc;

use super::cells::{Point, Subject, nanoseconds};
use super::vocabulary::{ARGS, attribute};
use crate::cel::Key;
use crate::cel::{BinaryOp, Expr, FoldKind, Kind, Path, Program, Root, Value};
use crate::cerbos::closing::{constant, is_of_time};
use crate::cerbos::{Expression, Place};

/// The number of an atom in the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct AtomId(pub(super) u32);

/// The number of a variable in the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct VarId(pub(super) u32);

/// How far the values that stand for cells decide an atom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Always: it compares one attribute with constants.
    Cells,
    /// It compares two attributes: unless both are of the same kind and neither is known.
    Equality,
    /// Only where all that it looks at is known.
    Points,
    /// Never.
    Free,
}

/// What the name of an argument has in it that names a tenant.
pub(super) const TENANT_IN_NAMES: &str = "tenant";

/// A part of a condition that is not put together of booleans.
#[derive(Clone, Debug)]
pub(super) struct Atom {
    pub(super) program: Program,
    /// The expression that it stands in, as written.
    pub(super) source: Arc<str>,
    pub(super) place: Place,
    pub(super) vars: Vec<VarId>,
    pub(super) form: Form,
    /// Whether texts that it does not name all come out alike: it compares one attribute with constants, and not the time.
    pub(super) is_plain: bool,
    /// Whether it is always a boolean or an error.
    pub(super) boolean: bool,
    /// Whether it looks at the model's arguments.
    pub(super) of_args: bool,
    /// Whether it looks at the scope or the roles of the request.
    pub(super) of_frame: bool,
    /// Whether it looks at the derived roles in force, which differ by scope.
    pub(super) of_runtime: bool,
    /// The derived role that it asks for, if that is all.
    pub(super) derived_role: Option<Arc<str>>,
    /// Whether it looks at the time.
    pub(super) of_time: bool,
    /// Whether it takes hold of more than one attribute at once.
    pub(super) whole: bool,
    /// Whether it selects something called after a tenant from what it looks at, or something whose name is computed.
    pub(super) names_tenant: bool,
    pub(super) points: Vec<Point>,
    /// How many parts it has.
    pub(super) parts: u64,
}

/// What an expression looks at.
pub(super) struct Looks {
    pub(super) subjects: Vec<Subject>,
    pub(super) form: Form,
    pub(super) is_plain: bool,
    pub(super) of_args: bool,
    pub(super) of_frame: bool,
    pub(super) of_runtime: bool,
    pub(super) derived_role: Option<Arc<str>>,
    pub(super) of_time: bool,
    pub(super) whole: bool,
    pub(super) names_tenant: bool,
    pub(super) points: Vec<Point>,
    /// Roles that are looked for in `P.roles`.
    pub(super) roles: Vec<Arc<str>>,
}

/// Looks through a closed expression.
pub(super) fn look(expr: &Expr, exact: bool) -> Looks {
    let mut looks = looked_through(expr, exact);
    if let Some(instant) = compares_now(expr).filter(|_| exact) {
        (looks.subjects, looks.points, looks.form) = (vec![Subject::Now], vec![instant], Form::Cells);
        looks.is_plain = false;
    }
    looks
}

/// The instant that the time is compared with, if that is all.
fn compares_now(expr: &Expr) -> Option<Point> {
    let Kind::Binary(op, both) = &expr.kind else { return None };
    let [left, right] = &**both;
    let is_now =
        |e: &Expr| matches!(&e.kind, Kind::Call(function, of) if function.name() == "now" && of.is_empty());
    let other = if is_now(left) {
        right
    } else if is_now(right) {
        left
    } else {
        return None;
    };
    match constant(other)? {
        Ok(Value::Timestamp(at)) if op.compares() => Some(Point::Instant(nanoseconds(at))),
        _ => None,
    }
}

fn looked_through(expr: &Expr, exact: bool) -> Looks {
    let mut looks = Looks {
        subjects: Vec::new(),
        form: Form::Points,
        is_plain: false,
        of_args: false,
        of_frame: false,
        of_runtime: false,
        derived_role: membership(expr, Root::EffectiveDerivedRoles).filter(|_| exact),
        of_time: is_of_time(expr),
        whole: false,
        names_tenant: false,
        points: Vec::new(),
        roles: Vec::new(),
    };
    let mut whole = false;
    // Paths inside `has(…)` are looked at together with its field.
    let mut asked: Vec<Path> = Vec::new();
    expr.visit(&mut |part| looks.names_tenant |= selects_tenant(part));
    expr.visit(&mut |part| match &part.kind {
        Kind::Has { operand, field } => {
            if let Kind::Path(path) = &operand.kind {
                let mut full = path.clone();
                full.keys.push(Arc::clone(field));
                asked.push(path.clone());
                whole |= !looks.path(&full);
            }
        }
        Kind::Path(path) => match asked.iter().position(|other| other == path) {
            Some(at) => drop(asked.swap_remove(at)),
            None => whole |= !looks.path(path),
        },
        Kind::Literal(value) => literals(value, &mut looks.points),
        _ => {}
    });
    looks.whole = whole;
    let exact = exact && !looks.of_time;
    looks.is_plain = exact && !whole && looks.subjects.len() == 1 && compares(expr);
    looks.form = match (exact && !whole, looks.subjects.as_slice()) {
        (false, _) => Form::Free,
        (true, []) if mentions(expr, Root::PrincipalRoles) => match membership(expr, Root::PrincipalRoles) {
            Some(role) => {
                looks.roles.push(role);
                Form::Cells
            }
            None => Form::Free,
        },
        (true, []) => Form::Cells,
        (true, [_]) if compares(expr) || equates(expr) && is_of_cells(expr) => Form::Cells,
        (true, [_, _]) if equates(expr) => Form::Equality,
        (true, _) if mentions(expr, Root::PrincipalRoles) => Form::Free,
        (true, _) => Form::Points,
    };
    looks
}

/// Whether a part selects by a name that has a tenant's in it, or by one that is not known: not by its place in a list.
fn selects_tenant(part: &Expr) -> bool {
    let key = |of: &Expr| match &of.kind {
        Kind::Literal(Value::String(text)) => is_of_tenant(text),
        Kind::Literal(_) => false,
        _ => true,
    };
    match &part.kind {
        Kind::Select { field, .. } | Kind::Has { field, .. } => is_of_tenant(field),
        Kind::Index { index, .. } => key(index),
        Kind::Map(entries) => entries.iter().any(|entry| key(&entry.key)),
        Kind::Literal(value) => has_tenant(value),
        _ => false,
    }
}

/// Whether a constant has a key within that is called after a tenant.
fn has_tenant(value: &Value) -> bool {
    match value {
        Value::List(items) => items.iter().any(has_tenant),
        Value::Map(map) => map
            .iter()
            .any(|(key, value)| matches!(key, Key::String(name) if is_of_tenant(name)) || has_tenant(value)),
        _ => false,
    }
}

/// Whether what is called so names a tenant.
pub(super) fn is_of_tenant(name: &str) -> bool {
    name.to_lowercase().contains(TENANT_IN_NAMES)
}

impl Looks {
    /// Notes a path; `false` if it takes hold of more than one attribute at once.
    fn path(&mut self, path: &Path) -> bool {
        let first = path.keys.first().map(|key| &**key);
        match (path.root, first) {
            (Root::ResourceAttr, Some(ARGS)) => {
                self.of_args = true;
                let keys = path.keys.get(1..).unwrap_or_default();
                if !keys.is_empty() {
                    self.subject(Subject::Argument(keys.to_vec()));
                }
                // `has(R.attr.args)` comes here, too: the arguments are always there.
                !keys.is_empty()
            }
            (Root::ResourceAttr | Root::PrincipalAttr | Root::ResourceId | Root::PrincipalId, _) => {
                match attribute(path.root, first) {
                    Some(known) => self.subject(Subject::Attribute(known)),
                    // One that no request has, or all of them; the arguments are among those of the resource.
                    None => {
                        self.of_args |= path.root == Root::ResourceAttr && first.is_none();
                        return first.is_some();
                    }
                }
                true
            }
            (Root::PrincipalRoles | Root::ResourceScope, _) => {
                self.of_frame = true;
                true
            }
            (Root::Request | Root::Principal | Root::Resource, None) => {
                self.of_args = !matches!(path.root, Root::Principal);
                self.of_frame = true;
                false
            }
            (Root::Runtime | Root::EffectiveDerivedRoles, _) => {
                self.of_runtime = true;
                false
            }
            (Root::Variables, _) => {
                self.of_args = true;
                false
            }
            // The same in every request.
            _ => true,
        }
    }

    fn subject(&mut self, subject: Subject) {
        if !self.subjects.contains(&subject) {
            self.subjects.push(subject);
        }
    }
}

pub(super) fn mentions(expr: &Expr, root: Root) -> bool {
    let mut found = false;
    expr.visit(&mut |part| found |= matches!(&part.kind, Kind::Path(path) if path.root == root));
    found
}

/// `"x" in P.roles`, or in another list of roles.
fn membership(expr: &Expr, list: Root) -> Option<Arc<str>> {
    let Kind::Binary(BinaryOp::In, both) = &expr.kind else { return None };
    match both.each_ref().map(|side| &side.kind) {
        [Kind::Literal(Value::String(role)), Kind::Path(path)]
            if path.root == list && path.keys.is_empty() =>
        {
            Some(Arc::clone(role))
        }
        _ => None,
    }
}

/// Texts and numbers that an expression names.
fn literals(value: &Value, points: &mut Vec<Point>) {
    match value {
        Value::String(text) => points.push(Point::Text(Arc::clone(text))),
        #[expect(clippy::cast_precision_loss, reason = "cells lie on both sides of the nearest double, too")]
        Value::Int(number) => points.push(Point::number(*number as f64)),
        #[expect(clippy::cast_precision_loss, reason = "cells lie on both sides of the nearest double, too")]
        Value::Uint(number) => points.push(Point::number(*number as f64)),
        Value::Double(number) if number.is_finite() => points.push(Point::number(*number)),
        Value::List(items) => items.iter().for_each(|item| literals(item, points)),
        Value::Map(map) => map.iter().for_each(|(key, value)| {
            literals(&key.to_value(), points);
            literals(value, points);
        }),
        _ => {}
    }
}

/// Whether it is one attribute, `has` of it, or it compared with constants between which the cells lie.
fn compares(expr: &Expr) -> bool {
    let path = |e: &Expr| matches!(e.kind, Kind::Path(_));
    match &expr.kind {
        Kind::Path(_) => true,
        Kind::Has { operand, .. } => path(operand),
        Kind::Binary(op, both) => {
            let [left, right] = &**both;
            match op {
                BinaryOp::Equal | BinaryOp::NotEqual => {
                    path(left) && scalar(right) || scalar(left) && path(right)
                }
                BinaryOp::Less | BinaryOp::LessEqual | BinaryOp::Greater | BinaryOp::GreaterEqual => {
                    path(left) && number(right) || number(left) && path(right)
                }
                BinaryOp::In => path(left) && scalars(right),
                BinaryOp::Add
                | BinaryOp::Subtract
                | BinaryOp::Multiply
                | BinaryOp::Divide
                | BinaryOp::Modulo => false,
            }
        }
        _ => false,
    }
}

fn equates(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Binary(BinaryOp::Equal | BinaryOp::NotEqual, both) => {
            both.iter().all(|e| matches!(e.kind, Kind::Path(_)))
        }
        _ => false,
    }
}

/// Whether all that is compared is cut into cells: an attribute, which is equal to itself, and the scope, of which each name is a cell of
/// what it is compared with. Of the rest of a request, such as `R.kind` or `P.roles`, nothing is.
fn is_of_cells(expr: &Expr) -> bool {
    let mut all = true;
    expr.visit(&mut |part| {
        if let Kind::Path(path) = &part.kind {
            all &= matches!(
                path.root,
                Root::ResourceAttr
                    | Root::PrincipalAttr
                    | Root::ResourceId
                    | Root::PrincipalId
                    | Root::ResourceScope
            );
        }
    });
    all
}

fn is_scalar(value: &Value) -> bool {
    matches!(
        value,
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::String(_)
    )
}

fn scalar(expr: &Expr) -> bool {
    matches!(&expr.kind, Kind::Literal(value) if is_scalar(value))
}

fn number(expr: &Expr) -> bool {
    matches!(&expr.kind, Kind::Literal(Value::Int(_) | Value::Uint(_) | Value::Double(_)))
}

fn scalars(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Literal(Value::List(items)) => items.iter().all(is_scalar),
        Kind::List(items) => items.iter().all(|item| !item.optional && scalar(&item.value)),
        _ => false,
    }
}

/// Whether it can only be a boolean or an error.
fn is_boolean(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Literal(value) => matches!(value, Value::Bool(_)),
        Kind::Binary(op, _) => op.compares(),
        Kind::Has { .. } | Kind::Matches(..) | Kind::Not(_) | Kind::And(_) | Kind::Or(_) => true,
        Kind::Fold(fold) => matches!(fold.kind, FoldKind::All | FoldKind::Exists | FoldKind::ExistsOne),
        _ => false,
    }
}

impl Atom {
    /// Whether it may look at any of the arguments: it takes hold of all of them, or computes which one it looks at.
    pub(super) fn sees_all_arguments(&self) -> bool {
        self.whole && self.of_args
    }

    pub(super) fn new(expr: Expr, looks: Looks, vars: Vec<VarId>, stands: &Expression) -> Self {
        let mut parts = 0;
        expr.visit(&mut |_| parts += 1);
        Self {
            parts,
            boolean: is_boolean(&expr),
            source: Arc::clone(&stands.source),
            place: stands.place.clone(),
            vars,
            form: looks.form,
            is_plain: looks.is_plain,
            of_args: looks.of_args,
            of_frame: looks.of_frame,
            of_runtime: looks.of_runtime,
            derived_role: looks.derived_role,
            of_time: looks.of_time,
            whole: looks.whole,
            names_tenant: looks.names_tenant,
            points: looks.points,
            program: Program::of_part(expr),
        }
    }
}
