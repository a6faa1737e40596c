//! Content goes: what of which run is said first, with the octets that must not be found afterwards.

use std::path::Path;

use fuze_agent::store::RunStore as _;
use fuze_evidence::erase::Done;
use fuze_evidence::{Hash, Name, RunId};
use fuze_store::SqliteStore;
use fuze_store_suite::{Office, What, subjects};
use rusqlite::Connection;
use serde::Deserialize;

use super::{Fallible, say};

/// What is looked at of a line of `content.jsonl`.
#[derive(Deserialize)]
struct Line {
    root: Hash,
    leaves: Vec<Leaf>,
}

#[derive(Deserialize)]
struct Leaf {
    data: Option<String>,
}

/// Of the runs that `story` wrote one loses its input and then all its content, the other its input; of others, which are written here, go a field,
/// a subject and a person. The database is written anew after each, but once: then on its own.
pub(super) async fn erasing(store: &SqliteStore, aside: &Path, story: &[RunId]) -> Fallible<()> {
    let office = Office::open(aside, store.directory()).map_err(|wrong| wrong.to_string())?;
    let key: String = office.public_key().iter().map(|b| format!("{b:02x}")).collect();
    let (&first, &second) = story.first().zip(story.get(1)).ok_or("two runs")?;
    let mut orders = vec![(first, vec![What::Record, What::Run])];
    for (number, what) in [What::Field, What::Subject, What::Person, What::Person].into_iter().enumerate() {
        let alias = what.is_personal().then(|| Name::new(format!("subject-{number}"))).transpose()?;
        let (sample, batch) = office.begin(alias.as_ref()).map_err(|wrong| wrong.to_string())?;
        let run = sample.run;
        say(&format!("key {run} {key}"))?;
        let fence = store.create(run, batch).await?;
        say(&format!("has {run} 1 1"))?;
        store.commit(fence, sample.close().map_err(|wrong| wrong.to_string())?).await?;
        say(&format!("has {run} 2 1"))?;
        office.issue(store, run).map_err(|wrong| wrong.to_string())?;
        say(&format!("issued {run}"))?;
        for secret in alias.iter().map(|alias| subject_key(store, alias)) {
            say(&format!("secret {run} {}", secret?))?;
        }
        orders.push((run, vec![what]));
    }
    orders.push((second, vec![What::Record]));
    let mut roots = Vec::new();
    for (run, whats) in &orders {
        let content = std::fs::read(store.run_directory(*run).join("content.jsonl"))?;
        let line: Line = serde_json::from_slice(content.split(|&b| b == b'\n').next().unwrap_or_default())?;
        roots.push(line.root);
        let mut data: Vec<String> = line.leaves.into_iter().filter_map(|leaf| leaf.data).collect();
        // Of two fields the longer one goes alone.
        data.sort_unstable_by_key(String::len);
        let stays = usize::from(*whats == [What::Field]);
        for data in data.into_iter().skip(stays) {
            let hex: String = data.bytes().map(|b| format!("{b:02x}")).collect();
            say(&format!("secret {run} {hex}"))?;
        }
        for what in whats {
            say(&format!("plan {run} {what} {}", line.root))?;
        }
    }
    let at_once = office.eraser(store).map_err(|wrong| wrong.to_string())?;
    let later = at_once.clone().compact_later();
    for ((run, whats), root) in orders.iter().zip(roots) {
        let eraser = if *run == second { &later } else { &at_once };
        for what in whats {
            let done = office.order(eraser, *run, *what, root).await.map_err(|wrong| wrong.to_string())?;
            // One order was enough for both runs of the person.
            if done != Done::Erased && *what != What::Person {
                return Err(format!("nothing of {run} was erased").into());
            }
            say(&format!("erased {run} {what}"))?;
        }
        if *run != second {
            say(&format!("given {run}"))?;
        }
    }
    at_once.compact().await?;
    say(&format!("given {second}"))
}

/// The key itself, which nobody who asks for it is given as octets.
fn subject_key(store: &SqliteStore, alias: &Name) -> Fallible<String> {
    let keys = Connection::open(subjects(store.directory()).join("subjects.sqlite"))?;
    let hex = "SELECT lower(hex(secret)) FROM keys WHERE alias = ?1";
    Ok(keys.query_row(hex, [alias.as_str()], |row| row.get(0))?)
}
