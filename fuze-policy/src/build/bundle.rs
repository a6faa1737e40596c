//! Policies inside a program: constants alone, so that they can be held against types while the program is compiled.

use crate::agent_tool::{self, Cerbos, LoadError, MANIFEST};
use crate::cerbos::{Files, Source};
use crate::lower::Table;
use crate::{Engine, EngineError, EngineIdentity, Request, Verdict};

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
    /// [`Cerbos::flat_form`] of all of it.
    pub flat_form: &'static [u8],
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
    /// Whether it may be called so in other cases of letters.
    pub any_case: bool,
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
    /// The engine that decides by these policies: in the flat form that the build made, once that is theirs.
    ///
    /// # Errors
    /// When the policies or the flat form are not what the build checked: the engine in the program is of another version than the build
    /// script's, or somebody has put the bundle together.
    pub fn engine(&self) -> Result<Built, LoadError> {
        let policies = self.policies()?;
        let table = Table::from_bytes(self.flat_form, &self.hash).ok_or_else(|| self.other())?;
        Ok(Built { table, policies })
    }

    /// The policies themselves, read, with the flat form held against what they come to: that it is theirs.
    ///
    /// # Errors
    /// See [`engine`](Self::engine).
    pub fn policies(&self) -> Result<Cerbos, LoadError> {
        let (files, manifest) = self.files();
        let engine = Cerbos::new(&files, manifest.as_ref())?;
        if engine.bundle_hash() != self.hash || engine.flat_form() != self.flat_form {
            return Err(self.other());
        }
        Ok(engine)
    }

    fn files(&self) -> (Files, Option<Source>) {
        let sources = |of: &[(&str, &str)]| of.iter().map(|(path, text)| Source::new(path, text)).collect();
        let files =
            Files { policies: sources(self.policies), schemas: sources(self.schemas), tests: Vec::new() };
        (files, self.manifest.map(|text| Source::new(MANIFEST, text)))
    }

    fn other(&self) -> LoadError {
        let message =
            "this is not what the build script checked: take the same version of fuze-policy under \
                       `[build-dependencies]` and `[dependencies]`"
                .to_owned();
        LoadError::about(self.directory, message)
    }
}

/// The engine of a program's own policies: the flat form decides as the build made it, and what that leaves (see
/// [`Cerbos::decide_lowered`]) the policies decide.
#[derive(Debug)]
pub struct Built {
    table: Table,
    policies: Cerbos,
}

impl Built {
    /// [`Cerbos::bundle_hash`] of the policies.
    #[must_use]
    pub fn bundle_hash(&self) -> [u8; 32] {
        self.policies.bundle_hash()
    }

    /// See [`Cerbos::decide_lowered`].
    #[must_use]
    pub fn decide_lowered(&self, request: &Request<'_>) -> Option<Verdict> {
        agent_tool::decide_lowered(&self.table, request)
    }
}

impl Engine for Built {
    fn identity(&self) -> EngineIdentity {
        self.policies.identity()
    }

    fn decide(&self, request: &Request<'_>) -> Result<Verdict, EngineError> {
        match self.decide_lowered(request) {
            Some(verdict) => Ok(verdict),
            None => self.policies.decide_interpreted(request),
        }
    }
}
