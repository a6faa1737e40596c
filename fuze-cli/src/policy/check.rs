//! `fuze policy check`.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use super::Directory;
use crate::mend::Mend;
use crate::outcome::{Ended, Result};
use crate::output::{Document, Output};
use crate::text::{FAINT, GOOD, plain};

/// What `fuze policy check` found.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Checked {
    valid: bool,
    /// SHA-256 of the set, in hexadecimal: what each decision's record names.
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle_hash: Option<String>,
    /// Keys of the policies.
    policies: Vec<String>,
    problems: Vec<Mend>,
}

impl Document for Checked {
    const SCHEMA: &'static str = "fuze.policy.check/1";
}

pub(super) fn run(at: &Directory, output: &Output) -> Result {
    super::open(&at.directory)?;
    let read = super::read(&at.directory);
    if let Ok(engine) = &read {
        super::some(&at.directory, !engine.set().policies().is_empty())?;
        super::about_tools(&at.directory, engine, output);
    }
    let checked = match read {
        Ok(engine) => Checked {
            valid: true,
            bundle_hash: Some(engine.bundle_hash().iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            })),
            policies: engine.set().policies().iter().map(|policy| plain(&policy.key)).collect(),
            problems: Vec::new(),
        },
        Err(problems) => {
            Checked { valid: false, bundle_hash: None, policies: Vec::new(), problems: Mend::all(&problems) }
        }
    };
    output.data(&checked, || text(&checked))?;
    Ok(if checked.valid { Ended::Well } else { Ended::Failed })
}

fn text(checked: &Checked) -> String {
    let Some(hash) = &checked.bundle_hash else {
        let mut text: String = checked.problems.iter().map(Mend::text).collect();
        text += &match checked.problems.len() {
            1 => "1 thing to mend\n".to_owned(),
            many => format!("{many} things to mend\n"),
        };
        return text;
    };
    let mut text = format!("{GOOD}valid{GOOD:#}  bundle {hash}\n");
    for policy in &checked.policies {
        text += &format!("  {FAINT}{policy}{FAINT:#}\n");
    }
    text
}
