//! Forms and limits that only a forger comes near: what one verifier takes and another refuses is of use to them.

use base64ct::{Base64, Encoding as _};
use fuze_agent_bundle_tests::forge::{Members, pack, repack, unpack};
use fuze_agent_bundle_tests::logs::World;
use fuze_agent_bundle_tests::runs::{Run, Shape, random};
use fuze_agent_bundle_tests::tamper::{remanifest, resign};
use fuze_agent_bundle_tests::tools::python;
use fuze_audit::Selection;
use fuze_evidence::content::{DisclosedLeaf, merkle_root};
use fuze_evidence::keys::{FileSigner, Signer as _};
use fuze_evidence::{Name, jcs, sha256};
use serde_json::{Value, json};

use crate::judges::{Other, ours};

const CLOSE: &str = "anchors/close.tlog-proof";

/// Changes a member's text.
fn edit(members: &Members, name: &str, change: &dyn Fn(String) -> String) -> Members {
    let mut members = members.clone();
    let text = change(String::from_utf8(members[name].clone()).unwrap());
    members.insert(name.to_owned(), text.into_bytes());
    members
}

/// Signs the checkpoint of a proof anew, with a line more in it.
fn extended(world: &World, proof: &str, line: &str) -> String {
    let (head, note) = proof.split_once("\n\n").unwrap();
    let (checkpoint, _) = note.split_once("\n\n").unwrap();
    let text = format!("{checkpoint}\n{line}");
    let signer = FileSigner::ephemeral(Name::new("log").unwrap(), &mut random(2)).unwrap();
    assert_eq!(signer.public_key(), world.vkey().key().to_bytes());
    let octets = [&world.vkey().hash().0[..], &signer.sign(text.as_bytes()).unwrap()].concat();
    format!("{head}\n\n{text}\n\u{2014} {} {}\n", world.vkey().name(), Base64::encode_string(&octets))
}

/// A content with these leaves, in the place of the first record's.
fn with_content(run: &Run, members: &Members, leaves: &[(&str, Value)]) -> Vec<u8> {
    let mut members = members.clone();
    let salt = |n: usize| json!(format!("{n:A<43}"));
    let leaf = |(n, (path, value)): (usize, &(&str, Value))| json!({"leaf": {"path": path, "salt": salt(n), "value": value}});
    let mut leaves: Vec<Value> = leaves.iter().enumerate().map(leaf).collect();
    leaves.extend((leaves.len()..8).map(|n| json!({"decoy": salt(n)})));
    let hash = |leaf: &Value| serde_json::from_value::<DisclosedLeaf>(leaf.clone()).unwrap().hash().unwrap();
    leaves.sort_by_key(hash);
    let root = merkle_root(leaves.iter().map(hash));
    let content = jcs::to_vec(&json!({"leaves": leaves, "root": root, "v": 1})).unwrap();
    resign(&mut members, run.signer(), |values| {
        values[0]["payload"]["content"] = json!({"leaves": 8, "root": root});
    });
    members.insert(format!("content/{root}.json"), content);
    // What stood there goes.
    let committed: Vec<String> = String::from_utf8(members["records.jsonl"].clone())
        .unwrap()
        .lines()
        .filter_map(|line| {
            let record: Value = serde_json::from_str(line).unwrap();
            Some(format!("content/{}.json", record["payload"]["content"]["root"].as_str()?))
        })
        .collect();
    members.retain(|name, _| !name.starts_with("content/") || committed.contains(name));
    remanifest(&mut members, run.signer());
    pack(&members)
}

#[test]
fn the_verifiers_agree_on_forms_and_limits() {
    let Some(python) = python() else { return };
    let mut other = Other::start(&python);
    let mut world = World::new("log.example", 1);
    let run = Run::new(Shape::full(1));
    let mut export = run.export(Selection::all());
    export.extras.anchored = Some(world.anchor(&run, true));
    let mut whole = Vec::new();
    export.write(".".as_ref(), &mut whole).unwrap();
    let members = unpack(&whole);
    let id = run.public_key().id();
    let mut judged = |bundle: &[u8], code: u8, what: &str| {
        let (mine, [theirs, _]) = (ours(bundle, id, false, None), other.judge(bundle, id, false));
        assert_eq!((mine.0, theirs.0), (code, code), "{what}: {mine:?}, {theirs:?}");
    };
    judged(&whole, 0, "as it is");

    // Proofs.
    let stranger =
        |name: &str, octets: usize| format!("\u{2014} {name} {}\n", Base64::encode_string(&vec![7; octets]));
    let marks = members[CLOSE].iter().filter(|&&octet| octet == 0xe2).count();
    let proof = |code: u8, what: &str, change: &dyn Fn(String) -> String| {
        (code, what.to_owned(), repack(&edit(&members, CLOSE, change), run.signer()))
    };
    let cases = [
        proof(0, "a stranger's signature", &|text| text + &stranger("stranger", 5)),
        proof(1, "a signature without octets", &|text| text + &stranger("stranger", 4)),
        proof(1, "a signature of two octets", &|text| text + &stranger("stranger", 2)),
        proof(1, "a name with a plus", &|text| text + &stranger("a+b", 68)),
        proof(1, "a name with a control character", &|text| text + &stranger("a\u{1}b", 68)),
        proof(1, "a name with another space", &|text| text + &stranger("a\u{a0}b", 68)),
        proof(0, "as many signatures as there may be", &|text| {
            text + &(marks..100).map(|n| stranger(&format!("s{n}"), 68)).collect::<String>()
        }),
        proof(1, "one more", &|text| {
            text + &(marks..101).map(|n| stranger(&format!("s{n}"), 68)).collect::<String>()
        }),
        proof(1, "a note that is too long", &|text| text + &stranger("long", 150_000)),
        proof(0, "opaque data", &|text| text.replacen("\nindex", "\nextra AAAA\nindex", 1)),
        proof(1, "opaque data that is no base64", &|text| text.replacen("\nindex", "\nextra !\nindex", 1)),
        proof(1, "too much of it", &|text| {
            text.replacen("\nindex", &format!("\nextra {}\nindex", "AAAA".repeat(1366)), 1)
        }),
        proof(0, "signed anew by the log", &|text| extended(&world, &text, "")),
        proof(1, "an extension line", &|text| extended(&world, &text, "more\n")),
    ];
    for (code, what, bundle) in cases {
        judged(&bundle, code, &what);
    }
    let index = |text: String, from: &str| {
        let at = text.find(from).unwrap() + from.len();
        format!("{}true{}", &text[..at], &text[at + text[at..].find(',').unwrap()..])
    };
    let odd = edit(&members, "anchors/anchors.jsonl", &|text| index(text, "\"index\":"));
    judged(&repack(&odd, run.signer()), 1, "an index that is true");

    // Names, lengths, forms of members.
    let with = |name: &str, octets: Vec<u8>| {
        let mut members = members.clone();
        members.insert(name.to_owned(), octets);
        repack(&members, run.signer())
    };
    for name in ["oversight/18446744073709551616.json", "roots/99999999999999999999999999.json"] {
        judged(&with(name, b"{}".to_vec()), 1, name);
    }
    let mut moved = members.clone();
    let decision = moved.remove("oversight/0.json").unwrap();
    moved.insert("oversight/18446744073709551615.json".to_owned(), decision);
    judged(&repack(&moved, run.signer()), 0, "the last number there is");
    let definition = |octets: &[u8]| {
        let mut members = bare(&members);
        members.insert("definition/agent.json".to_owned(), octets.to_vec());
        let hash = sha256(octets);
        resign(&mut members, run.signer(), |values| {
            values[0]["payload"]["attrs"]["fuze.agent.fingerprint"] = json!(hash);
        });
        remanifest(&mut members, run.signer());
        pack(&members)
    };
    judged(&definition(b"{\"a\":1}"), 0, "a definition");
    judged(&definition(b"{\"a\": 1}"), 1, "a definition that is not canonical");
    judged(&definition(b"agent"), 1, "a definition that is no JSON");
    let most = 16 * 1024 * 1024;
    judged(&definition(format!("\"{}\"", "a".repeat(most - 2)).as_bytes()), 0, "as long as it may be");
    judged(&definition(format!("\"{}\"", "a".repeat(most - 1)).as_bytes()), 1, "longer");
    let long = |octets: usize| {
        let mut said: Value = serde_json::from_slice(&members["oversight/0.json"]).unwrap();
        said["case"]["question"] = json!("a".repeat(octets));
        with("oversight/0.json", jcs::to_vec(&said).unwrap())
    };
    judged(&long(most), 1, "a decision that is too long");

    // Content.
    let numbered = |number: &str| {
        let path = format!("/a/{number}");
        with_content(&run, &bare(&members), &[("/a", json!({})), (path.as_str(), json!(1))])
    };
    judged(&numbered("0"), 0, "an element");
    judged(&numbered("1048575"), 0, "an element");
    for wrong in ["10000000", "99999999999999999999999", "01", "x"] {
        judged(&numbered(wrong), 1, wrong);
    }

    // Times.
    let mut early = bare(&members);
    resign(&mut early, run.signer(), |values| {
        values[0]["payload"]["startedAt"] = json!("1969-12-31T23:59:59.000000000Z");
    });
    remanifest(&mut early, run.signer());
    judged(&pack(&early), 1, "before there was time");
    other.end();
}

/// Without what hangs on the roots.
fn bare(members: &Members) -> Members {
    let mut members = members.clone();
    members.retain(|name, _| !name.starts_with("anchors/") && !name.starts_with("oversight/"));
    members
}
