//! What the parser of Cerbos may read otherwise than YAML says.
//!
//! Cerbos has its own idea of flow mappings, tabs, folded lines and documents. Text whose reading could differ is refused
//! where it stands, with the way to write it that both read the same. What this module does not do is to give text a
//! meaning: it only looks at how it is written, beside the events of the parser.

mod text;

use std::collections::HashSet;

use saphyr_parser::{Event, ScalarStyle, Span};

/// The character at which something stands that may be read otherwise, and what to do about it.
pub(super) type Doubt = (usize, String);

/// What is open around a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// A list or mapping by indentation.
    Block,
    /// `[`.
    FlowList,
    /// `{`.
    FlowMap,
    /// A mapping of one key in a `[`.
    Pair,
}

/// What is open, and whether its next node is a key.
#[derive(Clone, Copy, Debug)]
struct Level {
    open: Open,
    map: bool,
    key: bool,
}

/// The header of a block scalar.
#[derive(Clone, Copy, Debug)]
struct Header {
    /// The character after its line.
    end: usize,
    folded: bool,
}

/// Follows the events of the parser through the text.
pub(super) struct Doubts {
    chars: Vec<char>,
    next: usize,
    levels: Vec<Level>,
    anchors: HashSet<String>,
    header: Option<Header>,
    /// An anchor stands right before what comes.
    anchored: bool,
    /// A tab stands before what comes.
    tab: Option<usize>,
    /// A comment stands after the last node.
    commented: bool,
    /// The `---` of a document in which nothing has been found so far.
    bare: Option<usize>,
}

impl Doubts {
    pub(super) fn new(text: &str) -> Self {
        Self {
            chars: text.chars().collect(),
            next: 0,
            levels: Vec::new(),
            anchors: HashSet::new(),
            header: None,
            anchored: false,
            tab: None,
            commented: false,
            bare: None,
        }
    }

    /// Whether `null` is written there, in any of its ways.
    pub(super) fn has_null_at(&self, index: usize) -> bool {
        let rest = self.chars.get(index..).unwrap_or_default();
        ["null", "Null", "NULL", "~"]
            .iter()
            .any(|null| rest.iter().copied().take(null.len()).eq(null.chars()))
    }

    /// Looks at what an event stands for, and at what stands before it. Whether it is a block that ends with blanks, which Cerbos may
    /// drop; that matters to a text, and to an expression it does not.
    pub(super) fn event(&mut self, event: &Event<'_>, span: &Span) -> Result<bool, Doubt> {
        if let Event::Scalar(text, style, anchor, _) = event {
            return self.scalar(text, *style, *anchor, span);
        }
        self.structure(event, span).map(|()| false)
    }

    fn structure(&mut self, event: &Event<'_>, span: &Span) -> Result<(), Doubt> {
        let (start, end) = (span.start.index(), span.end.index());
        match event {
            Event::Scalar(..) => Ok(()),
            Event::Nothing | Event::StreamStart | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(explicit) => {
                self.anchors.clear();
                if !explicit {
                    return Ok(());
                }
                self.gap(start)?;
                self.something()?;
                self.next = end;
                self.bare = Some(start);
                self.rest_of_line(end, "what comes after `---` on its line may be read otherwise by Cerbos: put it on the next line")
            }
            Event::StreamEnd => {
                self.gap(self.chars.len())?;
                self.something()
            }
            Event::Alias(_) => {
                self.gap(start)?;
                self.alias(start, end)?;
                (self.bare, self.commented) = (None, false);
                self.finished();
                Ok(())
            }
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                let map = matches!(event, Event::MappingStart(..));
                self.begin(start)?;
                // The signs of indentation have no span, those of flow begin theirs.
                let open = match self.at(self.next) {
                    Some('[') if end > start => Open::FlowList,
                    Some('{') if end > start => Open::FlowMap,
                    _ if self.in_flow() => Open::Pair,
                    _ => Open::Block,
                };
                self.bare = None;
                self.levels.push(Level { open, map, key: map });
                self.anchored = false;
                // A pair begins with its key.
                if open != Open::Pair {
                    self.tab = None;
                }
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.gap(start)?;
                if let Open::FlowList | Open::FlowMap = self.innermost() {
                    // After a comma at the end, the parser names the place of the comma.
                    while self.at(self.next).is_some_and(|c| !matches!(c, ']' | '}')) {
                        self.gap(self.next + 1)?;
                    }
                    // A comma stands beside the bracket now, and not beside the comment.
                    (self.next, self.commented) = (self.next + 1, false);
                }
                self.levels.pop();
                self.finished();
                Ok(())
            }
        }
    }

    /// The next of a mapping is its value after a key, and a key after a value.
    fn finished(&mut self) {
        self.anchored = false;
        self.tab = None;
        if let Some(level) = self.levels.last_mut() {
            level.key = level.map && !level.key;
        }
    }

    fn innermost(&self) -> Open {
        self.levels.last().map_or(Open::Block, |level| level.open)
    }

    fn in_flow(&self) -> bool {
        self.innermost() != Open::Block
    }

    fn in_flow_map(&self) -> bool {
        self.levels.iter().any(|level| level.open == Open::FlowMap)
    }

    fn at(&self, index: usize) -> Option<char> {
        self.chars.get(index).copied()
    }

    fn begins_line(&self, index: usize) -> bool {
        index.checked_sub(1).is_none_or(|before| matches!(self.at(before), Some('\n')))
    }

    /// Whether only blanks stand before it on its line.
    fn begins_text_of_line(&self, index: usize) -> bool {
        let before = self.chars.get(..index).unwrap_or_default();
        before.iter().rev().find(|c| !matches!(c, ' ' | '\t')).is_none_or(|c| *c == '\n')
    }

    /// A document that holds nothing at all makes Cerbos fail.
    fn something(&mut self) -> Result<(), Doubt> {
        match self.bare.take() {
            Some(at) => {
                Err((at, "Cerbos fails on a document with nothing in it: remove this `---`".to_owned()))
            }
            None => Ok(()),
        }
    }

    fn rest_of_line(&self, from: usize, why: &str) -> Result<(), Doubt> {
        let mut rest = self.chars.iter().enumerate().skip(from).skip_while(|(_, c)| matches!(c, ' '));
        match rest.next() {
            None | Some((_, '\n' | '\r' | '#')) => Ok(()),
            Some((at, _)) => Err((at, why.to_owned())),
        }
    }

    /// What stands between two nodes: blanks, comments, anchors and the signs of structure.
    fn gap(&mut self, until: usize) -> Result<(), Doubt> {
        let mut broken = false;
        while self.next < until {
            let (at, Some(c)) = (self.next, self.at(self.next)) else { return Ok(()) };
            let doubt = |why: &str| Err((at, why.to_owned()));
            self.next += 1;
            match c {
                '\n' => broken = true,
                ',' if self.commented => {
                    return doubt("Cerbos may not see a comma after a comment: put it before the comment");
                }
                ' ' | ',' | '-' | '[' | ']' | '{' | '}' | '!' => {}
                '\r' if self.at(self.next) == Some('\n') => {}
                '\t' if self.in_flow() => self.tab = Some(at),
                '\t' => return doubt("Cerbos reads a tab otherwise here, or refuses it: put blanks"),
                '#' if self.in_flow() && self.begins_text_of_line(at) => {
                    return doubt(
                        "Cerbos fails on a comment on a line of its own within `[…]` and `{…}`: put it at the end of a line",
                    );
                }
                '#' => {
                    (self.bare, self.commented) = (None, true);
                    self.line_end();
                }
                '&' => self.anchor(at)?,
                ':' => self.colon(at, broken)?,
                '|' | '>' => self.block_header(c == '>')?,
                '?' => return doubt("Cerbos refuses a key after `?`: write `key: value`"),
                '%' => return doubt("Cerbos refuses directives: remove this line"),
                '.' if self.begins_line(at) => self.document_end(at)?,
                _ => return doubt("Cerbos may read this otherwise: put text in quotes"),
            }
        }
        Ok(())
    }

    fn line_end(&mut self) {
        while self.at(self.next).is_some_and(|c| c != '\n') {
            self.next += 1;
        }
    }

    fn colon(&self, at: usize, broken: bool) -> Result<(), Doubt> {
        let after = self.at(at + 1);
        if broken {
            return Err((at, "Cerbos wants the `:` on the line of its key".to_owned()));
        }
        let parted = matches!(after, None | Some(' ' | '\n' | '\r'));
        let tight = self.innermost() == Open::FlowMap && after != Some('/');
        if parted || tight {
            return Ok(());
        }
        Err((at, "Cerbos takes this `:` for a part of the text: put a blank after it".to_owned()))
    }

    fn anchor(&mut self, at: usize) -> Result<(), Doubt> {
        let name = self.name(at + 1)?;
        self.next = at + 1 + name.chars().count();
        if !matches!(self.at(self.next), Some(' ' | '\n' | '\r')) {
            return Err((
                at,
                "Cerbos may read the name of this anchor otherwise: put a blank after it".to_owned(),
            ));
        }
        if self.levels.last().is_some_and(|level| level.key && level.open != Open::Block) {
            return Err((at, "Cerbos may read an anchor of a key otherwise: remove it".to_owned()));
        }
        self.anchored = true;
        if self.anchors.insert(name.clone()) {
            return Ok(());
        }
        Err((at, format!("Cerbos refuses the anchor `&{name}` a second time: give it another name")))
    }

    fn name(&self, from: usize) -> Result<String, Doubt> {
        let ends = |c: &char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}');
        let name: String = self.chars.iter().skip(from).take_while(|c| !ends(c)).collect();
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.starts_with(word) && name.chars().all(|c| word(c) || c == '-') {
            return Ok(name);
        }
        Err((
            from,
            "the name of an anchor may have letters, digits, `_` and within it `-`, others Cerbos may read otherwise"
                .to_owned(),
        ))
    }

    fn alias(&mut self, start: usize, end: usize) -> Result<(), Doubt> {
        self.name(start + 1)?;
        self.next = end;
        let after = self.chars.iter().skip(end).find(|c| !matches!(c, ']' | '}' | ','));
        if matches!(after, None | Some(' ' | '\n' | '\r')) {
            return Ok(());
        }
        Err((start, "Cerbos reads what follows this alias as a part of it: put a blank after it".to_owned()))
    }

    fn block_header(&mut self, folded: bool) -> Result<(), Doubt> {
        let from = self.next;
        while self.at(self.next).is_some_and(|c| matches!(c, '-' | '+' | '1'..='9')) {
            self.next += 1;
        }
        self.rest_of_line(
            self.next,
            "Cerbos may read the header of this block otherwise: only `-`, `+` and a comment may follow",
        )?;
        if self.next > from + 1 || self.at(from).is_some_and(|c| c.is_ascii_digit()) {
            return Err((
                from,
                "Cerbos may read a block with a stated indentation otherwise: write `|`, `|-` or `|+`"
                    .to_owned(),
            ));
        }
        self.line_end();
        self.header = Some(Header { end: self.next + 1, folded });
        Ok(())
    }

    /// After `...` comes another document or nothing.
    fn document_end(&mut self, at: usize) -> Result<(), Doubt> {
        self.line_end();
        let rest: String = self.chars.iter().skip(self.next).collect();
        let first = rest.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
        if first.is_none_or(|line| line.starts_with("---") || line.starts_with("...")) {
            return Ok(());
        }
        Err((at, "Cerbos may read what follows `...` otherwise: put `---` before it".to_owned()))
    }

    /// Comes to a node, whose place is that of its anchor if it has one.
    fn begin(&mut self, start: usize) -> Result<(), Doubt> {
        self.gap(start)?;
        if self.at(start) == Some('&') {
            self.gap(start + 1)?;
            while self.at(self.next).is_some_and(|c| c.is_whitespace() || c == '#') {
                self.gap(self.next + 1)?;
            }
        }
        self.commented = false;
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, span: &Span) -> Result<bool, Doubt> {
        let (mut start, end) = (span.start.index(), span.end.index());
        if style == ScalarStyle::Plain && text.is_empty() {
            if anchor != 0 {
                let why = "Cerbos wants a value after an anchor: write `null`, or remove the anchor";
                return Err((start, why.to_owned()));
            }
            self.finished();
            return Ok(false);
        }
        self.begin(start)?;
        if matches!(style, ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted) {
            start = self.next;
        }
        self.bare = None;
        let written = self.chars.get(start..end).unwrap_or_default();
        let key = self.levels.last().is_some_and(|level| level.key);
        let doubt = match style {
            ScalarStyle::Plain => {
                if let (Some(tab), true, true) = (self.tab, key, self.in_flow()) {
                    return Err((
                        tab,
                        "Cerbos refuses a tab before a key that is not quoted: put blanks".to_owned(),
                    ));
                }
                let whole = self.levels.last().is_some_and(|level| level.map && !level.key) && !self.anchored;
                let place = text::Place { flow: self.in_flow(), in_flow_map: self.in_flow_map(), whole, key };
                text::plain(written, place).map(|()| false)
            }
            ScalarStyle::SingleQuoted => text::quoted(written, false, self.in_flow()).map(|()| false),
            ScalarStyle::DoubleQuoted => text::quoted(written, true, self.in_flow()).map(|()| false),
            ScalarStyle::Literal | ScalarStyle::Folded => {
                // Of a block with an anchor, the parser names the place of the anchor.
                while self.header.is_none() && self.next < end {
                    self.gap(self.next + 1)?;
                }
                let header = self.header.take().unwrap_or(Header { end, folded: true });
                start = header.end.min(end);
                let lines = self.chars.get(start..end).unwrap_or_default();
                text::block(lines, header.folded, end >= self.chars.len())
            }
        };
        self.next = self.next.max(end);
        self.finished();
        doubt.map_err(|(at, why)| (start + at, why))
    }
}
