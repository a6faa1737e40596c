//! Keys inside a PKCS#11 device at the command, on SoftHSM2. `tests/pkcs11/run.sh` makes a token and calls these tests.
#![cfg(feature = "pkcs11")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use common::site::Site;
use common::{fuze, json};
use fuze_evidence::random::{OsRandom, Random as _};

/// The URI of a new key on the token, with its PIN in a file; `None` without a token, unless there must be one.
fn uri(site: &Site) -> Option<String> {
    let get = |name| std::env::var(name).ok();
    let token = get("FUZE_PKCS11_MODULE").zip(get("FUZE_PKCS11_TOKEN")).zip(get("FUZE_PKCS11_PIN"));
    let Some(((module, token), pin)) = token else {
        assert!(get("FUZE_REQUIRE_PKCS11").is_none_or(|v| v != "1"), "there is no PKCS#11 token");
        println!("SKIPPED: no PKCS#11 token; `tests/pkcs11/run.sh` makes one");
        return None;
    };
    let mut octets = [0u8; 8];
    OsRandom::new().fill(&mut octets).unwrap();
    let label: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let file = site.path("pin");
    fs::write(&file, format!("{pin}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    Some(format!("pkcs11:token={token};object=run%20{label}?module-path={module}&pin-source={file}"))
}

#[test]
fn a_key_in_a_device_is_made_shown_and_signs() {
    let site = Site::new();
    let Some(uri) = uri(&site) else { return };
    let made = json(&fuze(&["key", "new", "--json", "--role", "run", "--out", &uri], 0));
    let shown = json(&fuze(&["key", "show", "--json", &uri], 0));
    assert_eq!((&shown["keyId"], &shown["publicKey"]), (&made["keyId"], &made["publicKey"]));
    fuze(&["key", "new", "--role", "run", "--out", &uri], 4);

    // A bundle that the device signed.
    let (run, out) = (site.run(0), site.path("run.zip"));
    fuze(&["audit", "export", &run, "--out", &out, "--key", &site.key, "--signing-key", &uri], 0);
    fuze(&["audit", "verify", &out, "--key", &site.key], 3);
    fuze(&["audit", "verify", &out, "--key", &site.key, "--key", made["publicKey"].as_str().unwrap()], 0);

    // It takes a file's place in a history, and revokes it.
    let (history, first) = (site.path("h.jsonl"), site.path("first.key"));
    let new = ["key", "new", "--json", "--role", "run", "--out", &first, "--history", &history];
    let old = json(&fuze(&[new.as_slice(), &["--origin", "a"]].concat(), 0));
    let next = uri.replace("run%20", "next%20");
    fuze(&["key", "rotate", "--history", &history, "--key", &first, "--out", &next], 0);
    let id = old["keyId"].as_str().unwrap();
    fuze(&["key", "rotate", "--history", &history, "--key", &next, "--revoke", id], 0);
    let told = json(&fuze(&["key", "show", "--json", &history], 0));
    assert_eq!(told["keyId"], json(&fuze(&["key", "show", "--json", &next], 0))["keyId"]);

    // Without its PIN, with one that others can read, and under a label that is not there.
    let pin = site.path("pin");
    fs::set_permissions(&pin, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(fuze(&["key", "show", &uri], 4).stderr.contains("others can read the PIN"));
    fs::remove_file(&pin).unwrap();
    fuze(&["key", "show", &uri], 4);
    // `run.sh` has the PIN in the environment.
    let without = uri.split("&pin-source").next().unwrap().to_owned();
    fuze(&["key", "show", &without], 0);
    assert!(fuze(&["key", "show", &without.replace("run%20", "no%20")], 4).stderr.contains("0 private keys"));
}
