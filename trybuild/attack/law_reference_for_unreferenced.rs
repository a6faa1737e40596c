// rule 1 · GDPR Art. 9(2)(h) · a citation given to the type that stands for no law
use fuze_agent::law::art9;

impl art9::LawReference for art9::Unreferenced {
    const CITATION: &'static str = "somewhere in the law";
}

fn main() {}
