//! Who decided what, and when: people first, each with what they were asked and said, as far as it is disclosed; then the machine.

use fuze_evidence::Span;

use super::html::Page;
use super::outline::{Outline, Row};
use super::scale::duration;
use super::timeline::clock;
use super::words::{self, Asked, Decision, Mark, Story};
use crate::oversight::Reasons;

/// Fields of what was asked that are shown beside a decision; the record of it has all.
const MAX_ASKED: usize = 12;

/// What people decided, and what they were asked and did not.
pub(super) fn people(page: &mut Page, outline: &Outline, story: &Story, reasons: &Reasons) {
    page.raw(
        "<section aria-labelledby=\"decisions\">\n<h2 id=\"decisions\">Who decided what, and when</h2>\n",
    );
    let decided: Vec<(&Row, Decision)> = outline
        .rows()
        .iter()
        .filter(|row| matches!(row.entry.span, Span::HumanDecision(_)))
        .filter_map(|row| Some((row, story.decision(&row.entry.span)?)))
        .collect();
    let unanswered: Vec<&Asked> = story.asked().into_iter().filter(|asked| asked.to.is_none()).collect();
    if decided.is_empty() {
        page.raw("<p>No person decided anything in this run.</p>\n");
    }
    if decided.is_empty() && unanswered.is_empty() {
        page.raw("</section>\n");
        return;
    }
    page.raw("<ol class=\"people\">\n");
    for (row, decision) in decided {
        person(page, outline, row, &decision, reasons);
    }
    for asked in unanswered {
        page.raw(
            "<li class=\"notice\">\n<p class=\"said\"><span class=\"mark notice\" aria-hidden=\"true\">",
        );
        page.text(Mark::Notice.sign()).raw("</span> A person was <strong>").text(asked.what());
        page.raw("</strong>, and no answer is on record</p>\n");
        arguments(page, outline, asked);
        page.raw("<p class=\"meta\">").text(clock(asked.from)).raw(" UTC · ");
        link(page, asked.record);
        page.raw("</p>\n</li>\n");
    }
    page.raw("</ol>\n</section>\n");
}

fn person(page: &mut Page, outline: &Outline, row: &Row, decision: &Decision, reasons: &Reasons) {
    let mark = words::mark(&row.entry.span);
    page.raw("<li class=\"").raw(mark.class()).raw("\">\n<p class=\"said\"><span class=\"mark ");
    page.raw(mark.class()).raw("\" aria-hidden=\"true\">").text(mark.sign()).raw("</span> <strong>");
    page.text(&decision.who).raw("</strong> ").text(&decision.what).raw("</p>\n");
    match (reason(row, reasons), row.entry.content) {
        (Some(said), _) => {
            page.raw("<blockquote>").text(said).raw("</blockquote>\n");
        }
        (None, Some(_)) if row.erased => {
            page.raw("<p class=\"withheld\">The reason that was given is erased.</p>\n");
        }
        (None, _) => {
            page.raw("<p class=\"withheld\">The reason that was given is not disclosed.</p>\n");
        }
    }
    if let Some(asked) = &decision.asked {
        arguments(page, outline, asked);
    }
    page.raw("<p class=\"meta\">").text(clock(row.entry.ended_at)).raw(" UTC · ");
    link(page, row.entry.sequence);
    if let Some(asked) = &decision.asked {
        let waited = row.entry.started_at.nanos_since(asked.from).unwrap_or_default();
        page.raw(", asked in ");
        link(page, asked.record);
        page.raw(", answered after ").text(duration(waited));
    }
    page.raw(" · ").text(&decision.why).raw("</p>\n</li>\n");
}

/// Why, as the record's content says, or what was signed.
fn reason(row: &Row, reasons: &Reasons) -> Option<String> {
    let recorded = row.fields.iter().find(|(path, _)| path == "/rationale");
    // As it was said, unless it was too long to be whole.
    let recorded = recorded.map(|(_, said)| serde_json::from_str(said).unwrap_or_else(|_| said.clone()));
    let Span::HumanDecision(human) = &row.entry.span else { return recorded };
    recorded.or_else(|| reasons.of(human.decision_hash).map(str::to_owned))
}

/// What the person was asked about, as far as it is disclosed: a tool's question, or the arguments of a call.
fn arguments(page: &mut Page, outline: &Outline, asked: &Asked) {
    let question = outline.rows().iter().find(|row| row.entry.sequence == asked.record);
    let question = question.filter(|row| !row.fields.is_empty());
    let Some(row) = question.or_else(|| outline.of_content(asked.arguments?)) else { return };
    if row.fields.is_empty() {
        page.raw("<p class=\"withheld\">What it was about is ");
        page.raw(if row.erased { "erased" } else { "not disclosed" }).raw(" (");
        link(page, row.entry.sequence);
        page.raw(").</p>\n");
        return;
    }
    page.raw("<p class=\"withheld\">What was asked:</p>\n<dl>\n");
    for (path, value) in row.fields.iter().take(MAX_ASKED) {
        page.raw("<dt>").text(path.strip_prefix('/').unwrap_or("(whole)")).raw("</dt><dd class=\"value\">");
        page.text(value).raw("</dd>\n");
    }
    page.raw("</dl>\n");
    if row.fields.len() > MAX_ASKED {
        page.raw("<p class=\"withheld\">More of it stands in ");
        link(page, row.entry.sequence);
        page.raw(".</p>\n");
    }
}

fn link(page: &mut Page, record: u64) {
    page.raw("<a href=\"#r").text(record).raw("\">record ").text(record).raw("</a>");
}

/// What the policy engine, guardrails and whoever stopped the run decided.
pub(super) fn others(page: &mut Page, outline: &Outline, story: &Story) {
    page.raw("<section aria-labelledby=\"machine\">\n<h2 id=\"machine\">What the system decided</h2>\n");
    let decided: Vec<(&Row, Decision)> = outline
        .rows()
        .iter()
        .filter(|row| !matches!(row.entry.span, Span::HumanDecision(_)))
        .filter_map(|row| Some((row, story.decision(&row.entry.span)?)))
        .collect();
    if decided.is_empty() {
        page.raw("<p>No policy, guardrail or operator decided anything in this run.</p>\n</section>\n");
        return;
    }
    page.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Decisions of the system\"><table>\n<thead><tr><th scope=\"col\">Record</th><th scope=\"col\">When (UTC)</th><th scope=\"col\">Who</th><th scope=\"col\">What</th><th scope=\"col\">On which ground</th></tr></thead>\n<tbody>\n");
    for (row, decision) in decided {
        let mark = words::mark(&row.entry.span);
        page.raw("<tr><th scope=\"row\"><a href=\"#r").text(row.entry.sequence).raw("\">");
        page.text(row.entry.sequence).raw("</a></th><td class=\"when\">").text(clock(row.entry.ended_at));
        page.raw("</td><td class=\"who\">")
            .text(&decision.who)
            .raw("</td><td><span class=\"mark ")
            .raw(mark.class());
        page.raw("\" aria-hidden=\"true\">").text(mark.sign()).raw("</span> ").text(&decision.what);
        page.raw("</td><td>").text(&decision.why).raw("</td></tr>\n");
    }
    page.raw("</tbody></table></div>\n</section>\n");
}
