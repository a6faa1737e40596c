// rule 17 · GDPR Art. 5(2) · `No` made true, as the answer to a question of one's own
use fuze_agent::logic::{No, True};

pub struct Mine;

impl True<Mine> for No {}

fn main() {}
