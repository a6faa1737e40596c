// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · a run driven on without the claim of its nonce

use fuze_agent::driver::Driver;

pub fn drive(_: Driver<'_, ()>) {}

fn main() {}
