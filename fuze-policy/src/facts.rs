//! What an engine may know of a call. Trusted facts come from the tool's declaration and from the run; the model's
//! arguments stand apart and are never merged into them.

/// What a tool's declaration says. Wire names, as they stand in evidence.
#[derive(Clone, Copy, Debug)]
pub struct ToolFacts<'a> {
    /// The tool's name.
    pub name: &'a str,
    /// `public`, `confidential`, `personal` or `special_category`.
    pub classification: &'a str,
    /// The GDPR Art. 9(2) basis of a special-category tool.
    pub art9_basis: Option<&'a str>,
    /// Where the tool's data may be: `eu`, `eea`, `adequate`, `us` or `other`.
    pub residency: &'a str,
    /// `read`, `idempotent` or `once`.
    pub effect: &'a str,
    /// `none`, `eu`, `eea`, `hosts` or `any`.
    pub egress: &'a str,
}

/// What the run says about itself.
#[derive(Clone, Copy, Debug)]
pub struct RunFacts<'a> {
    /// The tenant on whose behalf the run acts.
    pub tenant: &'a str,
    /// The principal's alias.
    pub principal: &'a str,
    /// The principal's roles: a set, asked about in alphabetical order whatever order they have here.
    pub roles: &'a [String],
    /// The declared purpose of the agent.
    pub purpose: &'a str,
    /// GDPR Art. 6(1) basis of the agent.
    pub lawful_basis: &'a str,
    /// AI Act Annex III point of the agent, or `none`.
    pub annex_iii: &'a str,
    /// GDPR Art. 22(2) basis of a solely automated decision, or `none`.
    pub art22: &'a str,
    /// Whether the run has a data subject.
    pub has_subject: bool,
}

/// What is known of this one call.
#[derive(Clone, Copy, Debug)]
pub struct CallFacts<'a> {
    /// The arguments as canonical JSON (RFC 8785): exactly the bytes that the tool will get. Written by a model:
    /// never a reason to allow on their own.
    pub args: &'a [u8],
    /// How deep the call is nested; 0 for a call of the model's own.
    pub depth: u32,
}

/// One question to an engine.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The tool, as declared.
    pub tool: ToolFacts<'a>,
    /// The run.
    pub run: RunFacts<'a>,
    /// The call.
    pub call: CallFacts<'a>,
}
