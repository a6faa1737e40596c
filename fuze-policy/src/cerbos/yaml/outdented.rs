//! Closing brackets that stand too far to the left.
//!
//! YAML wants the `]` or `}` of a list or mapping deeper than the key it belongs to; Cerbos's parser does not care, and
//! people write it below the key. Such lines are given blanks before they are read, and lose them again in positions.

use std::collections::BTreeMap;

use saphyr_parser::{Marker, ScanError};

use super::super::problem::Position;
use super::read::small;

/// Blanks put before a line at a time.
const STEP: usize = 16;
/// Blanks put before one line at most.
const WIDEST: usize = 160;
/// Bytes read over and over at most.
const WORK: usize = 16 << 20;

/// Lines that were given blanks, with how many, and the text with them.
#[derive(Default)]
pub(super) struct Outdented {
    lines: BTreeMap<usize, usize>,
    text: Option<String>,
    work: usize,
}

impl Outdented {
    /// The text to be read.
    pub(super) fn text<'t>(&'t self, original: &'t str) -> &'t str {
        self.text.as_deref().unwrap_or(original)
    }

    /// Gives blanks to the line of an error, if they can mend it.
    pub(super) fn note(&mut self, original: &str, error: &ScanError) -> bool {
        let line = error.marker().line();
        let closes = original
            .lines()
            .nth(line.saturating_sub(1))
            .is_some_and(|line| line.trim_start_matches(' ').starts_with([']', '}']));
        let blanks = self.lines.entry(line).or_default();
        *blanks += STEP;
        self.work += original.len();
        if error.info() != "invalid indentation" || !closes || *blanks > WIDEST || self.work > WORK {
            *blanks -= STEP;
            return false;
        }
        let mut text = String::with_capacity(original.len() + STEP);
        for (i, line) in original.split_inclusive('\n').enumerate() {
            let blanks = self.lines.get(&(i + 1)).copied().unwrap_or_default();
            text.extend(std::iter::repeat_n(' ', blanks));
            text.push_str(line);
        }
        self.text = Some(text);
        true
    }

    /// Where something stands in the original.
    pub(super) fn position(&self, marker: &Marker) -> Position {
        self.place(marker.line(), marker.col())
    }

    /// Where the character of this number of the text that is read stands in the original.
    pub(super) fn position_of(&self, original: &str, index: usize) -> Position {
        let (mut line, mut column) = (1, 0);
        for c in self.text(original).chars().take(index) {
            (line, column) = if c == '\n' { (line + 1, 0) } else { (line, column + 1) };
        }
        self.place(line, column)
    }

    fn place(&self, line: usize, column: usize) -> Position {
        let blanks = self.lines.get(&line).copied().unwrap_or_default();
        Position { line: small(line), column: small((column + 1).saturating_sub(blanks)) }
    }
}
