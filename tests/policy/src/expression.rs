//! CEL conditions from a grammar. Operands are often missing or of another type than the operator wants, because that is where two
//! evaluators part.

use fastrand::Rng;

/// Attributes of the principal and of the resource that conditions mention; requests have most of them, of some type.
pub const ATTRIBUTES: [&str; 10] = ["a", "b", "n", "s", "l", "m", "t", "ip", "path", "flag"];

/// What stands for a name or a literal of text: also what is not ASCII, empty, or looks like something else.
pub const TEXTS: [&str; 16] = [
    "",
    "a",
    "b",
    "ab",
    "A",
    "é",
    "ß",
    "日本語",
    "a:b",
    "a.b",
    "1",
    "true",
    "10.1.2.3",
    "192.168.0.0/16",
    "2021-04-20T10:05:20.021-05:00",
    "/srv/a/b.txt",
];

/// Names that an expression may use beside the attributes.
#[derive(Clone, Default)]
pub struct Names {
    /// Variables defined before this one.
    pub variables: Vec<String>,
    /// Constants.
    pub constants: Vec<String>,
    /// Derived roles of the policy.
    pub derived_roles: Vec<String>,
    /// Roles.
    pub roles: Vec<String>,
    /// Scopes.
    pub scopes: Vec<String>,
}

/// Claims that conditions ask of a token; most have them.
pub const CLAIMS: [&str; 4] = ["iss", "groups", "level", "org"];

/// Writes expressions.
pub struct Writer<'a> {
    rng: &'a mut Rng,
    names: Names,
    /// Variables of the comprehensions around here.
    bound: Vec<String>,
}

impl<'a> Writer<'a> {
    /// A writer over these names.
    pub fn new(rng: &'a mut Rng, names: &Names) -> Self {
        Self { rng, names: names.clone(), bound: Vec::new() }
    }

    fn pick<'s>(&mut self, from: &[&'s str]) -> &'s str {
        from[self.rng.usize(..from.len())]
    }

    fn named(&mut self, from: &[String], prefix: &str) -> Option<String> {
        if from.is_empty() { None } else { Some(format!("{prefix}{}", from[self.rng.usize(..from.len())])) }
    }

    /// A condition.
    pub fn truth(&mut self, depth: u32) -> String {
        if depth == 0 {
            return match self.rng.u8(..9) {
                6 => self.token(),
                7 => self.time(),
                8 => self.surroundings(),
                0 => self.pick(&["true", "false"]).to_owned(),
                1 => self.presence(),
                2 => "R.attr.flag".to_owned(),
                3 => format!("{} == {}", self.anything(0), self.literal()),
                4 => format!("{} < {}", self.number(0), self.number(0)),
                _ => format!("{} == {}", self.anything(0), self.anything(0)),
            };
        }
        let d = depth - 1;
        match self.rng.u8(..35) {
            30 | 31 => self.token(),
            32 => self.time(),
            33 | 34 => self.surroundings(),
            0..=3 => {
                let operator = self.pick(&["==", "!="]);
                format!("{} {operator} {}", self.anything(d), self.anything(d))
            }
            4..=6 => {
                let operator = self.pick(&["<", "<=", ">", ">="]);
                format!("{} {operator} {}", self.number(d), self.number(d))
            }
            7 => {
                let operator = self.pick(&["<", "<=", ">", ">="]);
                format!("{} {operator} {}", self.text(d), self.text(d))
            }
            8 | 9 => format!("({} && {})", self.truth(d), self.truth(d)),
            10 | 11 => format!("({} || {})", self.truth(d), self.truth(d)),
            12 => format!("!({})", self.truth(d)),
            13 => format!("({} ? {} : {})", self.truth(d), self.truth(d), self.truth(d)),
            14 => {
                let function = self.pick(&["startsWith", "endsWith", "contains"]);
                format!("{}.{function}({})", self.text(d), self.text(d))
            }
            15 => {
                let regex = self.pick(&["^a.*", "[a-z]+", "(?i)AB?", "\\\\d+", "é|ß", "^$", "a{2,3}"]);
                format!("{}.matches(\"{regex}\")", self.text(d))
            }
            16 | 17 => format!("{} in {}", self.anything(d), self.list(d)),
            18 => format!("{} in {}", self.anything(d), self.map(d)),
            19 | 20 => {
                let quantifier = self.pick(&["exists", "all", "exists_one", "existsOne"]);
                let over = if self.rng.u8(..5) == 0 { self.map(d) } else { self.list(d) };
                let (name, inside) = self.bind(|w| w.truth(d));
                format!("{over}.{quantifier}({name}, {inside})")
            }
            21 => {
                let function = self.pick(&["hasIntersection", "isSubset", "has_intersection", "is_subset"]);
                format!("{function}({}, {})", self.list(d), self.list(d))
            }
            22 => {
                let relation = self.pick(&[
                    "ancestorOf",
                    "descendentOf",
                    "immediateChildOf",
                    "immediateParentOf",
                    "siblingOf",
                    "overlaps",
                ]);
                format!("hierarchy({}).{relation}(hierarchy({}))", self.text(d), self.text(d))
            }
            23 => {
                let network = self.pick(&["10.0.0.0/8", "192.168.0.0/16", "2001:db8::/48", "10.1.2.3/32"]);
                format!("{}.inIPAddrRange(\"{network}\")", self.text(d))
            }
            24 => {
                let operator = self.pick(&["<", ">", "=="]);
                format!("timestamp({}) {operator} timestamp(\"2021-05-01T00:00:00.000Z\")", self.text(d))
            }
            25 => {
                let kind = self.pick(&[
                    "string",
                    "double",
                    "int",
                    "bool",
                    "list",
                    "map",
                    "null_type",
                    "uint",
                    "bytes",
                    "type",
                ]);
                format!("type({}) == {kind}", self.anything(d))
            }
            26 => self.presence(),
            27 => {
                let roles = self.names.roles.clone();
                let role = self.named(&roles, "").unwrap_or_else(|| "x".to_owned());
                format!("\"{role}\" in P.roles")
            }
            28 => {
                let roles = self.names.derived_roles.clone();
                let role = self.named(&roles, "").unwrap_or_else(|| "x".to_owned());
                format!("\"{role}\" in runtime.effectiveDerivedRoles")
            }
            _ => {
                let function = self.pick(&["sets.contains", "sets.equivalent", "sets.intersects"]);
                format!("{function}({}, {})", self.list(d), self.list(d))
            }
        }
    }

    /// About the token that comes with the request, if one does.
    fn token(&mut self) -> String {
        let claim = self.pick(&CLAIMS);
        match self.rng.u8(..7) {
            0 => format!("has(request.auxData.jwt.{claim})"),
            1 => "\"a\" in request.auxData.jwt.groups".to_owned(),
            2 => format!("request.auxData.jwt.level > {}", self.number(0)),
            3 => format!("request.auxData.jwt.org.unit == {}", self.text(0)),
            4 => "request.auxData.jwt.iss == P.attr.s".to_owned(),
            5 => "hasIntersection(request.auxData.jwt.groups, P.roles)".to_owned(),
            _ => format!("request.auxData.jwt.{claim} != {}", self.literal()),
        }
    }

    /// About the time, so that it comes to the same for many years.
    fn time(&mut self) -> String {
        self.pick(&[
            "now() > timestamp(\"2001-05-01T00:00:00Z\")",
            "now() < timestamp(\"2001-05-01T00:00:00Z\")",
            "now() < timestamp(\"2099-01-01T00:00:00Z\")",
            "timestamp(R.attr.t).timeSince() > duration(\"1h\")",
            "timeSince(timestamp(\"2099-01-01T00:00:00Z\")) < duration(\"0s\")",
            "now() - duration(\"24h\") > timestamp(P.attr.t)",
            "now().getFullYear() > 2001",
            "now().getFullYear(\"Europe/Berlin\") < R.attr.n",
            "now() == now()",
        ])
        .to_owned()
    }

    /// About scopes, globals, variables and constants.
    fn surroundings(&mut self) -> String {
        let (variables, constants) = (self.names.variables.clone(), self.names.constants.clone());
        if let Some(name) = self.named(&variables, "V.").filter(|_| self.rng.u8(..3) == 0) {
            return format!("{name} {} {}", self.pick(&["==", "!="]), self.literal());
        }
        if let Some(name) = self.named(&constants, "C.").filter(|_| self.rng.u8(..4) == 0) {
            return format!("{name} != {}", self.literal());
        }
        let scopes = self.names.scopes.clone();
        let scope = self.named(&scopes, "").unwrap_or_default();
        match self.rng.u8(..7) {
            0 => format!("P.scope == \"{scope}\""),
            1 => "R.scope.startsWith(P.scope)".to_owned(),
            2 => "hierarchy(R.scope).overlaps(hierarchy(request.principal.scope))".to_owned(),
            3 => format!("G.limit > {}", self.number(0)),
            4 => "globals.environment == \"test\"".to_owned(),
            5 => "G.environment in [\"test\", R.attr.s]".to_owned(),
            _ => format!("P.scope != {}", self.text(0)),
        }
    }

    fn presence(&mut self) -> String {
        let of = self.pick(&["R", "P", "request.resource", "request.principal"]);
        let name = self.pick(&ATTRIBUTES);
        match self.rng.u8(..4) {
            0 => format!("has({of}.attr.{name}.x)"),
            1 => "has(R.attr)".to_owned(),
            _ => format!("has({of}.attr.{name})"),
        }
    }

    fn bind(&mut self, inside: impl FnOnce(&mut Self) -> String) -> (String, String) {
        let name = format!("x{}", self.bound.len());
        self.bound.push(name.clone());
        let text = inside(self);
        self.bound.pop();
        (name, text)
    }

    fn literal(&mut self) -> String {
        match self.rng.u8(..8) {
            0 => self.pick(&["true", "false", "null"]).to_owned(),
            1 | 2 => {
                self.pick(&["0", "1", "-1", "2", "42", "9007199254740993", "9223372036854775807"]).to_owned()
            }
            3 => self.pick(&["0.0", "1.0", "0.1", "-2.5", "1e300", "9007199254740992.0", "-0.0"]).to_owned(),
            4 => self.pick(&["0u", "1u", "42u", "18446744073709551615u"]).to_owned(),
            _ => format!("{:?}", self.pick(&TEXTS)),
        }
    }

    /// Something of any type, often an attribute.
    pub fn anything(&mut self, depth: u32) -> String {
        let bound = self.bound.clone();
        if !bound.is_empty() && self.rng.u8(..3) == 0 {
            return bound[self.rng.usize(..bound.len())].clone();
        }
        match self.rng.u8(..16) {
            0..=4 => {
                let of = self.pick(&["R", "R", "P", "request.resource", "request.principal"]);
                let name = self.pick(&ATTRIBUTES);
                match self.rng.u8(..8) {
                    0 => format!("{of}.attr[{name:?}]"),
                    1 => format!("{of}.attr.{name}.x"),
                    2 => format!("{of}.attr.{name}[0]"),
                    3 => format!(
                        "{of}.attr.{name}[{}]",
                        if depth > 0 { self.anything(depth - 1) } else { "1".to_owned() }
                    ),
                    _ => format!("{of}.attr.{name}"),
                }
            }
            5 => self
                .pick(&["R.id", "P.id", "R.kind", "R.scope", "P.scope", "R.policyVersion", "P.roles"])
                .to_owned(),
            6 => {
                let names = self.names.variables.clone();
                let prefix = self.pick(&["V.", "variables."]);
                self.named(&names, prefix).unwrap_or_else(|| "R.attr".to_owned())
            }
            7 => {
                let names = self.names.constants.clone();
                let prefix = self.pick(&["C.", "constants."]);
                self.named(&names, prefix).unwrap_or_else(|| "P.attr".to_owned())
            }
            8 => self.pick(&["G.environment", "globals.limit", "G.missing"]).to_owned(),
            9 if depth > 0 => self.number(depth - 1),
            10 if depth > 0 => self.text(depth - 1),
            11 if depth > 0 => self.list(depth - 1),
            12 if depth > 0 => self.map(depth - 1),
            13 if depth > 0 => self.truth(depth - 1),
            _ => self.literal(),
        }
    }

    fn number(&mut self, depth: u32) -> String {
        if depth == 0 || self.rng.u8(..3) == 0 {
            return match self.rng.u8(..4) {
                0 => self.literal(),
                1 => self.pick(&["0", "1", "2", "-3", "0.5", "1e3", "7u"]).to_owned(),
                2 => self.pick(&["R.attr.n", "P.attr.n"]).to_owned(),
                _ => self.anything(0),
            };
        }
        let d = depth - 1;
        match self.rng.u8(..12) {
            0..=3 => {
                let operator = self.pick(&["+", "-", "*", "/", "%"]);
                format!("({} {operator} {})", self.number(d), self.number(d))
            }
            4 => format!("-({})", self.number(d)),
            5 => format!("size({})", self.anything(d)),
            6 => format!("{}.size()", self.text(d)),
            7 => {
                let function = self.pick(&["int", "double", "uint"]);
                format!("{function}({})", self.anything(d))
            }
            8 => {
                let function = self.pick(&["math.greatest", "math.least"]);
                format!("{function}({}, {})", self.number(d), self.number(d))
            }
            9 => {
                let function = self.pick(&[
                    "math.abs",
                    "math.ceil",
                    "math.floor",
                    "math.round",
                    "math.sign",
                    "math.trunc",
                ]);
                format!("{function}({})", self.number(d))
            }
            10 => {
                let part = self.pick(&[
                    "getFullYear()",
                    "getHours()",
                    "getDayOfWeek(\"Europe/Berlin\")",
                    "getMilliseconds()",
                ]);
                format!("timestamp({}).{part}", self.text(d))
            }
            _ => format!("{}.indexOf({})", self.text(d), self.text(d)),
        }
    }

    fn text(&mut self, depth: u32) -> String {
        if depth == 0 || self.rng.u8(..3) == 0 {
            return match self.rng.u8(..5) {
                0 => self.anything(0),
                1 => self
                    .pick(&["R.attr.s", "P.attr.s", "R.attr.ip", "R.attr.t", "R.attr.path", "R.id"])
                    .to_owned(),
                _ => format!("{:?}", self.pick(&TEXTS)),
            };
        }
        let d = depth - 1;
        match self.rng.u8(..13) {
            0 | 1 => format!("({} + {})", self.text(d), self.text(d)),
            2 => format!("string({})", self.anything(d)),
            3 => {
                let function = self.pick(&["lowerAscii", "upperAscii", "trim", "reverse"]);
                format!("{}.{function}()", self.text(d))
            }
            4 => format!("{}.substring({})", self.text(d), self.pick(&["0", "1", "2", "-1", "9"])),
            5 => format!(
                "{}.substring({}, {})",
                self.text(d),
                self.pick(&["0", "1"]),
                self.pick(&["1", "2", "0", "9"])
            ),
            6 => format!("{}.replace({}, {})", self.text(d), self.text(d), self.text(d)),
            7 => format!("{}.join({})", self.list(d), self.text(d)),
            8 => format!("{}.charAt({})", self.text(d), self.pick(&["0", "1", "5"])),
            9 => format!("base64.encode(bytes({}))", self.text(d)),
            10 => {
                let verb = self.pick(&["%s", "%d", "%x", "%.2f", "%e", "%b", "%o"]);
                format!("\"<{verb}>\".format([{}])", self.anything(d))
            }
            11 => {
                let function = self.pick(&["basePath", "dirPath", "extPath"]);
                format!("{function}({})", self.text(d))
            }
            _ => format!("({} ? {} : {})", self.truth(d), self.text(d), self.text(d)),
        }
    }

    fn list(&mut self, depth: u32) -> String {
        if depth == 0 || self.rng.u8(..3) == 0 {
            return match self.rng.u8(..4) {
                0 => "[]".to_owned(),
                1 => {
                    self.pick(&["R.attr.l", "P.attr.l", "P.roles", "[1, 2, 3]", "[\"a\", \"b\"]"]).to_owned()
                }
                2 => format!("[{}, {}]", self.anything(0), self.literal()),
                _ => self.anything(0),
            };
        }
        let d = depth - 1;
        match self.rng.u8(..12) {
            0 => format!("({} + {})", self.list(d), self.list(d)),
            1 | 2 => {
                let over = self.list(d);
                let (name, inside) = self.bind(|w| w.anything(d));
                format!("{over}.map({name}, {inside})")
            }
            3 | 4 => {
                let over = if self.rng.u8(..5) == 0 { self.map(d) } else { self.list(d) };
                let (name, inside) = self.bind(|w| w.truth(d));
                format!("{over}.filter({name}, {inside})")
            }
            5 => format!("{}.split({})", self.text(d), self.text(d)),
            6 => {
                let function = self.pick(&["intersect", "except"]);
                format!("{function}({}, {})", self.list(d), self.list(d))
            }
            7 => {
                let function = self.pick(&["distinct()", "sort()", "reverse()", "flatten()", "slice(0, 1)"]);
                format!("{}.{function}", self.list(d))
            }
            8 => format!("lists.range({})", self.pick(&["0", "3", "5"])),
            9 => format!("{}.transformList(i, v, {})", self.list(d), self.pick(&["i", "v", "[i, v]"])),
            _ => format!("[{}, {}]", self.anything(d), self.anything(d)),
        }
    }

    fn map(&mut self, depth: u32) -> String {
        match self.rng.u8(..5) {
            0 => "R.attr".to_owned(),
            1 => self.pick(&["R.attr.m", "P.attr.m"]).to_owned(),
            2 => "{}".to_owned(),
            _ if depth > 0 => {
                let key = self.pick(&["\"x\"", "\"y\"", "1", "true"]);
                format!("{{{key}: {}}}", self.anything(depth - 1))
            }
            _ => "{\"x\": 1}".to_owned(),
        }
    }
}
