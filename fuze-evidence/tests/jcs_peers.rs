//! Agreement with implementations that are not ours: `serde_jcs`, `serde_json_canonicalizer`, Node's `JSON.stringify`, and
//! Python's `rfc8785`. The last two run where `tests/canonical/run.sh` has put them; elsewhere it is said aloud that they did not.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::values::{Draw, value};
use fuze_evidence::jcs::{parse, to_vec};
use serde_json::Value;

/// A canonical text, and another text of the same value.
struct Asked {
    canonical: Vec<u8>,
    otherwise: Vec<u8>,
}

impl Asked {
    fn of(value: &Value, draw: &mut Draw) -> Self {
        let mut otherwise = Vec::new();
        write_otherwise(value, draw, &mut otherwise);
        assert_eq!(parse(&otherwise).unwrap(), parse(&to_vec(value).unwrap()).unwrap());
        Self { canonical: to_vec(value).unwrap(), otherwise }
    }
}

/// 10^4 values from a seed, and RFC 8785's own files where they are.
fn asked() -> Vec<Asked> {
    let mut draw = Draw::new(0x6a63_7333);
    let mut asked: Vec<Asked> = (0..10_000)
        .map(|_| {
            let value = value(&mut draw);
            Asked::of(&value, &mut draw)
        })
        .collect();
    if let Some(folder) = common::shared("vectors/jcs") {
        for entry in std::fs::read_dir(folder.join("input")).unwrap() {
            let path = entry.unwrap().path();
            let otherwise = std::fs::read(&path).unwrap();
            let canonical = std::fs::read(folder.join("output").join(path.file_name().unwrap())).unwrap();
            let canonical = canonical.strip_suffix(b"\n").unwrap_or(&canonical).to_vec();
            // Between tokens a space is as good as a line feed, and inside strings there is none.
            let otherwise =
                otherwise.into_iter().map(|octet| if octet == b'\n' { b' ' } else { octet }).collect();
            asked.push(Asked { canonical, otherwise });
        }
    }
    asked
}

/// Members from the last to the first, white space, escapes where none are needed, numbers as Rust writes them.
fn write_otherwise(value: &Value, draw: &mut Draw, out: &mut Vec<u8>) {
    let string = |text: &str, draw: &mut Draw, out: &mut Vec<u8>| {
        out.push(b'"');
        for c in text.chars() {
            if c < ' ' || c == '"' || c == '\\' || draw.below(4) == 0 {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04X}").unwrap();
                }
            } else {
                write!(out, "{c}").unwrap();
            }
        }
        out.push(b'"');
    };
    match value {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                out.extend_from_slice(if at == 0 { b"[ " } else { b" , " });
                write_otherwise(item, draw, out);
            }
            out.extend_from_slice(if items.is_empty() { b"[ ]" } else { b"\t]" });
        }
        Value::Object(members) => {
            for (at, (key, member)) in members.iter().rev().enumerate() {
                out.extend_from_slice(if at == 0 { b"{" } else { b",\r" });
                string(key, draw, out);
                out.extend_from_slice(b" : ");
                write_otherwise(member, draw, out);
            }
            out.extend_from_slice(if members.is_empty() { b"{\t}" } else { b"}" });
        }
        Value::String(text) => string(text, draw, out),
        Value::Number(n) => match n.as_i64() {
            Some(n) => write!(out, "{n}").unwrap(),
            None => write!(out, "{:e}", n.as_f64().unwrap()).unwrap(),
        },
        Value::Bool(_) | Value::Null => write!(out, "{value}").unwrap(),
    }
}

fn check(peer: &str, asked: &[Asked], answers: &[Vec<u8>]) {
    assert_eq!(asked.len(), answers.len(), "{peer}");
    for (asked, answer) in asked.iter().zip(answers) {
        let (ours, theirs) = (String::from_utf8_lossy(&asked.canonical), String::from_utf8_lossy(answer));
        assert!(asked.canonical == *answer, "{peer}: expected {ours}, found {theirs}");
    }
}

/// Runs a program that answers each line with one.
fn ask(program: &Path, script: &str, asked: &[Asked]) -> Vec<Vec<u8>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/canonical").join(script);
    let mut child = Command::new(program)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let mut stdin = child.stdin.take().unwrap();
    let questions =
        asked.iter().flat_map(|asked| [asked.otherwise.as_slice(), b"\n"].concat()).collect::<Vec<u8>>();
    let writing = std::thread::spawn(move || stdin.write_all(&questions));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success(), "{}: {}", program.display(), output.status);
    output.stdout.split(|&octet| octet == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

/// Where a peer is; says aloud that it is not, unless it must be.
fn peer(name: &str, found: Option<PathBuf>) -> Option<PathBuf> {
    let required = std::env::var_os("FUZE_REQUIRE_PEERS").is_some_and(|v| v == "1");
    assert!(found.is_some() || !required, "{name} is not there");
    if found.is_none() {
        println!("SKIPPED: {name} is not there; `tests/canonical/run.sh` provides it");
    }
    found
}

#[test]
fn writers_of_rust_agree() {
    let asked = asked();
    let values: Vec<Value> = asked.iter().map(|asked| parse(&asked.otherwise).unwrap()).collect();
    let answers: Vec<_> = values.iter().map(|value| serde_jcs::to_vec(value).unwrap()).collect();
    check("serde_jcs", &asked, &answers);
    let answers: Vec<_> =
        values.iter().map(|value| serde_json_canonicalizer::to_vec(value).unwrap()).collect();
    check("serde_json_canonicalizer", &asked, &answers);
}

#[test]
fn node_agrees() {
    let there =
        Command::new("node").arg("--version").stdout(Stdio::null()).status().is_ok_and(|s| s.success());
    let Some(node) = peer("node", there.then(|| "node".into())) else { return };
    let asked = asked();
    check("node", &asked, &ask(&node, "canonical.mjs", &asked));
}

#[test]
fn python_agrees() {
    let python = std::env::var_os("FUZE_CANONICAL_PYTHON").map(PathBuf::from);
    let Some(python) = peer("python with rfc8785", python) else { return };
    let asked = asked();
    check("rfc8785", &asked, &ask(&python, "canonical.py", &asked));
}
