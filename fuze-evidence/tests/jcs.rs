//! The canonical form against RFC 8785's own files, a second implementation, and everything that must be refused.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::collections::BTreeMap;

use fuze_evidence::jcs::{Error, ReadErrorKind, from_slice, parse, to_vec};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value, json};

fn text<T: Serialize>(value: &T) -> String {
    String::from_utf8(to_vec(value).unwrap()).unwrap()
}

#[test]
fn the_files_of_rfc_8785() {
    let Some(folder) = common::shared("vectors/jcs") else { return };
    let mut count = 0;
    for entry in std::fs::read_dir(folder.join("input")).unwrap() {
        let path = entry.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        let output = std::fs::read(folder.join("output").join(path.file_name().unwrap())).unwrap();
        let output = output.strip_suffix(b"\n").unwrap_or(&output);
        let value = parse(&input).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&to_vec(&value).unwrap()),
            String::from_utf8_lossy(output),
            "{path:?}"
        );
        assert_eq!(from_slice(output).unwrap(), value);
        count += 1;
    }
    assert!(count >= 6, "{count} files");
}

/// Values inside the profile.
fn values() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
        any::<f64>()
            .prop_filter("in profile", |n| n.is_finite() && (n.abs() < 9e15 || n.abs() >= 1e21))
            .prop_map(Value::from),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        any::<String>().prop_map(Value::from)
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
            prop::collection::vec((any::<String>(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn inside_the_profile_both_implementations_agree(value in values()) {
        let ours = to_vec(&value).unwrap();
        prop_assert_eq!(&ours, &serde_jcs::to_vec(&value).unwrap());
        let read = from_slice(&ours).unwrap();
        prop_assert_eq!(&to_vec(&read).unwrap(), &ours);
        prop_assert_eq!(&parse(&ours).unwrap(), &read);
        // Another layout of the same value comes out the same.
        prop_assert_eq!(parse(serde_json::to_string_pretty(&value).unwrap().as_bytes()).unwrap(), read);
    }

    #[test]
    fn what_the_strict_reader_takes_it_writes_again(octets in prop::collection::vec(prop::sample::select(br#"{}[]":,-0123456789.eE+ truefalsn\u"#.to_vec()), 0..24)) {
        if let Ok(value) = from_slice(&octets) {
            prop_assert_eq!(to_vec(&value).unwrap(), octets);
        } else if let Ok(value) = parse(&octets) {
            prop_assert_ne!(to_vec(&value).unwrap(), octets);
        }
    }

    #[test]
    fn keys_in_any_order_come_out_sorted(keys in prop::collection::btree_set(any::<String>(), 0..12), seed: u64) {
        struct Shuffled(Vec<(String, usize)>);
        impl Serialize for Shuffled {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_map(self.0.iter().map(|(k, v)| (k, v)))
            }
        }
        let mut members: Vec<_> = keys.into_iter().enumerate().map(|(n, k)| (k, n)).collect();
        let sorted: Map<_, _> = members.iter().map(|(k, n)| (k.clone(), json!(n))).collect();
        let length = members.len().max(1);
        members.rotate_left(usize::try_from(seed % 97).unwrap() % length);
        prop_assert_eq!(to_vec(&Shuffled(members)).unwrap(), serde_jcs::to_vec(&sorted).unwrap());
    }
}

#[test]
fn types_are_written_as_serde_json_writes_them() {
    #[derive(Serialize)]
    enum E {
        Unit,
        New(u8),
        Tuple(u8, char),
        Struct { z: Option<u8>, a: Option<u8> },
    }
    #[derive(Serialize)]
    struct Unit;
    #[derive(Serialize)]
    struct New(i128);
    #[derive(Serialize)]
    struct All<'a> {
        enums: Vec<E>,
        unit: Unit,
        new: New,
        bytes: &'a [u8],
        map: BTreeMap<i32, bool>,
        tuple: ((), f32, &'a str),
        none: Option<()>,
    }
    let all = All {
        enums: vec![E::Unit, E::New(1), E::Tuple(2, 'é'), E::Struct { z: None, a: Some(3) }],
        unit: Unit,
        new: New(-5),
        bytes: b"\x00\xff",
        map: BTreeMap::from([(10, true), (9, false), (-1, true)]),
        tuple: ((), 0.5, "\u{8}\u{c}\u{1}\u{7f}\"\\/\n"),
        none: None,
    };
    let expected = to_vec(&serde_json::to_value(&all).unwrap()).unwrap();
    assert_eq!(to_vec(&all).unwrap(), expected);
    assert_eq!(expected, serde_jcs::to_vec(&all).unwrap());
    assert_eq!(text(&f64::from(-0.0_f32)), "0");
    assert_eq!(text(&"\u{1f}"), "\"\\u001f\"");
}

#[test]
fn keys_sort_by_utf_16_code_units() {
    let value =
        json!({"\u{1f600}": 1, "\u{fb33}": 2, "\u{20ac}": 3, "\r": 4, "1": 5, "\u{80}": 6, "\u{f6}": 7});
    assert_eq!(text(&value), "{\"\\r\":4,\"1\":5,\"\u{80}\":6,\"ö\":7,\"€\":3,\"😀\":1,\"\u{fb33}\":2}");
}

#[test]
fn the_writer_refuses_what_is_outside_the_profile_wherever_it_stands() {
    fn check<T: Serialize + Copy>(value: T, refused: impl Fn(&Error) -> bool) {
        for error in [to_vec(&value), to_vec(&[value]), to_vec(&BTreeMap::from([("k", [Some(value)])]))] {
            let error = error.unwrap_err();
            assert!(refused(&error), "{error}");
        }
    }
    let range = |e: &Error| matches!(e, Error::IntegerRange { .. });
    check(9_007_199_254_740_992_u64, range);
    check(-9_007_199_254_740_992_i64, range);
    check(u128::MAX, range);
    check(i128::MIN, range);
    check(u64::MAX, range);
    for n in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        check(n, |e| *e == Error::NotFinite);
    }
    check(f32::NAN, |e| *e == Error::NotFinite);
    for n in [9_007_199_254_740_992.0, -9_007_199_254_740_994.0, 295_147_905_179_352_830_000.0, 9.99e20] {
        check(n, |e| matches!(e, Error::FloatRange { .. }));
    }
    assert_eq!(text(&1e21), "1e+21");
    assert_eq!(text(&9_007_199_254_740_991_u64), "9007199254740991");
}

#[test]
fn a_duplicate_key_is_an_error_sorted_or_not() {
    struct Members(&'static [&'static str]);
    impl Serialize for Members {
        fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            s.collect_map(self.0.iter().map(|k| (k, 1)))
        }
    }
    for keys in [&["a", "a"][..], &["b", "a", "b"], &["a", "b", "a"], &["c", "a", "b", "a"]] {
        assert!(matches!(to_vec(&Members(keys)), Err(Error::DuplicateKey { .. })), "{keys:?}");
    }
    #[derive(Serialize)]
    struct Flat {
        a: u8,
        #[serde(flatten)]
        more: BTreeMap<String, u8>,
    }
    let flat = Flat { a: 1, more: BTreeMap::from([("a".into(), 2)]) };
    assert!(matches!(to_vec(&flat), Err(Error::DuplicateKey { .. })));
}

#[test]
fn depth_has_a_limit_for_writer_and_readers_alike() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let value: Value = serde_json::from_str(&nested(64)).unwrap();
    assert_eq!(text(&value), nested(64));
    assert!(from_slice(nested(64).as_bytes()).is_ok());
    let deeper: Value = serde_json::from_str(&nested(65)).unwrap();
    assert_eq!(to_vec(&deeper), Err(Error::Depth));
    for read in [from_slice, parse] {
        assert_eq!(read(nested(65).as_bytes()).unwrap_err().kind, ReadErrorKind::Depth);
        assert_eq!(read("[".repeat(100_000).as_bytes()).unwrap_err().kind, ReadErrorKind::Depth);
        let objects = format!("{}1{}", "{\"a\":".repeat(65), "}".repeat(65));
        assert_eq!(read(objects.as_bytes()).unwrap_err().kind, ReadErrorKind::Depth);
    }
    // Depth goes down again: width is not depth.
    assert!(from_slice(format!("[{}[]]", "[[]],".repeat(100)).as_bytes()).is_ok());
}

/// `serde_json` with `arbitrary_precision` switched on by some other crate writes numbers as this struct.
#[test]
fn numbers_kept_as_text_come_out_right_or_are_an_error() {
    struct Kept(&'static str);
    impl Serialize for Kept {
        fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeStruct as _;
            let mut number = s.serialize_struct("$serde_json::private::Number", 1)?;
            number.serialize_field("$serde_json::private::Number", self.0)?;
            number.end()
        }
    }
    struct Raw;
    impl Serialize for Raw {
        fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeStruct as _;
            let mut raw = s.serialize_struct("$serde_json::private::RawValue", 1)?;
            raw.serialize_field("$serde_json::private::RawValue", "{ \"b\":1,\"a\":2}")?;
            raw.end()
        }
    }
    for (kept, expected) in
        [("1.50", "1.5"), ("-0", "0"), ("-0.0", "0"), ("1e2", "100"), ("-7", "-7"), ("1E-7", "1e-7")]
    {
        assert_eq!(text(&[Kept(kept)]), format!("[{expected}]"));
    }
    for wrong in [
        "9007199254740993",
        "1e400",
        "99999999999999999999999999999999999999999999",
        "9007199254740993.0",
        "x",
        "",
    ] {
        assert!(to_vec(&Kept(wrong)).is_err(), "{wrong}");
    }
    assert_eq!(to_vec(&[Raw]), Err(Error::Raw));
}

#[test]
fn the_strict_reader_refuses_every_other_spelling() {
    use ReadErrorKind::*;
    for (octets, offset, kind) in [
        (&b"{\"b\":1,\"a\":2}"[..], 7, KeyOrder),
        (b"{\"a\":1,\"a\":2}", 7, DuplicateKey),
        (b"{\"a\": 1}", 5, WhiteSpace),
        (b" 1", 0, WhiteSpace),
        (b"1\n", 1, WhiteSpace),
        (b"1 2", 1, WhiteSpace),
        (b"12,", 2, Trailing),
        (b"{}{}", 2, Trailing),
        (b"01", 1, Trailing),
        (b"[1,]", 3, Unexpected),
        (b"[,1]", 1, Unexpected),
        (b"{\"a\"}", 4, Unexpected),
        (b"{a:1}", 1, Unexpected),
        (b"+1", 0, Unexpected),
        (b".5", 0, Unexpected),
        (b"1.", 2, End),
        (b"-", 1, End),
        (b"1e", 2, End),
        (b"", 0, End),
        (b"\"a", 2, End),
        (b"tru", 3, End),
        (b"nul1", 3, Unexpected),
        (b"NaN", 0, Unexpected),
        (b"-0", 0, NumberForm),
        (b"-0.0", 0, NumberForm),
        (b"1.0", 0, NumberForm),
        (b"1e2", 0, NumberForm),
        (b"1E21", 0, NumberForm),
        (b"0.10", 0, NumberForm),
        (b"1e21", 0, NumberForm),
        (b"0.0000001", 0, NumberForm),
        (b"9007199254740992", 0, IntegerRange),
        (b"-9007199254740992", 0, IntegerRange),
        (b"123456789012345678901234567890", 0, IntegerRange),
        (b"9007199254740993.5", 0, FloatRange),
        (b"1e400", 0, FloatRange),
        (b"\"\\u0041\"", 1, Escape),
        (b"\"\\u000A\"", 1, Escape),
        (b"\"\\u000a\"", 1, Escape),
        (b"\"\\u001F\"", 1, Escape),
        (b"\"\\/\"", 1, Escape),
        (b"\"\\x\"", 1, Escape),
        (b"\"\\uD83D\\uDE00\"", 1, Escape),
        (b"\"\\ud800\"", 1, LoneSurrogate),
        (b"\"\\udc00\\ud800\"", 1, LoneSurrogate),
        (b"\"\\ud800x\"", 1, LoneSurrogate),
        (b"\"\\ud800\\u0041\"", 1, LoneSurrogate),
        (b"\"\n\"", 1, Control),
        (b"\"\x00\"", 1, Control),
        (b"\"\xff\"", 1, Utf8),
        (b"\"\xed\xa0\x80\"", 1, Utf8),
        (b"\xef\xbb\xbf1", 0, Unexpected),
    ] {
        let error = from_slice(octets).unwrap_err();
        assert_eq!((error.offset, error.kind), (offset, kind), "{}", String::from_utf8_lossy(octets));
    }
    assert_eq!(from_slice(b"1e+21").unwrap(), json!(1e21));
    assert_eq!(from_slice(b"\"\\u001f\\n\"").unwrap(), json!("\u{1f}\n"));
}

#[test]
fn the_lenient_reader_takes_any_layout_and_no_other_profile() {
    let value =
        parse(b" { \"b\" : [ 1.0 , 1e2, -0, -0.0 ], \"a\":\"\\u0041\\/\\ud83d\\ude00\" }\r\n\t").unwrap();
    assert_eq!(text(&value), "{\"a\":\"A/😀\",\"b\":[1,100,0,0]}");
    assert!(value["b"][0].is_u64(), "a whole number is an integer, as the tool will see it");
    for (octets, kind) in [
        (&b"{\"a\":1,\"\\u0061\":2}"[..], ReadErrorKind::DuplicateKey),
        (b"9007199254740993", ReadErrorKind::IntegerRange),
        (b"9007199254740993.0", ReadErrorKind::FloatRange),
        (b"9e18", ReadErrorKind::FloatRange),
        (b"1e999", ReadErrorKind::FloatRange),
        (b"\"\\ud800\"", ReadErrorKind::LoneSurrogate),
        (b"{} x", ReadErrorKind::Trailing),
        (b"[1,]", ReadErrorKind::Unexpected),
        (b"// c\n1", ReadErrorKind::Unexpected),
        (b"Infinity", ReadErrorKind::Unexpected),
    ] {
        assert_eq!(parse(octets).unwrap_err().kind, kind, "{}", String::from_utf8_lossy(octets));
    }
}
