//! serde_json's features belong to whole builds: another crate in a user's tree can switch them on. Whatever is on, a number comes
//! out right or is refused, and order and raw text never reach the canonical form.
//!
//! `FUZE_SERDE_JSON` names the features that a build must have, so that a matrix that switches nothing on does not pass.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use fuze_evidence::jcs::{Error, from_slice, parse, to_vec};
use proptest::prelude::*;
use serde_json::{Value, json};

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Whether numbers keep their text.
fn arbitrary_precision() -> bool {
    serde_json::to_string(&value("1.50")).unwrap() == "1.50"
}

/// Whether members keep their order.
fn preserve_order() -> bool {
    let text = r#"{"b":1,"a":2}"#;
    serde_json::to_string(&value(text)).unwrap() == text
}

#[test]
fn the_features_that_are_asked_for_are_on() {
    let wanted = std::env::var("FUZE_SERDE_JSON").unwrap_or_default();
    for feature in wanted.split(',').filter(|feature| !feature.is_empty()) {
        match feature {
            "arbitrary_precision" => assert!(arbitrary_precision()),
            "preserve_order" => assert!(preserve_order()),
            // Adds a type, and changes nothing that could be seen without it.
            "raw_value" => {}
            other => panic!("`{other}` is no feature that matters"),
        }
    }
}

/// Our reader of the text and serde_json's never come to different canonical forms.
fn check(literal: &str) {
    let through_serde = serde_json::from_str::<Value>(literal).ok().map(|value| to_vec(&[value]));
    let ours = parse(literal.as_bytes()).map(|value| to_vec(&[value]).unwrap());
    match (through_serde, ours) {
        (Some(Ok(theirs)), Ok(ours)) => assert_eq!(theirs, ours, "{literal}"),
        (Some(Err(_)) | None, Err(_)) => {}
        // Without their text, serde_json makes doubles of integers beyond 64 bits before we see them.
        (Some(Ok(theirs)), Err(_)) if !arbitrary_precision() => {
            assert!(!literal.contains(['.', 'e', 'E']) && theirs.contains(&b'e'), "{literal}");
        }
        (theirs, ours) => panic!("{literal}: {theirs:?}, {ours:?}"),
    }
}

#[test]
fn numbers_come_out_right_or_are_refused() {
    for (literal, expected) in [
        ("1.50", "[1.5]"),
        ("1.0", "[1]"),
        ("-0", "[0]"),
        ("-0.0", "[0]"),
        ("1E+2", "[100]"),
        ("1e21", "[1e+21]"),
        ("0.1000000000000000055511151231257827", "[0.1]"),
        ("9007199254740991", "[9007199254740991]"),
        ("9007199254740991.0", "[9007199254740991]"),
        ("5e-324", "[5e-324]"),
        ("1e-400", "[0]"),
    ] {
        assert_eq!(String::from_utf8(to_vec(&[value(literal)]).unwrap()).unwrap(), expected);
        check(literal);
    }
    for literal in
        ["9007199254740992", "-9007199254740993", "18446744073709551615", "9007199254740993.0", "1e20"]
    {
        assert!(matches!(
            to_vec(&[value(literal)]),
            Err(Error::IntegerRange { .. } | Error::FloatRange { .. })
        ));
        check(literal);
    }
    for literal in ["123456789012345678901234567890", "1e400", "-1e309", "99999999999999999999.5"] {
        check(literal);
    }
}

#[test]
fn values_are_equal_whichever_way_they_were_read() {
    for text in ["[0,-1,1.5,1e+21,9007199254740991]", r#"{"a":[],"b":{"c":null}}"#] {
        let read = from_slice(text.as_bytes()).unwrap();
        assert_eq!(to_vec(&read).unwrap(), text.as_bytes());
        assert_eq!(to_vec(&value(text)).unwrap(), text.as_bytes());
    }
    // An integer is an integer to who takes the value apart, whatever its text is kept as.
    let read = from_slice(br#"{"n":-7,"u":7}"#).unwrap();
    assert_eq!((read["n"].as_i64(), read["u"].as_u64()), (Some(-7), Some(7)));
    assert_eq!(parse(b"[1.0,1e2]").unwrap(), json!([1, 100]));
}

#[test]
fn order_does_not_reach_the_canonical_form() {
    let sorted = br#"{"a":{"c":1,"d":2},"b":3}"#;
    assert_eq!(to_vec(&value(r#"{"b":3,"a":{"d":2,"c":1}}"#)).unwrap(), sorted);
    assert_eq!(to_vec(&parse(br#"{"b":3,"a":{"d":2,"c":1}}"#).unwrap()).unwrap(), sorted);
    assert_eq!(to_vec(&json!({"b": 3, "a": {"d": 2, "c": 1}})).unwrap(), sorted);
}

proptest! {
    #[test]
    fn no_literal_comes_out_differently(literal in "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?") {
        check(&literal);
    }
}
