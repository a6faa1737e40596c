// rule 12 · GDPR Art. 32 · a signing key serialised

pub fn write(signer: &fuze_evidence::keys::FileSigner) -> String {
    serde_json::to_string(signer).unwrap()
}

fn main() {}
