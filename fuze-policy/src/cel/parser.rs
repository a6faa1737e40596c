//! The grammar of cel-go, read by descent, without its limits being reachable.
//!
//! Size and depth are bounded here, once: what this returns can be walked recursively. Macros stay calls; the checker
//! recognises them.

use std::sync::Arc;

use super::ast::{BinaryOp, Span};
use super::error::ParseError;
use super::hints;
use super::lexer::{self, Literal, Token, span};
use super::raw::{Node, Raw};
use super::unescape;
use super::value::Value;

/// Characters of an expression at most, as in cel-go.
pub(super) const MAX_SOURCE_CHARS: usize = 100_000;
/// Levels of an expression at most, so that a stack of 2 MiB is enough. cel-go allows 250 of each kind.
pub(super) const MAX_DEPTH: u16 = 100;

/// Names that the grammar keeps for itself.
const KEYWORDS: [&str; 4] = ["in", "true", "false", "null"];
/// Names that may be fields but not variables or functions.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// Reads an expression.
pub(super) fn parse(source: &str) -> Result<Node, ParseError> {
    if source.chars().nth(MAX_SOURCE_CHARS).is_some() {
        let message =
            format!("the expression is longer than {MAX_SOURCE_CHARS} characters: divide it into variables");
        return Err(ParseError { message, line: 1, column: 1 });
    }
    let tokens = lexer::tokens(source).map_err(|e| error(source, e.at, e.message))?;
    let mut parser = Parser { source, tokens, at: 0, depth: 0 };
    let node = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(node),
        _ => Err(parser.unexpected("the end of the expression or an operator")),
    }
}

/// An error at a byte of the source.
pub(super) fn error(source: &str, at: usize, message: impl Into<String>) -> ParseError {
    let before = source.get(..at).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    ParseError { message: message.into(), line: number(line), column: number(column) }
}

struct Parser<'s> {
    source: &'s str,
    tokens: Vec<(Token, Span)>,
    at: usize,
    depth: u16,
}

impl<'s> Parser<'s> {
    fn current(&self) -> (Token, Span) {
        let end = span(self.source.len(), self.source.len());
        self.tokens.get(self.at).copied().unwrap_or((Token::End, end))
    }

    fn peek(&self) -> Token {
        self.current().0
    }

    /// The text of the token that comes next.
    fn text(&self) -> &'s str {
        let Span { start, end } = self.current().1;
        self.source.get(start as usize..end as usize).unwrap_or_default()
    }

    fn next(&mut self) -> Span {
        let span = self.current().1;
        self.at += 1;
        span
    }

    fn next_is(&self, op: &str) -> bool {
        self.peek() == Token::Name && self.text() == op
            || matches!(self.peek(), Token::Op(found) if found == op)
    }

    fn take(&mut self, op: &str) -> bool {
        let found = self.next_is(op);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, op: &str) -> Result<Span, ParseError> {
        if self.next_is(op) { Ok(self.next()) } else { Err(self.unexpected(&format!("`{op}`"))) }
    }

    fn unexpected(&self, wanted: &str) -> ParseError {
        let found = match self.peek() {
            Token::End => "the end of the expression".to_owned(),
            _ => format!("`{}`", self.text()),
        };
        let mend = self.habit().map_or_else(String::new, |mend| format!(": {mend}"));
        self.error(format!("expected {wanted}, found {found}{mend}"))
    }

    /// What to write where the habit of another language stands here, or just before.
    fn habit(&self) -> Option<&'static str> {
        let written = |from: usize, to: usize| {
            let spans = (self.tokens.get(from)?.1, self.tokens.get(to)?.1);
            self.source.get(spans.0.start as usize..spans.1.end as usize)
        };
        let before = self.at.checked_sub(1);
        let both = before.and_then(|before| written(before, self.at));
        let alone = [both, written(self.at, self.at), before.and_then(|before| written(before, before))];
        alone.into_iter().flatten().find_map(hints::operator)
    }

    fn error(&self, message: impl Into<String>) -> ParseError {
        error(self.source, self.current().1.start as usize, message)
    }

    fn node(&self, raw: Raw, from: Span, to: Span) -> Result<Node, ParseError> {
        let mut height = 0;
        raw.each_child(|child| height = height.max(child.height + 1));
        if height >= MAX_DEPTH {
            return Err(error(self.source, from.start as usize, too_deep()));
        }
        Ok(Node { raw, span: Span { start: from.start, end: to.end }, height })
    }

    fn expression(&mut self) -> Result<Node, ParseError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(too_deep()));
        }
        let condition = self.ranked(0)?;
        let node = if self.take("?") {
            let then = self.ranked(0)?;
            self.expect(":")?;
            let otherwise = self.expression()?;
            let (from, to) = (condition.span, otherwise.span);
            self.node(Raw::Conditional(Box::new([condition, then, otherwise])), from, to)
        } else {
            Ok(condition)
        };
        self.depth -= 1;
        node
    }

    /// Operators of this rank and above, grouped to the left; chains of `&&` and of `||` are one expression each.
    fn ranked(&mut self, least: u8) -> Result<Node, ParseError> {
        let mut left = self.unary()?;
        while let Some((text, rank, operator)) = self.operator().filter(|(_, rank, _)| *rank >= least) {
            let from = left.span;
            self.next();
            let right = self.ranked(rank + 1)?;
            let raw = match operator {
                Operator::Binary(op) => Raw::Binary(op, Box::new([left, right])),
                Operator::Chain(join) => join(self.chain(text, rank, vec![left, right])?),
            };
            left = self.node(raw, from, self.previous())?;
        }
        Ok(left)
    }

    fn chain(&mut self, op: &str, rank: u8, mut terms: Vec<Node>) -> Result<Vec<Node>, ParseError> {
        while self.take(op) {
            terms.push(self.ranked(rank + 1)?);
        }
        Ok(terms)
    }

    fn operator(&self) -> Option<(&'static str, u8, Operator)> {
        OPERATORS.iter().find(|(text, ..)| self.next_is(text)).copied()
    }

    fn unary(&mut self) -> Result<Node, ParseError> {
        let from = self.current().1;
        if self.next_is("!") {
            let count = self.repeated("!");
            // As in the grammar of cel-go, the minus of a number may follow; that no number can be negated so, the checker says.
            let number = matches!(self.tokens.get(self.at + 1), Some((Token::Int | Token::Float, _)));
            let minus = (number && self.next_is("-")).then(|| self.next());
            let operand = self.member(minus)?;
            let to = operand.span;
            return if count.is_multiple_of(2) {
                Ok(operand)
            } else {
                self.node(Raw::Not(Box::new(operand)), from, to)
            };
        }
        if self.next_is("-") {
            let count = self.repeated("-");
            // One minus before a number belongs to the number, and what follows to both: `-1.abs()` is `(-1).abs()`.
            if count == 1 && matches!(self.peek(), Token::Int | Token::Float) {
                return self.member(Some(from));
            }
            let operand = self.member(None)?;
            let to = operand.span;
            return if count.is_multiple_of(2) {
                Ok(operand)
            } else {
                self.node(Raw::Negate(Box::new(operand)), from, to)
            };
        }
        self.member(None)
    }

    fn repeated(&mut self, op: &str) -> usize {
        let mut count = 0;
        while self.take(op) {
            count += 1;
        }
        count
    }

    fn member(&mut self, minus: Option<Span>) -> Result<Node, ParseError> {
        let mut node = match minus {
            Some(minus) => self.number(Some(minus))?,
            None => self.primary()?,
        };
        loop {
            let from = node.span;
            if self.take(".") {
                let optional = self.take("?");
                let quoted = self.peek() == Token::Quoted;
                let field = self.field()?;
                let to = self.previous();
                let raw = if !optional && !quoted && self.next_is("(") {
                    let (args, to) = self.arguments()?;
                    let call = Raw::Call { target: Some(Box::new(node)), name: field, args };
                    node = self.node(call, from, to)?;
                    continue;
                } else {
                    Raw::Select { operand: Box::new(node), field, optional }
                };
                node = self.node(raw, from, to)?;
            } else if self.take("[") {
                let optional = self.take("?");
                let index = Box::new(self.expression()?);
                let to = self.expect("]")?;
                node = self.node(Raw::Index { operand: Box::new(node), index, optional }, from, to)?;
            } else if self.next_is("{") && names(&node) {
                return Err(self
                    .error("messages cannot be built here: use a map, or `duration(…)` and `timestamp(…)`"));
            } else {
                return Ok(node);
            }
        }
    }

    /// The span of the token just taken.
    fn previous(&self) -> Span {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map(|(_, span)| *span).unwrap_or_default()
    }

    fn field(&mut self) -> Result<Arc<str>, ParseError> {
        let text = self.text();
        let name = match self.peek() {
            Token::Name if !KEYWORDS.contains(&text) => text,
            Token::Quoted => text.trim_matches('`'),
            _ => return Err(self.unexpected("the name of a field or function")),
        };
        self.next();
        Ok(name.into())
    }

    fn arguments(&mut self) -> Result<(Vec<Node>, Span), ParseError> {
        self.expect("(")?;
        let mut args = Vec::new();
        if !self.next_is(")") {
            args.push(self.expression()?);
            while self.take(",") {
                args.push(self.expression()?);
            }
        }
        let to = self.expect(")")?;
        Ok((args, to))
    }

    fn primary(&mut self) -> Result<Node, ParseError> {
        let from = self.current().1;
        match self.peek() {
            Token::Name => self.name(from, false),
            Token::Op(".") => {
                self.next();
                self.name(from, true)
            }
            Token::Op("(") => {
                self.next();
                let node = self.expression()?;
                self.expect(")")?;
                Ok(node)
            }
            Token::Op("[") => self.list(),
            Token::Op("{") => self.map(),
            Token::Int | Token::Uint | Token::Float => self.number(None),
            Token::Str(literal) => {
                let content = self.content(literal);
                let text = unescape::text(content, literal.raw).map_err(|message| self.error(message))?;
                self.next();
                self.node(Raw::Literal(Value::String(text.into())), from, from)
            }
            Token::Bytes(literal) => {
                let content = self.content(literal);
                let bytes = unescape::bytes(content, literal.raw).map_err(|message| self.error(message))?;
                self.next();
                self.node(Raw::Literal(Value::Bytes(bytes.into())), from, from)
            }
            Token::Quoted | Token::Op(_) | Token::End => Err(self.unexpected("a value")),
        }
    }

    fn content(&self, literal: Literal) -> &'s str {
        let text = self.text();
        let end = text.len().saturating_sub(usize::from(literal.close));
        text.get(usize::from(literal.open)..end).unwrap_or_default()
    }

    fn name(&mut self, from: Span, absolute: bool) -> Result<Node, ParseError> {
        let text = self.text();
        if self.peek() != Token::Name {
            return Err(self.unexpected("a name"));
        }
        let literal = match text {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            "null" => Some(Value::Null),
            "in" => return Err(self.unexpected("a value")),
            _ => None,
        };
        if let Some(value) = literal {
            if absolute {
                return Err(self.unexpected("a name"));
            }
            self.next();
            return self.node(Raw::Literal(value), from, from);
        }
        if RESERVED.contains(&text) {
            let mend = hints::operator(text).unwrap_or("choose another name");
            return Err(self.error(format!("`{text}` is reserved: {mend}")));
        }
        let to = self.next();
        let name = Arc::from(text);
        if self.next_is("(") {
            let (args, to) = self.arguments()?;
            return self.node(Raw::Call { target: None, name, args }, from, to);
        }
        self.node(Raw::Name { name, absolute }, from, to)
    }

    fn list(&mut self) -> Result<Node, ParseError> {
        let from = self.expect("[")?;
        let mut items = Vec::new();
        while !self.next_is("]") && !self.next_is(",") {
            let optional = self.take("?");
            items.push((self.expression()?, optional));
            if !self.take(",") {
                break;
            }
        }
        // The grammar allows `[,]`.
        if items.is_empty() {
            self.take(",");
        }
        let to = self.expect("]")?;
        self.node(Raw::List(items), from, to)
    }

    fn map(&mut self) -> Result<Node, ParseError> {
        let from = self.expect("{")?;
        let mut entries = Vec::new();
        while !self.next_is("}") && !self.next_is(",") {
            let optional = self.take("?");
            let key = self.expression()?;
            self.expect(":")?;
            entries.push((key, self.expression()?, optional));
            if !self.take(",") {
                break;
            }
        }
        if entries.is_empty() {
            self.take(",");
        }
        let to = self.expect("}")?;
        self.node(Raw::Map(entries), from, to)
    }

    fn number(&mut self, minus: Option<Span>) -> Result<Node, ParseError> {
        let text = self.text();
        let sign = if minus.is_some() { "-" } else { "" };
        let value = match self.peek() {
            Token::Int => integer(text, sign).map(Value::Int),
            Token::Uint => unsigned(text).map(Value::Uint),
            _ => format!("{sign}{text}").parse().ok().filter(|d: &f64| d.is_finite()).map(Value::Double),
        };
        let value = value.ok_or_else(|| self.error(format!("the number `{sign}{text}` is out of range")))?;
        let to = self.next();
        self.node(Raw::Literal(value), minus.unwrap_or(to), to)
    }
}

/// What an operator makes of its operands.
#[derive(Clone, Copy)]
enum Operator {
    Binary(BinaryOp),
    Chain(fn(Vec<Node>) -> Raw),
}

/// Operators between two operands with their ranks.
const OPERATORS: [(&str, u8, Operator); 14] = [
    ("||", 0, Operator::Chain(Raw::Or)),
    ("&&", 1, Operator::Chain(Raw::And)),
    ("<", 2, Operator::Binary(BinaryOp::Less)),
    ("<=", 2, Operator::Binary(BinaryOp::LessEqual)),
    (">=", 2, Operator::Binary(BinaryOp::GreaterEqual)),
    (">", 2, Operator::Binary(BinaryOp::Greater)),
    ("==", 2, Operator::Binary(BinaryOp::Equal)),
    ("!=", 2, Operator::Binary(BinaryOp::NotEqual)),
    ("in", 2, Operator::Binary(BinaryOp::In)),
    ("+", 3, Operator::Binary(BinaryOp::Add)),
    ("-", 3, Operator::Binary(BinaryOp::Subtract)),
    ("*", 4, Operator::Binary(BinaryOp::Multiply)),
    ("/", 4, Operator::Binary(BinaryOp::Divide)),
    ("%", 4, Operator::Binary(BinaryOp::Modulo)),
];

fn too_deep() -> String {
    format!("the expression is nested deeper than {MAX_DEPTH} levels: divide it into variables")
}

/// Whether the node could name a message that a `{` after it would build.
fn names(node: &Node) -> bool {
    let mut node = node;
    loop {
        match &node.raw {
            Raw::Name { .. } => return true,
            Raw::Select { operand, optional: false, .. } => node = operand,
            _ => return false,
        }
    }
}

fn integer(text: &str, sign: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(&format!("{sign}{hex}"), 16).ok(),
        None => format!("{sign}{text}").parse().ok(),
    }
}

fn unsigned(text: &str) -> Option<u64> {
    let text = text.trim_end_matches(['u', 'U']);
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests;
