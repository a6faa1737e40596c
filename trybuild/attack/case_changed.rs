// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · the case that is shown changed

pub fn change(case: &mut fuze_agent::suspend::Case) {
    case.data.question = Some("harmless?".into());
}

fn main() {}
