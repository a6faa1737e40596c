//! A run on a terminal: a row a record beside one axis of time, what people decided, and what that proves. Rows are as wide as the
//! terminal: what is too long for its column goes on below it, so that bars stay in line and nothing is left out.

use std::io::IsTerminal as _;

use fuze_audit::Reasons;
use fuze_audit::report::scale::Scale;
use fuze_audit::report::words::{self, Asked, Decision, Mark, Moment, Story};
use fuze_evidence::replay::{Replay, Step, Trust};
use fuze_evidence::verify::FieldStatus;
use fuze_evidence::{Span, Timestamp};

use crate::text::{BAD, FAINT, GOOD, UNSURE, plain};

/// Where nobody looks at a terminal, and `COLUMNS` says nothing.
const WIDTH: usize = 100;
/// From here on there is room for who acted.
const WIDE: usize = 100;
/// At most so many columns are bars. Text comes first: it gets some, however narrow the terminal, and where there are fewer than these for
/// both there are no bars.
const MOST_BARS: usize = 48;
const LEAST_TEXT: usize = 20;
const LEAST_BOTH: usize = 44;
/// Steps below steps are indented, up to here.
const MAX_INDENT: usize = 6;
/// Columns of a break in the axis.
const BREAK: f64 = 2.0;
/// Characters told of what a person was asked; `fuze audit replay` has all.
const MAX_ASKED: usize = 400;

/// How wide the terminal is.
pub(super) fn width() -> usize {
    let stdout = std::io::stdout();
    let terminal = stdout.is_terminal().then(|| terminal_size::terminal_size_of(&stdout)).flatten();
    let asked = || std::env::var("COLUMNS").ok()?.parse().ok();
    terminal.map(|(width, _)| usize::from(width.0)).or_else(asked).filter(|&width| width > 0).unwrap_or(WIDTH)
}

/// What the records tell of one another.
pub(super) fn story(replay: &Replay) -> Story {
    Story::of(replay.steps.iter().map(|step| Moment {
        sequence: step.sequence,
        step_id: step.step_id,
        started_at: step.started_at,
        ended_at: step.ended_at,
        span: &step.span,
    }))
}

/// The rows of a run.
pub(super) struct Timeline<'r> {
    replay: &'r Replay,
    story: &'r Story,
    begin: Timestamp,
    end: Timestamp,
    scale: Scale,
    /// Columns, and whether there is one for who acted.
    number: usize,
    after: usize,
    text: usize,
    bar: usize,
    took: usize,
    wide: bool,
}

impl<'r> Timeline<'r> {
    /// Of a run of at least one record.
    pub(super) fn of(replay: &'r Replay, story: &'r Story, width: usize) -> Option<Self> {
        let (first, last) = (replay.steps.first()?, replay.steps.last()?);
        let (begin, end) = (first.started_at, last.ended_at);
        let widest = |name: &str, of: &dyn Fn(&Step) -> String| {
            let columns = replay.steps.iter().map(|step| of(step).chars().count());
            columns.max().unwrap_or(0).max(name.len())
        };
        let number = widest("No.", &|step| step.sequence.to_string());
        let after = widest("After", &|step| after(step, begin));
        let took = widest("Took", &|step| duration(step.duration_nanos()));
        let wide = width >= WIDE;
        let fixed = number + 2 + after + 2 + 2 + if wide { 10 } else { 0 } + 2 + took;
        let room = width.saturating_sub(fixed);
        let bar = if room < LEAST_BOTH { 0 } else { (room * 3 / 10).min(MOST_BARS) };
        let text = room.saturating_sub(if bar > 0 { bar + 2 } else { 0 }).max(LEAST_TEXT);
        let times = replay.steps.iter().map(|step| (step.started_at, step.ended_at));
        let scale = Scale::new(times, (0.0, bar as f64), BREAK);
        Some(Self { replay, story, begin, end, scale, number, after, text, bar, took, wide })
    }

    /// What stands above the rows: the columns' names, and over each break for how long nothing happened.
    pub(super) fn head(&self) -> String {
        let mut labels = vec![' '; self.bar];
        for broken in self.scale.breaks() {
            let label = duration(broken.nanos);
            let length = label.chars().count();
            let middle = (broken.x + broken.width / 2.0) as usize;
            let from = middle.saturating_sub(length / 2).min(self.bar.saturating_sub(length));
            let Some(place) = labels.get_mut(from..from + length) else { continue };
            // One space apart, or not at all.
            if place.iter().all(|&c| c == ' ') {
                place.iter_mut().zip(label.chars()).for_each(|(at, c)| *at = c);
            }
        }
        let labels: String = labels.into_iter().collect();
        let who = if self.wide { format!("{:9} ", "Who") } else { String::new() };
        let gap = if self.bar > 0 { "  " } else { "" };
        let line = format!(
            "{:>number$}  {:>after$}    {who}{:<text$}{gap}{labels}  {:>took$}",
            "No.",
            "After",
            "What happened",
            "Took",
            number = self.number,
            after = self.after,
            text = self.text,
            took = self.took,
        );
        format!("{FAINT}{}{FAINT:#}\n", line.trim_end())
    }

    /// A record, in one row or, if it has much to say, in some.
    pub(super) fn row(&self, step: &Step) -> String {
        let mark = words::mark(&step.span);
        let style = match step.trust {
            Trust::Unverified => BAD,
            Trust::Signed | Trust::Chained => style_of(mark),
        };
        let unsure = match step.trust {
            Trust::Signed => "",
            Trust::Chained => " (not signed yet)",
            Trust::Unverified => " (unverified)",
        };
        let indent = (step.depth.saturating_sub(1) * 2).min(MAX_INDENT);
        let summary = format!("{}{unsure}", plain(&self.story.summary(&step.span)));
        let mut lines = wrap(&summary, self.text.saturating_sub(indent), 2).into_iter();
        let first = lines.next().unwrap_or_default();
        let who = if self.wide { format!("{:9} ", words::lane(&step.span).name()) } else { String::new() };
        let gap = if self.bar > 0 { "  " } else { "" };
        let (number, columns, text, took) = (self.number, self.after, self.text - indent, self.took);
        let mut row = format!(
            "{:>number$}  {FAINT}{:>columns$}{FAINT:#}  {style}{}{style:#} {FAINT}{who}{FAINT:#}{:indent$}{first:<text$}{gap}{}  {:>took$}\n",
            step.sequence,
            after(step, self.begin),
            mark.sign(),
            "",
            self.bar(step, style),
            duration(step.duration_nanos()),
        );
        let before = number + 2 + columns + 2 + 2 + who.len() + indent;
        for line in lines {
            row += &format!("{:before$}{line}\n", "");
        }
        row
    }

    /// Where in the run the step lies, and how long somebody was waited for after it.
    fn bar(&self, step: &Step, style: anstyle::Style) -> String {
        let broken: Vec<_> =
            self.scale.breaks().map(|broken| column(broken.x)..column(broken.x + broken.width)).collect();
        let is_broken = |at: usize| broken.iter().any(|broken| broken.contains(&at));
        let place = |from: Timestamp, to: Timestamp| {
            let last = self.bar.saturating_sub(1);
            let (from, to) = (column(self.scale.x(from)).min(last), column(self.scale.x(to)).min(self.bar));
            match to > from {
                true => from..to,
                // A moment before a break is not in it.
                false if is_broken(from) => from.saturating_sub(1)..from.max(1),
                false => from..from + 1,
            }
        };
        let took = place(step.started_at, step.ended_at.max(step.started_at));
        let asked = self.story.asked().into_iter().find(|asked| asked.record == step.sequence);
        let waited = asked.map(|asked| place(asked.from, asked.to.unwrap_or(self.end).max(asked.from)));
        let cell = |at| match () {
            () if took.contains(&at) => ('━', style),
            () if waited.as_ref().is_some_and(|waited| waited.contains(&at)) => ('░', UNSURE),
            () if is_broken(at) => ('/', FAINT),
            () => ('·', FAINT),
        };
        let cells: Vec<(char, anstyle::Style)> = (0..self.bar).map(cell).collect();
        let runs = cells.chunk_by(|one, next| one.1 == next.1);
        runs.filter_map(|run| {
            let style = run.first()?.1;
            let signs: String = run.iter().map(|(sign, _)| sign).collect();
            Some(format!("{style}{signs}{style:#}"))
        })
        .collect()
    }

    /// What the signs mean that are there.
    pub(super) fn legend(&self, width: usize) -> String {
        let mut signs = Vec::new();
        if self.bar > 0 && self.scale.breaks().next().is_some() {
            signs.push("// nothing happened for as long as stands above");
        }
        if self.bar > 0 && !self.story.asked().is_empty() {
            signs.push("░ a person was waited for");
        }
        let lines = wrap(&signs.join("; "), width, 0).into_iter().filter(|line| !line.is_empty());
        lines.map(|line| format!("{FAINT}{line}{FAINT:#}\n")).collect()
    }

    /// Who decided what, and when.
    pub(super) fn people(&self, reasons: &Reasons, width: usize) -> String {
        let mut text = String::from("\nWhat people decided\n");
        let mut nobody = true;
        for step in &self.replay.steps {
            if let (Span::HumanDecision(human), Some(decision)) =
                (&step.span, self.story.decision(&step.span))
            {
                text += &self.person(step, &decision, reasons.of(human.decision_hash), width);
                nobody = false;
            }
        }
        for asked in self.story.asked().into_iter().filter(|asked| asked.to.is_none()) {
            let said = format!(
                "A person was {} (record {}), and no answer is on record",
                plain(&asked.what()),
                asked.record
            );
            text += &item(Mark::Notice, &said, width);
            text += &self.about(asked, width);
            text += &format!("    {FAINT}{}{FAINT:#}\n", clock(asked.from));
            nobody = false;
        }
        if nobody {
            text += "  No person decided anything in this run.\n";
        }
        text
    }

    /// `reason` is what stands beside the decision; its record's content says the same where it is opened.
    fn person(&self, step: &Step, decision: &Decision, reason: Option<&str>, width: usize) -> String {
        let said = format!("{} {}", plain(&decision.who), plain(&decision.what));
        let mut text = item(words::mark(&step.span), &said, width);
        let content = step.content.as_ref();
        let opened = content.and_then(|content| {
            let mut opened = content.fields.iter().filter_map(|field| field.opened.as_ref());
            opened.find(|(path, _)| path == "/rationale")
        });
        let said = opened.map(|(_, said)| said.as_str().map_or_else(|| said.to_string(), str::to_owned));
        text += &match said.or_else(|| reason.map(str::to_owned)) {
            Some(said) => paragraph(&plain(&format!("“{said}”")), anstyle::Style::new(), width),
            None => {
                let erased = content.is_some_and(|content| {
                    content.counts.erased > 0
                        || content.fields.iter().any(|field| field.status == FieldStatus::Erased)
                });
                let gone = if erased { "erased" } else { "not disclosed here" };
                paragraph(&format!("the reason that was given is {gone}"), FAINT, width)
            }
        };
        let mut when = format!("{}, record {}", clock(step.ended_at), step.sequence);
        if let Some(asked) = &decision.asked {
            text += &self.about(asked, width);
            let waited = step.started_at.nanos_since(asked.from).unwrap_or_default();
            when += &format!(", asked in record {}, answered after {}", asked.record, duration(waited));
        }
        text + &paragraph(&format!("{when}; {}", plain(&decision.why)), FAINT, width)
    }

    /// What a person was asked about, as far as it is opened: a tool's question, or the arguments of a call.
    fn about(&self, asked: &Asked, width: usize) -> String {
        let opened = |step: &&Step| {
            let content = step.content.as_ref();
            content.is_some_and(|content| content.fields.iter().any(|field| field.opened.is_some()))
        };
        let question = self.replay.steps.iter().find(|step| step.sequence == asked.record && opened(step));
        let call = |step: &&Step| {
            let root = step.content.as_ref().map(|content| content.root);
            root.is_some() && root == asked.arguments && opened(step)
        };
        let Some(step) = question.or_else(|| self.replay.steps.iter().find(call)) else {
            return String::new();
        };
        let fields = step.content.iter().flat_map(|content| &content.fields);
        let told: Vec<String> = fields
            .filter_map(|field| field.opened.as_ref())
            .map(|(path, value)| format!("{} {value}", path.strip_prefix('/').unwrap_or(path)))
            .collect();
        let mut told = plain(&format!("about {}", told.join(", ")));
        if let Some((at, _)) = told.char_indices().nth(MAX_ASKED) {
            told.truncate(at);
            told += &format!(" […], whole in record {}", step.sequence);
        }
        paragraph(&told, anstyle::Style::new(), width)
    }
}

fn paragraph(text: &str, style: anstyle::Style, width: usize) -> String {
    let lines = wrap(text, width.saturating_sub(4), 0);
    lines.into_iter().map(|line| format!("    {style}{line}{style:#}\n")).collect()
}

/// The column nearest to a place.
const fn column(x: f64) -> usize {
    x.round() as usize
}

/// How long after the beginning a step began.
fn after(step: &Step, begin: Timestamp) -> String {
    format!("+{}", offset(step.started_at.nanos_since(begin).unwrap_or_default()))
}

/// A marked sentence.
fn item(mark: Mark, said: &str, width: usize) -> String {
    let style = style_of(mark);
    let mut text = String::new();
    for (at, line) in wrap(said, width.saturating_sub(4), 0).into_iter().enumerate() {
        text += &match at {
            0 => format!("  {style}{}{style:#} {line}\n", mark.sign()),
            _ => format!("    {line}\n"),
        };
    }
    text
}

const fn style_of(mark: Mark) -> anstyle::Style {
    match mark {
        Mark::Stop => BAD,
        Mark::Notice => UNSURE,
        Mark::Fine => GOOD,
    }
}

/// `text` in lines of at most `width` characters, those after the first `hang` further in. Between words where it can be.
pub(super) fn wrap(text: &str, width: usize, hang: usize) -> Vec<String> {
    let width = width.max(hang + 1);
    let mut lines = vec![String::new()];
    // Characters of the last line.
    let mut length = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut rest: Vec<char> = word.chars().collect();
        let start = if lines.len() > 1 { hang } else { 0 };
        if length > start && length + 1 + rest.len() > width {
            lines.push(" ".repeat(hang));
            length = hang;
        } else if length > start {
            lines.last_mut().into_iter().for_each(|line| line.push(' '));
            length += 1;
        }
        while length + rest.len() > width {
            let more = rest.split_off((width - length).min(rest.len()));
            lines.last_mut().into_iter().for_each(|line| line.extend(&rest));
            lines.push(" ".repeat(hang));
            (rest, length) = (more, hang);
        }
        lines.last_mut().into_iter().for_each(|line| line.extend(&rest));
        length += rest.len();
    }
    lines
}

/// `2026-11-21 20:50:56 UTC`
pub(super) fn clock(time: Timestamp) -> String {
    let text = time.to_string().replace('T', " ");
    format!("{} UTC", text.get(..19).unwrap_or(&text))
}

/// `480ms`, `3.2s`, `2m14s`, `2h14m`, `2d02h`.
pub(super) fn duration(nanos: u128) -> String {
    let seconds = nanos / 1_000_000_000;
    match seconds {
        0 if nanos < 1_000 => format!("{nanos}ns"),
        0 if nanos < 1_000_000 => format!("{}µs", nanos / 1_000),
        0 => format!("{}ms", nanos / 1_000_000),
        1..60 => format!("{seconds}.{}s", nanos % 1_000_000_000 / 100_000_000),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// The same of a time after the beginning: so exact that rows near each other differ.
fn offset(nanos: u128) -> String {
    let seconds = nanos / 1_000_000_000;
    match seconds {
        0..60 => format!("{seconds}.{:03}s", nanos % 1_000_000_000 / 1_000_000),
        60..3_600 => format!("{}m{:02}.{}s", seconds / 60, seconds % 60, nanos % 1_000_000_000 / 100_000_000),
        3_600..86_400 => {
            format!("{}h{:02}m{:02}s", seconds / 3_600, seconds % 3_600 / 60, seconds % 60)
        }
        _ => format!("{}d{:02}h{:02}m", seconds / 86_400, seconds % 86_400 / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_and_exact() {
        const SECOND: u128 = 1_000_000_000;
        for (nanos, lasted, after) in [
            (0, "0ns", "0.000s"),
            (7_000, "7µs", "0.000s"),
            (480_000_000, "480ms", "0.480s"),
            (3 * SECOND + 250_000_000, "3.2s", "3.250s"),
            (134 * SECOND, "2m14s", "2m14.0s"),
            (8_045 * SECOND, "2h14m", "2h14m05s"),
            (26 * 3_600 * SECOND + 240 * SECOND, "1d02h", "1d02h04m"),
        ] {
            assert_eq!((duration(nanos).as_str(), offset(nanos).as_str()), (lasted, after));
        }
    }

    #[test]
    fn what_is_too_long_goes_on_below_and_nothing_is_lost() {
        assert_eq!(wrap("one two three", 7, 2), ["one two", "  three"]);
        assert_eq!(wrap("a_name_that_has_no_end ran", 10, 2), ["a_name_tha", "  t_has_no", "  _end ran"]);
        assert_eq!(wrap("", 10, 2), [""]);
        let text = "record_recommendation did not run: hr-lead-1 refused it (record 13)";
        for width in 1..80 {
            let lines = wrap(text, width, 2);
            assert!(lines.iter().all(|line| line.chars().count() <= width.max(3)), "{width}: {lines:?}");
            let whole: String = lines.concat().replace(' ', "");
            assert_eq!(whole, text.replace(' ', ""), "{width}");
        }
    }
}
