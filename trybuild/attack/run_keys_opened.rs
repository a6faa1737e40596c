// rule 12 · GDPR Art. 32 · the keys of a run read out of their place

pub fn read(keys: &fuze_evidence::RunKeys) {
    let _ = keys.redaction();
}

fn main() {}
