//! Text for terminals: a table of labels, and words that cannot move the cursor.

use anstyle::{AnsiColor, Style};
use fuze_audit::report::words::is_hidden;

/// What went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What did not.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What cannot be said.
pub(crate) const UNSURE: Style = AnsiColor::Yellow.on_default().bold();
/// What matters less.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// `text` in one line, without control characters and without those that change the direction of writing: what a stranger wrote
/// cannot repaint the terminal.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) { '\u{fffd}' } else { c }).collect()
}

/// `text` as it goes to a terminal: its lines and this command's own styles, and nothing else that a terminal obeys. Everything that is
/// printed passes here, so that words that were not made [`plain`] can at worst be coloured.
pub(crate) fn printable(text: &str) -> String {
    let own: Vec<String> = [GOOD, BAD, UNSURE, FAINT]
        .iter()
        .flat_map(|style| [style.render().to_string(), style.render_reset().to_string()])
        .collect();
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(style) = own.iter().find(|style| c == '\u{1b}' && rest.starts_with(style.as_str())) {
            shown += style;
            rest = rest.get(style.len()..).unwrap_or_default();
            continue;
        }
        shown.push(if is_hidden(c) && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c });
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    shown
}

/// JSON that means the same and has none of those characters: they stand in strings alone, where they have an escape (RFC 8259
/// section 7).
pub(crate) fn escaped(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        if is_hidden(c) {
            let mut units = [0; 2];
            shown.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            shown.push(c);
        }
    }
    shown
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
            text += &format!("  {FAINT}{label:width$}{FAINT:#}  {}\n", plain(&value));
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
        for hidden in [
            '\0',
            '\u{7f}',
            '\u{85}',
            '\u{9f}',
            '\u{61c}',
            '\u{200e}',
            '\u{2028}',
            '\u{2066}',
            '\u{2069}',
            '\u{feff}',
            '\u{ad}',
            '\u{115f}',
            '\u{180e}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e007f}',
            '\u{e0100}',
            '\u{e0fff}',
        ] {
            assert_eq!(plain(&format!("a{hidden}b")), "a\u{fffd}b", "{hidden:?}");
        }
    }

    #[test]
    fn what_is_printed_has_this_command_s_styles_and_no_others() {
        let own = format!("{GOOD}verified{GOOD:#}\n\t{FAINT}é{FAINT:#}\n");
        assert_eq!(printable(&own), own);
        let foreign = "\u{1b}[8m\u{1b}[2J\u{1b}[1;32mverified\u{9b}0m\r\u{1b}";
        assert_eq!(
            printable(foreign),
            "\u{fffd}[8m\u{fffd}[2J\u{fffd}[1;32mverified\u{fffd}0m\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn json_is_escaped_without_a_loss() {
        let said = "é\u{9b}2J\u{202e}\u{61c}\u{7f}\n日本";
        let shown = escaped(&serde_json::json!(said).to_string());
        assert!(!shown.chars().any(is_hidden), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), said);
    }

    #[test]
    fn values_of_a_table_stay_in_their_row() {
        let text = Table::default().row("what", "it failed\nverified").into_text();
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
