// rule 17 · GDPR Art. 5(2) · the seal named

pub struct Mine;

impl fuze_agent::sealed::Sealed for Mine {}

fn main() {}
