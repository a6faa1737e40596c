//! All mistakes of one declaration, each at the author's token: what is wrong, what is allowed, what to write.

use proc_macro2::Span;
use quote::ToTokens;

/// The mistakes found so far. Finding one never stops the search for the next.
#[derive(Default)]
pub(crate) struct Mistakes(Vec<syn::Error>);

impl Mistakes {
    /// A mistake whose caret covers `tokens`.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, mistake: impl Into<Mistake>) {
        self.0.push(syn::Error::new_spanned(tokens, mistake.into().text()));
    }

    /// A mistake whose caret covers `span`.
    pub(crate) fn at_span(&mut self, span: Span, mistake: impl Into<Mistake>) {
        self.0.push(syn::Error::new(span, mistake.into().text()));
    }

    /// What the parser found.
    pub(crate) fn syntax(&mut self, error: syn::Error) {
        self.0.push(error);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// All in one, if there is any.
    pub(crate) fn into_error(self) -> Option<syn::Error> {
        self.0.into_iter().reduce(|mut all, next| {
            all.combine(next);
            all
        })
    }
}

/// One mistake.
pub(crate) struct Mistake {
    what: String,
    allowed: Option<String>,
    write: Option<String>,
}

impl Mistake {
    /// What is wrong, with the article.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), allowed: None, write: None }
    }

    /// What is allowed instead.
    pub(crate) fn allowed(mut self, words: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let words: Vec<_> = words.into_iter().map(|word| format!("`{}`", word.as_ref())).collect();
        self.allowed = Some(words.join(", "));
        self
    }

    /// What is allowed instead, where it is no word.
    pub(crate) fn allowed_text(mut self, text: &str) -> Self {
        self.allowed = Some(text.to_owned());
        self
    }

    /// A line to paste.
    pub(crate) fn write(mut self, line: impl Into<String>) -> Self {
        self.write = Some(line.into());
        self
    }

    fn text(self) -> String {
        let mut text = self.what;
        if let Some(allowed) = self.allowed {
            text.push_str("\nallowed: ");
            text.push_str(&allowed);
        }
        if let Some(line) = self.write {
            text.push_str("\nwrite: `");
            text.push_str(&line);
            text.push('`');
        }
        text
    }
}

impl From<&str> for Mistake {
    fn from(what: &str) -> Self {
        Self::new(what)
    }
}

impl From<String> for Mistake {
    fn from(what: String) -> Self {
        Self::new(what)
    }
}

/// The known word that `word` was probably meant to be.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many characters differ: the Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let mut costs: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (to, above) in b.chars().zip(costs.iter().skip(1)) {
            let replaced = diagonal + usize::from(from != to);
            left = replaced.min(left + 1).min(above + 1);
            diagonal = *above;
            next.push(left);
        }
        costs = next;
    }
    costs.last().copied().unwrap_or_default()
}

/// What is reported, each as `token: first line`.
#[cfg(test)]
pub(crate) fn carets<T>(read: impl FnOnce(&mut Mistakes) -> T) -> Vec<String> {
    let mut mistakes = Mistakes::default();
    read(&mut mistakes);
    let lines = mistakes.0.iter().map(|error| {
        let token = error.span().source_text().unwrap_or_default();
        format!("{token}: {}", error.to_string().lines().next().unwrap())
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised_and_another_word_is_not() {
        let known = ["retention", "residency", "effect"];
        assert_eq!(did_you_mean("retension", known), Some("retention"));
        assert_eq!(did_you_mean("Residency", known), Some("residency"));
        assert_eq!(did_you_mean("efect", known), Some("effect"));
        assert_eq!(did_you_mean("timeout", known), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
