//! From the parser's events to a tree, with bounds on everything that could grow.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::doubt::Doubts;
use super::outdented::Outdented;
use super::{Entry, Layout, Node, Text, Value, pairs, scalar};
use crate::cerbos::problem::{Place, Position, Problem};

/// How much a file may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a file.
    pub bytes: usize,
    /// Lists and mappings in one another.
    pub depth: usize,
    /// Nodes of all documents of a file, with aliases written out.
    pub nodes: usize,
}

impl Default for Limits {
    /// 1 MiB, 64 deep, 100 000 nodes: far more than a policy that a person can review.
    fn default() -> Self {
        Self { bytes: 1 << 20, depth: 64, nodes: 100_000 }
    }
}

/// Reads all documents of a file; documents without content are left out.
///
/// # Errors
/// The first thing that is not YAML, that exceeds a limit, or that has no place in a policy.
pub fn read(file: &Arc<str>, text: &str, limits: Limits) -> Result<Vec<Node>, Problem> {
    let problem = |at, message: String| Problem { place: Place { file: file.clone(), at }, message };
    if text.len() > limits.bytes {
        return Err(problem(
            Position::START,
            format!("the file has {} bytes, at most {} are read", text.len(), limits.bytes),
        ));
    }
    if text.starts_with('\u{feff}') {
        let message = "the file begins with a byte order mark, which Cerbos takes for a part of the first key: save it without";
        return Err(problem(Position::START, message.to_owned()));
    }
    let text = &*pairs::joined(text);
    let mut outdented = Outdented::default();
    loop {
        match documents(outdented.text(text), limits, &outdented) {
            Err(Stop::Doubtful(index, message)) => {
                return Err(problem(outdented.position_of(text, index), message));
            }
            Ok(documents) => return Ok(documents),
            Err(Stop::Refused(at, message)) => return Err(problem(at, message)),
            Err(Stop::NotYaml(error)) => {
                if !outdented.note(text, &error) {
                    let at = outdented.position(error.marker());
                    return Err(problem(at, not_yaml(error.info())));
                }
            }
        }
    }
}

/// An author who took the `!` away, as of a tag, would turn the condition around.
const NO_TAG: &str = "an expression that begins with `!` has to stand in quotes, or on a line of its own after `|-`: to YAML this is a tag, \
                      and the `!` would be lost";

fn not_yaml(info: &str) -> String {
    if info.contains("Unicode character escape") {
        return "an escape here names no character: write the character itself; a pair such as `\\ud83d\\ude00` is read in \
                a file that is JSON throughout, and nowhere else"
            .to_owned();
    }
    if info.contains("scanning a tag") {
        return format!("this is not YAML: {info}; {NO_TAG}");
    }
    let mend = if info.contains("a tab") {
        "it stands behind this text, perhaps at the beginning of the next line: indent with spaces, and write no tab outside of quotes"
    } else if info.contains("expected '-' indicator") || info.contains("did not find expected key") {
        "this line or one above it begins in another column than those that it belongs with: let lines of one level begin in one column"
    } else if info.contains("mapping values are not allowed") {
        "this line is indented too far, or a text here contains `: `: let lines of one level begin in one column, and write such a text \
         in quotes or as a block after `|-`"
    } else if info.contains("<document start>") {
        "is it a policy at all? One begins with `apiVersion: api.cerbos.dev/v1`"
    } else {
        "text that contains quotes, `: ` or ` #` is best written as a block after `|-`"
    };
    format!("this is not YAML: {info}; {mend}")
}

fn documents(text: &str, limits: Limits, outdented: &Outdented) -> Result<Vec<Node>, Stop> {
    let mut builder = Builder {
        outdented,
        limits,
        nodes: 0,
        open: Vec::new(),
        anchors: HashMap::new(),
        documents: Vec::new(),
        is_written: false,
    };
    if text.lines().next().is_some_and(|line| line.trim_end() == "...") {
        let message = "a file that begins with `...` is none to Cerbos: take the line out";
        return Err(Stop::Refused(Position::START, message.to_owned()));
    }
    let mut doubts = Doubts::new(text);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(Stop::NotYaml)?;
        builder.untagged(&event, &span).map_err(|(at, message)| Stop::Refused(at, message))?;
        let ragged =
            doubts.event(&event, &span).map_err(|(index, message)| Stop::Doubtful(index, message))?;
        builder.is_written = doubts.has_null_at(span.start.index());
        builder.event(event, span, ragged).map_err(|(at, message)| Stop::Refused(at, message))?;
    }
    Ok(builder.documents)
}

/// Why reading stopped.
enum Stop {
    NotYaml(ScanError),
    Refused(Position, String),
    /// At a character that Cerbos may read otherwise.
    Doubtful(usize, String),
}

type Refusal = (Position, String);

/// How much a node holds: what an alias of it costs.
#[derive(Clone, Copy)]
struct Measure {
    nodes: usize,
    height: usize,
}

impl Measure {
    const LEAF: Self = Self { nodes: 1, height: 0 };
}

/// A list or mapping whose end has not come yet.
struct Open {
    at: Position,
    anchor: usize,
    measure: Measure,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, keys: HashSet<Arc<str>>, merged: Vec<Entry>, key: Option<Key> },
}

enum Key {
    Named(Arc<str>, Position),
    /// `<<`.
    Merge(Position),
}

struct Builder<'o> {
    outdented: &'o Outdented,
    limits: Limits,
    nodes: usize,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, Measure)>,
    documents: Vec<Node>,
    /// Whether a `null` stands in the text that comes next.
    is_written: bool,
}

impl Builder<'_> {
    fn untagged(&self, event: &Event<'_>, span: &Span) -> Result<(), Refusal> {
        let tag = match event {
            Event::Scalar(_, _, _, tag) => tag.as_ref(),
            Event::SequenceStart(_, tag) | Event::MappingStart(_, tag) => tag.as_ref(),
            _ => None,
        };
        let Some(tag) = tag else { return Ok(()) };
        let message = if tag.handle == "!" {
            NO_TAG
        } else {
            "tags (`!!…`) have no effect in a policy: remove it, and put text in quotes"
        };
        Err((self.outdented.position(&span.start), message.into()))
    }

    /// `ragged` is a block that ends with blanks.
    fn event(&mut self, event: Event<'_>, span: Span, ragged: bool) -> Result<(), Refusal> {
        let at = self.outdented.position(&span.start);
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let value = match scalar(&text, style, &span, at).map_err(|why| (at, why))? {
                    Value::Text(text) if ragged => Value::Ragged(text),
                    other => other,
                };
                let node = Node { at, value };
                self.count(at, 1)?;
                // What is empty is no document; a `null` that somebody wrote is one, and no policy.
                if self.open.is_empty() && node.value == Value::Null && self.is_written {
                    self.documents.push(node);
                    return Ok(());
                }
                self.finished(node, anchor, Measure::LEAF)
            }
            Event::Alias(anchor) => {
                let Some((node, measure)) = self.anchors.get(&anchor).cloned() else {
                    return Err((at, "the alias names an anchor that contains it".into()));
                };
                if self.open.len() + measure.height > self.limits.depth {
                    return Err((at, self.too_deep()));
                }
                self.count(at, measure.nodes)?;
                self.finished(node, 0, measure)
            }
            Event::SequenceStart(anchor, _) => self.begin(at, anchor, Content::List(Vec::new())),
            Event::MappingStart(anchor, _) => {
                let content =
                    Content::Map { entries: Vec::new(), keys: HashSet::new(), merged: Vec::new(), key: None };
                self.begin(at, anchor, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn begin(&mut self, at: Position, anchor: usize, content: Content) -> Result<(), Refusal> {
        if let Some(Open { content: Content::Map { key: None, .. }, .. }) = self.open.last() {
            return Err((at, "a key must be text".into()));
        }
        if self.open.len() >= self.limits.depth {
            return Err((at, self.too_deep()));
        }
        self.count(at, 1)?;
        self.open.push(Open { at, anchor, measure: Measure { nodes: 1, height: 1 }, content });
        Ok(())
    }

    fn too_deep(&self) -> String {
        format!("lists and mappings are more than {} deep", self.limits.depth)
    }

    fn end(&mut self) -> Result<(), Refusal> {
        let Some(Open { at, anchor, measure, content }) = self.open.pop() else { return Ok(()) };
        let value = match content {
            Content::List(items) => Value::List(items),
            Content::Map { mut entries, keys, merged, .. } => {
                // A key of the mapping itself wins over a merged one, and the later merge over the earlier.
                let mut seen = keys;
                let mut extra: Vec<Entry> =
                    merged.into_iter().rev().filter(|entry| seen.insert(entry.key.clone())).collect();
                extra.reverse();
                entries.extend(extra);
                Value::Map(entries)
            }
        };
        self.finished(Node { at, value }, anchor, measure)
    }

    /// Counts nodes of the file.
    fn count(&mut self, at: Position, nodes: usize) -> Result<(), Refusal> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > self.limits.nodes {
            return Err((at, format!("the file has more than {} values", self.limits.nodes)));
        }
        Ok(())
    }

    /// Puts a finished node where it belongs: under the open key, into the open list, or at the top of a document.
    fn finished(&mut self, node: Node, anchor: usize, measure: Measure) -> Result<(), Refusal> {
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), measure));
        }
        let Some(parent) = self.open.last_mut() else {
            if node.value != Value::Null {
                self.documents.push(node);
            }
            return Ok(());
        };
        parent.measure.nodes = parent.measure.nodes.saturating_add(measure.nodes);
        parent.measure.height = parent.measure.height.max(measure.height + 1);
        match &mut parent.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, keys, merged, key } => match key.take() {
                None => *key = Some(as_key(&node, keys)?),
                Some(Key::Named(name, key_at)) => entries.push(Entry { key: name, key_at, value: node }),
                Some(Key::Merge(key_at)) => match node.value {
                    Value::Map(entries) => merged.extend(entries),
                    _ => return Err((key_at, "`<<` merges a mapping, or an alias of one".into())),
                },
            },
        }
        Ok(())
    }
}

fn scalar(text: &str, style: ScalarStyle, span: &Span, at: Position) -> Result<Value, String> {
    let layout = match style {
        ScalarStyle::Plain => {
            if let Some(value) = scalar::plain(text)? {
                return Ok(value);
            }
            line_layout(text, span, at, 0)
        }
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => line_layout(text, span, at, 1),
        ScalarStyle::Literal => block_layout(text, span),
        ScalarStyle::Folded => Layout::Folded,
    };
    Ok(Value::Text(Text { value: text.into(), at, layout }))
}

/// Where the lines of a `|` block lie: its span begins with the first line that is not blank.
fn block_layout(text: &str, span: &Span) -> Layout {
    let blank_lines = text.bytes().take_while(|b| *b == b'\n').count();
    Layout::Block {
        first_line: small(span.start.line().saturating_sub(blank_lines)),
        indent: small(span.start.col()),
    }
}

fn as_key(node: &Node, keys: &mut HashSet<Arc<str>>) -> Result<Key, Refusal> {
    let Value::Text(text) = &node.value else {
        return Err((node.at, format!("a key must be text, this is {}: put it in quotes", node.kind())));
    };
    if &*text.value == "<<" && text.layout == Layout::Line(node.at) {
        return Ok(Key::Merge(node.at));
    }
    if !keys.insert(text.value.clone()) {
        return Err((node.at, format!("the key `{}` stands here a second time", text.value)));
    }
    Ok(Key::Named(text.value.clone(), node.at))
}

/// The layout of a scalar that stands on one line, `quote` characters after its beginning.
fn line_layout(text: &str, span: &Span, at: Position, quote: usize) -> Layout {
    let length = span.end.index().saturating_sub(span.start.index());
    if span.start.line() == span.end.line() && length == text.chars().count() + 2 * quote {
        Layout::Line(Position { line: at.line, column: at.column.saturating_add(small(quote)) })
    } else {
        Layout::Folded
    }
}

pub(super) fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
