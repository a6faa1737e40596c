// rule 17 · GDPR Art. 4(1) · a class of data of one's own: personal, and not called so
use fuze_agent::law::data::Classification;
use fuze_agent::law::{lawful, residency};
use fuze_agent::logic::{No, Yes};

pub struct Harmless;

impl Classification for Harmless {
    const NAME: &'static str = "public";
    const ART9: Option<&'static str> = None;
    const LAW: Option<&'static str> = None;
    const BASES: &'static [&'static str] = &[];
    type Personal = No;
    type Residency = residency::Other;
    type Under<B: lawful::Basis> = Yes;
    type AdmitsAutomatedDecisions = Yes;
}

fn main() {}
