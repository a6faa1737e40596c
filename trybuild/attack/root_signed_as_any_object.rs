// rule 15 · AI Act Art. 12, 19 · a root signed as if it were any other object
use fuze_evidence::Signer;
use fuze_evidence::sign::Root;

pub fn sign(root: &Root, signer: &dyn Signer) {
    let _ = fuze_evidence::sign::sign_object(root, signer);
}

fn main() {}
