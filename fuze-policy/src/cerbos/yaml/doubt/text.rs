//! Text as it is written: plain, in quotes, or as a block.

use super::Doubt;

/// Where plain text stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// In `[` or `{`.
    pub(super) flow: bool,
    /// In `{`, however far out.
    pub(super) in_flow_map: bool,
    /// It is the value after a key.
    pub(super) whole: bool,
    /// It is a key.
    pub(super) key: bool,
}

fn found(at: Option<usize>, why: &str) -> Result<(), Doubt> {
    at.map_or(Ok(()), |at| Err((at, why.to_owned())))
}

/// Plain text.
pub(super) fn plain(written: &[char], place: Place) -> Result<(), Doubt> {
    let find = |wanted: char| written.iter().position(|c| *c == wanted);
    found(find('\t'), "Cerbos drops a tab in plain text: put the text in quotes")?;
    if written.first().is_some_and(|c| "[]{},#&*!|>'\"%@`".contains(*c)) {
        return found(Some(0), "Cerbos may read text that begins like this otherwise: put it in quotes");
    }
    // That of `http://` is none to Cerbos.
    let colon = written
        .iter()
        .enumerate()
        .find(|(at, c)| **c == ':' && written.get(at + 1) != Some(&'/'))
        .map(|(at, _)| at);
    found(
        colon.filter(|_| place.in_flow_map && !place.whole),
        "within `{…}` Cerbos takes text with a `:` for a mapping: put it in quotes",
    )?;
    let merge = written.windows(2).position(|two| two == ['<', '<']);
    found(
        merge.filter(|_| find(':').is_some() || place.key && written.len() > 2),
        "Cerbos may read `<<` otherwise here: put the text in quotes",
    )?;
    let Some(broken) = find('\n') else { return Ok(()) };
    found(
        Some(broken).filter(|_| place.flow),
        "within `[…]` and `{…}` Cerbos may end plain text with its line: put it on one line, or in quotes",
    )?;
    let dash = lines(written).skip(1).find_map(|(at, line)| {
        let blanks = line.iter().take_while(|c| **c == ' ').count();
        (line.get(blanks) == Some(&'-')).then_some(at + blanks)
    });
    found(
        dash,
        "Cerbos reads a line that begins with `-` otherwise here: write the text as a block after `|-`",
    )
}

/// Text in quotes, these included.
pub(super) fn quoted(written: &[char], double: bool, flow: bool) -> Result<(), Doubt> {
    let tab = written.iter().position(|c| *c == '\t').filter(|_| double);
    found(tab, "Cerbos loses its place after a tab within `\"`: write `\\t`")?;
    let Some(broken) = written.iter().position(|c| *c == '\n') else { return Ok(()) };
    found(
        Some(broken).filter(|_| flow),
        "Cerbos may lose its place after lines in quotes within `[…]` and `{…}`: write `\\n`",
    )?;
    const FOLDED: &str =
        "Cerbos folds lines within quotes otherwise here: write the text as a block after `|-`";
    found(written.iter().position(|c| matches!(c, '\t' | '\r')), FOLDED)?;
    if !double {
        return Ok(());
    }
    // Cerbos trims what an escape gave, and takes a break after `\` for one more.
    let last = lines(written).count();
    let doubtful = lines(written).enumerate().find(|(number, (_, line))| {
        let (first, end) = escapes(trim(line));
        *number > 0 && first || number + 1 < last && end
    });
    found(doubtful.map(|(_, (at, _))| at), FOLDED)
}

/// Whether a line begins and ends with an escape that could be blank.
fn escapes(line: &[char]) -> (bool, bool) {
    let blank = |at: usize| line.get(at + 1).is_none_or(|c| !matches!(c, '"' | '\\' | '/'));
    let mut at = 0;
    let mut ends = false;
    while let Some(c) = line.get(at) {
        let length = match (c, line.get(at + 1)) {
            ('\\', Some('x')) => 4,
            ('\\', Some('u')) => 6,
            ('\\', Some('U')) => 10,
            ('\\', _) => 2,
            _ => 1,
        };
        ends = length > 1 && blank(at);
        at += length;
    }
    (line.first() == Some(&'\\') && blank(0), ends)
}

/// The lines of a block, from the one after its header on. The last may end with the file. Whether it ends with blanks.
pub(super) fn block(written: &[char], folded: bool, ends_file: bool) -> Result<bool, Doubt> {
    let first = lines(written).map(|(_, line)| line).find(|line| !trim(line).is_empty());
    let indent = first.map_or(0, |line| line.iter().take_while(|c| **c == ' ').count());
    let mut last = None;
    for (at, line) in lines(written) {
        let line = line.strip_suffix(&['\r']).unwrap_or(line);
        let text = trim(line);
        if text.is_empty() {
            let more = line.len() > indent || line.contains(&'\t');
            found(more.then_some(at), "Cerbos may drop or keep these blanks: remove them")?;
            continue;
        }
        let before = line.iter().take_while(|c| matches!(c, ' ' | '\t')).count();
        found(
            Some(at).filter(|_| folded && before > indent),
            "Cerbos folds lines that are indented more otherwise: indent all lines the same, or write `|` for `>`",
        )?;
        let tab = line.iter().take(before).position(|c| *c == '\t');
        found(tab.map(|tab| at + tab), "Cerbos may read a tab otherwise here: put blanks")?;
        last = Some((at, line.len() > before + text.len()));
    }
    let Some((at, ragged)) = last else {
        return Err((0, "Cerbos may read a block with no text otherwise: write `\"\"`".to_owned()));
    };
    let open = ends_file && written.last() != Some(&'\n');
    found(
        Some(at).filter(|_| open),
        "Cerbos may read the end of this block otherwise: end the file with a line break",
    )?;
    Ok(ragged)
}

/// The lines without their `\n`, each with where it begins.
fn lines(written: &[char]) -> impl Iterator<Item = (usize, &[char])> {
    let mut next = 0;
    written.split(|c| *c == '\n').map(move |line| {
        let at = next;
        next += line.len() + 1;
        (at, line)
    })
}

fn trim(line: &[char]) -> &[char] {
    let blank = |c: &char| matches!(c, ' ' | '\t' | '\r');
    let from = line.iter().take_while(|c| blank(c)).count();
    let to = line.len() - line.iter().rev().take_while(|c| blank(c)).count();
    line.get(from..to).unwrap_or_default()
}
