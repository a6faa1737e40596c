//! Patterns as Go's `regexp` reads them, rewritten for the crate `regex`.
//!
//! Both are of one family; they differ in what `\d`, `\s`, `\w` and `\b` mean (ASCII here), in set operations inside of
//! brackets (none here), in flags, and in what is refused: repetitions of repetitions, counts above 1 000.

/// A pattern in the other's words.
pub(super) struct Translated {
    pub(super) pattern: String,
    /// About how many states it takes to look for it.
    pub(super) weight: u64,
}

/// The pattern in the other's words, or why it is none.
pub(super) fn translate(pattern: &str) -> Result<Translated, String> {
    let out = String::with_capacity(pattern.len() + 8);
    let mut translator = Translator { rest: pattern, out, groups: vec![0], last: 0 };
    translator.pattern()?;
    translator.add(0);
    Ok(Translated { pattern: translator.out, weight: translator.groups.iter().sum() })
}

/// States of a character, of one of many, and of a class of Unicode.
const ONE: u64 = 1;
const MANY: u64 = 8;
const UNICODE: u64 = 200;

const DIGIT: &str = "0-9";
const SPACE: &str = r"\t\n\x0C\r ";
const WORD: &str = "0-9A-Za-z_";
/// Repetitions of one thing at most, as in Go.
const MAX_COUNT: u32 = 1_000;

struct Translator<'p> {
    rest: &'p str,
    out: String,
    /// Weights of the groups that are open, without what was read last.
    groups: Vec<u64>,
    /// The weight of what was read last, which a repetition multiplies.
    last: u64,
}

/// What was just read, for what may follow it.
#[derive(PartialEq)]
enum Last {
    /// Nothing that can be repeated.
    Nothing,
    Item,
    Repetition,
}

impl Translator<'_> {
    fn take(&mut self, prefix: &str) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next();
        self.rest = characters.as_str();
        next
    }

    /// Something of this weight was read.
    fn add(&mut self, weight: u64) {
        let former = std::mem::replace(&mut self.last, weight);
        if let Some(group) = self.groups.last_mut() {
            *group = group.saturating_add(former);
        }
    }

    fn pattern(&mut self) -> Result<(), String> {
        let mut last = Last::Nothing;
        while let Some(c) = self.rest.chars().next() {
            last = match c {
                '*' | '+' | '?' => {
                    self.next();
                    self.repetition(&last, &c.to_string(), 2)?
                }
                '{' => match self.count()? {
                    Some((count, times)) => self.repetition(&last, &count, times)?,
                    None => {
                        self.next();
                        self.add(ONE);
                        self.out.push_str(r"\{");
                        Last::Item
                    }
                },
                '(' => {
                    self.next();
                    self.group()?
                }
                '|' => {
                    self.next();
                    self.out.push('|');
                    Last::Nothing
                }
                '[' => {
                    self.next();
                    self.add(MANY);
                    self.class()?;
                    Last::Item
                }
                '\\' => {
                    self.next();
                    self.escape()?
                }
                ')' => {
                    self.next();
                    self.out.push(c);
                    self.add(0);
                    // One that closes nothing is refused later.
                    if self.groups.len() > 1 {
                        self.last = self.groups.pop().unwrap_or_default();
                    }
                    Last::Item
                }
                '^' | '$' | '.' => {
                    self.next();
                    self.add(MANY);
                    self.out.push(c);
                    Last::Item
                }
                _ => {
                    self.next();
                    self.literal(c);
                    Last::Item
                }
            };
        }
        Ok(())
    }

    fn literal(&mut self, c: char) {
        self.add(ONE);
        push_escaped(&mut self.out, c);
    }

    fn repetition(&mut self, last: &Last, op: &str, times: u64) -> Result<Last, String> {
        match last {
            Last::Nothing => return Err(format!("`{op}` repeats nothing")),
            Last::Repetition => return Err(format!("`{op}` repeats a repetition")),
            Last::Item => {}
        }
        self.out.push_str(op);
        self.last = self.last.saturating_mul(times);
        if self.take("?") {
            self.out.push('?');
        }
        Ok(Last::Repetition)
    }

    /// `{n}`, `{n,}`, `{n,m}`; anything else in braces is text.
    fn count(&mut self) -> Result<Option<(String, u64)>, String> {
        let Some((inside, rest)) = self.rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
            return Ok(None);
        };
        let (least, most) = inside.split_once(',').unwrap_or((inside, inside));
        let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let plain = |text: &str| text == "0" || !text.starts_with('0');
        if !number(least) || !plain(least) || !(most.is_empty() || number(most) && plain(most)) {
            return Ok(None);
        }
        let value = |text: &str| text.parse::<u32>().ok().filter(|count| *count <= MAX_COUNT);
        let open = most.is_empty();
        let most = if open { Some(MAX_COUNT) } else { value(most) };
        match value(least).zip(most) {
            Some((least, most)) if least <= most => {
                self.rest = rest;
                let times = if open { least + 1 } else { most };
                Ok(Some((format!("{{{inside}}}"), u64::from(times))))
            }
            _ => Err(format!("`{{{inside}}}` is no count up to {MAX_COUNT}")),
        }
    }

    fn group(&mut self) -> Result<Last, String> {
        self.add(0);
        self.groups.push(0);
        if !self.take("?") {
            self.out.push('(');
            return Ok(Last::Nothing);
        }
        if self.take("P<") || self.take("<") {
            // The name means nothing here, and Go lets two groups have one.
            let (name, rest) = self.rest.split_once('>').ok_or("the name of a group is not closed")?;
            if name.is_empty() || !name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) {
                return Err(format!("`{name}` cannot name a group"));
            }
            self.rest = rest;
            self.out.push('(');
            return Ok(Last::Nothing);
        }
        self.flags()
    }

    fn flags(&mut self) -> Result<Last, String> {
        let length = self.rest.find([':', ')']).ok_or("a group is not closed")?;
        let flags = self.rest.get(..length).unwrap_or_default();
        let (on, off) = flags.split_once('-').unwrap_or((flags, ""));
        let known = |flags: &str| flags.chars().all(|c| matches!(c, 'i' | 'm' | 's' | 'U'));
        if !known(on) || !known(off) || flags.contains('-') && off.is_empty() {
            return Err(format!("`(?{flags}` has flags other than i, m, s and U"));
        }
        let ends = self.rest.get(length..).is_some_and(|rest| rest.starts_with(')'));
        self.rest = self.rest.get(length + 1..).unwrap_or_default();
        // The crate refuses to be told twice. Of a flag that is both on and off the later word counts, which is off.
        let off = distinct(off, "");
        let on = distinct(on, &off);
        let minus = if off.is_empty() { "" } else { "-" };
        match (ends, on.is_empty() && off.is_empty()) {
            (true, true) => {}
            (true, false) => self.out.push_str(&format!("(?{on}{minus}{off})")),
            (false, _) => self.out.push_str(&format!("(?{on}{minus}{off}:")),
        }
        if ends {
            // Flags alone open no group.
            self.groups.pop();
        }
        Ok(if ends { Last::Item } else { Last::Nothing })
    }

    /// What follows a backslash, outside of brackets.
    fn escape(&mut self) -> Result<Last, String> {
        let c = self.rest.chars().next().ok_or("the pattern ends with a backslash")?;
        let anchor = match c {
            'A' => r"\A",
            'z' => r"\z",
            'b' => r"(?-u:\b)",
            'B' => r"(?-u:\B)",
            _ => "",
        };
        if !anchor.is_empty() {
            self.next();
            self.add(ONE);
            self.out.push_str(anchor);
            return Ok(Last::Item);
        }
        if c == 'Q' {
            self.next();
            let (text, rest) = self.rest.split_once(r"\E").unwrap_or((self.rest, ""));
            self.rest = rest;
            for c in text.chars() {
                self.literal(c);
            }
            return Ok(if text.is_empty() { Last::Nothing } else { Last::Item });
        }
        if let Some(class) = self.perl_class() {
            self.add(MANY);
            self.out.push_str(&class);
            return Ok(Last::Item);
        }
        if let Some(class) = self.unicode_class()? {
            self.add(UNICODE);
            self.out.push_str(&class);
            return Ok(Last::Item);
        }
        let c = self.escaped_character()?;
        self.literal(c);
        Ok(Last::Item)
    }

    /// `\d` and the like, as a class of its own.
    fn perl_class(&mut self) -> Option<String> {
        let (inside, not) = match self.rest.chars().next()? {
            'd' => (DIGIT, ""),
            'D' => (DIGIT, "^"),
            's' => (SPACE, ""),
            'S' => (SPACE, "^"),
            'w' => (WORD, ""),
            'W' => (WORD, "^"),
            _ => return None,
        };
        self.next();
        Some(format!("[{not}{inside}]"))
    }

    /// `\pN`, `\p{Greek}`, `\P{^Greek}`.
    fn unicode_class(&mut self) -> Result<Option<String>, String> {
        let mut not = match self.rest.chars().next() {
            Some('p') => false,
            Some('P') => true,
            _ => return Ok(None),
        };
        self.next();
        let name = if self.take("{") {
            let (name, rest) = self.rest.split_once('}').ok_or("the name of a class is not closed")?;
            self.rest = rest;
            name
        } else {
            let length = self.rest.chars().next().map_or(0, char::len_utf8);
            let (name, rest) = self.rest.split_at_checked(length).unwrap_or_default();
            self.rest = rest;
            name
        };
        let plain = name.strip_prefix('^').inspect(|_| not = !not).unwrap_or(name);
        if plain.is_empty() || !plain.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(format!("`{name}` names no class of characters"));
        }
        Ok(Some(format!(r"\{}{{{plain}}}", if not { 'P' } else { 'p' })))
    }

    /// A character by its code or its name.
    fn escaped_character(&mut self) -> Result<char, String> {
        let c = self.next().ok_or("the pattern ends with a backslash")?;
        let unknown = || format!(r"`\{c}` means nothing");
        Ok(match c {
            'a' => '\x07',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            'x' => {
                let digits = if self.take("{") {
                    let (digits, rest) = self.rest.split_once('}').ok_or("a code is not closed")?;
                    self.rest = rest;
                    digits
                } else {
                    let (digits, rest) = self.rest.split_at_checked(2).ok_or("a code has two digits")?;
                    self.rest = rest;
                    digits
                };
                let valid = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
                let code = u32::from_str_radix(digits, 16).ok().filter(|_| valid);
                code.and_then(char::from_u32)
                    .ok_or_else(|| format!("`{digits}` is no code of a character"))?
            }
            '0'..='7' => {
                // A single digit other than zero would name a group.
                if c != '0' && !self.rest.starts_with(|c: char| ('0'..='7').contains(&c)) {
                    return Err(unknown());
                }
                let mut code = u32::from(c) - u32::from('0');
                for _ in 0..2 {
                    match self.rest.chars().next().and_then(|c| c.to_digit(8)) {
                        Some(digit) => {
                            self.next();
                            code = code * 8 + digit;
                        }
                        None => break,
                    }
                }
                char::from_u32(code).ok_or_else(unknown)?
            }
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
            _ => return Err(unknown()),
        })
    }

    /// A class in brackets, of which the first is taken.
    fn class(&mut self) -> Result<(), String> {
        const OPEN: &str = "a class of characters is not closed";
        self.out.push('[');
        if self.take("^") {
            self.out.push('^');
        }
        let mut first = true;
        while first || !self.rest.starts_with(']') {
            first = false;
            if self.rest.is_empty() {
                return Err(OPEN.to_owned());
            }
            if let Some(name) = self.posix_class()? {
                self.out.push_str(&name);
                continue;
            }
            if let Some(rest) = self.rest.strip_prefix('\\') {
                let before = std::mem::replace(&mut self.rest, rest);
                let class = match self.perl_class() {
                    Some(class) => Some(class),
                    None => self.unicode_class()?,
                };
                if let Some(class) = class {
                    self.last = self.last.max(if class.starts_with('[') { MANY } else { UNICODE });
                    self.out.push_str(&class);
                    continue;
                }
                self.rest = before;
            }
            self.range()?;
        }
        self.next();
        self.out.push(']');
        Ok(())
    }

    /// `[:alpha:]`, `[:^alpha:]`; anything else after a bracket is text.
    fn posix_class(&mut self) -> Result<Option<String>, String> {
        let Some((name, rest)) = self.rest.strip_prefix("[:").and_then(|rest| rest.split_once(":]")) else {
            return Ok(None);
        };
        let plain = name.strip_prefix('^').unwrap_or(name);
        if !matches!(
            plain,
            "alnum"
                | "alpha"
                | "ascii"
                | "blank"
                | "cntrl"
                | "digit"
                | "graph"
                | "lower"
                | "print"
                | "punct"
                | "space"
                | "upper"
                | "word"
                | "xdigit"
        ) {
            return Err(format!("`[:{name}:]` names no class of characters"));
        }
        self.rest = rest;
        Ok(Some(format!("[:{name}:]")))
    }

    /// A character of a class, or two with a dash between.
    fn range(&mut self) -> Result<(), String> {
        let low = self.class_character()?;
        push_escaped(&mut self.out, low);
        let after_dash =
            self.rest.strip_prefix('-').filter(|rest| !rest.is_empty() && !rest.starts_with(']'));
        if let Some(rest) = after_dash {
            self.rest = rest;
            let high = self.class_character()?;
            if high < low {
                return Err(format!("`{low}-{high}` runs backwards"));
            }
            self.out.push('-');
            push_escaped(&mut self.out, high);
        }
        Ok(())
    }

    fn class_character(&mut self) -> Result<char, String> {
        if self.take("\\") {
            return self.escaped_character();
        }
        self.next().ok_or_else(|| "a class of characters is not closed".to_owned())
    }
}

/// Each flag once, without those of the other kind.
fn distinct(flags: &str, without: &str) -> String {
    let mut kept = String::new();
    for flag in flags.chars() {
        if !kept.contains(flag) && !without.contains(flag) {
            kept.push(flag);
        }
    }
    kept
}

/// The character as itself, wherever it stands.
fn push_escaped(out: &mut String, c: char) {
    if c.is_ascii() && !c.is_ascii_alphanumeric() {
        out.push_str(&format!(r"\x{{{:X}}}", u32::from(c)));
    } else {
        out.push(c);
    }
}
