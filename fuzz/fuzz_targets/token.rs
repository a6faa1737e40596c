//! Tokens, decisions and cases as they come in from outside.
#![no_main]

use fuze_agent::suspend::decision::DecisionClaims;
use fuze_agent::suspend::token::{Token, TokenClaims};
use fuze_agent::suspend::SignedDecision;
use fuze_evidence::sign::{PublicKey, read_object, with_domain};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let key = "f26e009336669279bd6e14130e7bf8d2c36ed0d82937e604dce2141c8562474b";
    let key = PublicKey::from_text(key).expect("a point of full order");
    // Nobody can sign with this key here.
    assert!(Token::read(text, &key).map_err(|error| error.to_string()).is_err());
    // Their octets alone: what is read is exactly what would be signed.
    if let Ok(claims) = read_object::<TokenClaims>(text.as_bytes()) {
        assert_eq!(with_domain(&claims).expect("it was read"), text.as_bytes());
    }
    if let Ok(claims) = read_object::<DecisionClaims>(text.as_bytes()) {
        assert_eq!(with_domain(&claims).expect("it was read"), text.as_bytes());
    }
    drop(serde_json::from_str::<SignedDecision>(text));
});
