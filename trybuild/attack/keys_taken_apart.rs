// rule 12 · GDPR Art. 32 · the master key taken out of the keys
use fuze_agent::Keys;

pub fn read(keys: &Keys) {
    let _ = &keys.master;
}

fn main() {}
