//! The functions that Cerbos 0.55 enables and the kinds of operands they are for.
//!
//! One line a function, in the words of the documentation: `string.(int) string` is called on a string with an int and
//! gives a string, `(string) int` is not called on anything. Capitals stand for any type, the same one throughout a line.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::functions::{self, Function, Native};
use super::types::Ty;

/// One way to call a function.
#[derive(Debug)]
pub(super) struct Overload {
    pub(super) member: bool,
    /// The receiver first.
    pub(super) args: Vec<Ty>,
    pub(super) result: Ty,
}

/// A function.
#[derive(Debug)]
pub(super) struct Decl {
    pub(super) name: &'static str,
    pub(super) overloads: Vec<Overload>,
    pub(super) native: Native,
}

/// A line of a table: name, overloads, what computes it.
pub(super) type Line = (&'static str, &'static [&'static str], Native);

/// All functions and where each name is among them.
struct Table {
    decls: Vec<Decl>,
    by_name: HashMap<&'static str, Function>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let lines = functions::TABLES.iter().copied().flatten();
    let mut table = Table { decls: Vec::new(), by_name: HashMap::new() };
    for (number, (name, overloads, native)) in (0..).zip(lines) {
        let overloads = overloads.iter().filter_map(|text| overload(text)).collect();
        table.decls.push(Decl { name, overloads, native: *native });
        table.by_name.insert(name, Function(number));
    }
    table
});

/// The function of that name.
pub(super) fn find(name: &str) -> Option<Function> {
    TABLE.by_name.get(name).copied()
}

/// Every name.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.decls.iter().map(|decl| decl.name)
}

/// What is declared of the function.
pub(super) fn decl(function: Function) -> Option<&'static Decl> {
    TABLE.decls.get(usize::from(function.0))
}

/// Ways to use the operator.
pub(super) fn operator(symbol: &str) -> &'static [Overload] {
    static OPERATORS: LazyLock<HashMap<&'static str, Vec<Overload>>> = LazyLock::new(|| {
        OPERATOR_LINES
            .iter()
            .map(|(symbol, lines)| (*symbol, lines.iter().filter_map(|l| overload(l)).collect()))
            .collect()
    });
    OPERATORS.get(symbol).map_or(&[], Vec::as_slice)
}

const COMPARISONS: &[&str] = &[
    "(bool, bool) bool",
    "(int, int) bool",
    "(int, double) bool",
    "(int, uint) bool",
    "(uint, uint) bool",
    "(uint, double) bool",
    "(uint, int) bool",
    "(double, double) bool",
    "(double, int) bool",
    "(double, uint) bool",
    "(string, string) bool",
    "(bytes, bytes) bool",
    "(timestamp, timestamp) bool",
    "(duration, duration) bool",
];

const OPERATOR_LINES: &[(&str, &[&str])] = &[
    ("?:", &["(bool, A, A) A"]),
    ("!", &["(bool) bool"]),
    ("neg", &["(double) double", "(int) int"]),
    ("==", &["(A, A) bool"]),
    ("!=", &["(A, A) bool"]),
    ("<", COMPARISONS),
    ("<=", COMPARISONS),
    (">", COMPARISONS),
    (">=", COMPARISONS),
    (
        "+",
        &[
            "(bytes, bytes) bytes",
            "(double, double) double",
            "(duration, duration) duration",
            "(duration, timestamp) timestamp",
            "(timestamp, duration) timestamp",
            "(int, int) int",
            "(list(A), list(A)) list(A)",
            "(string, string) string",
            "(uint, uint) uint",
        ],
    ),
    (
        "-",
        &[
            "(double, double) double",
            "(duration, duration) duration",
            "(int, int) int",
            "(timestamp, duration) timestamp",
            "(timestamp, timestamp) duration",
            "(uint, uint) uint",
        ],
    ),
    ("*", &["(double, double) double", "(int, int) int", "(uint, uint) uint"]),
    ("/", &["(double, double) double", "(int, int) int", "(uint, uint) uint"]),
    ("%", &["(int, int) int", "(uint, uint) uint"]),
    ("in", &["(A, list(A)) bool", "(A, map(A, B)) bool"]),
    (
        "[]",
        &[
            "(list(A), int) A",
            "(map(A, B), A) B",
            "(hierarchy, int) string",
            "(optional(list(V)), int) optional(V)",
            "(optional(map(K, V)), K) optional(V)",
        ],
    ),
    (
        "[?]",
        &[
            "(list(V), int) optional(V)",
            "(optional(list(V)), int) optional(V)",
            "(map(K, V), K) optional(V)",
            "(optional(map(K, V)), K) optional(V)",
        ],
    ),
];

/// Reads `receiver.(arguments) result`.
fn overload(line: &'static str) -> Option<Overload> {
    let mut reader = Reader { rest: line };
    let mut args = Vec::new();
    let member = !reader.take("(");
    if member {
        args.push(reader.ty()?);
        reader.expect(".(")?;
    }
    while !reader.take(")") {
        args.push(reader.ty()?);
        reader.take(", ");
    }
    reader.expect(" ")?;
    let result = reader.ty()?;
    reader.rest.is_empty().then_some(Overload { member, args, result })
}

struct Reader {
    rest: &'static str,
}

impl Reader {
    fn take(&mut self, prefix: &str) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, prefix: &str) -> Option<()> {
        self.take(prefix).then_some(())
    }

    fn ty(&mut self) -> Option<Ty> {
        let length = self.rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(match name {
            "dyn" => Ty::Dyn,
            "bool" => Ty::Bool,
            "int" => Ty::Int,
            "uint" => Ty::Uint,
            "double" => Ty::Double,
            "string" => Ty::String,
            "bytes" => Ty::Bytes,
            "timestamp" => Ty::Timestamp,
            "duration" => Ty::Duration,
            "ip" => Ty::Ip,
            "cidr" => Ty::Cidr,
            "hierarchy" => Ty::Hierarchy,
            "spiffeId" => Ty::SpiffeId,
            "spiffeTrustDomain" => Ty::SpiffeTrustDomain,
            "spiffeMatcher" => Ty::SpiffeMatcher,
            "list" => Ty::List(Box::new(self.one_parameter()?)),
            "optional" => Ty::Optional(Box::new(self.one_parameter()?)),
            "type" => Ty::Type(Box::new(self.one_parameter()?)),
            "map" => {
                self.expect("(")?;
                let key = self.ty()?;
                self.expect(", ")?;
                let value = self.ty()?;
                self.expect(")")?;
                Ty::Map(Box::new((key, value)))
            }
            "A" | "B" | "K" | "V" | "T" => Ty::Param(name.chars().next()?),
            _ => return None,
        })
    }

    fn one_parameter(&mut self) -> Option<Ty> {
        self.expect("(")?;
        let ty = self.ty()?;
        self.expect(")")?;
        Some(ty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_tables_can_be_read() {
        let lines = functions::TABLES.iter().copied().flatten().map(|(name, overloads, _)| (name, overloads));
        for (name, overloads) in lines.chain(OPERATOR_LINES.iter().map(|(symbol, lines)| (symbol, lines))) {
            assert!(!overloads.is_empty(), "{name} has no overload");
            for line in *overloads {
                assert!(overload(line).is_some(), "{name}: cannot read `{line}`");
            }
        }
    }

    #[test]
    fn no_name_is_declared_twice() {
        let names: Vec<_> = functions::TABLES.iter().copied().flatten().map(|line| line.0).collect();
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(names.len(), distinct.len());
    }
}
