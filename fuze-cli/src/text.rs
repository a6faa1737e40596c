//! Text for terminals: a table of labels, and words that cannot move the cursor.

use anstyle::{AnsiColor, Style};

/// What went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What did not.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What cannot be said.
pub(crate) const UNSURE: Style = AnsiColor::Yellow.on_default().bold();
/// What matters less.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// `text` without control characters and without those that change the direction of writing: what a stranger wrote cannot
/// repaint the terminal.
pub(crate) fn plain(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|c| if hidden(c) { '\u{fffd}' } else { c }).collect()
}

/// Lines of a label and a value, the values below one another.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<(&'static str, String)>,
}

impl Table {
    pub(crate) fn row(mut self, label: &'static str, value: impl std::fmt::Display) -> Self {
        self.rows.push((label, value.to_string()));
        self
    }

    pub(crate) fn row_if(self, label: &'static str, value: Option<impl std::fmt::Display>) -> Self {
        match value {
            Some(value) => self.row(label, value),
            None => self,
        }
    }

    pub(crate) fn into_text(self) -> String {
        let width = self.rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        for (label, value) in self.rows {
            text += &format!("  {FAINT}{label:width$}{FAINT:#}  {value}\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_s_words_cannot_repaint_the_terminal() {
        let hostile = "ok\u{1b}[2K\u{1b}]0;title\u{7}\r\nverified\u{202e}deifirev\u{9b}1m";
        let shown = plain(hostile);
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        assert!(!shown.contains('\u{202e}'));
        assert!(shown.starts_with("ok"));
        assert_eq!(plain("Größe 日本 é"), "Größe 日本 é");
    }
}
