// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · a case made from its fields

pub fn forge(
    token: fuze_agent::suspend::Token,
    data: fuze_agent::suspend::CaseData,
) -> fuze_agent::suspend::Case {
    fuze_agent::suspend::Case { token, data }
}

fn main() {}
