//! One case: what its first line says, and the error that stops it.

use std::fmt;

use super::rules::RULES;

/// A program that must not compile.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its path, such as `fail/basis_not_allowed.rs`.
    pub path: String,
    /// What its first line says.
    pub header: Result<Header, HeaderError>,
    /// The program.
    pub source: String,
    /// The error checked in beside it.
    pub stderr: Option<String>,
}

/// A case's first line: `// rule N · article · what is tried`, and then, where it applies, ` · K errors` for a case that
/// makes K mistakes, ` · by E0425` for one that a missing name is meant to stop, and ` · no article` for one whose error
/// still lacks its article.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The rule's number.
    pub rule: usize,
    /// The article.
    pub article: String,
    /// What is tried.
    pub tried: String,
    /// How many errors are right.
    pub errors: usize,
    /// An error code that would otherwise mean that the case is broken by accident.
    pub by: Option<String>,
    /// Whether the error is known to name neither an article nor a rule.
    pub no_article: bool,
}

/// Why a first line is not a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// It does not begin with `// rule N`.
    NoRule,
    /// There is no rule of this number.
    UnknownRule(usize),
    /// No article of the GDPR or of the AI Act stands second.
    NoArticle,
    /// Nothing says what is tried.
    NothingTried,
    /// What follows is none of the known remarks.
    UnknownRemark(String),
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = "expected `// rule N · article · what is tried` in the first line";
        match self {
            Self::NoRule => write!(f, "names no rule; {form}"),
            Self::UnknownRule(rule) => write!(f, "names rule {rule}; expected 1 to {}", RULES.len()),
            Self::NoArticle => write!(f, "names no article of the GDPR or the AI Act; {form}"),
            Self::NothingTried => write!(f, "does not say what is tried; {form}"),
            Self::UnknownRemark(found) => {
                write!(
                    f,
                    "remarks `{found}`; expected `K errors`, `by E0…` or `no article` after what is tried"
                )
            }
        }
    }
}

impl Case {
    /// A case as it lies on disk.
    #[must_use]
    pub fn new(path: &str, source: String, stderr: Option<String>) -> Self {
        let header = Header::parse(source.lines().next().unwrap_or_default());
        Self { path: path.to_owned(), header, source, stderr }
    }

    /// Whether it goes through a macro.
    #[must_use]
    pub fn uses_macros(&self) -> bool {
        let mut code = self.source.lines().filter(|line| !line.trim_start().starts_with("//"));
        code.any(|line| line.contains("#[tool") || line.contains("define_agent!"))
    }

    /// Each error in full, without warnings.
    #[must_use]
    pub fn errors(&self) -> Vec<&str> {
        let Some(stderr) = &self.stderr else { return Vec::new() };
        let begins = |line: &str| line.starts_with("error") || line.starts_with("warning");
        let mut starts: Vec<usize> = Vec::new();
        let mut at = 0;
        for line in stderr.split_inclusive('\n') {
            if begins(line) {
                starts.push(at);
            }
            at += line.len();
        }
        let ends = starts.iter().skip(1).copied().chain([stderr.len()]);
        let blocks = starts.iter().zip(ends).filter_map(|(start, end)| stderr.get(*start..end));
        blocks.filter(|block| block.starts_with("error")).collect()
    }
}

impl Header {
    fn parse(line: &str) -> Result<Self, HeaderError> {
        let mut fields = line.split(" · ").map(str::trim);
        let rule = fields.next().and_then(|field| field.strip_prefix("// rule "));
        let rule: usize = rule.and_then(|number| number.parse().ok()).ok_or(HeaderError::NoRule)?;
        if rule == 0 || rule > RULES.len() {
            return Err(HeaderError::UnknownRule(rule));
        }
        let article = fields.next().unwrap_or_default();
        if !(article.starts_with("GDPR Art. ") || article.starts_with("AI Act A")) {
            return Err(HeaderError::NoArticle);
        }
        let tried = fields.next().unwrap_or_default();
        if tried.is_empty() {
            return Err(HeaderError::NothingTried);
        }
        let mut header = Self {
            rule,
            article: article.into(),
            tried: tried.into(),
            errors: 1,
            by: None,
            no_article: false,
        };
        for remark in fields {
            let unknown = || HeaderError::UnknownRemark(remark.to_owned());
            if let Some(count) = remark.strip_suffix(" errors") {
                header.errors = count.parse().map_err(|_| unknown())?;
            } else if let Some(code) = remark.strip_prefix("by ") {
                header.by = Some(code.to_owned());
            } else if remark == "no article" {
                header.no_article = true;
            } else {
                return Err(unknown());
            }
        }
        Ok(header)
    }
}
