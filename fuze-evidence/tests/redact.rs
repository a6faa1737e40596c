//! What is found, what is not, and that a mark binds what it replaces.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::ops::Range;
use std::sync::Arc;

use common::{at, name};
use fuze_evidence::random::OsRandom;
use fuze_evidence::redact::Detector;
use fuze_evidence::{Redactor, RunId, RunKeys};
use serde_json::{Value, json};

fn keys() -> RunKeys {
    let mut random = OsRandom::new();
    RunKeys::generate(RunId::generate(at(0), &mut random).unwrap(), None, &mut random).unwrap()
}

/// `text` with each mark cut down to its kind.
fn check(redactor: &Redactor, text: &str) -> String {
    let redacted = redactor.redact(json!(text)).value().as_str().unwrap().to_owned();
    let mut out = String::new();
    let mut rest = redacted.as_str();
    while let Some(start) = rest.find('[') {
        out.push_str(&rest[..start]);
        let end = start + rest[start..].find(']').unwrap();
        out.push_str(rest[start..end].split(':').next().unwrap());
        out.push(']');
        rest = &rest[end + 1..];
    }
    out + rest
}

#[test]
fn identifiers_are_found_in_the_forms_in_which_people_write_them() {
    let redactor = Redactor::new(&keys());
    for (text, expected) in [
        ("write to anna.b+x@mail.example.org, please", "write to [email], please"),
        ("<jürgen@bücher.example>", "<[email]>"),
        ("a@b.co.", "[email]."),
        ("x@10.0.0.17 y", "[email] y"),
        ("one@a.de,two@b.de", "[email],[email]"),
        ("@handle and a@b and @", "@handle and a@b and @"),
        ("IBAN DE89 3704 0044 0532 0130 00 of mine", "IBAN [iban] of mine"),
        ("DE89370400440532013000", "[iban]"),
        ("de89-3704-0044-0532-0130-00", "[iban]"),
        ("DE89\u{a0}3704\u{a0}0044\u{a0}0532\u{a0}0130\u{a0}00", "[iban]"),
        ("GB82WEST12345698765432;NL91ABNA0417164300", "[iban];[iban]"),
        ("NO9386011117947", "[iban]"),
        ("MT84MALT011000012345MTLCAST001S", "[iban]"),
        ("DE88 3704 0044 0532 0130 00", "DE88 3704 0044 0532 0130 00"),
        ("XDE89370400440532013000", "XDE89370400440532013000"),
        ("card 4111 1111 1111 1111!", "card [card]!"),
        ("5500-0000-0000-0004", "[card]"),
        ("378282246310005", "[card]"),
        ("6011000990139424 4111111111111111", "[card] [card]"),
        ("call 555 4111 1111 1111 1111", "call 555 [card]"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),
        ("2026-11-21 20:50:56", "2026-11-21 20:50:56"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U x", "[jwt] x"),
        ("Authorization: Bearer abc123DEF456== end", "Authorization: Bearer [bearer] end"),
        ("{\"bearer\": \"tok_12345678\"}", "{\"bearer\": \"[bearer]\"}"),
        ("the bearer of bad newspapers", "the bearer of bad newspapers"),
        ("", ""),
    ] {
        assert_eq!(check(&redactor, text), expected, "{text}");
    }
}

#[test]
fn keys_numbers_and_depth_are_no_hiding_place() {
    let redactor = Redactor::new(&keys());
    let value = json!({
        "a@b.example": [{"n": 4_111_111_111_111_111_i64, "f": 4_111_111_111_111_111.0, "ok": 17, "x": 1.5, "big": 4_111_111_111_111_111_110_u64}],
        "none": null, "yes": true,
    });
    let redacted = redactor.redact(value);
    let text = redacted.value().to_string();
    assert!(!text.contains("4111111111111111\"") && !text.contains("a@b.example"), "{text}");
    let (key, inner) =
        redacted.value().as_object().unwrap().iter().find(|(k, _)| k.starts_with("[email:")).unwrap();
    assert_eq!(key.len(), 30);
    let inner = &inner[0];
    assert!(inner["n"].as_str().unwrap().starts_with("[card:"));
    assert_eq!(inner["n"], inner["f"]);
    assert_eq!((&inner["ok"], &inner["x"]), (&json!(17), &json!(1.5)));
    assert_eq!((&redacted.value()["none"], &redacted.value()["yes"]), (&Value::Null, &json!(true)));
}

#[test]
fn two_originals_never_become_one_text_and_one_always_does() {
    let (run, other) = (keys(), keys());
    let redact = |keys: &RunKeys, text: &str| Redactor::new(keys).redact(json!(text)).value().clone();
    let first = redact(&run, "pay DE89370400440532013000");
    assert_eq!(first, redact(&run, "pay DE89370400440532013000"));
    assert_ne!(first, redact(&run, "pay GB82WEST12345698765432"));
    assert_ne!(first, redact(&run, "pay DE89 3704 0044 0532 0130 00"));
    // Nothing can be recognised in another run.
    assert_ne!(first, redact(&other, "pay DE89370400440532013000"));
    // Writing the mark itself does not pass for what it stands for.
    let forged = redact(&run, first.as_str().unwrap());
    assert_ne!(forged, first);
    assert!(forged.as_str().unwrap().starts_with("pay [mark:"));
    assert_ne!(redact(&run, forged.as_str().unwrap()), forged);
}

#[test]
fn overlapping_finds_leave_no_tail() {
    struct Fixed(&'static str, Range<usize>);
    impl Detector for Fixed {
        fn name(&self) -> &'static str {
            self.0
        }
        fn find(&self, text: &str) -> Vec<Range<usize>> {
            // The last two are nonsense and must be ignored: out of bounds, empty, within a character.
            if text.len() < 12 { vec![] } else { vec![self.1.clone(), 5..500, 3..3, 1..2] }
        }
    }
    let with = |ranges: [(&'static str, Range<usize>); 3]| {
        let redactor = Redactor::new(&keys());
        ranges.into_iter().fold(redactor, |r, (n, range)| r.with_detector(Arc::new(Fixed(n, range))))
    };
    assert_eq!(check(&with([("a", 2..5), ("b", 4..8), ("c", 2..4)]), "é-abcdefghijklm"), "é[a]fghijklm");
    assert_eq!(
        check(&with([("a", 2..5), ("b", 5..8), ("c", 9..10)]), "é-abcdefghijklm"),
        "é[a][b]f[c]hijklm"
    );
}

#[test]
fn secrets_are_scrubbed_in_every_form() {
    let secret = b"s3cr\"t/\xc3\xa9 v\\lue+9";
    let redactor = Redactor::new(&keys()).with_secrets(&[secret, b""]);
    use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
    let text = std::str::from_utf8(secret).unwrap();
    let hex: String = secret.iter().map(|b| format!("{b:02x}")).collect();
    for form in [
        text.to_owned(),
        Base64::encode_string(secret),
        Base64UrlUnpadded::encode_string(secret),
        hex.clone(),
        hex.to_uppercase(),
        secret.iter().map(|b| format!("%{b:02X}")).collect(),
        "s3cr%22t%2F%C3%A9%20v%5Clue%2B9".into(),
        "s3cr%22t%2f%c3%a9+v%5clue%2b9".into(),
        "s3cr\\\"t/é v\\\\lue+9".into(),
        "s3cr\\\"t/\\u00e9 v\\\\lue+9".into(),
    ] {
        let scrubbed = redactor.redact(json!({ "out": format!("before {form} after") }));
        assert_eq!(scrubbed.value()["out"], "before [secret] after", "{form}");
        assert_eq!(redactor.scrub_secrets(json!([format!("<{form}>")])), json!(["<[secret]>"]));
    }
    // In the middle of a longer base64 text, at each of the three places.
    for user in ["u:", "us:", "use:"] {
        let basic = Base64::encode_string(&[user.as_bytes(), secret, b"@"].concat());
        let scrubbed = redactor.scrub_secrets(json!(basic));
        assert!(scrubbed.as_str().unwrap().contains("[secret]"), "{user}");
    }
    assert_eq!(
        redactor.scrub_secrets(json!("a@b.example")),
        json!("a@b.example"),
        "scrubbing is not redaction"
    );
    let numeric = Redactor::new(&keys()).with_secrets(&[b"271828"]);
    assert_eq!(numeric.scrub_secrets(json!({"271828": 271_828})), json!({"[secret]": "[secret]"}));
}

#[test]
fn keys_that_become_equal_push_nothing_out() {
    let redactor = Redactor::new(&keys()).with_secrets(&[b"alpha", b"omega"]);
    let redacted = redactor.redact(json!({"alpha": 1, "omega": 2}));
    assert_eq!(redacted.value().as_object().unwrap().len(), 2);
}

/// Each detector must look at each character a bounded number of times: doubling the text must not quadruple the work. Counted in
/// finds on texts that are worst for naive scanning; a quadratic scan of a megabyte would not end in this test's life.
#[test]
fn long_text_without_a_hit_is_no_burden() {
    let redactor = Redactor::new(&keys());
    for piece in ["@", "a@", "4111 ", "DE89 ", "eyJ", "eyJa.", "bearer ", "[email:", "1", "a.", "%", "é"] {
        let text = piece.repeat(1_000_000 / piece.len());
        let redacted = redactor.redact(json!(text));
        assert!(redacted.value().is_string());
    }
}

#[test]
fn redacted_text_alone() {
    let redactor = Redactor::new(&keys());
    assert_eq!(redactor.redact_text("plain").value(), "plain");
    assert!(redactor.redact_text("a@b.example").value().as_str().unwrap().starts_with("[email:"));
    let _ = name("x");
}
