//! Writing HTML. Text goes through [`Page::text`] and attributes through [`Page::attr`], so that all of it is escaped.

use std::fmt::{Display, Write as _};

use super::words::is_hidden;

/// Appends `text` with the five characters escaped that mean something in HTML; controls, which HTML does not allow, become a
/// replacement character.
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            // Also what reorders text: a value must not make its surroundings read otherwise.
            c if is_hidden(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

pub(super) struct Page(String);

impl Page {
    pub(super) const fn new() -> Self {
        Self(String::new())
    }

    /// Markup of the report's own: constants alone.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    pub(super) fn text(&mut self, text: impl Display) -> &mut Self {
        escape(&mut self.0, &text.to_string());
        self
    }

    /// ` name="value"`
    pub(super) fn attr(&mut self, name: &'static str, value: impl Display) -> &mut Self {
        self.raw(" ").raw(name).raw("=\"").text(value).raw("\"")
    }

    pub(super) fn number(&mut self, number: impl Into<f64>) -> &mut Self {
        // One tenth of a unit is below what can be seen.
        let _ = write!(self.0, "{:.1}", number.into());
        self
    }

    pub(super) fn open(&mut self, tag: &'static str) -> &mut Self {
        self.raw("<").raw(tag).raw(">")
    }

    pub(super) fn close(&mut self, tag: &'static str) -> &mut Self {
        self.raw("</").raw(tag).raw(">\n")
    }

    pub(super) fn finish(mut self) -> String {
        self.raw("</body>\n</html>\n");
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_given_becomes_markup() {
        let mut page = Page::new();
        page.open("p").attr("title", "\" onclick='x'").text("<script>&\u{202e}\u{0}").close("p");
        assert_eq!(
            page.0,
            "<p> title=\"&quot; onclick=&#39;x&#39;\"&lt;script&gt;&amp;\u{fffd}\u{fffd}</p>\n"
        );
    }
}
