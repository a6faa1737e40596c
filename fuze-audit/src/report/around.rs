//! What stands around the run: its places in a log, what happened after its close, and the keys that sign.

use fuze_evidence::annex::{AnnexEntry, Erased, Event, Hold, HoldScope};
use fuze_evidence::keys::history::{KeyEntry, KeyEvent};
use fuze_evidence::{Annex, Hash, Timestamp};

use super::html::Page;
use super::outline::Outline;
use super::timeline::clock;
use super::words::count;
use crate::verify::Inspected;

/// Rows of one table.
const MAX_ROWS: usize = 500;

/// Where a log holds the run's signed roots.
pub(super) fn log(page: &mut Page, inspected: &Inspected) {
    let places = inspected.anchors.places();
    let Some(first) = places.first() else { return };
    page.raw(
        "<section aria-labelledby=\"log\">\n<h2 id=\"log\">In the transparency log</h2>\n<p>The log <strong>",
    );
    page.text(&first.log).raw("</strong> holds a salted commitment to each of these signed roots. The proofs in this bundle hold together; they count under the log’s key as you know it from elsewhere, and as far as witnesses saw the log.</p>\n");
    table(
        page,
        "Places in the log",
        &[
            "Root",
            "Leaf",
            "Proven in a tree of",
            "Signatures on the checkpoint",
            "A close is due until (UTC)",
        ],
    );
    for place in &places {
        page.raw("<tr><th scope=\"row\">")
            .text(place.what)
            .raw("</th><td>")
            .text(place.index)
            .raw("</td><td>");
        page.text(count(place.size, "leaf", "leaves"))
            .raw("</td><td>")
            .text(place.signatures.join(", "))
            .raw("</td><td class=\"time\">");
        page.text(place.deadline.map_or("–".to_owned(), clock)).raw("</td></tr>\n");
    }
    page.raw("</tbody></table></div>\n");
    if inspected.close_root.is_some() && places.iter().all(|place| place.what != "close") {
        page.raw("<p><span class=\"mark notice\" aria-hidden=\"true\">!</span> The close is not among them: from the log nobody can tell that this run ended.</p>\n");
    }
    page.raw("</section>\n");
}

/// What the tenant's annex says about the run.
pub(super) fn annex(page: &mut Page, outline: &Outline, inspected: &Inspected) {
    let Some(annex) = &inspected.annex else { return };
    let run = inspected.run.run_id;
    let of_all = |entry: &&AnnexEntry| match &entry.event {
        Event::Hold(Hold { scope, .. }) | Event::Release(Hold { scope, .. }) => *scope == HoldScope::Tenant,
        Event::Erased(_) | Event::Contested(_) | Event::LateOutcome(_) | Event::GivenUp(_) => false,
    };
    let mut entries: Vec<&AnnexEntry> =
        annex.of_run(run).chain(annex.entries().iter().filter(of_all)).collect();
    entries.sort_by_key(|entry| entry.sequence);
    page.raw("<section aria-labelledby=\"annex\">\n<h2 id=\"annex\">After the run</h2>\n<p>");
    if entries.is_empty() {
        page.raw("The tenant’s annex says nothing about this run.");
    } else {
        page.raw("Statements of the tenant’s annex, a signed chain of its own.");
    }
    others(page, annex, entries.len());
    page.raw("</p>\n");
    if entries.is_empty() {
        page.raw("</section>\n");
        return;
    }
    table(page, "Statements about the run", &["Line", "When (UTC)", "Ordered by", "What", "Why"]);
    for entry in entries.iter().take(MAX_ROWS) {
        let (class, sign, what, why) = told(entry, outline);
        page.raw("<tr><th scope=\"row\">")
            .text(entry.sequence)
            .raw("</th><td class=\"time\">")
            .text(clock(entry.at));
        page.raw("</td><td>")
            .text(&entry.by)
            .raw("</td><td><span class=\"mark ")
            .raw(class)
            .raw("\" aria-hidden=\"true\">");
        page.raw(sign).raw("</span> ").text(what).raw("</td><td>").text(why).raw("</td></tr>\n");
    }
    page.raw("</tbody></table></div>\n");
    more(page, entries.len());
    page.raw("</section>\n");
}

fn others(page: &mut Page, annex: &Annex, shown: usize) {
    match annex.entries().len().saturating_sub(shown) {
        0 => {}
        1 => drop(page.raw(" One line about another run is not shown.")),
        more => drop(page.raw(" ").text(more).raw(" lines about other runs are not shown.")),
    }
}

/// How it is marked, what happened, and why.
fn told(entry: &AnnexEntry, outline: &Outline) -> (&'static str, &'static str, String, String) {
    let record = |root: Hash| match outline.of_content(root) {
        Some(row) => format!("record {}", row.entry.sequence),
        None => "a record that is not shown".to_owned(),
    };
    let about = |root: Option<Hash>| root.map_or(String::new(), |root| format!(", about {}", record(root)));
    let scope = |hold: &Hold| match hold.scope {
        HoldScope::Run(_) => "this run",
        HoldScope::Tenant => "all runs of the tenant",
    };
    let words = |text: &str| text.replace('_', " ");
    match &entry.event {
        Event::Erased(erasure) => {
            let what = match &erasure.what {
                Erased::Field { root, .. } => format!("fields of the content of {} erased", record(*root)),
                Erased::Record { root } => format!("the content of {} erased", record(*root)),
                Erased::Run => "all content of the run erased".to_owned(),
                Erased::Subject => "all content erased with the data subject’s key".to_owned(),
                Erased::Directory { .. } => "the run erased as a whole".to_owned(),
            };
            ("notice", "!", what, words(erasure.reason.as_str()))
        }
        Event::Contested(contest) => (
            "notice",
            "!",
            format!("the decision was contested{}", about(contest.root)),
            "GDPR Art. 22(3)".to_owned(),
        ),
        Event::LateOutcome(late) => (
            "fine",
            "✓",
            format!("what came of a call in doubt became known{}", about(late.root)),
            "–".to_owned(),
        ),
        Event::GivenUp(given_up) => (
            "notice",
            "!",
            format!("given up without a close, with {}", count(given_up.count, "record", "records")),
            "–".to_owned(),
        ),
        Event::Hold(hold) => {
            ("notice", "!", format!("nothing of {} may be erased", scope(hold)), words(hold.reason.as_str()))
        }
        Event::Release(hold) => {
            ("fine", "✓", format!("the hold over {} ended", scope(hold)), words(hold.reason.as_str()))
        }
    }
}

/// The keys that may sign the deployment's runs, over time.
pub(super) fn keys(page: &mut Page, inspected: &Inspected) {
    let Some(history) = &inspected.history else { return };
    // Lines that were read have entries.
    let entries = history.entries().unwrap_or_default();
    page.raw(
        "<section aria-labelledby=\"keys\">\n<h2 id=\"keys\">Keys over time</h2>\n<p>Which key of <strong>",
    );
    page.text(history.origin()).raw("</strong> might sign runs from when on. It counts for whoever knows the first key from elsewhere; a newer history may say more.</p>\n");
    table(page, "Keys over time", &["When (UTC)", "What happened", "Key id", "Said by the key"]);
    for entry in entries.iter().take(MAX_ROWS) {
        let key = entry.subject().map_or_else(|_| "–".to_owned(), |id| id.to_string());
        let (class, sign) = if entry.event == KeyEvent::Revoked { ("stop", "✕") } else { ("fine", "✓") };
        page.raw("<tr><td class=\"time\">")
            .text(clock(entry.at))
            .raw("</td><td><span class=\"mark ")
            .raw(class);
        page.raw("\" aria-hidden=\"true\">").raw(sign).raw("</span> ").text(entry.event);
        if let Some(since) = entry.compromised_since {
            page.raw("; others may have had it since ").text(clock(since));
        }
        if entry.subject() == Ok(inspected.run_key.id()) {
            page.raw(" <strong>(signed this run)</strong>");
        }
        page.raw("</td><td class=\"mono key\">").text(key).raw("</td><td class=\"mono key\">");
        page.text(entry.key_id).raw("</td></tr>\n");
    }
    page.raw("</tbody></table></div>\n");
    more(page, entries.len());
    page.raw("</section>\n");
}

/// When the key that signed the run was revoked, if the bundle says so.
pub(super) fn revoked(inspected: &Inspected) -> Option<Timestamp> {
    let entries = inspected.history.as_ref()?.entries().ok()?;
    let of_run =
        |entry: &&KeyEntry| entry.event == KeyEvent::Revoked && entry.subject() == Ok(inspected.run_key.id());
    entries.iter().find(of_run).map(|entry| entry.at)
}

fn table(page: &mut Page, label: &'static str, columns: &[&'static str]) {
    page.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"").raw(label);
    page.raw("\"><table>\n<thead><tr>");
    for column in columns {
        page.raw("<th scope=\"col\">").raw(column).raw("</th>");
    }
    page.raw("</tr></thead>\n<tbody>\n");
}

fn more(page: &mut Page, rows: usize) {
    if rows > MAX_ROWS {
        page.raw("<p>")
            .text(count((rows - MAX_ROWS) as u64, "more line is", "more lines are"))
            .raw(" in the bundle.</p>\n");
    }
}
