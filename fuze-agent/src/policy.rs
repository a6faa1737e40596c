//! Policies that a program is built with, and the tools that they are about: what `policy!` makes.
//!
//! A build script has checked the policies ([`build`]). What they say about tools is held against the tools' types here, in a constant:
//! a tool that does not exist, or that no test takes as it is declared, is a compile error with the policy's file and line.

use fuze_policy::ToolFacts;
use fuze_policy::agent_tool::{Cerbos, LoadError};
use fuze_policy::analysis::{self, ToolDeclaration};
use serde_json::Value;

use crate::boundary::Egress;
use crate::effect::Effect;
use crate::law::data::Classification;
use crate::law::residency::Residency;
use crate::tool::{Arguments, Tool};

pub use fuze_policy::analysis::{Finding, Tools};
pub use fuze_policy::build::{self, Built, Bundle, Named, Tested};

/// Policies in a program, which the build has loaded, tested and proven, with the tools that they are about. [`policy!`](crate::policy!)
/// makes one; [`engine`](Self::engine) is what a [`Deployment`](crate::Deployment) takes.
#[derive(Clone, Copy, Debug)]
pub struct BuiltPolicy {
    bundle: &'static Bundle,
    tools: &'static [Listed],
}

/// A tool that is listed with a policy.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    facts: ToolFacts<'static>,
    arguments: fn() -> Value,
}

impl Listed {
    /// The tool `T`.
    #[must_use]
    pub const fn of<T: Tool>() -> Self {
        Self {
            facts: ToolFacts {
                name: T::NAME,
                classification: T::Data::NAME,
                art9_basis: T::Data::ART9,
                residency: <<T::Data as Classification>::Residency as Residency>::NAME,
                effect: T::Effect::NAME,
                egress: T::Egress::NAME,
            },
            arguments: arguments::<T>,
        }
    }
}

fn arguments<T: Tool>() -> Value {
    schemars::schema_for!(Arguments<T>).to_value()
}

impl BuiltPolicy {
    /// Stands for a declaration with a mistake in it.
    #[doc(hidden)]
    pub const NOTHING: Self = {
        static NOTHING: Bundle = Bundle {
            directory: "",
            policies: &[],
            schemas: &[],
            manifest: None,
            hash: [0; 32],
            flat_form: &[],
            named: &[],
            tested: &[],
        };
        Self { bundle: &NOTHING, tools: &[] }
    };

    /// A bundle and the tools that it is about. In a constant, what does not fit fails the build.
    ///
    /// # Panics
    /// When a policy names a tool that is not listed, or no test takes a listed tool as it is declared. `policy!` calls it in a constant.
    #[must_use]
    pub const fn new<const LENGTH: usize>(bundle: &'static Bundle, tools: &'static [Listed]) -> Self {
        let mut text = [0; LENGTH];
        let length = misfits(bundle, tools, &mut text);
        if length > 0 {
            misfit(&text);
        }
        Self { bundle, tools }
    }

    /// How much there is to say about what does not fit: the length that [`new`](Self::new) needs.
    #[must_use]
    pub const fn length(bundle: &Bundle, tools: &[Listed]) -> usize {
        misfits(bundle, tools, &mut [])
    }

    /// The engine that decides by these policies, in the flat form that the build made of them.
    ///
    /// # Errors
    /// When they are not what the build checked: see [`Bundle::engine`].
    pub fn engine(&self) -> Result<Built, LoadError> {
        self.bundle.engine()
    }

    /// The policies themselves, with the flat form held against what they come to: see [`Bundle::policies`].
    ///
    /// # Errors
    /// When they are not what the build checked.
    pub fn policies(&self) -> Result<Cerbos, LoadError> {
        self.bundle.policies()
    }

    /// SHA-256 over the policies, as it stands in the record of each decision.
    #[must_use]
    pub const fn bundle_hash(&self) -> [u8; 32] {
        self.bundle.hash
    }

    /// The listed tools. As [JSON](Tools::to_json), `fuze policy lint --tools` and `prove --tools` read them.
    #[must_use]
    pub fn tools(&self) -> Tools {
        let declaration = |tool: &Listed| ToolDeclaration {
            name: tool.facts.name.to_owned(),
            classification: tool.facts.classification.to_owned(),
            art9_basis: tool.facts.art9_basis.map(str::to_owned),
            residency: tool.facts.residency.to_owned(),
            effect: tool.facts.effect.to_owned(),
            egress: tool.facts.egress.to_owned(),
            args: (tool.arguments)().as_object().and_then(analysis::names_of_arguments),
        };
        Tools { tools: self.tools.iter().map(declaration).collect(), roles: None }
    }

    /// What a reviewer would object to now that the tools are known: rules that none of them meets, arguments that none of them has.
    /// Worth a test of the program's own, because a constant cannot see the names of arguments.
    ///
    /// # Errors
    /// See [`policies`](Self::policies), which it calls.
    pub fn review(&self) -> Result<Vec<Finding>, LoadError> {
        Ok(analysis::lint(&self.policies()?, &self.tools()))
    }
}

/// Writes what does not fit, a line for each; without room it only counts.
const fn misfits(bundle: &Bundle, tools: &[Listed], out: &mut [u8]) -> usize {
    let mut text = Text { out, length: 0 };
    let mut named = bundle.named;
    while let [first, rest @ ..] = named {
        if !is_any(tools, first) {
            text.all(&[
                "\n",
                first.place,
                ": no tool of this policy is called `",
                first.tool,
                "`; they are called ",
            ]);
            text.tools(tools);
        }
        named = rest;
    }
    let mut left = tools;
    while let [tool, rest @ ..] = left {
        if find(rest, tool.facts.name).is_some() {
            text.all(&["\n", bundle.directory, ": two of the listed tools are called `", tool.facts.name]);
            text.add("`, and a policy could not tell them apart");
        }
        if let Some(place) = untested(bundle, &tool.facts) {
            text.all(&["\n", place, ": no test takes the tool `", tool.facts.name, "` as it is declared: "]);
            text.facts(&tool.facts);
        }
        left = rest;
    }
    text.length
}

#[track_caller]
const fn misfit(text: &[u8]) -> ! {
    match core::str::from_utf8(text) {
        #[expect(clippy::panic, reason = "in a constant, this is a compile error")]
        Ok(text) => panic!("{}", text),
        #[expect(clippy::panic, reason = "whole texts are joined, so this is never reached")]
        Err(_) => panic!("the policies do not fit the tools"),
    }
}

/// Whether a tool is called as a policy names it.
const fn is_any(tools: &[Listed], named: &Named) -> bool {
    let mut left = tools;
    while let [tool, rest @ ..] = left {
        if same(tool.facts.name, named.tool)
            || named.any_case && tool.facts.name.eq_ignore_ascii_case(named.tool)
        {
            return true;
        }
        left = rest;
    }
    false
}

const fn find<'t>(tools: &'t [Listed], name: &str) -> Option<&'t Listed> {
    let mut left = tools;
    while let [tool, rest @ ..] = left {
        if same(tool.facts.name, name) {
            return Some(tool);
        }
        left = rest;
    }
    None
}

/// Where no test takes a tool as it is declared: the place of the first that takes it otherwise, or the directory if none is about it. Of a
/// set without tests the build has warned.
const fn untested<'t>(bundle: &'t Bundle, facts: &ToolFacts<'_>) -> Option<&'t str> {
    if bundle.tested.is_empty() {
        return None;
    }
    let mut first = None;
    let mut left = bundle.tested;
    while let [test, rest @ ..] = left {
        if same(test.tool, facts.name) {
            let art9_basis = match facts.art9_basis {
                Some(basis) => basis,
                None => "",
            };
            if same(test.classification, facts.classification)
                && same(test.art9_basis, art9_basis)
                && same(test.residency, facts.residency)
                && same(test.effect, facts.effect)
                && same(test.egress, facts.egress)
            {
                return None;
            }
            if first.is_none() {
                first = Some(test.place);
            }
        }
        left = rest;
    }
    match first {
        None => Some(bundle.directory),
        found => found,
    }
}

const fn same(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while let ([first, a_rest @ ..], [second, b_rest @ ..]) = (a, b) {
        if *first != *second {
            return false;
        }
        (a, b) = (a_rest, b_rest);
    }
    a.is_empty() && b.is_empty()
}

/// Text in a constant.
struct Text<'o> {
    out: &'o mut [u8],
    length: usize,
}

impl Text<'_> {
    const fn add(&mut self, text: &str) {
        let mut left = text.as_bytes();
        while let [byte, rest @ ..] = left {
            if self.length < self.out.len() {
                #[expect(clippy::indexing_slicing, reason = "it is shorter; const code has no `get_mut`")]
                {
                    self.out[self.length] = *byte;
                }
            }
            self.length += 1;
            left = rest;
        }
    }

    const fn all(&mut self, texts: &[&str]) {
        let mut left = texts;
        while let [text, rest @ ..] = left {
            self.add(text);
            left = rest;
        }
    }

    const fn tools(&mut self, tools: &[Listed]) {
        if tools.is_empty() {
            self.add("nothing: none is listed");
        }
        let mut left = tools;
        while let [tool, rest @ ..] = left {
            self.all(&["`", tool.facts.name, if rest.is_empty() { "`" } else { "`, " }]);
            left = rest;
        }
    }

    const fn facts(&mut self, facts: &ToolFacts<'_>) {
        self.all(&["classification: ", facts.classification]);
        if let Some(basis) = facts.art9_basis {
            self.all(&[", art9_basis: ", basis]);
        }
        self.all(&[", residency: ", facts.residency, ", effect: ", facts.effect, ", egress: ", facts.egress]);
    }
}
