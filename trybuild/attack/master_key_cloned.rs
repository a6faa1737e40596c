// rule 12 · GDPR Art. 32 · a master key cloned

pub fn copy(key: &fuze_evidence::keys::MasterKey) -> fuze_evidence::keys::MasterKey {
    key.clone()
}

fn main() {}
