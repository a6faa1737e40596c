// rule 15 · AI Act Art. 12, 19 · a close root signed by hand
use fuze_evidence::sign::Root;
use fuze_evidence::{SignedRoot, Signer};

pub fn sign(root: Root, signer: &dyn Signer) {
    let _ = SignedRoot::sign(root, signer);
}

fn main() {}
