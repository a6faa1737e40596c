//! Conditions as a tree of what decides them.

use super::atoms::AtomId;

/// What an expression comes to where a boolean is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Truth {
    True,
    False,
    Error,
    /// A value that is no boolean: not true at the top of a condition, an error within.
    Other,
}

/// What says how atoms come out.
pub(super) trait Truths {
    fn truth(&mut self, atom: AtomId) -> Truth;

    /// How one comes out, if nothing has to be asked for that.
    fn settled(&self, atom: AtomId) -> Option<Truth>;
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    None(Vec<Test>),
    Expr(Logic),
}

/// An expression down to what is not put together of booleans.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Logic {
    And(Vec<Logic>),
    Or(Vec<Logic>),
    Not(Box<Logic>),
    If(Box<[Logic; 3]>),
    Atom(AtomId),
}

impl Test {
    /// Whether it holds; `None` where an expression fails. As [`cerbos::check`](crate::cerbos::check) does it: in order, and no further
    /// than decides.
    pub(super) fn holds(&self, truths: &mut dyn Truths) -> Option<bool> {
        let mut first = |of: &[Test], wanted: bool| -> Option<bool> {
            for test in of {
                if test.holds(truths)? == wanted {
                    return Some(true);
                }
            }
            Some(false)
        };
        match self {
            Self::All(of) => first(of, false).map(|found| !found),
            Self::Any(of) => first(of, true),
            Self::None(of) => first(of, true).map(|found| !found),
            Self::Expr(logic) => match logic.truth(truths) {
                Truth::True => Some(true),
                Truth::False | Truth::Other => Some(false),
                Truth::Error => None,
            },
        }
    }

    /// Calls back for each atom.
    pub(super) fn each_atom(&self, of: &mut dyn FnMut(AtomId)) {
        match self {
            Self::All(tests) | Self::Any(tests) | Self::None(tests) => {
                tests.iter().for_each(|test| test.each_atom(of));
            }
            Self::Expr(logic) => logic.each_atom(of),
        }
    }
}

impl Logic {
    /// CEL's own logic: an operand that decides wins over errors beside it.
    pub(super) fn truth(&self, truths: &mut dyn Truths) -> Truth {
        let mut decide = |of: &[Logic], decisive: Truth, otherwise: Truth| {
            let settled =
                |logic: &Logic| matches!(logic, Self::Atom(atom) if truths.settled(*atom) == Some(decisive));
            if of.iter().any(settled) {
                return decisive;
            }
            let mut failed = false;
            for logic in of {
                let found = logic.truth(truths);
                if found == decisive {
                    return decisive;
                }
                failed |= found != otherwise;
            }
            if failed { Truth::Error } else { otherwise }
        };
        match self {
            Self::And(of) => decide(of, Truth::False, Truth::True),
            Self::Or(of) => decide(of, Truth::True, Truth::False),
            Self::Not(of) => match of.truth(truths) {
                Truth::True => Truth::False,
                Truth::False => Truth::True,
                Truth::Error | Truth::Other => Truth::Error,
            },
            Self::If(three) => {
                let [condition, then, otherwise] = &**three;
                match condition.truth(truths) {
                    Truth::True => then.truth(truths),
                    Truth::False => otherwise.truth(truths),
                    Truth::Error | Truth::Other => Truth::Error,
                }
            }
            Self::Atom(atom) => truths.truth(*atom),
        }
    }

    pub(super) fn each_atom(&self, of: &mut dyn FnMut(AtomId)) {
        match self {
            Self::And(logics) | Self::Or(logics) => logics.iter().for_each(|logic| logic.each_atom(of)),
            Self::Not(logic) => logic.each_atom(of),
            Self::If(three) => three.iter().for_each(|logic| logic.each_atom(of)),
            Self::Atom(atom) => of(*atom),
        }
    }
}
