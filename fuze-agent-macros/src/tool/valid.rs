//! The rules that one tool's declaration shows by itself. The types hold them too; here they speak at the author's word.

use proc_macro2::Span;

use super::attribute::{Art9Basis, Egress};
use super::{Attribute, Declaration};
use crate::errors::{Mistake, Mistakes};
use crate::parse::{self, Fact, Word};
use crate::vocabulary;

/// Reports every rule that the declaration breaks.
pub(crate) fn check(tool: &Declaration, m: &mut Mistakes) {
    let attribute = &tool.attribute;
    let name = &tool.function.name;
    required(attribute, name, m);
    if tool.function.attributes.description.is_empty() {
        m.at(
            name,
            Mistake::new(format!(
                "tool `{name}` has no description: the model and the overseer read its documentation (AI Act Art. 14(4)(a))"
            ))
            .write("/// What this tool does, in a sentence."),
        );
    }
    if syn::ext::IdentExt::unraw(name).to_string().starts_with("__") {
        m.at(
            name,
            Mistake::new("a tool's function is not named `__…`: such names are the macro's own")
                .write("name = \"__lookup\","),
        );
    }
    if matches!(attribute.name, Fact::Missing) {
        let text = syn::ext::IdentExt::unraw(name).to_string();
        if !parse::is_tool_name(&text) {
            m.at(
                name,
                Mistake::new("a tool's name has 1 to 64 characters of `A-Z a-z 0-9 _ -`")
                    .write("name = \"lookup\","),
            );
        }
    }
    if let Some(class) = attribute.classification.value() {
        match class.term.name {
            "public" => public(attribute, m),
            "confidential" => confidential(attribute, m),
            "personal" => personal(attribute, class, m),
            _ => special_category(attribute, class, m),
        }
    }
    if let Some(basis) = attribute.art9_basis.value() {
        law_reference(basis, m);
    }
    egress(attribute, m);
    oversight(attribute, m);
}

/// The keys that every tool states.
fn required(attribute: &Attribute, name: &syn::Ident, m: &mut Mistakes) {
    if attribute.classification.is_missing() {
        m.at(
            name,
            Mistake::new(format!("`classification` is missing: tool `{name}` does not say what data it touches (GDPR Art. 4(1), 9(1))"))
                .allowed(vocabulary::CLASSIFICATION.iter().map(|term| term.name))
                .write("classification = personal,"),
        );
    }
    if attribute.retention.is_missing() {
        m.at(
            name,
            Mistake::new(format!("`retention` is missing: tool `{name}` does not say how long what it leaves is kept (GDPR Art. 5(1)(e))"))
                .allowed_text("the name of a `const` of type `Retention`")
                .write("retention = RETENTION,"),
        );
    }
    if attribute.threat_boundary.is_missing() {
        m.at(
            name,
            Mistake::new(format!("`threat_boundary` is missing: tool `{name}` does not say where it may send data (GDPR Art. 32, 44)"))
                .allowed(super::attribute::egress_forms())
                .write("threat_boundary(egress = none),"),
        );
    }
}

fn public(attribute: &Attribute, m: &mut Mistakes) {
    no_art9(attribute, "public", m);
    no_lawful_bases(attribute, "public", m);
    if let Some(key) = attribute.residency.key() {
        m.at(
            key,
            Mistake::new(
                "`residency` does not apply to `public` data: it may be anywhere (GDPR Art. 44); leave the key out",
            )
            .write("classification = confidential,"),
        );
    }
}

fn confidential(attribute: &Attribute, m: &mut Mistakes) {
    no_art9(attribute, "confidential", m);
    no_lawful_bases(attribute, "confidential", m);
}

fn personal(attribute: &Attribute, class: &Word, m: &mut Mistakes) {
    no_art9(attribute, "personal", m);
    lawful_bases(attribute, class, "personal", m);
    if attribute.residency.is_missing() {
        m.at(
            &class.ident,
            Mistake::new("`residency` is missing: `personal` data says where it may be (GDPR Art. 44)")
                .allowed(vocabulary::RESIDENCY.iter().map(|term| term.name))
                .write("residency = eu,"),
        );
    }
}

fn special_category(attribute: &Attribute, class: &Word, m: &mut Mistakes) {
    if attribute.art9_basis.is_missing() {
        m.at(
            &class.ident,
            Mistake::new("`art9_basis` is missing: `special_category` data may be processed on a basis of GDPR Art. 9(2) only")
                .allowed(vocabulary::ART9_BASIS.iter().map(|basis| basis.term.name))
                .write("art9_basis = explicit_consent,"),
        );
    }
    lawful_bases(attribute, class, "special_category", m);
    match &attribute.residency {
        Fact::Missing => m.at(
            &class.ident,
            Mistake::new("`residency` is missing: `special_category` data stays in the EU (framework policy; GDPR Art. 9, 44)")
                .allowed(["eu"])
                .write("residency = eu,"),
        ),
        Fact::Stated { value, .. } if !value.is("eu") => m.at(
            &value.ident,
            Mistake::new(format!("residency `{}` is too wide: `special_category` data stays in the EU (framework policy; GDPR Art. 9, 44)", value.ident))
                .allowed(["eu"])
                .write("residency = eu,"),
        ),
        Fact::Stated { .. } | Fact::Wrong => {}
    }
}

fn no_art9(attribute: &Attribute, class: &str, m: &mut Mistakes) {
    if let Some(key) = attribute.art9_basis.key() {
        m.at(
            key,
            Mistake::new(format!("`art9_basis` does not apply to `{class}` data: GDPR Art. 9(2) is about special categories; leave the key out, or change the class"))
                .write("classification = special_category,"),
        );
    }
}

fn no_lawful_bases(attribute: &Attribute, class: &str, m: &mut Mistakes) {
    if let Some(key) = attribute.lawful_bases.key() {
        m.at(
            key,
            Mistake::new(format!("`lawful_bases` do not apply to `{class}` data: GDPR Art. 6(1) is about personal data; leave the key out, or change the class"))
                .write("classification = personal,"),
        );
    }
}

fn lawful_bases(attribute: &Attribute, class: &Word, name: &str, m: &mut Mistakes) {
    if attribute.lawful_bases.is_missing() {
        m.at(
            &class.ident,
            Mistake::new(format!("`lawful_bases` is missing: `{name}` data may be processed on a lawful basis only (GDPR Art. 6(1))"))
                .allowed(vocabulary::LAWFUL_BASIS.iter().map(|term| term.name))
                .write("lawful_bases = [contract],"),
        );
    }
}

fn law_reference(basis: &Art9Basis, m: &mut Mistakes) {
    let Art9Basis { ident, basis, law } = basis;
    let (name, article) = (basis.term.name, basis.term.article);
    match law {
        None if basis.rests_on_law => m.at(
            ident,
            Mistake::new(format!(
                "`{name}` (GDPR {article}) rests on Union or Member State law: name that law"
            ))
            .write(format!("art9_basis = {name}(law = \"§ 22(1) no. 1 b BDSG\"),")),
        ),
        Some(law) if !basis.rests_on_law => m.at(
            law,
            Mistake::new(format!(
                "`{name}` (GDPR {article}) does not rest on a law: leave the reference out"
            ))
            .write(format!("art9_basis = {name},")),
        ),
        Some(law) if law.value().trim().is_empty() => m.at(
            law,
            Mistake::new(format!("the law that `{name}` (GDPR {article}) rests on is empty: cite it"))
                .write(format!("art9_basis = {name}(law = \"§ 22(1) no. 1 b BDSG\"),")),
        ),
        _ => {}
    }
}

/// How wide a residency is; wider ones hold narrower ones.
fn width(residency: &str) -> usize {
    vocabulary::RESIDENCY.iter().take_while(|term| term.name != residency).count()
}

fn egress(attribute: &Attribute, m: &mut Mistakes) {
    let Some(egress) = attribute.threat_boundary.value().and_then(|boundary| boundary.egress.value()) else {
        return;
    };
    let (reach, at, shown): (&str, Span, String) = match egress {
        Egress::Word(word) => (reach(word), word.span(), word.term.name.to_owned()),
        Egress::Hosts { place, .. } => {
            (place.term.name, place.span(), format!("hosts({}, …)", place.term.name))
        }
    };
    let residency = match (attribute.classification.value(), &attribute.residency) {
        // A residency that is itself reported as wrong says nothing about the egress.
        (Some(class), Fact::Stated { value, .. }) if class.is("special_category") && !value.is("eu") => {
            return;
        }
        (Some(class), Fact::Stated { value, .. }) if !class.is("public") => value,
        _ => return,
    };
    if width(reach) <= width(residency.term.name) {
        return;
    }
    let allowed = super::attribute::egress_words().filter(|word| {
        let word = vocabulary::EGRESS.iter().find(|term| term.name == *word);
        word.is_some_and(|term| width(reach_of(term.name)) <= width(residency.term.name))
    });
    m.at_span(
        at,
        Mistake::new(format!(
            "egress `{shown}` is wider than residency `{}`: the data may not be sent this far (GDPR Art. 44)",
            residency.ident
        ))
        .allowed(allowed)
        .write("threat_boundary(egress = none),"),
    );
}

fn reach(word: &Word) -> &'static str {
    reach_of(word.term.name)
}

fn reach_of(egress: &str) -> &'static str {
    match egress {
        "none" | "eu" => "eu",
        "eea" => "eea",
        _ => "other",
    }
}

fn oversight(attribute: &Attribute, m: &mut Mistakes) {
    let Some(key) = attribute.requests_oversight.key() else { return };
    let (at, what) = match &attribute.effect {
        Fact::Missing => (key, "`requests_oversight` needs another effect than `once`, the default"),
        Fact::Stated { value, .. } if value.is("once") => {
            (key, "`requests_oversight` does not go with `effect = once`")
        }
        Fact::Stated { .. } | Fact::Wrong => return,
    };
    m.at(
        at,
        Mistake::new(format!("{what}: after the answer the tool runs again from its start (AI Act Art. 14)"))
            .allowed(["effect = read", "effect = idempotent"])
            .write("effect = idempotent,"),
    );
}
