// rule 13 · GDPR Art. 5(1)(c), 25 · one redaction committed to twice
use fuze_evidence::random::Random;
use fuze_evidence::{Redacted, content};

pub fn twice(redacted: Redacted, random: &mut dyn Random) {
    let _ = content::commit(redacted, random);
    let _ = content::commit(redacted, random);
}

fn main() {}
