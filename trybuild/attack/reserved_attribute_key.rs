// rule 13 · AI Act Art. 12 · a tool's key made from its field, to pass for the framework's

pub fn forge() -> fuze_evidence::span::AppKey {
    fuze_evidence::span::AppKey("fuze.policy.decision".into())
}

fn main() {}
