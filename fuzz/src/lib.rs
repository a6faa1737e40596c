//! What several targets need: the key that signs in the sample, so that what the fuzzer makes gets past the signatures, too.

use fuze_evidence::keys::FileSigner;
use fuze_evidence::random::{Random, RandomError};
use fuze_evidence::sign::{PublicKey, write_signature};
use fuze_evidence::{Name, Signer as _, jcs, sha256};
use serde_json::{Value, json};

/// Not random at all: the octets of which the runs in `tests/bundle` are made.
struct Counter(u64);

impl Random for Counter {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomError> {
        for chunk in out.chunks_mut(32) {
            let block = sha256(&self.0.to_be_bytes());
            for (octet, from) in chunk.iter_mut().zip(block.as_bytes()) {
                *octet = *from;
            }
            self.0 += 1;
        }
        Ok(())
    }
}

/// The key that signed the sample bundle.
pub fn signer() -> FileSigner {
    let name = Name::new("test").expect("a name");
    FileSigner::ephemeral(name, &mut Counter(1 << 40)).expect("not random")
}

/// Its public half.
pub fn public_key(signer: &FileSigner) -> PublicKey {
    PublicKey::from_bytes(signer.public_key()).expect("a key of our own")
}

/// `{"<name>": object, "signature": …}` in its canonical form: what whoever has the key can write.
pub fn signed_line(name: &str, object: &Value, signer: &FileSigner) -> Option<Vec<u8>> {
    let signature = signer.sign(&jcs::to_vec(object).ok()?).expect("a key of our own");
    jcs::to_vec(&json!({name: object, "signature": write_signature(&signature)})).ok()
}
