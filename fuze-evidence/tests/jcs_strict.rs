//! What the strict reader takes, seen from both sides: it accepts octets exactly if serde_json reads them, what it read is
//! inside the profile, and every writer puts down the same octets again.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use common::values::{Draw, value};
use fuze_evidence::jcs::{ReadErrorKind, from_slice, parse, to_vec, validate};
use proptest::prelude::*;
use serde_json::Value;

/// The definition, word for word, and by readers and writers that are not ours where there are any.
fn by_definition(octets: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(octets) else { return false };
    let Ok(ours) = to_vec(&value) else { return false };
    let again = ours == octets;
    if again {
        assert_eq!(serde_jcs::to_vec(&value).unwrap(), octets);
        assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap(), octets);
    }
    again
}

fn check(octets: &[u8]) -> bool {
    let strict = validate(octets);
    assert_eq!(strict.is_ok(), by_definition(octets), "{:?}: {strict:?}", String::from_utf8_lossy(octets));
    // What gives values says the same, with the same words.
    match (&strict, from_slice(octets)) {
        (Ok(()), Ok(value)) => assert_eq!(to_vec(&value).unwrap(), octets),
        (Err(error), Err(again)) => {
            assert_eq!(*error, again);
            assert!(error.offset <= octets.len(), "{error}");
        }
        (strict, value) => panic!("{:?}: {strict:?}, {value:?}", String::from_utf8_lossy(octets)),
    }
    strict.is_ok()
}

#[test]
fn generated_values_are_taken_and_their_neighbours_judged_alike() {
    let mut draw = Draw::new(0x6a63_7331);
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..10_000 {
        let octets = to_vec(&value(&mut draw)).unwrap();
        assert!(check(&octets));
        // One octet replaced, removed, doubled or put in: most of these are wrong, some are another canonical value.
        for _ in 0..4 {
            let mut changed = octets.clone();
            let at = draw.below(changed.len());
            let other = *draw.of(br#"{}[]":,-+.eE019 tfnu\/ abAB"#);
            match draw.below(5) {
                0 => changed[at] = other,
                1 => drop(changed.remove(at)),
                2 => changed.insert(at, changed[at]),
                3 => changed.insert(at, other),
                _ => changed[at] ^= 1 << draw.below(8),
            }
            if check(&changed) { taken += 1 } else { refused += 1 }
        }
    }
    // Both sides were tried, or this proves nothing.
    assert!(taken > 2_000 && refused > 10_000, "{taken} taken, {refused} refused");
}

#[test]
fn another_layout_or_order_of_the_same_value_is_refused() {
    let mut draw = Draw::new(0x6a63_7332);
    let mut pretty = 0;
    for _ in 0..2_000 {
        let value = value(&mut draw);
        let octets = to_vec(&value).unwrap();
        let spaced = serde_json::to_vec_pretty(&value).unwrap();
        assert_eq!(parse(&spaced).unwrap(), from_slice(&octets).unwrap());
        if spaced != octets {
            assert!(!check(&spaced));
            pretty += 1;
        }
        for around in [[b" ", octets.as_slice()].concat(), [octets.as_slice(), b"\n"].concat()] {
            assert_eq!(validate(&around).unwrap_err().kind, ReadErrorKind::WhiteSpace);
        }
    }
    assert!(pretty > 500);
}

/// Short texts of what JSON is made of, every one of them up to a length.
#[test]
fn all_short_texts_are_judged_alike() {
    const ALPHABET: &[u8] = br#"{}[]":,-01.e\"#;
    let mut taken = 0;
    for length in 0..=5_u32 {
        for number in 0..ALPHABET.len().pow(length) {
            let mut rest = number;
            let text: Vec<u8> = (0..length)
                .map(|_| {
                    let octet = ALPHABET[rest % ALPHABET.len()];
                    rest /= ALPHABET.len();
                    octet
                })
                .collect();
            taken += usize::from(check(&text));
        }
    }
    assert!(taken > 100, "{taken}");
}

#[test]
fn every_escape_has_one_spelling() {
    for c in (0..=0x2ff_u32).chain(0x2028..=0x2029).chain(0xfffe..=0x1_0001).filter_map(char::from_u32) {
        let canonical = to_vec(&c).unwrap();
        assert!(check(&canonical), "{c:?}");
        let mut units = [0; 2];
        let spelt: String = c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect();
        for spelling in [
            format!("\"{spelt}\""),
            format!("\"{}\"", spelt.to_uppercase().replace('U', "u")),
            format!("\"{c}\""),
        ] {
            assert_eq!(check(spelling.as_bytes()), spelling.as_bytes() == canonical, "{spelling}");
        }
        // A short escape: of this character, of another one, or of none.
        check(format!("\"\\{c}\"").as_bytes());
        // In keys too, where the spelling decides the order.
        for other in ["a", "\u{7f}", "\u{e000}", "\u{1f600}", "\"", "\\"] {
            let members = |a: &str, b: &str| format!("{{{a}:1,{b}:2}}");
            let (a, b) = (
                String::from_utf8(canonical.clone()).unwrap(),
                String::from_utf8(to_vec(other).unwrap()).unwrap(),
            );
            let ordered = (check(members(&a, &b).as_bytes()), check(members(&b, &a).as_bytes()));
            assert_eq!(ordered.0 || ordered.1, a != b, "{c:?} {other:?}");
            assert!(!(ordered.0 && ordered.1));
        }
    }
}

#[test]
fn an_error_says_where_what_was_expected_and_what_was_found() {
    for (octets, says) in [
        (
            &b"{\"b\":1,\"a\":2}"[..],
            "at octet 7: expected a key that sorts after the one before it by UTF-16 code units, found '\"'",
        ),
        (b"[1 ]", "at octet 2: expected no white space, found ' '"),
        (b"[1;2]", "at octet 2: expected `,` or `]`, found ';'"),
        (b"{\"a\"=1}", "at octet 4: expected `:`, found '='"),
        (b"[1", "at octet 2: expected `,` or `]`, found the end"),
        (b"[tru\xc3\xa9]", "at octet 4: expected true, found 'é'"),
        (b"\"\xc3\xa9\xc3\"", "at octet 3: expected UTF-8, found an octet that begins no character"),
        (b"-0", "at octet 0: expected the number as ECMAScript writes it, zero without a sign, found '-'"),
        (b"1.", "at octet 2: expected a digit, found the end"),
    ] {
        assert_eq!(validate(octets).unwrap_err().to_string(), says);
    }
}

/// Content does not leak into a message: whatever stands there, at most one character of it is repeated.
#[test]
fn an_error_does_not_repeat_what_it_read() {
    let error = validate(b"[\"secret\"x]").unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
}

proptest! {
    #[test]
    fn octets_of_any_kind_are_judged_alike(octets in prop::collection::vec(any::<u8>(), 0..40)) {
        check(&octets);
        check(&[b"\"", octets.as_slice(), b"\""].concat());
    }

    #[test]
    fn any_text_is_taken_in_one_spelling(text: String) {
        prop_assert!(check(&to_vec(&text).unwrap()));
        check(serde_json::to_string(&text).unwrap().as_bytes());
    }

    #[test]
    fn numbers_of_any_spelling_are_judged_alike(text in "-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,18})?([eE][+-]?[0-9]{1,3})?") {
        check(text.as_bytes());
    }

    #[test]
    fn any_double_is_judged_alike(bits: u64) {
        let n = f64::from_bits(bits);
        prop_assume!(n.is_finite());
        check(ryu_js::Buffer::new().format_finite(n).as_bytes());
        check(format!("{n:?}").as_bytes());
        check(format!("{n:e}").as_bytes());
    }
}

/// The end is found at the end alone.
#[test]
fn what_stands_there_is_not_called_the_end() {
    let text = "{\"a\":[1,-2.5e-7,\"x\\n\\ud83d\\ude00é\",null,true],\"b\":{}}".as_bytes();
    for cut in 0..text.len() {
        for wrong in [&[][..], b"\xff", b"\xc3", b"\xed\xa0\x80"] {
            let octets = [&text[..cut], wrong].concat();
            for read in [validate(&octets).err(), from_slice(&octets).err()].into_iter().flatten() {
                let at_end = read.offset == octets.len();
                assert_eq!(read.found_there() == "the end", at_end, "{read}: {octets:?}");
                assert_eq!(read.to_string().ends_with("found the end"), at_end, "{read}");
            }
        }
    }
}
