//! Tokens, decisions and cases: as they come in from outside, and signed by whoever has the key.
#![no_main]

use std::sync::LazyLock;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use fuze_agent::suspend::SignedDecision;
use fuze_agent::suspend::decision::DecisionClaims;
use fuze_agent::suspend::token::{Token, TokenClaims};
use fuze_evidence::keys::FileSigner;
use fuze_evidence::sign::{read_object, with_domain, write_signature};
use fuze_evidence::{Signer as _, sha256};
use fuze_fuzz::{public_key, signer};
use libfuzzer_sys::fuzz_target;

static SIGNER: LazyLock<FileSigner> = LazyLock::new(signer);

fuzz_target!(|text: &str| {
    let key = public_key(&SIGNER);
    // Nobody has signed this.
    assert!(Token::read(text, &key).map_err(|error| error.to_string()).is_err());
    // Signed as it is: it counts exactly if its octets are what the claims are written as.
    let octets = text.as_bytes();
    let signature = write_signature(&SIGNER.sign(octets).expect("a key of our own"));
    let signed = format!("fz1.{}.{signature}", Base64UrlUnpadded::encode_string(octets));
    let token = Token::read(&signed, &key).map_err(|error| error.to_string());
    match (read_object::<TokenClaims>(octets), token) {
        (Ok(claims), Ok(token)) => {
            assert_eq!(with_domain(&claims).expect("it was read"), octets);
            assert_eq!((token.claims(), token.as_str()), (&claims, signed.as_str()));
            assert_eq!(token.hash(), sha256(octets));
        }
        // A token is for the key that it names, and not too long.
        (Ok(claims), Err(_)) => assert!(claims.key_id != key.id() || signed.len() > 16_384),
        (Err(_), Ok(token)) => panic!("{token:?} was read from what is not its claims"),
        (Err(_), Err(_)) => {}
    }
    if let Ok(claims) = read_object::<DecisionClaims>(octets) {
        assert_eq!(with_domain(&claims).expect("it was read"), octets);
    }
    drop(serde_json::from_str::<SignedDecision>(text));
});
