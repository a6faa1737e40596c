// rule 13 · GDPR Art. 5(1)(c), 25 · a text type of one's own as the value of an attribute

pub struct Text(String);

impl fuze_evidence::span::attr::AttrValue for Text {}

fn main() {}
