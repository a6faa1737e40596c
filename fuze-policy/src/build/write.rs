//! The bundle as Rust source.

use std::fmt::Write as _;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::{Checked, about, within};
use crate::analysis::NamedTool;
use crate::cerbos::{Place, Problem, Source};

/// Writes the bundle below `OUT_DIR`.
pub(super) fn write(directory: &str, checked: &Checked) -> Result<PathBuf, Problem> {
    let at = |message: String| about(directory, &message);
    let out = std::env::var_os("OUT_DIR")
        .ok_or_else(|| at("cargo gives `OUT_DIR` to a build script: call this from one".to_owned()))?;
    // Directories can have names that no file can.
    let name: String = Sha256::digest(directory).iter().take(8).fold(String::new(), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    });
    let path = PathBuf::from(out).join(format!("fuze-policy-{name}.rs"));
    if path.to_str().is_none() {
        return Err(at(format!("`{}` is not UTF-8, and cargo takes no other path", path.display())));
    }
    std::fs::write(&path, source(directory, checked))
        .map_err(|error| at(format!("`{}` cannot be written: {error}", path.display())))?;
    Ok(path)
}

/// An expression of the type `Bundle`.
pub(super) fn source(directory: &str, checked: &Checked) -> String {
    let list = |of: &[Source]| -> String {
        of.iter().map(|source| format!("({:?}, {:?}), ", source.path, source.text)).collect()
    };
    let shown = |place: &Place| -> String {
        let problem = Problem { place: place.clone(), message: String::new() };
        within(directory, &[problem]).iter().map(|problem| problem.place.to_string()).collect()
    };
    let mut named = String::new();
    for NamedTool { name, any_case, place } in &checked.named {
        let place = shown(place);
        let _ = write!(
            named,
            "::fuze_agent::policy::Named {{ tool: {name:?}, any_case: {any_case}, place: {place:?} }}, "
        );
    }
    let mut tested = String::new();
    for fixture in &checked.tested {
        let [classification, art9_basis, residency, effect, egress] = &fixture.facts;
        let _ = write!(
            tested,
            "::fuze_agent::policy::Tested {{ tool: {:?}, place: {:?}, classification: {classification:?}, art9_basis: {art9_basis:?}, \
             residency: {residency:?}, effect: {effect:?}, egress: {egress:?} }}, ",
            fixture.tool,
            shown(&fixture.place),
        );
    }
    let manifest = checked.manifest.as_ref().map(|source| &source.text);
    format!(
        "{{\n::fuze_agent::policy::Bundle {{\ndirectory: {directory:?},\npolicies: &[{}],\n\
         schemas: &[{}],\nmanifest: {manifest:?},\nhash: {:?},\nflat_form: b\"{}\",\nnamed: &[{named}],\ntested: &[{tested}],\n}}\n}}\n",
        list(&checked.files.policies),
        list(&checked.files.schemas),
        checked.engine.bundle_hash(),
        checked.engine.flat_form().escape_ascii(),
    )
}
