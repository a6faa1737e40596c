//! The report's words: verdict, facts, decisions, records, what was checked and what that does not prove.

use fuze_evidence::record::Entry;
use fuze_evidence::verify::Chain;
use fuze_evidence::vocab::{AnnexIii, Art22, RunStatus};
use fuze_evidence::{Hash, Span};

use super::Made;
use super::around;
use super::html::Page;
use super::outline::{Outline, Row};
use super::scale::duration;
use super::timeline::clock;
use super::words::{self, Mark, Story, count};
use crate::verify::Inspected;

pub(super) fn head(page: &mut Page, outline: &Outline, inspected: &Inspected) {
    page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n");
    page.raw("<title>Run ")
        .text(inspected.run.run_id)
        .raw("</title>\n<style>\n")
        .raw(include_str!("style.css"));
    page.raw("</style>\n</head>\n<body>\n<header>\n<p class=\"eyebrow\">Evidence of one run of an AI agent</p>\n<h1>");
    page.text(agent(outline))
        .raw("</h1>\n<p class=\"mono\">")
        .text(inspected.run.run_id)
        .raw("</p>\n</header>\n");
}

fn agent(outline: &Outline) -> String {
    match outline.rows().first().map(|row| &row.entry.span) {
        Some(Span::AgentInvoke(invoke)) => invoke.agent_name.to_string(),
        _ => "Run".to_owned(),
    }
}

pub(super) fn verdict(page: &mut Page, outline: &Outline, inspected: &Inspected) {
    let run = &inspected.run;
    let revoked = around::revoked(inspected);
    let (class, sign, title) = match run.chain {
        _ if !run.findings.is_empty() => {
            ("stop", "✗", "Against the rules: what the records tell was not allowed".to_owned())
        }
        Chain::NotClosed => ("stop", "?", "Not closed: that this is all cannot be said".to_owned()),
        // Whether such a key signed before others had it, nothing in the bundle says.
        Chain::Closed(status) if revoked.is_some() => (
            "notice",
            "!",
            format!("Intact, and {}; but the key that signed it was revoked", words::ended(status)),
        ),
        Chain::Closed(status @ RunStatus::Completed) => {
            ("fine", "✓", format!("Intact, and {}", words::ended(status)))
        }
        Chain::Closed(status) => ("notice", "!", format!("Intact; {}", words::ended(status))),
    };
    page.raw("<section class=\"verdict ")
        .raw(class)
        .raw("\" aria-label=\"Result\">\n<span class=\"badge\" aria-hidden=\"true\">");
    page.text(sign).raw("</span>\n<div><h2>").text(title).raw("</h2>\n<p>");
    page.text(count(run.records, "record", "records")).raw(", an unbroken chain; ");
    page.text(match run.roots {
        1 => "1 signature holds and covers ".to_owned(),
        roots => format!("{roots} signatures by one key hold, and cover "),
    });
    page.text(if run.signed_records == run.records {
        "all".to_owned()
    } else {
        run.signed_records.to_string()
    });
    page.raw(" of them.");
    if let Chain::Closed(status) = run.chain {
        page.raw(" Ended as <strong>").text(status.as_str().replace('_', " ")).raw("</strong>.");
    }
    if !run.findings.is_empty() {
        page.raw(" That nothing was changed afterwards does not make it right.");
    }
    let stops = outline.rows().iter().filter(|row| words::mark(&row.entry.span) == Mark::Stop).count();
    match stops {
        0 => {}
        1 => drop(page.raw(" <strong>One</strong> of the records shown says that something was refused, failed or is in doubt.")),
        _ => {
            page.raw(" <strong>").text(stops);
            page.raw("</strong> of the records shown say that something was refused, failed or is in doubt.");
        }
    }
    if let Some(at) = revoked {
        page.raw(" <strong>The key that signed it was revoked at ").text(clock(at));
        page.raw(" UTC</strong>: it counts only if a log that you know had it before, and you were told where that log has the revocation.");
    }
    page.raw("</p>\n<p>This was found when the bundle was made. This page is no proof: check the bundle yourself, as <code>README.txt</code> beside it says, with a key that you know from elsewhere; and see <a href=\"#limits\">what this does not prove</a>.</p></div>\n</section>\n");
}

/// Findings that are shown.
const MAX_FINDINGS: usize = 100;

/// What is against the rules of the loop, record by record.
pub(super) fn findings(page: &mut Page, outline: &Outline, inspected: &Inspected) {
    let findings = &inspected.run.findings;
    if findings.is_empty() {
        return;
    }
    page.raw("<section aria-labelledby=\"findings\">\n<h2 id=\"findings\">Against the rules</h2>\n<p>The records are as they were written and signed. What they tell breaks rules that hold for every run.</p>\n");
    page.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Broken rules\"><table>\n<thead><tr><th scope=\"col\">Record</th><th scope=\"col\">What is wrong</th><th scope=\"col\">What must hold</th></tr></thead>\n<tbody>\n");
    for finding in findings.iter().take(MAX_FINDINGS) {
        page.raw("<tr><td>");
        if outline.rows().iter().any(|row| row.entry.sequence == finding.sequence) {
            page.raw("<a href=\"#r").text(finding.sequence).raw("\">").text(finding.sequence).raw("</a>");
        } else {
            page.text(finding.sequence);
        }
        page.raw("</td><td><span class=\"mark stop\" aria-hidden=\"true\">").text(Mark::Stop.sign());
        page.raw("</span> ").text(finding.rule.describe()).raw("</td><td>").text(finding.rule.expected());
        page.raw("</td></tr>\n");
    }
    page.raw("</tbody></table></div>\n");
    if findings.len() > MAX_FINDINGS {
        page.raw("<p>").text(findings.len() - MAX_FINDINGS).raw(" more are not shown.</p>\n");
    }
    page.raw("</section>\n");
}

pub(super) fn facts(page: &mut Page, outline: &Outline, inspected: &Inspected, made: &Made) {
    let Some(Row { entry, .. }) = outline.rows().first() else { return };
    let Span::AgentInvoke(invoke) = &entry.span else { return };
    let common = &entry.common;
    let optional = |name: Option<String>| name.unwrap_or_else(|| "none".to_owned());
    page.raw("<section aria-labelledby=\"facts\">\n<h2 id=\"facts\">What ran, for whom, on which grounds</h2>\n<div class=\"facts\">\n");
    group(
        page,
        "Responsibility",
        &[
            ("Deployment", inspected.run.origin.to_string()),
            ("Tenant", common.tenant.to_string()),
            ("Started by", common.principal.to_string()),
            ("Data subject (alias)", optional(common.subject.as_ref().map(ToString::to_string))),
            ("Purpose", invoke.purpose.to_string()),
        ],
    );
    group(
        page,
        "Law",
        &[
            (
                "Lawful basis, GDPR Art. 6(1)",
                optional(common.lawful_basis.map(|b| b.as_str().replace('_', " "))),
            ),
            (
                "Automated decision, GDPR Art. 22(2)",
                none_or(common.art22 == Art22::None, common.art22.as_str()),
            ),
            (
                "High risk, AI Act Annex III",
                none_or(common.annex_iii == AnnexIii::None, common.annex_iii.as_str()),
            ),
            ("Oversight plan", optional(invoke.oversight_plan.as_ref().map(ToString::to_string))),
            ("Retention", retention(entry)),
        ],
    );
    group(
        page,
        "System",
        &[
            ("Model", format!("{}, hosted in {}", invoke.model_snapshot, invoke.model_residency)),
            (
                "Policy engine",
                format!(
                    "{}{}",
                    invoke.engine,
                    if invoke.permissive { " (PERMISSIVE: nothing was gated)" } else { "" }
                ),
            ),
            ("Clock, signer, sink", format!("{}, {}, {}", invoke.clock, invoke.signer, invoke.sink)),
            ("Definition", short(invoke.fingerprint)),
            ("Policy bundle", short(invoke.bundle_hash)),
        ],
    );
    group(
        page,
        "Evidence",
        &[
            ("Run key id", inspected.run_key.id().to_string()),
            ("Head", inspected.run.head.to_string()),
            ("Close root", optional(inspected.close_root.map(|root| root.to_string()))),
            (
                "Bundle made by key",
                if made.maker == inspected.run_key.id() {
                    "the run's own".to_owned()
                } else {
                    made.maker.to_string()
                },
            ),
            ("Bundle made at", clock(made.exported_at)),
        ],
    );
    page.raw("</div>\n</section>\n");
}

fn none_or(none: bool, text: &str) -> String {
    if none { "none".to_owned() } else { text.replace(['_', '.'], " ") }
}

fn retention(entry: &Entry) -> String {
    let Span::AgentInvoke(a) = &entry.span else { return String::new() };
    format!(
        "{}: content {} d, decisions {} d, hashes {} d",
        entry.common.retention, a.retention_content_days, a.retention_decision_days, a.retention_hash_days
    )
}

/// Enough to tell apart; the whole stands in the records.
fn short(hash: Hash) -> String {
    let text = hash.to_string();
    format!("{}…", text.get(..16).unwrap_or(&text))
}

fn group(page: &mut Page, title: &'static str, facts: &[(&'static str, String)]) {
    page.raw("<div><h3>").raw(title).raw("</h3><dl>\n");
    for (name, value) in facts {
        let hash = value.parse::<Hash>().is_ok();
        page.raw("<dt>").raw(name).raw(if hash { "</dt><dd class=\"mono\">" } else { "</dt><dd>" });
        page.text(value).raw("</dd>\n");
    }
    page.raw("</dl></div>\n");
}

pub(super) fn records(page: &mut Page, outline: &Outline, story: &Story) {
    page.raw("<section aria-labelledby=\"records\">\n<h2 id=\"records\">Records</h2>\n");
    if outline.hidden() > 0 {
        page.raw("<p>")
            .text(match outline.hidden() {
                1 => "One record is not shown".to_owned(),
                hidden => format!("{hidden} records are not shown"),
            })
            .raw("; <code>records.jsonl</code> has all.</p>\n");
    }
    page.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Records\"><table class=\"records\">\n<thead><tr><th scope=\"col\">No.</th><th scope=\"col\">Began (UTC)</th><th scope=\"col\">Took</th><th scope=\"col\">Span</th><th scope=\"col\">What happened</th><th scope=\"col\">Hash</th></tr></thead>\n");
    for row in outline.rows() {
        record(page, row, story);
    }
    page.raw("</table></div>\n</section>\n");
}

fn record(page: &mut Page, row: &Row, story: &Story) {
    let entry = &row.entry;
    let mark = words::mark(&entry.span);
    let nanos = entry.ended_at.nanos_since(entry.started_at).unwrap_or_default();
    page.raw("<tbody id=\"r").text(entry.sequence).raw("\"><tr><th scope=\"row\">").text(entry.sequence);
    page.raw("</th><td class=\"when\">")
        .text(clock(entry.started_at))
        .raw("</td><td class=\"time\">")
        .text(duration(nanos));
    page.raw("</td><td><span class=\"chip ")
        .raw(words::lane(&entry.span).class())
        .raw("\">")
        .text(entry.span.name());
    page.raw("</span></td><td><span class=\"mark ")
        .raw(mark.class())
        .raw("\" aria-hidden=\"true\">")
        .text(mark.sign());
    page.raw("</span> ").text(story.summary(&entry.span));
    if entry.content.is_some() && row.fields.is_empty() {
        page.raw(" <span class=\"withheld\">(content ")
            .raw(if row.erased { "erased" } else { "withheld" })
            .raw(")</span>");
    }
    page.raw("</td><td class=\"mono\"")
        .attr("title", entry.hash)
        .raw(">")
        .text(short(entry.hash))
        .raw("</td></tr>\n");
    if !row.fields.is_empty() {
        content(page, row);
    }
    page.raw("</tbody>\n");
}

/// What is disclosed, below its record. Open: what is closed is not printed by every browser.
fn content(page: &mut Page, row: &Row) {
    let fields = count(row.fields.len() as u64 + row.more_fields, "field", "fields");
    page.raw("<tr class=\"content\"><td></td><td colspan=\"5\"><details open><summary>").text(fields);
    page.raw(" disclosed</summary><dl>\n");
    for (path, value) in &row.fields {
        page.raw("<dt class=\"mono\">")
            .text(if path.is_empty() { "(whole)" } else { path })
            .raw("</dt><dd class=\"value\">");
        page.text(value).raw("</dd>\n");
    }
    page.raw("</dl>");
    match row.more_fields {
        0 => {}
        1 => drop(page.raw("<p>One more is in the bundle.</p>")),
        more => drop(page.raw("<p>").text(more).raw(" more are in the bundle.</p>")),
    }
    match row.withheld {
        0 => {}
        1 => drop(page.raw("<p>One leaf is not disclosed; whether it is padding cannot be told.</p>")),
        withheld => {
            page.raw("<p>").text(withheld);
            page.raw(" leaves are not disclosed; how many of them are padding cannot be told.</p>");
        }
    }
    page.raw("</details></td></tr>\n");
}

pub(super) fn checked(page: &mut Page, inspected: &Inspected, made: &Made) {
    let run = &inspected.run;
    page.raw("<section aria-labelledby=\"checked\">\n<h2 id=\"checked\">What was checked</h2>\n<ul>\n<li>Each record (");
    page.text(count(run.records, "record", "records")).raw(") is canonical, complete and of a known kind, and holds the hash of the one before.</li>\n<li>The rules of the loop: ");
    match run.findings.len() {
        0 => page.raw("no record breaks one."),
        1 => page.raw("one is broken once, see above."),
        broken => page.text(broken).raw(" times one is broken, see above."),
    };
    page.raw("</li>\n<li>Signatures by the key <span class=\"mono\">").text(inspected.run_key.id());
    page.raw("</span>: ").text(run.roots).raw(", and each holds. Whether that key is the deployment’s, you must know from elsewhere.</li>\n<li>Content, leaf by leaf: ");
    let content = run.content;
    page.text(content.verified)
        .raw(" disclosed, which the records commit to; ")
        .text(content.withheld)
        .raw(" not disclosed; ");
    page.text(content.erased)
        .raw(" erased, each explained by a statement; none missing. Padding counts as leaves.</li>\n<li>Decisions of people: ");
    let decisions = inspected.decisions;
    page.text(decisions.recorded).raw(" recorded, ").text(decisions.disclosed).raw(
        " disclosed as signed, with what was asked.</li>\n<li>The bundle was made by the key <span class=\"mono\">",
    );
    page.text(made.maker).raw("</span>.</li>\n<li>Transparency log: ");
    match inspected.anchors.summary() {
        Some(places) => page.text(places).raw(". The proofs hold together; whether they hold under the log’s key and its witnesses’, only whoever knows those keys can tell."),
        None => page.raw("the run is anchored in none."),
    };
    page.raw("</li>\n</ul>\n</section>\n");
}

pub(super) fn limits(page: &mut Page) {
    page.raw("<section aria-labelledby=\"limits\">\n<h2 id=\"limits\">What this does not prove</h2>\n<ul>\n<li>That what was recorded is true. The records are consistent; their inputs may be false.</li>\n<li>What a person was shown before a decision, beyond what is disclosed of it here; and where redaction left a mark, what stood in its place.</li>\n<li>Who decided. That an alias and its key are one person is the deployment’s word.</li>\n<li>That nothing else happened. What was never recorded is not found.</li>\n<li>That no other history exists. Whoever holds the run’s key can sign another one, unless a log, a witness or an earlier bundle in somebody else’s hands says what was signed first.</li>\n<li>That what was erased is gone everywhere. Copies that others made are not recalled.</li>\n<li>When something happened, beyond what the deployment’s own clock said.</li>\n<li>That the key which signed it is still good. It may have been revoked since this bundle was made: ask for the newest key history.</li>\n</ul>\n</section>\n");
}
