// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · a token made from its fields

pub fn forge(claims: fuze_agent::suspend::TokenClaims) -> fuze_agent::suspend::Token {
    fuze_agent::suspend::Token { claims, text: String::new() }
}

fn main() {}
