//! Names, types and overloads: what cel-go's checker would refuse is refused here, the rest becomes [`Expr`].

use std::sync::Arc;

use super::ast::{BinaryOp, Entry, Expr, Item, Kind, Path, Root, Span};
use super::error::ParseError;
use super::functions::{Function, regexes};
use super::hints;
use super::parser;
use super::raw::{Node, Raw};
use super::signatures::{self, Overload};
use super::types::{Ty, Unifier};
use super::value::{ObjectKind, Type, Value};
use super::{check_literals, check_macros, constants, folding};

/// An expression and its type.
pub(super) type Checked = (Expr, Ty);

/// Checks what was parsed.
///
/// With what is checked comes the type of what it comes to, if that is known, and the place of a part that makes the whole fail, whatever
/// is asked, before Cerbos evaluates it.
pub(super) fn check(source: &str, node: &Node) -> Result<(Expr, Option<Type>, Option<Span>), ParseError> {
    let mut checker = Checker {
        source,
        types: Unifier::default(),
        scope: Vec::new(),
        elements: Vec::new(),
        folds: !folding::asks_for_time(node),
        patterns: 0,
        hopeless: None,
    };
    let (expr, ty) = checker.expr(node)?;
    Ok((expr, checker.types.resolve(&ty).to_type(), checker.hopeless))
}

pub(super) struct Checker<'s> {
    source: &'s str,
    pub(super) types: Unifier,
    /// Variables of enclosing macros, the outermost first.
    scope: Vec<(Arc<str>, Ty)>,
    /// Types of the elements of the list literal that was checked last, for `format`.
    elements: Vec<Ty>,
    /// Whether Cerbos folds the constants of the expression.
    folds: bool,
    /// What the patterns so far weigh.
    patterns: u64,
    /// The first part that fails whatever is asked.
    hopeless: Option<Span>,
}

/// What the patterns of one expression may weigh together: each is compiled when the policy is read, and stays in memory.
const MOST_PATTERNS: u64 = 20_000;

impl Checker<'_> {
    pub(super) fn error(&self, span: Span, message: impl Into<String>) -> ParseError {
        parser::error(self.source, span.start as usize, message)
    }

    /// Checks with variables that only this part sees.
    pub(super) fn with_variables<T>(
        &mut self,
        variables: &[(Arc<str>, Ty)],
        check: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        let outside = self.scope.len();
        self.scope.extend_from_slice(variables);
        let checked = check(self);
        self.scope.truncate(outside);
        checked
    }

    /// Its parts are functions of their own, so that each level takes little of the stack.
    pub(super) fn expr(&mut self, node: &Node) -> Result<Checked, ParseError> {
        let span = node.span;
        let (kind, ty) = match &node.raw {
            Raw::Literal(value) => (Kind::Literal(value.clone()), type_of(value)),
            Raw::Name { name, absolute } => self.name(name, *absolute, span)?,
            Raw::Select { operand, field, optional } => self.select(node, operand, field, *optional)?,
            Raw::Index { operand, index, optional } => self.index(operand, index, *optional, span)?,
            Raw::Call { target, name, args } => self.call_or_macro(target.as_deref(), name, args, span)?,
            Raw::Not(operand) => self.unary("!", operand, Kind::Not, span)?,
            Raw::Negate(operand) => self.unary("neg", operand, Kind::Negate, span)?,
            Raw::Binary(op, both) => self.binary(*op, both, span)?,
            Raw::And(terms) => (Kind::And(self.booleans(terms)?), Ty::Bool),
            Raw::Or(terms) => (Kind::Or(self.booleans(terms)?), Ty::Bool),
            Raw::Conditional(three) => self.conditional(three, span)?,
            Raw::List(items) => self.list(items)?,
            Raw::Map(entries) => self.map(entries)?,
        };
        Ok((Expr { kind, span }, ty))
    }

    fn unary(
        &mut self,
        symbol: &str,
        operand: &Node,
        kind: fn(Box<Expr>) -> Kind,
        span: Span,
    ) -> Result<(Kind, Ty), ParseError> {
        let (operand, ty) = self.expr(operand)?;
        let result = self.operator(symbol, &[ty], span)?;
        Ok((kind(Box::new(operand)), result))
    }

    fn binary(&mut self, op: BinaryOp, both: &[Node; 2], span: Span) -> Result<(Kind, Ty), ParseError> {
        let [left, right] = both;
        // Even without folding, cel-go does not look for anything in `[]`.
        let nowhere = matches!(&right.raw, Raw::List(items) if items.is_empty());
        let (left, left_ty) = self.expr(left)?;
        let (right, right_ty) = self.expr(right)?;
        let result = self.operator(op.symbol(), &[left_ty, right_ty], span)?;
        let known = match op {
            BinaryOp::In if nowhere => Some(false),
            BinaryOp::In if self.folds => folding::membership(&left, &right, self.scope.len()),
            _ => None,
        };
        let kind = match known {
            Some(known) => Kind::Literal(Value::Bool(known)),
            None => Kind::Binary(op, Box::new([left, right])),
        };
        Ok((kind, result))
    }

    fn conditional(&mut self, three: &[Node; 3], span: Span) -> Result<(Kind, Ty), ParseError> {
        let [condition, then, otherwise] = three;
        let (condition, a) = self.expr(condition)?;
        let (then, b) = self.expr(then)?;
        let (otherwise, c) = self.expr(otherwise)?;
        let result = self.operator("?:", &[a, b, c], span)?;
        Ok((Kind::Conditional(Box::new([condition, then, otherwise])), result))
    }

    fn call_or_macro(
        &mut self,
        target: Option<&Node>,
        name: &Arc<str>,
        args: &[Node],
        span: Span,
    ) -> Result<(Kind, Ty), ParseError> {
        match check_macros::expand(self, target, name, args, span)? {
            Some(expanded) => Ok(expanded),
            None => self.call(target, name, args, span),
        }
    }

    fn booleans(&mut self, terms: &[Node]) -> Result<Vec<Expr>, ParseError> {
        terms.iter().map(|term| self.boolean(term)).collect()
    }

    /// An expression that can be a boolean.
    pub(super) fn boolean(&mut self, node: &Node) -> Result<Expr, ParseError> {
        let (expr, ty) = self.expr(node)?;
        if self.types.assign(&ty, &Ty::Bool) {
            return Ok(expr);
        }
        let ty = self.types.resolve(&ty);
        Err(self.error(node.span, format!("expected bool, found {ty}")))
    }

    fn name(&mut self, name: &Arc<str>, absolute: bool, span: Span) -> Result<(Kind, Ty), ParseError> {
        let local = self.scope.iter().rposition(|(local, _)| local == name).filter(|_| !absolute);
        if let Some((slot, (_, ty))) = local.and_then(|slot| Some((slot, self.scope.get(slot)?))) {
            return Ok((Kind::Local(slot), ty.clone()));
        }
        if let Some((root, ty)) = global(name) {
            return Ok((Kind::Path(Path { root, keys: Vec::new() }), ty));
        }
        if let Some(found) = type_name(name) {
            return Ok((Kind::Literal(Value::Type(found)), Ty::Type(Box::new(Ty::Dyn))));
        }
        Err(self.error(
            span,
            match hints::path(None, name) {
                Some(path) => format!("there is no `{name}`: did you mean `{path}`?"),
                None => format!(
                    "there is no `{name}`: the request is `request`, `P`, `R`, with attributes under `R.attr` and `P.attr`, and values are \
                     under `V`, `C`, `G`; text stands in quotes"
                ),
            },
        ))
    }

    fn select(
        &mut self,
        node: &Node,
        operand: &Node,
        field: &Arc<str>,
        optional: bool,
    ) -> Result<(Kind, Ty), ParseError> {
        if !optional
            && let Some(qualified) = qualified_name(node)
            && !self.is_local(&qualified)
            && let Some(found) = type_name(&qualified)
        {
            return Ok((Kind::Literal(Value::Type(found)), Ty::Type(Box::new(Ty::Dyn))));
        }
        let (operand, ty) = self.expr(operand)?;
        let (found, target_optional) = self.field_of(&operand, &ty, field, node.span)?;
        let ty = if optional || target_optional { Ty::optional(found.ty) } else { found.ty };
        let kind = match (found.kind, optional) {
            (Some(kind), false) => kind,
            _ => Kind::Select { operand: Box::new(operand), field: Arc::clone(field), optional },
        };
        Ok((kind, ty))
    }

    /// Whether the first part of a qualified name is a variable of an enclosing macro.
    pub(super) fn is_local(&self, qualified: &str) -> bool {
        let first = qualified.split('.').next().unwrap_or_default();
        self.scope.iter().any(|(local, _)| &**local == first)
    }

    /// What a field is, and whether it was looked for in an optional.
    pub(super) fn field_of(
        &mut self,
        operand: &Expr,
        ty: &Ty,
        field: &Arc<str>,
        span: Span,
    ) -> Result<(Field, bool), ParseError> {
        let resolved = self.types.resolve(ty);
        let (target, optional) = match resolved {
            Ty::Optional(value) => (*value, true),
            other => (other, false),
        };
        let path = match &operand.kind {
            Kind::Path(path) => Some(path),
            _ => None,
        };
        let key = || {
            let mut path = path?.clone();
            path.keys.push(Arc::clone(field));
            Some(Kind::Path(path))
        };
        let found = match target {
            Ty::Map(both) => Field { ty: both.1, kind: key() },
            Ty::Variables => Field { ty: Ty::Dyn, kind: key() },
            Ty::Object(kind) => {
                let (root, ty) = kind.field(field).ok_or_else(|| {
                    let mend = hints::path(Some(kind), field);
                    let mend = mend.map_or_else(String::new, |path| format!(": did you mean `{path}`?"));
                    self.error(span, format!("`{}` has no field `{field}`{mend}", kind.written()))
                })?;
                let whole = path.is_some_and(|path| path.keys.is_empty() && path.root.is_whole(kind));
                Field { ty, kind: whole.then_some(Kind::Path(Path { root, keys: Vec::new() })) }
            }
            Ty::Dyn => Field { ty: Ty::Dyn, kind: key() },
            Ty::Var(_) => {
                self.types.assign(&Ty::Dyn, ty);
                Field { ty: Ty::Dyn, kind: None }
            }
            other => return Err(self.error(span, format!("{other} has no fields: `.{field}` looks for one"))),
        };
        Ok((found, optional))
    }

    fn index(
        &mut self,
        operand: &Node,
        index: &Node,
        optional: bool,
        span: Span,
    ) -> Result<(Kind, Ty), ParseError> {
        let (operand, a) = self.expr(operand)?;
        let (index, b) = self.expr(index)?;
        let ty = self.operator(if optional { "[?]" } else { "[]" }, &[a, b], span)?;
        if self.hopeless.is_none() && folding::is_no_qualifier(&index, self.scope.len()) {
            self.hopeless = Some(index.span);
        }
        Ok((Kind::Index { operand: Box::new(operand), index: Box::new(index), optional }, ty))
    }

    fn list(&mut self, items: &[(Node, bool)]) -> Result<(Kind, Ty), ParseError> {
        let mut joined = None;
        let mut types = Vec::with_capacity(items.len());
        let mut checked = Vec::with_capacity(items.len());
        for (node, optional) in items {
            let (value, ty) = self.expr(node)?;
            let ty = self.unwrapped(ty, *optional, node.span)?;
            types.push(ty.clone());
            joined = Some(self.join(joined, ty));
            checked.push(Item { value, optional: *optional });
        }
        self.elements = types;
        let element = joined.unwrap_or_else(|| self.types.variable());
        Ok((constants::list(checked), Ty::list(element)))
    }

    fn map(&mut self, entries: &[(Node, Node, bool)]) -> Result<(Kind, Ty), ParseError> {
        let (mut keys, mut values) = (None, None);
        let mut checked = Vec::with_capacity(entries.len());
        for (key, value, optional) in entries {
            let (key, key_ty) = self.expr(key)?;
            let (value_expr, value_ty) = self.expr(value)?;
            let value_ty = self.unwrapped(value_ty, *optional, value.span)?;
            keys = Some(self.join(keys, key_ty));
            values = Some(self.join(values, value_ty));
            checked.push(Entry { key, value: value_expr, optional: *optional });
        }
        let key = keys.unwrap_or_else(|| self.types.variable());
        let value = values.unwrap_or_else(|| self.types.variable());
        Ok((constants::map(checked), Ty::map(key, value)))
    }

    /// The type of an element, out of its optional if it is one that may be left out.
    fn unwrapped(&mut self, ty: Ty, optional: bool, span: Span) -> Result<Ty, ParseError> {
        match self.types.resolve(&ty) {
            resolved if !optional => Ok(resolved),
            Ty::Optional(value) => Ok(*value),
            Ty::Dyn => Ok(Ty::Dyn),
            other => Err(self.error(span, format!("expected an optional after `?`, found {other}"))),
        }
    }

    /// The type of elements of both types: one of them, or any.
    fn join(&mut self, former: Option<Ty>, ty: Ty) -> Ty {
        match former {
            None => ty,
            Some(former) if self.types.assign(&former, &ty) => self.types.more_general(former, ty),
            Some(_) => Ty::Dyn,
        }
    }

    fn call(
        &mut self,
        target: Option<&Node>,
        name: &Arc<str>,
        args: &[Node],
        span: Span,
    ) -> Result<(Kind, Ty), ParseError> {
        let qualified = target.and_then(qualified_name).map(|prefix| format!("{prefix}.{name}"));
        if signatures::find(name).is_none() && qualified.as_deref().and_then(signatures::find).is_none() {
            // Before the arguments are: of `any(x, …)` the name is wrong, not the `x`.
            let mend = hints::function(name);
            let mend = mend.map_or_else(String::new, |mend| format!(": did you mean `{mend}`?"));
            return Err(self.error(span, format!("there is no function `{name}`{mend}")));
        }
        let mut checked = args.iter().map(|arg| self.expr(arg)).collect::<Result<Vec<_>, _>>()?;
        self.literals(name, target, args)?;
        if let Some(function) = qualified.as_deref().and_then(signatures::find) {
            return self.apply(function, checked, false, span);
        }
        if let Some(target) = target {
            checked.insert(0, self.expr(target)?);
        }
        let member = target.is_some();
        let function = signatures::find(name)
            .ok_or_else(|| self.error(span, format!("there is no function `{name}`")))?;
        self.apply(function, checked, member, span)
    }

    /// Refuses literals that can never be what the function wants.
    fn literals(&self, name: &str, target: Option<&Node>, args: &[Node]) -> Result<(), ParseError> {
        let Some(argument) = args.first() else { return Ok(()) };
        let wrong = check_literals::argument(name, argument).map(|why| (argument.span, why));
        let wrong = wrong.or_else(|| match (target, name, args) {
            (Some(target), "format", [values]) => {
                let kinds = self.elements.iter().map(|ty| self.types.resolve(ty).to_type());
                check_literals::format(target, values, kinds).map(|why| (target.span, why))
            }
            _ => None,
        });
        wrong.map_or(Ok(()), |(span, why)| Err(self.error(span, why)))
    }

    /// A function of operands that were checked.
    pub(super) fn apply(
        &mut self,
        function: Function,
        operands: Vec<Checked>,
        member: bool,
        span: Span,
    ) -> Result<(Kind, Ty), ParseError> {
        let (mut exprs, types): (Vec<_>, Vec<_>) = operands.into_iter().unzip();
        let overloads: &[Overload] = signatures::decl(function).map_or(&[], |decl| &decl.overloads);
        let fitting = overloads.iter().filter(|overload| overload.member == member);
        let result = self
            .resolve(fitting, &types)
            .ok_or_else(|| self.no_overload(function.name(), &types, member, span))?;
        if self.hopeless.is_none() && folding::is_hopeless(function, &exprs, self.scope.len()) {
            self.hopeless = Some(span);
        }
        let kind = match regexes::precompiled(function, &exprs) {
            Some(pattern) if !exprs.is_empty() => {
                self.patterns = self.patterns.saturating_add(pattern.weight());
                if self.patterns > MOST_PATTERNS {
                    let why =
                        "the patterns of this expression are too large together: write fewer or simpler ones";
                    return Err(self.error(span, why));
                }
                Kind::Matches(Box::new(exprs.swap_remove(0)), pattern)
            }
            _ => constants::call(function, exprs),
        };
        Ok((kind, result))
    }

    /// A function of one list of these operands.
    pub(super) fn apply_to_list(
        &mut self,
        function: Function,
        operands: Vec<Checked>,
        span: Span,
    ) -> Result<(Kind, Ty), ParseError> {
        let (exprs, types): (Vec<_>, Vec<_>) = operands.into_iter().unzip();
        let element =
            types.into_iter().fold(None, |former, ty| Some(self.join(former, ty))).unwrap_or(Ty::Dyn);
        let items = exprs.into_iter().map(|value| Item { value, optional: false }).collect();
        let list = Expr { kind: constants::list(items), span };
        self.apply(function, vec![(list, Ty::list(element))], false, span)
    }

    /// The type of an operator's result.
    pub(super) fn operator(&mut self, symbol: &str, types: &[Ty], span: Span) -> Result<Ty, ParseError> {
        self.resolve(signatures::operator(symbol).iter(), types)
            .ok_or_else(|| self.no_overload(if symbol == "neg" { "-" } else { symbol }, types, false, span))
    }

    fn no_overload(&self, name: &str, types: &[Ty], member: bool, span: Span) -> ParseError {
        let mut types = types.iter().map(|ty| self.types.resolve(ty).to_string());
        let on = if member { types.next().map(|receiver| format!(" on {receiver}")) } else { None };
        let with = types.collect::<Vec<_>>().join(", ");
        let with = if with.is_empty() { "nothing".to_owned() } else { with };
        let mend = match signatures::find(name).and_then(signatures::decl) {
            Some(decl) if decl.overloads.iter().all(|overload| overload.member != member) => {
                if member {
                    format!(": write `{name}(x)`")
                } else {
                    format!(": write `x.{name}(…)`")
                }
            }
            _ => String::new(),
        };
        self.error(span, format!("`{name}`{} cannot be used with {with}{mend}", on.unwrap_or_default()))
    }

    /// The type of the result if any overload fits.
    fn resolve<'o>(&mut self, overloads: impl Iterator<Item = &'o Overload>, types: &[Ty]) -> Option<Ty> {
        let mut result: Option<Ty> = None;
        for overload in overloads {
            let mut parameters = Vec::new();
            let wanted: Vec<_> =
                overload.args.iter().map(|arg| self.instance(arg, &mut parameters)).collect();
            let given = self.instance(&overload.result, &mut parameters);
            if !self.types.assign_all(types, &wanted) {
                continue;
            }
            let given = self.types.resolve(&given);
            result = Some(match result {
                None => given,
                Some(former) if former == given || former == Ty::Dyn => former,
                Some(_) => Ty::Dyn,
            });
        }
        result
    }

    /// The type with a fresh variable for each parameter.
    fn instance(&mut self, ty: &Ty, parameters: &mut Vec<(char, Ty)>) -> Ty {
        match ty {
            Ty::Param(name) => {
                if let Some((_, variable)) = parameters.iter().find(|(known, _)| known == name) {
                    return variable.clone();
                }
                let variable = self.types.variable();
                parameters.push((*name, variable.clone()));
                variable
            }
            Ty::List(element) => Ty::List(Box::new(self.instance(element, parameters))),
            Ty::Optional(value) => Ty::Optional(Box::new(self.instance(value, parameters))),
            Ty::Map(both) => {
                Ty::Map(Box::new((self.instance(&both.0, parameters), self.instance(&both.1, parameters))))
            }
            other => other.clone(),
        }
    }
}

/// A field that was found.
pub(super) struct Field {
    pub(super) ty: Ty,
    /// The expression, if it is known without looking at the operand's value.
    kind: Option<Kind>,
}

/// `a.b.c`, if the expression is nothing else.
pub(super) fn qualified_name(node: &Node) -> Option<String> {
    match &node.raw {
        Raw::Name { name, .. } => Some(name.to_string()),
        Raw::Select { operand, field, optional: false } => {
            Some(format!("{}.{field}", qualified_name(operand)?))
        }
        _ => None,
    }
}

fn type_of(value: &Value) -> Ty {
    match value {
        Value::Null => Ty::Null,
        Value::Bool(_) => Ty::Bool,
        Value::Int(_) => Ty::Int,
        Value::Uint(_) => Ty::Uint,
        Value::Double(_) => Ty::Double,
        Value::String(_) => Ty::String,
        Value::Bytes(_) => Ty::Bytes,
        // The parser makes no other literals.
        _ => Ty::Dyn,
    }
}

fn global(name: &str) -> Option<(Root, Ty)> {
    Some(match name {
        "request" => (Root::Request, Ty::Object(ObjectKind::Request)),
        "P" => (Root::Principal, Ty::Object(ObjectKind::Principal)),
        "R" => (Root::Resource, Ty::Object(ObjectKind::Resource)),
        "runtime" => (Root::Runtime, Ty::Object(ObjectKind::Runtime)),
        "C" | "constants" => (Root::Constants, Ty::Variables),
        "V" | "variables" => (Root::Variables, Ty::Variables),
        "G" | "globals" => (Root::Globals, Ty::Variables),
        _ => return None,
    })
}

fn type_name(name: &str) -> Option<Type> {
    Type::ALL.into_iter().find(|ty| ty.name() == name)
}

impl BinaryOp {
    /// The operator as it is written.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Modulo => "%",
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
            BinaryOp::Less => "<",
            BinaryOp::LessEqual => "<=",
            BinaryOp::Greater => ">",
            BinaryOp::GreaterEqual => ">=",
            BinaryOp::In => "in",
        }
    }
}

impl Root {
    /// Whether this is the message as a whole.
    fn is_whole(self, kind: ObjectKind) -> bool {
        matches!(
            (self, kind),
            (Root::Request, ObjectKind::Request)
                | (Root::Principal, ObjectKind::Principal)
                | (Root::Resource, ObjectKind::Resource)
                | (Root::AuxData, ObjectKind::AuxData)
                | (Root::Runtime, ObjectKind::Runtime)
        )
    }
}

impl ObjectKind {
    /// The field of that name, in either spelling, and its type.
    pub(super) fn field(self, name: &str) -> Option<(Root, Ty)> {
        let attributes = || Ty::map(Ty::String, Ty::Dyn);
        Some(match (self, name) {
            (ObjectKind::Request, "principal") => (Root::Principal, Ty::Object(ObjectKind::Principal)),
            (ObjectKind::Request, "resource") => (Root::Resource, Ty::Object(ObjectKind::Resource)),
            (ObjectKind::Request, "auxData" | "aux_data") => (Root::AuxData, Ty::Object(ObjectKind::AuxData)),
            (ObjectKind::Principal, "id") => (Root::PrincipalId, Ty::String),
            (ObjectKind::Principal, "roles") => (Root::PrincipalRoles, Ty::list(Ty::String)),
            (ObjectKind::Principal, "attr") => (Root::PrincipalAttr, attributes()),
            (ObjectKind::Principal, "policyVersion" | "policy_version") => {
                (Root::PrincipalPolicyVersion, Ty::String)
            }
            (ObjectKind::Principal, "scope") => (Root::PrincipalScope, Ty::String),
            (ObjectKind::Resource, "kind") => (Root::ResourceKind, Ty::String),
            (ObjectKind::Resource, "id") => (Root::ResourceId, Ty::String),
            (ObjectKind::Resource, "attr") => (Root::ResourceAttr, attributes()),
            (ObjectKind::Resource, "policyVersion" | "policy_version") => {
                (Root::ResourcePolicyVersion, Ty::String)
            }
            (ObjectKind::Resource, "scope") => (Root::ResourceScope, Ty::String),
            (ObjectKind::AuxData, "jwt") => (Root::AuxDataJwt, attributes()),
            (ObjectKind::AuxData, "jwts") => {
                (Root::AuxDataJwts, Ty::map(Ty::String, Ty::Object(ObjectKind::Jwt)))
            }
            (ObjectKind::Jwt, "claims") => (Root::AuxDataJwts, attributes()),
            (ObjectKind::Runtime, "effectiveDerivedRoles" | "effective_derived_roles") => {
                (Root::EffectiveDerivedRoles, Ty::list(Ty::String))
            }
            _ => return None,
        })
    }
}
