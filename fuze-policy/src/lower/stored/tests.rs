//! Bytes that nothing was written as.
#![allow(clippy::indexing_slicing, reason = "tests index what they have just made")]

use super::{DEEPEST, Plain, Reader, Stored};
use crate::cel::Value;
use crate::lower::expr::Arena;

fn written<T: Stored>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.write(&mut bytes);
    bytes
}

/// What the bytes are read as, all of them.
fn read<T: Stored>(bytes: &[u8]) -> Option<T> {
    let mut from = Reader::new(bytes);
    T::read(&mut from).filter(|_| from.is_at_end())
}

#[test]
fn what_is_cut_or_longer_is_nothing() {
    let bytes = written(&vec!["a".to_owned(), "bc".to_owned()]);
    assert_eq!(read(&bytes), Some(vec!["a".to_owned(), "bc".to_owned()]));
    for cut in 0..bytes.len() {
        assert_eq!(read::<Vec<String>>(&bytes[..cut]), None, "{cut}");
    }
    assert_eq!(read::<Vec<String>>(&[&*bytes, &[0]].concat()), None);
}

#[test]
fn other_variants_are_nothing() {
    assert_eq!((read(&[0]), read(&[1]), read::<bool>(&[2])), (Some(false), Some(true), None));
    assert_eq!(read::<Option<u8>>(&[2, 0]), None);
    assert!(read::<Plain>(&[8]).is_none());
    assert_eq!(read::<String>(&[1, 0, 0, 0, 0xff]), None);
}

#[test]
fn literals_of_each_kind_are_read_as_written() {
    for source in ["null", "true", "-1", "1u", "1.5", "'a'", "[1, [true]]", "{'a': {1: 2u}, true: null}"] {
        let program = crate::cel::Program::parse(source).unwrap();
        let crate::cel::Kind::Literal(value) = &program.expr().kind else { panic!("{source}") };
        let found: Plain = read(&written(&Plain::new(value.clone()).unwrap())).unwrap();
        assert_eq!(format!("{:?}", found.value()), format!("{value:?}"));
    }
}

#[test]
fn values_are_read_as_deep_as_policies_go_and_no_deeper() {
    let nested = |depth: u32| {
        let mut bytes = [6, 1, 0, 0, 0].repeat(usize::try_from(depth).unwrap());
        bytes.push(0);
        bytes
    };
    assert!(read::<Plain>(&nested(DEEPEST)).is_some());
    assert!(read::<Plain>(&nested(DEEPEST + 1)).is_none());
    // What stands side by side is not deep.
    let many = vec![vec![1_u8]; 2_000];
    assert_eq!(read(&written(&many)), Some(many));
}

/// Nodes that an evaluation would not come to the end of, or reach twice.
#[test]
fn nodes_whose_parts_are_not_their_own_are_nothing() {
    const MISSING: &[u8] = &[3];
    let not = |of: u8| vec![10, of, 0, 0, 0];
    let all = |of: &[u8]| -> Vec<u8> {
        let count = [16, u8::try_from(of.len()).unwrap(), 0, 0, 0];
        count.into_iter().chain(of.iter().flat_map(|of| [*of, 0, 0, 0])).collect()
    };
    let is_read = |nodes: &[&[u8]]| {
        let count = [u8::try_from(nodes.len()).unwrap(), 0, 0, 0];
        read::<Arena>(&[&count[..], &nodes.concat()].concat()).is_some()
    };
    assert!(is_read(&[MISSING, &not(0), &not(1)]));
    assert!(is_read(&[MISSING, MISSING, &all(&[0, 1])]));
    assert!(!is_read(&[&not(0)]), "its own part");
    assert!(!is_read(&[&not(1), MISSING]), "a part that comes later");
    assert!(!is_read(&[MISSING, &not(9)]), "a part that is not there");
    assert!(!is_read(&[MISSING, &not(0), &not(0)]), "a part of two");
    assert!(!is_read(&[MISSING, &all(&[0, 0])]), "a part twice");
}

#[test]
fn a_literal_that_is_not_plain_is_none() {
    assert!(Plain::new(Value::Bytes(b"a".as_slice().into())).is_none());
    assert!(Plain::new(Value::List([Value::Bytes(b"a".as_slice().into())].into_iter().collect())).is_none());
}
