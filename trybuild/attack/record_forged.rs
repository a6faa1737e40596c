// rule 13 · AI Act Art. 12 · a record made from its fields

pub fn forge(hash: fuze_evidence::Hash) -> fuze_evidence::Record {
    fuze_evidence::Record { sequence: 7, hash, prev_hash: hash, bytes: Vec::new() }
}

fn main() {}
