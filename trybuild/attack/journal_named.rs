// rule 13 · AI Act Art. 12 · the journal of a run named

use fuze_agent::driver::journal::Journal;

pub fn write(_: &mut Journal) {}

fn main() {}
