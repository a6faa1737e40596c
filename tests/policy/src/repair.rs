//! Makes generated policies compile: an expression that Cerbos refuses is replaced by one that it takes, and kept, because what one
//! engine refuses the other must refuse, too.

use std::fs;
use std::path::Path;

use fuze_policy::cel::Program;
use serde_json::Value;

use crate::file;
use crate::generate::Case;
use crate::pdp::{self, Refusal};
use crate::rewrite;

/// Takes the place of what was refused.
const INSTEAD: &str = "R.attr.flag";

/// Writes every policy as a file of the directory. A remark in each expression keeps the cases apart: rules that have the same expressions
/// are one to Cerbos, whichever set they are of.
pub fn write(cases: &[Case], directory: &Path) -> Result<(), String> {
    for case in cases {
        for (name, policy) in &case.policies {
            let mut policy = policy.clone();
            rewrite::expressions(&mut policy, &mut |text| *text += &format!(" // {}", case.seed));
            let (file, text) = file::of(name, &policy);
            fs::write(directory.join(file), text).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// Replaces what Cerbos refuses, until nothing is left. Returns each refused expression with what Cerbos said of it.
pub fn repair(binary: &Path, directory: &Path, cases: &mut [Case]) -> Result<Vec<(String, String)>, String> {
    let mut refused = Vec::new();
    let mut replaced = 0;
    for _ in 0..50 {
        write(cases, directory)?;
        let refusals = pdp::refused(binary, directory)?;
        if refusals.is_empty() {
            return Ok(refused);
        }
        for Refusal { file, path, said } in refusals {
            let policies = cases.iter_mut().flat_map(|case| &mut case.policies);
            let (_, policy) = policies
                .into_iter()
                .find(|(name, _)| *name == file)
                .ok_or_else(|| format!("no file {file}: {said}"))?;
            let place = at(policy, &path).ok_or_else(|| format!("{file}: nothing at {path}: {said}"))?;
            let Some(expression) = place.as_str().map(str::to_owned) else {
                return Err(format!("{file}: {path} is no expression: {said}"));
            };
            if !expression.starts_with(INSTEAD) {
                refused.push((expression, said));
            }
            replaced += 1;
            *place = format!("{INSTEAD} // instead {replaced}").into();
        }
    }
    Err("fifty rounds, and Cerbos still refuses something".to_owned())
}

/// The same by our own reading, where no Cerbos is at hand.
pub fn offline(case: &mut Case) {
    let mut replaced = 0;
    for (_, policy) in &mut case.policies {
        rewrite::expressions(policy, &mut |text| {
            if Program::parse(text).is_err() {
                replaced += 1;
                *text = format!("{INSTEAD} // instead {replaced}");
            }
        });
    }
}

/// `$.a.b[0].c`
fn at<'v>(value: &'v mut Value, path: &str) -> Option<&'v mut Value> {
    let mut here = value;
    for step in path.trim_start_matches('$').split('.').filter(|step| !step.is_empty()) {
        let mut parts = step.split('[');
        here = here.get_mut(parts.next()?)?;
        for index in parts {
            here = here.get_mut(index.trim_end_matches(']').parse::<usize>().ok()?)?;
        }
    }
    Some(here)
}
