// rule 17 · GDPR Art. 6(1) · personal data under a set of one's own implemented anew
use fuze_agent::law::data::{Classification, Personal};
use fuze_agent::law::{lawful, residency};
use fuze_agent::logic::{No, Yes};

pub struct All;

impl Classification for Personal<All, residency::Eu> {
    const NAME: &'static str = "personal";
    const ART9: Option<&'static str> = None;
    const LAW: Option<&'static str> = None;
    const BASES: &'static [&'static str] = &[];
    type Personal = No;
    type Residency = residency::Other;
    type Under<B: lawful::Basis> = Yes;
    type AdmitsAutomatedDecisions = Yes;
}

fn main() {}
