//! Types as the checker knows them, and which stand for which: cel-go's rules of assignability.

use std::fmt;

use super::value::{ObjectKind, Type};

/// A type of the checker.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ty {
    /// Found at evaluation only.
    Dyn,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Timestamp,
    Duration,
    Ip,
    Cidr,
    Hierarchy,
    SpiffeId,
    SpiffeTrustDomain,
    SpiffeMatcher,
    List(Box<Ty>),
    Map(Box<(Ty, Ty)>),
    Optional(Box<Ty>),
    /// The type of types.
    Type(Box<Ty>),
    Object(ObjectKind),
    /// `V`, `C`, `G`: any field, of any type.
    Variables,
    /// A parameter of an overload, before it becomes a variable.
    Param(char),
    /// Not known yet.
    Var(usize),
}

/// Types with more parts than this count as [`Ty::Dyn`], so that no expression makes the checker slow.
const MAX_PARTS: usize = 256;

impl Ty {
    pub(super) fn list(element: Ty) -> Ty {
        Ty::List(Box::new(element)).bounded()
    }

    pub(super) fn map(key: Ty, value: Ty) -> Ty {
        Ty::Map(Box::new((key, value))).bounded()
    }

    pub(super) fn optional(value: Ty) -> Ty {
        Ty::Optional(Box::new(value)).bounded()
    }

    /// The type as a value, if it is known.
    pub(super) fn to_type(&self) -> Option<Type> {
        Some(match self {
            Ty::Null => Type::Null,
            Ty::Bool => Type::Bool,
            Ty::Int => Type::Int,
            Ty::Uint => Type::Uint,
            Ty::Double => Type::Double,
            Ty::String => Type::String,
            Ty::Bytes => Type::Bytes,
            Ty::Timestamp => Type::Timestamp,
            Ty::Duration => Type::Duration,
            Ty::Ip => Type::Ip,
            Ty::Cidr => Type::Cidr,
            Ty::Hierarchy => Type::Hierarchy,
            Ty::SpiffeId => Type::SpiffeId,
            Ty::SpiffeTrustDomain => Type::SpiffeTrustDomain,
            Ty::SpiffeMatcher => Type::SpiffeMatcher,
            Ty::List(_) => Type::List,
            Ty::Map(_) | Ty::Variables => Type::Map,
            Ty::Optional(_) => Type::Optional,
            Ty::Type(_) => Type::Type,
            Ty::Object(kind) => Type::Object(*kind),
            Ty::Dyn | Ty::Param(_) | Ty::Var(_) => return None,
        })
    }

    fn bounded(self) -> Ty {
        if self.parts(MAX_PARTS).is_some() { self } else { Ty::Dyn }
    }

    /// What is left of the allowance after the parts of this type.
    fn parts(&self, left: usize) -> Option<usize> {
        let left = left.checked_sub(1)?;
        match self {
            Ty::List(inner) | Ty::Optional(inner) | Ty::Type(inner) => inner.parts(left),
            Ty::Map(both) => both.1.parts(both.0.parts(left)?),
            _ => Some(left),
        }
    }

    /// The types of this one's parameters.
    fn parameters(&self) -> Vec<&Ty> {
        match self {
            Ty::List(inner) | Ty::Optional(inner) => vec![inner],
            Ty::Map(both) => vec![&both.0, &both.1],
            _ => Vec::new(),
        }
    }

    /// Whether both are built by the same constructor.
    fn same_constructor(&self, other: &Ty) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Whether `null` may stand for a value of this type: messages and the abstract types.
    fn nullable(&self) -> bool {
        matches!(
            self,
            Ty::Null
                | Ty::Timestamp
                | Ty::Duration
                | Ty::Ip
                | Ty::Cidr
                | Ty::Hierarchy
                | Ty::SpiffeId
                | Ty::SpiffeTrustDomain
                | Ty::SpiffeMatcher
                | Ty::Optional(_)
                | Ty::Object(_)
                | Ty::Variables
        )
    }
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ty::List(element) => write!(f, "list({element})"),
            Ty::Map(both) => write!(f, "map({}, {})", both.0, both.1),
            Ty::Optional(value) => write!(f, "optional({value})"),
            Ty::Type(_) => f.write_str("type"),
            Ty::Dyn | Ty::Param(_) | Ty::Var(_) => f.write_str("dyn"),
            Ty::Null => f.write_str("null"),
            Ty::Bool => f.write_str("bool"),
            Ty::Int => f.write_str("int"),
            Ty::Uint => f.write_str("uint"),
            Ty::Double => f.write_str("double"),
            Ty::String => f.write_str("string"),
            Ty::Bytes => f.write_str("bytes"),
            Ty::Timestamp => f.write_str("timestamp"),
            Ty::Duration => f.write_str("duration"),
            Ty::Ip => f.write_str("IP address"),
            Ty::Cidr => f.write_str("CIDR range"),
            Ty::Hierarchy => f.write_str("hierarchy"),
            Ty::SpiffeId => f.write_str("SPIFFE ID"),
            Ty::SpiffeTrustDomain => f.write_str("SPIFFE trust domain"),
            Ty::SpiffeMatcher => f.write_str("SPIFFE matcher"),
            Ty::Object(kind) => f.write_str(kind.type_name()),
            Ty::Variables => f.write_str("variables"),
        }
    }
}

/// What the variables of types stand for.
#[derive(Debug, Default)]
pub(super) struct Unifier {
    /// By number of the variable.
    bound: Vec<Option<Ty>>,
    /// Former bindings, for going back after an overload that did not fit.
    trail: Vec<(usize, Option<Ty>)>,
}

impl Unifier {
    /// A type that is not known yet.
    pub(super) fn variable(&mut self) -> Ty {
        self.bound.push(None);
        Ty::Var(self.bound.len() - 1)
    }

    fn binding(&self, ty: &Ty) -> Option<&Ty> {
        match ty {
            Ty::Var(number) => self.bound.get(*number).and_then(Option::as_ref),
            _ => None,
        }
    }

    fn bind(&mut self, variable: &Ty, to: Ty) {
        if let Ty::Var(number) = variable
            && let Some(slot) = self.bound.get_mut(*number)
        {
            self.trail.push((*number, slot.replace(to)));
        }
    }

    /// Whether all of the first can stand where the second are wanted; binds variables if so.
    pub(super) fn assign_all(&mut self, values: &[Ty], wanted: &[Ty]) -> bool {
        let before = self.trail.len();
        let fits = values.len() == wanted.len() && values.iter().zip(wanted).all(|(v, w)| self.fits(v, w));
        if !fits {
            while self.trail.len() > before {
                if let Some((number, former)) = self.trail.pop()
                    && let Some(slot) = self.bound.get_mut(number)
                {
                    *slot = former;
                }
            }
        }
        self.trail.truncate(before);
        fits
    }

    /// Whether the first can stand where the second is wanted.
    pub(super) fn assign(&mut self, value: &Ty, wanted: &Ty) -> bool {
        self.assign_all(std::slice::from_ref(value), std::slice::from_ref(wanted))
    }

    fn fits(&mut self, a: &Ty, b: &Ty) -> bool {
        if matches!(b, Ty::Var(_)) {
            let (valid, bound) = self.substitutes(a, b);
            if valid {
                return true;
            }
            if bound {
                return false;
            }
        }
        if matches!(a, Ty::Var(_)) {
            return self.substitutes(b, a).0;
        }
        if matches!(a, Ty::Dyn) || matches!(b, Ty::Dyn) {
            return true;
        }
        match (a, b) {
            (Ty::Null, other) | (other, Ty::Null) => other.nullable(),
            (Ty::Type(_), Ty::Type(_)) => true,
            (Ty::List(a), Ty::List(b)) | (Ty::Optional(a), Ty::Optional(b)) => self.fits(a, b),
            (Ty::Map(a), Ty::Map(b)) => self.fits(&a.0, &b.0) && self.fits(&a.1, &b.1),
            _ => a == b,
        }
    }

    /// Whether the type can be what the variable stands for, and whether the variable stood for something before.
    fn substitutes(&mut self, ty: &Ty, variable: &Ty) -> (bool, bool) {
        if ty == variable {
            return (true, true);
        }
        if let Some(known) = self.binding(variable).cloned() {
            if *ty == known {
                return (true, true);
            }
            if self.fits(ty, &known) {
                let general = if self.less_specific(ty, &known) { ty.clone() } else { known };
                if !self.occurs(variable, &general) {
                    self.bind(variable, general);
                }
                return (true, true);
            }
            return (false, true);
        }
        if self.occurs(variable, ty) {
            return (false, false);
        }
        self.bind(variable, ty.clone());
        (true, false)
    }

    fn less_specific(&self, a: &Ty, b: &Ty) -> bool {
        match (a, b) {
            (Ty::Dyn | Ty::Var(_), _) => true,
            (_, Ty::Dyn | Ty::Var(_)) => false,
            (Ty::Type(_), Ty::Type(_)) => true,
            _ => {
                let (left, right) = (a.parameters(), b.parameters());
                a.same_constructor(b)
                    && (!left.is_empty() || a == b)
                    && left.iter().zip(right).all(|(a, b)| self.less_specific(a, b))
            }
        }
    }

    fn occurs(&self, variable: &Ty, within: &Ty) -> bool {
        if variable == within {
            return true;
        }
        match self.binding(within) {
            Some(known) => self.occurs(variable, known),
            None => within.parameters().into_iter().any(|part| self.occurs(variable, part)),
        }
    }

    /// The more general of two types that fit each other.
    pub(super) fn more_general(&self, a: Ty, b: Ty) -> Ty {
        if self.less_specific(&a, &b) { a } else { b }
    }

    /// The type with its variables replaced by what they stand for.
    pub(super) fn resolve(&self, ty: &Ty) -> Ty {
        if let Some(known) = self.binding(ty) {
            return self.resolve(known);
        }
        match ty {
            Ty::List(element) => Ty::list(self.resolve(element)),
            Ty::Map(both) => Ty::map(self.resolve(&both.0), self.resolve(&both.1)),
            Ty::Optional(value) => Ty::optional(self.resolve(value)),
            other => other.clone(),
        }
    }
}
