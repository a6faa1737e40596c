// rule 17 · GDPR Art. 5(2) · `No` made true
use fuze_agent::logic::{No, True};

impl True for No {}

fn main() {}
