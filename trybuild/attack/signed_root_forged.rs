// rule 15 · AI Act Art. 12, 19 · a signed root made from its fields
use fuze_evidence::SignedRoot;
use fuze_evidence::sign::Root;

pub fn forge(root: Root) -> SignedRoot {
    SignedRoot { root, signature: [0; 64], bytes: Vec::new() }
}

fn main() {}
