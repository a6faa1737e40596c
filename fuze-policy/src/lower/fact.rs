//! Where a path of a condition leads in a request about a tool.

use std::sync::Arc;

use crate::Request;
use crate::cel::{Path, Root};

use super::stored::stored;
use super::value::{List, Ref};

/// One trusted fact of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    ToolName,
    Classification,
    Art9Basis,
    Residency,
    Effect,
    Egress,
    Depth,
    Tenant,
    Purpose,
    LawfulBasis,
    AnnexIii,
    Art22,
    HasSubject,
    Principal,
    Roles,
}

stored!(enum Fact {
    0: ToolName {}, 1: Classification {}, 2: Art9Basis {}, 3: Residency {}, 4: Effect {}, 5: Egress {}, 6: Depth {}, 7: Tenant {},
    8: Purpose {}, 9: LawfulBasis {}, 10: AnnexIii {}, 11: Art22 {}, 12: HasSubject {}, 13: Principal {}, 14: Roles {},
});

/// Where a path leads.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Fact(Fact),
    /// Keys below the arguments.
    Args(Vec<Arc<str>>),
    /// Nowhere, in every request.
    Missing,
}

/// Where a path leads; `None` for what is not lowered.
pub(super) fn place(path: &Path) -> Option<Place> {
    let known = |fact| if path.keys.len() > 1 { None } else { Some(Place::Fact(fact)) };
    let key = path.keys.first().map(|key| &**key);
    match (path.root, key) {
        (Root::PrincipalId, None) => known(Fact::Principal),
        (Root::PrincipalRoles, None) => known(Fact::Roles),
        (Root::ResourceId, None) => known(Fact::ToolName),
        (Root::ResourceAttr, Some("args")) => Some(Place::Args(path.keys.get(1..)?.to_vec())),
        (Root::ResourceAttr, Some("tool_name")) => known(Fact::ToolName),
        (Root::ResourceAttr, Some("classification")) => known(Fact::Classification),
        (Root::ResourceAttr, Some("art9_basis")) => known(Fact::Art9Basis),
        (Root::ResourceAttr, Some("residency")) => known(Fact::Residency),
        (Root::ResourceAttr, Some("effect")) => known(Fact::Effect),
        (Root::ResourceAttr, Some("egress")) => known(Fact::Egress),
        (Root::ResourceAttr, Some("depth")) => known(Fact::Depth),
        (Root::PrincipalAttr, Some("tenant")) => known(Fact::Tenant),
        (Root::PrincipalAttr, Some("purpose")) => known(Fact::Purpose),
        (Root::PrincipalAttr, Some("lawful_basis")) => known(Fact::LawfulBasis),
        (Root::PrincipalAttr, Some("annex_iii")) => known(Fact::AnnexIii),
        (Root::PrincipalAttr, Some("art22")) => known(Fact::Art22),
        (Root::PrincipalAttr, Some("has_subject")) => known(Fact::HasSubject),
        (Root::ResourceAttr | Root::PrincipalAttr, Some(_)) if path.keys.len() == 1 => Some(Place::Missing),
        _ => None,
    }
}

impl Fact {
    /// The fact; `None` where the request does not have it.
    pub(super) fn of<'a>(self, request: &Request<'a>) -> Option<Ref<'a>> {
        let (tool, run) = (&request.tool, &request.run);
        Some(match self {
            Fact::ToolName => Ref::Text(tool.name),
            Fact::Classification => Ref::Text(tool.classification),
            Fact::Art9Basis => Ref::Text(tool.art9_basis?),
            Fact::Residency => Ref::Text(tool.residency),
            Fact::Effect => Ref::Text(tool.effect),
            Fact::Egress => Ref::Text(tool.egress),
            Fact::Depth => Ref::Double(f64::from(request.call.depth)),
            Fact::Tenant => Ref::Text(run.tenant),
            Fact::Purpose => Ref::Text(run.purpose),
            Fact::LawfulBasis => Ref::Text(run.lawful_basis),
            Fact::AnnexIii => Ref::Text(run.annex_iii),
            Fact::Art22 => Ref::Text(run.art22),
            Fact::HasSubject => Ref::Bool(run.has_subject),
            Fact::Principal => Ref::Text(run.principal),
            Fact::Roles => Ref::List(List::Texts(run.roles)),
        })
    }
}
