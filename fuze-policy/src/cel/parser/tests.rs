//! The parser beside the `cel` crate's, which is made from cel-go's grammar: the same texts are expressions, and they have the same tree.

use ::cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use fastrand::Rng;

use super::super::ast::BinaryOp;
use super::super::raw::{Node, Raw};
use super::super::value::Value;

/// How many random texts are read.
const TEXTS: usize = 10_000;

/// The `cel` crate's tree as text. It knows no macros here, so that they stay calls.
fn theirs(source: &str) -> Result<String, String> {
    ::cel::Env::default()
        .with_optional_support(true)
        .parser()
        .enable_ident_escape_syntax(true)
        .parse(source)
        .map_err(|error| error.to_string())
        .and_then(|tree| their_tree(&tree))
}

fn ours(source: &str) -> Result<String, String> {
    super::parse(source).map(|node| our_tree(&node)).map_err(|error| error.message)
}

fn form(head: &str, parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().fold(format!("({head}"), |text, part| text + " " + &part) + ")"
}

fn our_tree(node: &Node) -> String {
    let optional = |optional: &bool| if *optional { "?" } else { "" };
    match &node.raw {
        Raw::Literal(Value::Double(double)) => format!("double:{:x}", double.to_bits()),
        Raw::Literal(Value::Int(int)) => format!("int:{int}"),
        Raw::Literal(Value::Uint(uint)) => format!("uint:{uint}"),
        Raw::Literal(Value::Bool(bool)) => format!("bool:{bool}"),
        Raw::Literal(Value::String(text)) => format!("string:{text:?}"),
        Raw::Literal(Value::Bytes(bytes)) => format!("bytes:{bytes:?}"),
        Raw::Literal(Value::Null) => "null".to_owned(),
        Raw::Literal(other) => panic!("no literal is written so: {other:?}"),
        Raw::Name { name, absolute } => format!("{}{name}", if *absolute { "." } else { "" }),
        Raw::Select { operand, field, optional: true } => {
            form("_?._", [our_tree(operand), format!("string:{field:?}")])
        }
        Raw::Select { operand, field, optional: false } => {
            form("select", [our_tree(operand), field.to_string()])
        }
        Raw::Index { operand, index, optional } => {
            form(if *optional { "_[?_]" } else { "_[_]" }, [our_tree(operand), our_tree(index)])
        }
        Raw::Call { target: Some(target), name, args } => {
            form(&format!("method {name}"), std::iter::once(&**target).chain(args).map(our_tree))
        }
        Raw::Call { target: None, name, args } => form(&format!("call {name}"), args.iter().map(our_tree)),
        Raw::Not(operand) => form("!_", [our_tree(operand)]),
        Raw::Negate(operand) => form("-_", [our_tree(operand)]),
        Raw::Binary(op, both) => form(name_of(*op), both.iter().map(our_tree)),
        // How a chain is divided says nothing: every term of it is looked at, whatever the others are.
        Raw::And(terms) => our_chain("_&&_", terms),
        Raw::Or(terms) => our_chain("_||_", terms),
        Raw::Conditional(three) => form("_?_:_", three.iter().map(our_tree)),
        Raw::List(items) => {
            form("list", items.iter().map(|(item, o)| optional(o).to_owned() + &our_tree(item)))
        }
        Raw::Map(entries) => form(
            "map",
            entries
                .iter()
                .map(|(key, value, o)| format!("{}{}={}", optional(o), our_tree(key), our_tree(value))),
        ),
    }
}

fn our_chain(op: &str, terms: &[Node]) -> String {
    flat(op, terms.iter().map(our_tree))
}

/// A chain of one operator, whatever brackets it has.
fn flat(op: &str, terms: impl IntoIterator<Item = String>) -> String {
    let open = format!("({op} ");
    form(
        op,
        terms.into_iter().map(|term| {
            match term.strip_prefix(&open).and_then(|rest| rest.strip_suffix(')')) {
                Some(inner) => inner.to_owned(),
                None => term,
            }
        }),
    )
}

fn name_of(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "_+_",
        BinaryOp::Subtract => "_-_",
        BinaryOp::Multiply => "_*_",
        BinaryOp::Divide => "_/_",
        BinaryOp::Modulo => "_%_",
        BinaryOp::Equal => "_==_",
        BinaryOp::NotEqual => "_!=_",
        BinaryOp::Less => "_<_",
        BinaryOp::LessEqual => "_<=_",
        BinaryOp::Greater => "_>_",
        BinaryOp::GreaterEqual => "_>=_",
        BinaryOp::In => "@in",
    }
}

fn their_tree(tree: &IdedExpr) -> Result<String, String> {
    let all = |trees: &[IdedExpr]| trees.iter().map(their_tree).collect::<Result<Vec<_>, _>>();
    Ok(match &tree.expr {
        Expr::Literal(LiteralValue::Double(double)) => format!("double:{:x}", double.inner().to_bits()),
        Expr::Literal(LiteralValue::Int(int)) => format!("int:{}", int.inner()),
        Expr::Literal(LiteralValue::UInt(uint)) => format!("uint:{}", uint.inner()),
        Expr::Literal(LiteralValue::Boolean(bool)) => format!("bool:{}", bool.inner()),
        Expr::Literal(LiteralValue::String(text)) => format!("string:{:?}", text.inner()),
        Expr::Literal(LiteralValue::Bytes(bytes)) => format!("bytes:{:?}", bytes.inner()),
        Expr::Literal(LiteralValue::Null) => "null".to_owned(),
        Expr::Ident(name) => name.clone(),
        Expr::Select(select) if !select.test => {
            form("select", [their_tree(&select.operand)?, select.field.clone()])
        }
        Expr::Call(call) => {
            let args = all(&call.args)?;
            // Functions are global ones, with a dot before them or not.
            let name = call.func_name.trim_start_matches('.');
            let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            match (&call.target, name) {
                (Some(target), name) => {
                    form(&format!("method {name}"), std::iter::once(their_tree(target)?).chain(args))
                }
                (None, op @ ("_&&_" | "_||_")) => flat(op, args),
                (None, name) if plain => form(&format!("call {name}"), args),
                (None, op) => form(op, args),
            }
        }
        Expr::List(list) => form(
            "list",
            all(&list.elements)?.into_iter().enumerate().map(|(at, item)| {
                if list.optional_indices.contains(&at) { format!("?{item}") } else { item }
            }),
        ),
        Expr::Map(map) => {
            let mut entries = Vec::new();
            for entry in &map.entries {
                let EntryExpr::MapEntry(entry) = &entry.expr else {
                    return Err("a field in a map".to_owned());
                };
                let optional = if entry.optional { "?" } else { "" };
                entries.push(format!("{optional}{}={}", their_tree(&entry.key)?, their_tree(&entry.value)?));
            }
            form("map", entries)
        }
        Expr::Struct(_) => return Err("messages cannot be built here".to_owned()),
        other @ (Expr::Select(_) | Expr::Comprehension(_) | Expr::Unspecified) => {
            return Err(format!("no text gives this without macros: {other:?}"));
        }
    })
}

/// A random text that is an expression, mostly.
fn expression(random: &mut Rng, depth: u8) -> String {
    let below = |random: &mut Rng| expression(random, depth.saturating_sub(1));
    if depth == 0 {
        return atom(random);
    }
    let several = |random: &mut Rng| {
        let count = random.usize(0..4);
        (0..count).map(|_| below(random)).collect::<Vec<_>>().join(pick(random, &[",", ", ", " ,"]))
    };
    let blank = |random: &mut Rng| pick(random, &["", "", " ", "\n", "\t ", " // no more\n"]);
    match random.u8(0..16) {
        0..=3 => {
            const OPERATORS: [&str; 14] =
                ["||", "&&", "<", "<=", ">=", ">", "==", "!=", " in ", "+", "-", "*", "/", "%"];
            let (left, right) = (below(random), below(random));
            format!("{left}{}{}{}{right}", blank(random), pick(random, &OPERATORS), blank(random))
        }
        4 => format!("{}{}", pick(random, &["!", "-", "!!", "--", "- ", "! ! !", "-!", "!-"]), below(random)),
        5 => format!("({}{}{})", blank(random), below(random), blank(random)),
        6 => format!("{} ? {} : {}", below(random), below(random), below(random)),
        7 => format!("{}.{}{}", below(random), pick(random, &["", "", "?"]), name(random)),
        8 => format!("{}[{}{}]", below(random), pick(random, &["", "", "?"]), below(random)),
        9 => format!("{}.{}({})", below(random), name(random), several(random)),
        10 => format!("{}{}({})", pick(random, &["", "", "."]), name(random), several(random)),
        11 => {
            format!("[{}{}{}]", pick(random, &["", "", "?"]), several(random), pick(random, &["", ",", " "]))
        }
        12 | 13 => {
            let entries: Vec<_> = (0..random.usize(0..3))
                .map(|_| format!("{}{}:{}", pick(random, &["", "", "?"]), below(random), below(random)))
                .collect();
            format!("{{{}{}}}", entries.join(","), pick(random, &["", "", " ,"]))
        }
        _ => atom(random),
    }
}

fn pick(random: &mut Rng, among: &[&'static str]) -> &'static str {
    random.choice(among).copied().unwrap_or_default()
}

fn name(random: &mut Rng) -> &'static str {
    const NAMES: [&str; 22] = [
        "a",
        "R",
        "attr",
        "_x9",
        "size",
        "exists",
        "has",
        "in_",
        "`b-c`",
        "`a.b/c d`",
        "if",
        "for",
        "true_",
        "as",
        "null",
        "in",
        "true",
        "nullx",
        "e1",
        "u",
        "r",
        "__",
    ];
    pick(random, &NAMES)
}

fn atom(random: &mut Rng) -> String {
    const ATOMS: [&str; 56] = [
        "1",
        "0",
        "007",
        "1u",
        "2U",
        "0x1F",
        "0xfu",
        "0X1",
        "1.5",
        ".5",
        "1.",
        "1.e2",
        "1e3",
        "1E-3",
        "2.5e+1",
        "1e400",
        "1e",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "18446744073709551615u",
        "18446744073709551616u",
        "0xffffffffffffffff",
        "0xffffffffffffffffu",
        "true",
        "false",
        "null",
        "''",
        "\"\"",
        "'a'",
        "\"ü\"",
        "'\\n\\x41\\101\\u00e9'",
        "'\\U0001F600'",
        "'\\ud800'",
        "'\\U00110000'",
        "'\\?\\`\\'\\\"'",
        "'\\q'",
        "'\\8'",
        "'\\400'",
        "'\\x4'",
        "r'\\d'",
        "R\"\\\"",
        "b'a'",
        "b'\\xff'",
        "b'\\u00e9'",
        "b'ü'",
        "br'\\x'",
        "rb'x'",
        "'''a'b\n'''",
        "\"\"\"\"\"\"",
        "'a\nb'",
        "'\u{1F600}'",
        "'\r\n'",
        "'''\r\n'''",
        "\u{e9}",
        "\u{feff}1",
    ];
    if random.bool() { name(random).to_owned() } else { pick(random, &ATOMS).to_owned() }
}

/// A text with a part left out, twice there or exchanged for another.
fn damaged(random: &mut Rng, text: &str) -> String {
    const OTHERS: [&str; 24] = [
        "(", ")", "[", "]", "{", "}", ",", ".", "?", ":", "'", "\"", "`", "!", "-", "=", "&", "|", "0", "x",
        " ", "\\", "#", "in",
    ];
    let mut characters: Vec<String> = text.chars().map(String::from).collect();
    let at = random.usize(0..characters.len().max(1));
    match (random.u8(0..3), characters.get(at).cloned()) {
        (0, Some(_)) => drop(characters.remove(at)),
        (1, Some(twice)) => characters.insert(at, twice),
        _ => characters.insert(at, pick(random, &OTHERS).to_owned()),
    }
    characters.concat()
}

#[test]
fn the_cel_crate_reads_the_same() {
    let mut random = Rng::with_seed(0x_ce1);
    let mut both = [0; 2];
    for _ in 0..TEXTS {
        let depth = random.u8(0..5);
        let mut text = expression(&mut random, depth);
        if random.u8(0..3) == 0 {
            text = damaged(&mut random, &text);
        }
        match (ours(&text), theirs(&text)) {
            (Ok(ours), Ok(theirs)) => {
                assert_eq!(ours, theirs, "{text}");
                both[0] += 1;
            }
            (Err(_), Err(_)) => both[1] += 1,
            (ours, theirs) => panic!("{text}\nours: {ours:?}\ntheirs: {theirs:?}"),
        }
    }
    // Enough of either kind, so that this says something.
    assert!(both[0] > TEXTS / 3 && both[1] > TEXTS / 10, "{both:?}");
}
