// rule 13 · GDPR Art. 5(1)(c), 17 · a commitment made from its fields
use fuze_evidence::Commitment;

pub fn forge(root: fuze_evidence::Hash, earlier: Commitment) -> Commitment {
    Commitment { root, ..earlier }
}

fn main() {}
