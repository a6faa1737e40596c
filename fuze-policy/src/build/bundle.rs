//! Policies inside a program: constants alone, so that they can be held against types while the program is compiled.

use crate::agent_tool::{Cerbos, LoadError, MANIFEST};
use crate::cerbos::{Files, Source};

/// What goes before the directory in the name of the variable that says where a bundle lies. `policy!` looks for the same name.
pub(super) const VARIABLE: &str = "FUZE_POLICY:";

/// A policy set inside a program, as the build checked it. Written by [`Policies::compile`](super::Policies::compile).
#[derive(Clone, Copy, Debug)]
pub struct Bundle {
    /// The directory, as the build script names it.
    pub directory: &'static str,
    /// Path and text of each policy.
    pub policies: &'static [(&'static str, &'static str)],
    /// Path and text of each schema.
    pub schemas: &'static [(&'static str, &'static str)],
    /// The manifest.
    pub manifest: Option<&'static str>,
    /// [`Cerbos::bundle_hash`] of all of it.
    pub hash: [u8; 32],
    /// The tools that policies name.
    pub named: &'static [Named],
    /// The tools that tests are about.
    pub tested: &'static [Tested],
}

/// A tool that a policy names.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// The tool.
    pub tool: &'static str,
    /// Where: file, line and column.
    pub place: &'static str,
}

/// A tool as a test takes it; empty where the test says nothing.
#[derive(Clone, Copy, Debug)]
pub struct Tested {
    /// The tool.
    pub tool: &'static str,
    /// Where: file, line and column.
    pub place: &'static str,
    /// `classification`.
    pub classification: &'static str,
    /// `art9_basis`.
    pub art9_basis: &'static str,
    /// `residency`.
    pub residency: &'static str,
    /// `effect`.
    pub effect: &'static str,
    /// `egress`.
    pub egress: &'static str,
}

impl Bundle {
    /// The engine that decides by these policies.
    ///
    /// # Errors
    /// When they are not what the build checked: the engine in the program is of another version than the build script's.
    pub fn engine(&self) -> Result<Cerbos, LoadError> {
        let sources = |of: &[(&str, &str)]| of.iter().map(|(path, text)| Source::new(path, text)).collect();
        let files =
            Files { policies: sources(self.policies), schemas: sources(self.schemas), tests: Vec::new() };
        let manifest = self.manifest.map(|text| Source::new(MANIFEST, text));
        let engine = Cerbos::new(&files, manifest.as_ref())?;
        if engine.bundle_hash() != self.hash {
            let message =
                "this is not what the build script checked: take the same version of fuze-policy under \
                 `[build-dependencies]` and `[dependencies]`"
                    .to_owned();
            return Err(LoadError::about(self.directory, message));
        }
        Ok(engine)
    }
}
