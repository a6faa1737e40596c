//! A tenant's annex, and what is disclosed of content.
#![no_main]

use fuze_evidence::Annex;
use fuze_evidence::content::Disclosure;
use fuze_evidence::sign::PublicKey;
use fuze_evidence::verify::TrustedKeys;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    // The key of the worked example; nobody can sign with it here.
    let key = "f26e009336669279bd6e14130e7bf8d2c36ed0d82937e604dce2141c8562474b";
    let trusted = TrustedKeys::new().run_key(PublicKey::from_text(key).expect("a point of full order"));
    assert!(Annex::read(octets, &trusted).map_err(|error| error.to_string()).is_err());
    if let Ok(disclosure) = Disclosure::from_bytes(octets) {
        drop(disclosure.fields(disclosure.root).map_err(|error| error.to_string()));
        assert_eq!(disclosure.to_bytes().expect("it was read"), octets);
    }
});
