//! What an attacker sees who has all files of a store and every key, after an erasure: the lengths of everything, and how SQLite laid out
//! its pages. They are the same whatever was there, inside one bucket of leaves: nobody guesses better than by chance.
//!
//! What the octets themselves tell, whose places are random, the guessing test of `fuze-evidence` asks.

use fuze_agent::store::StoreError;
use fuze_evidence::annex::ErasureReason;
use fuze_evidence::erase::{Done, Order, Repeat, Target};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::super::files::STEPS_LEFT;
use super::super::{Eraser, EraserError};
use super::desk::{Desk, Made, at, name};
use crate::{SqliteStore, scan};

/// They differ in content, in length, in the number of leaves (of 8, one of which stays), and in the pages that they need.
pub(super) fn candidates() -> [Value; 4] {
    let long = "a history of illness, in some detail and at some length";
    [json!("none"), json!([long, long, 17, null, {}]), json!("n".repeat(9_000)), json!([1, 2, 3, 4, 5, 6, 7])]
}

const WHAT: [&str; 6] = ["field", "record", "run", "subject", "person", "all"];

pub(super) async fn carry_out(what: &str, eraser: &Eraser<'_>, made: &Made) -> Result<Done, EraserError> {
    let order = Order { at: at(1_000), by: name("dpo-1"), reason: ErasureReason::Request };
    let root = made.roots[0];
    let target = match what {
        "field" => Target::Fields { root, pointers: vec!["/health".into()], repeat: Repeat::Refuse },
        "record" => Target::Record { root },
        "run" => Target::Run,
        "subject" => Target::Subject,
        "person" => {
            let tenant = name("patients");
            let person = fuze_evidence::keys::Person { tenant: &tenant, reference: "17" };
            let done = eraser.erase_person(person, order).await?;
            assert!(done.runs.values().all(|done| matches!(done, Ok(Done::Erased))));
            return Ok(Done::Erased);
        }
        _ => return eraser.retain(made.run, at(21).plus_days(400).unwrap()).await,
    };
    eraser.erase(made.run, target, order).await
}

/// A store with three runs, the one in the middle with `value`, from which something is erased.
pub(super) struct Erased {
    pub(super) desk: Desk,
    pub(super) store: SqliteStore,
    pub(super) made: Made,
}

impl Erased {
    pub(super) async fn made(value: &Value) -> Self {
        let desk = Desk::new();
        let store = desk.open();
        desk.make(&store, true).await;
        let input = json!({"case": 17, "health": value});
        let made = desk.make_of(&store, true, name("patients"), input).await;
        desk.make(&store, true).await;
        Self { desk, store, made }
    }

    /// Every length that there is: of rows and files with the store open, and then of files and inside each page. And where it all lies.
    pub(super) async fn seen(self) -> (Vec<(String, Vec<u64>)>, tempfile::TempDir) {
        let place = self.desk.place.path().join("store");
        let mut seen = files(&place);
        self.store.close().await.unwrap();
        seen.extend(files(&place));
        let file = place.join("fuze.sqlite");
        let connection = Connection::open(&file).unwrap();
        let rows = |sql: &str| -> Vec<u64> {
            let mut statement = connection.prepare(sql).unwrap();
            let columns = statement.column_count();
            let row = |row: &rusqlite::Row<'_>| (0..columns).map(|at| row.get(at).map(u32::into)).collect();
            let rows = statement.query_map([], row).unwrap();
            rows.collect::<Result<Vec<Vec<u64>>, _>>().unwrap().concat()
        };
        let lengths = "SELECT run, position, length(content), length(keys) FROM contents ORDER BY rowid";
        seen.push(("rows".into(), rows(lengths)));
        for pragma in ["page_count", "freelist_count"] {
            seen.push((pragma.into(), rows(&format!("PRAGMA {pragma}"))));
        }
        drop(connection);
        seen.extend(pages(&std::fs::read(&file).unwrap()));
        (seen, self.desk.place)
    }
}

/// Names that are no run's own, and lengths.
fn files(place: &std::path::Path) -> Vec<(String, Vec<u64>)> {
    let mut files: Vec<_> = scan::walk(place)
        .into_iter()
        .map(|path| {
            let tenants = path.parent().unwrap().ends_with("annex");
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let length = std::fs::metadata(&path).unwrap().len();
            (if tenants { "annex".to_owned() } else { name }, vec![length])
        })
        .collect();
    files.sort_unstable();
    files
}

/// Of each page: what it is, where its unused octets are, and where its cells; of one without cells, which follows it.
/// <https://sqlite.org/fileformat2.html>, 1.3 and 1.6.
fn pages(file: &[u8]) -> Vec<(String, Vec<u64>)> {
    let number = |octets: &[u8]| octets.iter().fold(0, |sum, &octet| sum << 8 | u64::from(octet));
    let size = usize::try_from(number(&file[16..18])).unwrap();
    let page = |(at, page): (usize, &[u8])| {
        let header = &page[if at == 0 { 100 } else { 0 }..];
        let seen = match header[0] {
            kind @ (2 | 5 | 10 | 13) => {
                let cells = usize::try_from(number(&header[3..5])).unwrap();
                let start = if kind < 8 { 12 } else { 8 };
                let mut pointers: Vec<u64> = header[start..start + 2 * cells].chunks(2).map(number).collect();
                // Entries of an index stand in the order of their keys, which are ids and hashes: by chance. How long they are does not.
                if matches!(kind, 2 | 10) {
                    pointers.sort_unstable();
                    let ends = pointers.iter().skip(1).copied().chain([number(&file[16..18])]);
                    pointers = ends.zip(&pointers).map(|(end, start)| end - start).collect();
                    pointers.sort_unstable();
                }
                [1..3, 3..5, 5..7, 7..8]
                    .map(|part| number(&header[part]))
                    .into_iter()
                    .chain(pointers)
                    .collect()
            }
            _ => vec![number(&page[..4])],
        };
        (format!("page {at} of kind {}", header[0]), seen)
    };
    let header = [28..32, 32..36, 36..40].map(|part| number(&file[part]));
    let first = ("header".to_owned(), header.to_vec());
    std::iter::once(first).chain(file.chunks(size).enumerate().map(page)).collect()
}

/// In which places one value is seen otherwise than another.
fn differ(all: &[Vec<(String, Vec<u64>)>]) -> Vec<&str> {
    let (first, others) = all.split_first().unwrap();
    let differs = |other: &&Vec<(String, Vec<u64>)>| {
        let lengths = (first.len() != other.len()).then_some("how many");
        let places = first.iter().zip(other.iter()).filter(|(a, b)| a != b).map(|(a, _)| a.0.as_str());
        lengths.into_iter().chain(places).collect::<Vec<_>>()
    };
    others.iter().flat_map(|other| differs(&other)).collect()
}

#[tokio::test]
async fn nothing_in_a_store_is_as_long_as_what_was_erased() {
    for what in WHAT {
        let mut seen = Vec::new();
        for value in candidates() {
            let erased = Erased::made(&value).await;
            let eraser = erased.desk.eraser(&erased.store);
            assert_eq!(carry_out(what, &eraser, &erased.made).await.unwrap(), Done::Erased);
            seen.push(erased.seen().await.0);
        }
        assert!(seen[0].len() > 20, "{:?}", seen[0]);
        assert_eq!(differ(&seen), Vec::<&str>::new(), "{what}");
    }
}

/// The same eyes see it when the room is kept, and no more once it was given back.
#[tokio::test]
async fn put_off_it_shows_until_the_database_is_written_anew() {
    for what in ["field", "record", "subject"] {
        let (mut kept, mut given) = (Vec::new(), Vec::new());
        for value in candidates() {
            for (compacts, seen) in [(false, &mut kept), (true, &mut given)] {
                let erased = Erased::made(&value).await;
                let eraser = erased.desk.eraser(&erased.store).compact_later();
                assert_eq!(carry_out(what, &eraser, &erased.made).await.unwrap(), Done::Erased);
                if compacts {
                    erased.store.compact(None).await.unwrap();
                }
                seen.push(erased.seen().await.0);
            }
        }
        let shown = differ(&kept);
        assert!(["fuze.sqlite", "rows", "page_count"].iter().all(|place| shown.contains(place)), "{shown:?}");
        assert_eq!(differ(&given), Vec::<&str>::new(), "{what}");
    }
}

/// How many leaves the record says there are, decoys with them, stays: 8 of one to eight, 16 of nine to sixteen.
#[tokio::test]
async fn the_bucket_of_leaves_stays_known() {
    let mut seen = Vec::new();
    for value in [json!([1, 2, 3]), json!([1, 2, 3, 4, 5, 6, 7, 8])] {
        let erased = Erased::made(&value).await;
        let eraser = erased.desk.eraser(&erased.store);
        assert_eq!(carry_out("field", &eraser, &erased.made).await.unwrap(), Done::Erased);
        seen.push(erased.seen().await.0);
    }
    assert!(differ(&seen).contains(&"rows"));
}

/// Cut off at any step, and finished later: by then nothing shows.
#[tokio::test]
async fn cut_off_it_is_given_back_by_the_recovery() {
    for step in 0.. {
        let (mut seen, mut whole) = (Vec::new(), false);
        for value in [&candidates()[0], &candidates()[2]] {
            let mut erased = Erased::made(value).await;
            let set = move |_: &mut crate::keeper::Keeper| -> Result<(), StoreError> {
                STEPS_LEFT.set(Some(step));
                Ok(())
            };
            erased.store.ask(set).await.unwrap();
            whole = carry_out("subject", &erased.desk.eraser(&erased.store), &erased.made).await.is_ok();
            erased.store.close().await.unwrap();
            erased.store = erased.desk.open();
            erased.desk.eraser(&erased.store).recover().await.unwrap();
            assert_eq!(erased.desk.eraser(&erased.store).recover().await.unwrap(), []);
            seen.push(erased.seen().await.0);
        }
        assert_eq!(differ(&seen), Vec::<&str>::new(), "{step}");
        if whole {
            assert!(step > 12, "{step}");
            break;
        }
    }
}
