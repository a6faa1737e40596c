//! `fuze-policy.manifest`: what a policy set's owner allows in writing, and the globals its conditions see.

use std::sync::Arc;

use crate::cerbos::yaml::{self, Limits};
use crate::cerbos::{Collector, Fields, Problems, list_of};
use crate::cerbos::{Position, Problem, Source};

use super::widening::{Finding, Widening};

/// The name of the file, at the root of the policy directory. Its ending is none that Cerbos reads.
pub const FILE: &str = "fuze-policy.manifest";

/// A policy set's manifest.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    file: Option<Arc<str>>,
    allowed: Vec<Allowed>,
    /// `globals`: what `G` is in conditions.
    pub globals: serde_json::Map<String, serde_json::Value>,
}

/// One thing that is allowed although it widens.
#[derive(Clone, Debug)]
struct Allowed {
    at: crate::cerbos::Position,
    widening: Widening,
    policy: Arc<str>,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// Everything that is wrong with it. An entry without a reason, a person and a day is.
    pub fn read(source: &Source) -> Result<Self, Problems> {
        let mut out = Collector::default();
        let manifest = match yaml::read(&source.path, &source.text, Limits::default()) {
            Ok(documents) if documents.len() > 1 => {
                // The first alone would be read: what is allowed, or what a condition sees, would be another.
                let at = documents.get(1).map_or(Position::START, |second| second.at);
                out.add(&source.path, at, "a manifest is one document; take the others out".to_owned());
                Self::default()
            }
            Ok(documents) => documents
                .first()
                .and_then(|node| Fields::of(&source.path, node, "a manifest", &mut out))
                .map(|mut fields| read(&mut fields, &mut out))
                .unwrap_or_default(),
            Err(problem) => {
                out.push(problem);
                Self::default()
            }
        };
        out.into_result(manifest)
    }

    /// What of the findings is not allowed, and what is allowed without being there: a permission that outlives its reason is found.
    pub(super) fn judge(&self, findings: &[Finding]) -> Vec<Problem> {
        let allows = |allowed: &&Allowed, finding: &Finding| {
            allowed.widening == finding.widening && allowed.policy == finding.policy
        };
        let refused = findings
            .iter()
            .filter(|finding| !self.allowed.iter().any(|allowed| allows(&allowed, finding)))
            .map(|finding| Problem {
                place: finding.place.clone(),
                message: format!("{} ({})", finding.message, finding.widening),
            });
        let idle = self
            .allowed
            .iter()
            .filter(|allowed| !findings.iter().any(|finding| allows(allowed, finding)))
            .map(|allowed| Problem {
                place: crate::cerbos::Place {
                    file: self.file.clone().unwrap_or_else(|| FILE.into()),
                    at: allowed.at,
                },
                message: format!(
                    "nothing in `{}` needs `{}` any more; take this entry out",
                    allowed.policy, allowed.widening
                ),
            });
        refused.chain(idle).collect()
    }
}

fn read(fields: &mut Fields<'_>, out: &mut Collector) -> Manifest {
    if let Some(format) = fields.required_text("format", out)
        && &*format.value != "1"
    {
        fields.refuse(format.at, format!("the format `{}` is not known, only 1", format.value), out);
    }
    let file = fields.file.clone();
    let allowed = list_of(fields, "allow", out, |node, out| {
        let mut fields = Fields::of(&file, node, "an entry of `allow`", out)?;
        let entry = allowed(&mut fields, out);
        fields.finish(out);
        entry
    });
    let globals = fields.values("globals", out);
    fields.finish(out);
    Manifest {
        file: Some(fields.file.clone()),
        allowed: allowed.unwrap_or_default(),
        globals: globals.into_iter().collect(),
    }
}

/// A day as RFC 3339 writes it (`full-date`).
fn is_day(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

fn allowed(fields: &mut Fields<'_>, out: &mut Collector) -> Option<Allowed> {
    let name = fields.required_text("name", out);
    let policy = fields.required_text("policy", out);
    // Not used by the machine, and not to be left out: somebody answers for it.
    for written in ["because", "approved_by"] {
        fields.required_text(written, out);
    }
    if let Some(on) = fields.required_text("on", out)
        && !is_day(&on.value)
    {
        fields.refuse(on.at, format!("`{}` is no day: write one such as `2026-11-02`", on.value), out);
    }
    let name = name?;
    let widening = Widening::ALL.into_iter().find(|widening| widening.name() == &*name.value);
    if widening.is_none() {
        let known: Vec<&str> = Widening::ALL.iter().map(|widening| widening.name()).collect();
        fields.refuse(name.at, format!("`{}` is not known here, only {}", name.value, known.join(", ")), out);
    }
    Some(Allowed { at: fields.at, widening: widening?, policy: policy?.value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_the_day_on_which_somebody_answered_for_it() {
        let read = |on: &str| {
            let text = format!(
                "format: 1\nallow:\n  - name: deny-for-some-roles\n    policy: p\n    because: b\n    approved_by: d\n    on: {on}\n"
            );
            Manifest::read(&Source::new(FILE, &text)).map_err(|problems| problems.to_string())
        };
        assert!(read("2026-11-02").is_ok() && read("\"2024-02-29\"").is_ok());
        for wrong in ["someday", "2026-13-02", "2026-02-29", "20261102", "2026-11-02T00:00:00Z", "02.11.2026"]
        {
            let told = read(wrong).unwrap_err();
            assert!(told.starts_with(&format!("{FILE}:7:9: `{wrong}` is no day")), "{told}");
        }
    }
}
