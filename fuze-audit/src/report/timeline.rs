//! The run as a picture: who acted when, one lane for each, waiting for a person drawn as waiting.

use fuze_evidence::Timestamp;

use super::html::Page;
use super::outline::{Outline, Row};
use super::scale::{Break, Scale, duration};
use super::words::{self, Asked, Lane, Story};

const LEFT: f64 = 92.0;
const RIGHT: f64 = 988.0;
const TOP: f64 = 26.0;
const LANE_HEIGHT: f64 = 40.0;
const BAR_HEIGHT: f64 = 22.0;
/// A step of no visible length still is something to point at.
const LEAST_WIDTH: f64 = 5.0;
/// More than these cannot be told apart on one screen.
const MAX_STEPS: usize = 400;

/// How wide a break is drawn.
const BREAK_WIDTH: f64 = 46.0;

pub(super) fn section(page: &mut Page, outline: &Outline, story: &Story) {
    let rows = outline.rows().get(..MAX_STEPS).unwrap_or(outline.rows());
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return };
    let times = rows.iter().map(|row| (row.entry.started_at, row.entry.ended_at));
    let scale = Scale::new(times, (LEFT, RIGHT), BREAK_WIDTH);
    let mut lanes: Vec<Lane> = rows.iter().map(|row| words::lane(&row.entry.span)).collect();
    lanes.sort_unstable();
    lanes.dedup();
    let bottom = TOP + LANE_HEIGHT * lanes.len() as f64;
    page.raw("<section aria-labelledby=\"timeline\">\n<h2 id=\"timeline\">Timeline</h2>\n");
    let total = last.entry.ended_at.nanos_since(first.entry.started_at).unwrap_or_default();
    page.raw("<p>").text(duration(total)).raw(" from ").text(clock(first.entry.started_at));
    page.raw(" to ").text(clock(last.entry.ended_at)).raw(" UTC. Time is to scale, except where it is broken (//) because nothing happened for long. Each mark leads to its record.");
    if rows.len() < outline.rows().len() || outline.hidden() > 0 {
        page.raw(" Only the first ").text(rows.len()).raw(" records are drawn.");
    }
    page.raw("</p>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Timeline, scrolls sideways on small screens\">\n<svg viewBox=\"0 0 1000 ");
    page.number(bottom + 30.0).raw("\" role=\"group\" aria-labelledby=\"svg-title svg-desc\"><title id=\"svg-title\">Timeline of the run</title><desc id=\"svg-desc\">");
    describe(page, rows, &lanes);
    page.raw("</desc>\n<defs><pattern id=\"hatch\" width=\"6\" height=\"6\" patternTransform=\"rotate(45)\" patternUnits=\"userSpaceOnUse\"><rect class=\"hatch-ground\" width=\"6\" height=\"6\"/><rect class=\"hatch-line\" width=\"2\" height=\"6\"/></pattern></defs>\n");
    for (at, lane) in lanes.iter().enumerate() {
        draw_lane(page, *lane, TOP + LANE_HEIGHT * at as f64, at % 2 == 1);
    }
    draw_breaks(page, &scale, bottom);
    let y = |lane: Lane| {
        let at = lanes.iter().position(|other| *other == lane).unwrap_or_default();
        TOP + LANE_HEIGHT * at as f64 + (LANE_HEIGHT - BAR_HEIGHT) / 2.0
    };
    for asked in story.asked().into_iter().filter(|asked| asked.from <= last.entry.ended_at) {
        draw_wait(page, asked, &scale, y(Lane::Person), last.entry.ended_at);
    }
    for row in rows {
        draw_step(page, row, story, &scale, y(words::lane(&row.entry.span)));
    }
    page.raw("<g class=\"axis\"><text class=\"small\" x=\"")
        .number(LEFT)
        .raw("\" y=\"")
        .number(bottom + 20.0)
        .raw("\">");
    page.text(clock(first.entry.started_at)).raw("</text><text class=\"small end\" x=\"").number(RIGHT);
    page.raw("\" y=\"")
        .number(bottom + 20.0)
        .raw("\">")
        .text(clock(last.entry.ended_at))
        .raw("</text></g>\n</svg>\n</div>\n</section>\n");
}

/// The picture in a sentence, for who does not see it.
fn describe(page: &mut Page, rows: &[Row], lanes: &[Lane]) {
    for (at, lane) in lanes.iter().enumerate() {
        let count = rows.iter().filter(|row| words::lane(&row.entry.span) == *lane).count();
        page.text(if at == 0 { "" } else { ", " }).text(lane.name()).text(": ").text(count);
        page.text(if count == 1 { " record" } else { " records" });
    }
    page.text(". The table of records below says the same in words.");
}

fn draw_lane(page: &mut Page, lane: Lane, top: f64, odd: bool) {
    page.raw(if odd { "<rect class=\"lane odd\"" } else { "<rect class=\"lane\"" });
    page.raw(" x=\"0\" width=\"1000\" height=\"").number(LANE_HEIGHT).raw("\" y=\"").number(top).raw("\"/>");
    page.raw("<text class=\"name\" x=\"10\" y=\"").number(top + LANE_HEIGHT / 2.0 + 5.0).raw("\">");
    page.text(lane.name()).raw("</text>\n");
}

fn draw_breaks(page: &mut Page, scale: &Scale, bottom: f64) {
    for Break { x, width, nanos } in scale.breaks() {
        let middle = x + width / 2.0;
        page.raw("<g class=\"break\"><rect x=\"").number(x).raw("\" width=\"").number(width);
        page.raw("\" y=\"").number(TOP).raw("\" height=\"").number(bottom - TOP).raw("\"/>");
        page.raw("<text class=\"small middle\" y=\"18\" x=\"")
            .number(middle)
            .raw("\">// ")
            .text(duration(nanos));
        page.raw("</text></g>\n");
    }
}

/// From where a person was asked to the decision, or to the end.
fn draw_wait(page: &mut Page, asked: &Asked, scale: &Scale, y: f64, end: Timestamp) {
    let to = asked.to.unwrap_or(end).min(end);
    let (left, right) = (scale.x(asked.from), scale.x(to));
    page.raw("<rect class=\"wait\" rx=\"3\" x=\"")
        .number(left)
        .raw("\" width=\"")
        .number((right - left).max(LEAST_WIDTH));
    page.raw("\" y=\"").number(y + 4.0).raw("\" height=\"").number(BAR_HEIGHT - 8.0).raw("\"><title>");
    page.text(match asked.to {
        Some(_) => "a person was asked and decided after ",
        None => "a person was asked; no answer for ",
    });
    let nanos = asked.to.unwrap_or(end).nanos_since(asked.from).unwrap_or_default();
    page.text(duration(nanos)).raw("</title></rect>\n");
}

fn draw_step(page: &mut Page, row: &Row, story: &Story, scale: &Scale, y: f64) {
    let entry = &row.entry;
    let (lane, mark) = (words::lane(&entry.span), words::mark(&entry.span));
    let from = scale.x(entry.started_at);
    let width = (scale.x(entry.ended_at) - from).max(LEAST_WIDTH);
    // What would stand over the edge stands at it.
    let from = from.min(RIGHT + 6.0 - width);
    let nanos = entry.ended_at.nanos_since(entry.started_at).unwrap_or_default();
    let summary = story.summary(&entry.span);
    page.raw("<a href=\"#r")
        .text(entry.sequence)
        .raw("\" aria-label=\"Record ")
        .text(entry.sequence)
        .raw(": ");
    page.text(&summary).raw("\"><rect class=\"bar ").raw(lane.class()).raw(" ").raw(mark.class());
    page.raw("\" rx=\"3\" x=\"").number(from).raw("\" width=\"").number(width).raw("\" y=\"").number(y);
    page.raw("\" height=\"").number(BAR_HEIGHT).raw("\"><title>").text(entry.sequence).raw(" · ");
    page.text(&summary).raw(" · ").text(duration(nanos)).raw("</title></rect>");
    if mark != words::Mark::Fine {
        page.raw("<text class=\"sign ").raw(mark.class()).raw("\" x=\"").number(from + width / 2.0);
        page.raw("\" y=\"").number(y - 2.0).raw("\">").text(mark.sign()).raw("</text>");
    }
    page.raw("</a>\n");
}

/// `2026-11-21 20:50:56.123`
pub(super) fn clock(time: Timestamp) -> String {
    let text = time.to_string().replace('T', " ");
    text.get(..23).unwrap_or(&text).to_owned()
}
