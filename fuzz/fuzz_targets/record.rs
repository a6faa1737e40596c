//! A line of `records.jsonl`, and a root as it comes and signed by whoever has the key.
#![no_main]

use std::sync::LazyLock;

use fuze_evidence::keys::FileSigner;
use fuze_evidence::record::Entry;
use fuze_evidence::{SignedRoot, Signer as _, jcs};
use fuze_fuzz::{public_key, signed_line, signer};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

static SIGNER: LazyLock<FileSigner> = LazyLock::new(signer);

fuzz_target!(|octets: &[u8]| {
    match Entry::read(octets) {
        Ok(entry) => {
            let value = jcs::from_slice(octets).expect("what was read is canonical");
            // Read once more by a reader that knows nothing of records.
            assert_eq!(value["sequence"], json!(entry.sequence));
            assert_eq!(value["hash"], json!(entry.hash));
            assert_eq!(value["payload"]["stepId"], json!(entry.step_id));
            assert_eq!(value["payload"]["runId"], json!(entry.run_id.to_string()));
            assert_eq!(value["payload"]["startedAt"], json!(entry.started_at.to_string()));
            assert_eq!(value["payload"]["role"], json!(entry.span.role().as_str()));
            assert_eq!(value["payload"]["v"], json!(1));
        }
        Err(error) => drop(error.to_string()),
    }
    // No key is trusted, so nothing may come of it.
    assert!(SignedRoot::read(octets, |_| None).is_err());
    let Ok(Value::Object(mut root)) = jcs::from_slice(octets) else { return };
    root.insert("keyId".to_owned(), json!(SIGNER.key_id()));
    let root = Value::Object(root);
    let Some(line) = signed_line("root", &root, &SIGNER) else { return };
    if let Ok(signed) = SignedRoot::read(&line, |_| Some(public_key(&SIGNER))) {
        assert_eq!(
            jcs::to_vec(signed.root()).expect("it was read"),
            jcs::to_vec(&root).expect("it was written")
        );
    }
});
