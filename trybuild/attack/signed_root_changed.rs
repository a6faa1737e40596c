// rule 15 · AI Act Art. 12, 19 · a signed root changed afterwards
use fuze_evidence::SignedRoot;

pub fn change(signed: &mut SignedRoot) {
    signed.root.count = 1;
}

fn main() {}
