//! A whole run's four files, separated by 0xFF (which is in no UTF-8 text): never verified without a trusted key, and never a panic.
#![no_main]

use fuze_evidence::sign::PublicKey;
use fuze_evidence::sink::MemoryRun;
use fuze_evidence::verify::{RunFiles, TrustedKeys, verify_files};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let mut parts = octets.split(|&octet| octet == 0xff).map(<[u8]>::to_vec);
    let mut next = || parts.next().unwrap_or_default();
    let (records, roots, content, keys) = (next(), next(), next(), next());
    // The key of the worked example in `docs/evidence-format.md`, which `run.sh` makes the corpus of, so that its lines get past the question of trust.
    let trusted = "f26e009336669279bd6e14130e7bf8d2c36ed0d82937e604dce2141c8562474b";
    let trusted = PublicKey::from_text(trusted).expect("a point of full order");
    let run = MemoryRun { records, roots, content, keys, ..MemoryRun::default() };
    drop(
        verify_files(RunFiles::from(&run), &TrustedKeys::new().run_key(trusted))
            .map_err(|error| error.to_string()),
    );
});
