//! The same text, read by us and by Cerbos: what we take has the value that it has there.
//!
//! Constants are written in every form of YAML that comes to mind, and spoiled here and there; a rule gives them back. `FUZE_YAML_ROUNDS`
//! says how many hundred texts are written, `FUZE_YAML_SEED` where to begin.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use fastrand::Rng;
use fuze_agent_policy_tests::ours;
use fuze_agent_policy_tests::pdp::{self, Mode, Pdp};
use fuze_policy::cerbos::{PolicySet, Source};
use serde_json::{Value, json};

const AT_ONCE: u64 = 100;

/// A policy whose constant is written so.
fn policy(kind: &str, written: &str) -> String {
    format!(
        "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: {kind}\n  version: default\n  rules:\n    - actions: [\"a\"]\n      \
         effect: EFFECT_ALLOW\n      roles: [user]\n      output:\n        when:\n          ruleActivated: C\n  constants:\n    \
         local:\n      k:{written}"
    )
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn what_we_take_has_the_value_it_has_in_cerbos() {
    let Some(binary) = pdp::binary() else { return };
    let (rounds, first) = (number("FUZE_YAML_ROUNDS", 8), number("FUZE_YAML_SEED", 1));
    let (mut taken, mut differ) = (0, Vec::new());
    for round in 0..rounds {
        let from = (first + round) * AT_ONCE;
        let texts: BTreeMap<String, String> = (from..from + AT_ONCE)
            .map(|seed| (format!("k{seed}"), policy(&format!("k{seed}"), &Writer::new(seed).constant())))
            .collect();
        let scratch = tempfile::tempdir().unwrap();
        let (asked, found) = compare(&binary, scratch.path(), &texts);
        taken += asked;
        differ.extend(found);
        if differ.len() > 20 {
            break;
        }
    }
    eprintln!("{taken} texts of {} are taken", rounds * AT_ONCE);
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
    assert!(taken * 5 >= rounds * AT_ONCE, "{taken} texts taken");
}

/// How many of the texts we take, and those of them that Cerbos reads otherwise.
fn compare(binary: &Path, scratch: &Path, texts: &BTreeMap<String, String>) -> (u64, Vec<String>) {
    let mut sets: BTreeMap<&str, PolicySet> = texts
        .iter()
        .filter_map(|(name, text)| {
            Some((name.as_str(), PolicySet::load(&[Source::new(&format!("{name}.yaml"), text)]).ok()?))
        })
        .collect();
    let taken = sets.len() as u64;
    let directory = scratch.join("policies");
    fs::create_dir_all(&directory).unwrap();
    let mut differ = Vec::new();
    for (name, said) in refused(
        binary,
        &directory,
        &sets.keys().map(|name| (*name, texts[*name].as_str())).collect::<Vec<_>>(),
    ) {
        sets.remove(name.as_str());
        differ.push(format!("{name}: {:?}: Cerbos refuses it: {said}", constant(&texts[&name])));
    }
    write(&directory, sets.keys().map(|name| (*name, texts[*name].as_str())));
    let principal = json!({"id": "p", "roles": ["user"]});
    let pdp = Pdp::start(binary, &directory, Mode::Strict, scratch).unwrap();
    for (name, set) in &sets {
        let resource = json!({"actions": ["a"], "resource": {"kind": name, "id": "1"}});
        let theirs = ours::theirs(&pdp.check(&principal, std::slice::from_ref(&resource)).unwrap());
        let ours = ours::check(set, Mode::Strict, &principal, &resource, &mut |_| {}).unwrap();
        if let Some(theirs) = theirs.first().filter(|theirs| !ours.agrees(theirs)) {
            differ.push(format!("{name}: {:?}: {}", constant(&texts[*name]), ours.unlike(theirs).join("; ")));
        }
    }
    (taken, differ)
}

fn constant(text: &str) -> &str {
    text.split_once("local:\n").map_or(text, |(_, constant)| constant)
}

fn write<'t>(directory: &Path, texts: impl Iterator<Item = (&'t str, &'t str)>) {
    fs::remove_dir_all(directory).unwrap();
    fs::create_dir_all(directory).unwrap();
    for (name, text) in texts {
        fs::write(directory.join(format!("{name}.yaml")), text).unwrap();
    }
}

/// The texts that `cerbos compile` refuses, with what it says. Where it fails without naming any, halves of them are tried.
fn refused(binary: &Path, directory: &Path, texts: &[(&str, &str)]) -> BTreeMap<String, String> {
    write(directory, texts.iter().copied());
    let done = Command::new(binary)
        .args(["compile", "--skip-tests", "--output=json", "--color=never"])
        .arg(directory)
        .env("CERBOS_NO_TELEMETRY", "1")
        .output()
        .unwrap();
    if done.status.success() || texts.is_empty() {
        return BTreeMap::new();
    }
    let answer: Value = serde_json::from_slice(&done.stdout).unwrap_or_default();
    let mut named = BTreeMap::new();
    collect(&answer, &mut named);
    if !named.is_empty() {
        let rest: Vec<_> = texts.iter().filter(|(name, _)| !named.contains_key(*name)).copied().collect();
        named.extend(refused(binary, directory, &rest));
        return named;
    }
    let said = String::from_utf8_lossy(&done.stderr).lines().take(1).collect::<String>();
    match texts {
        [(name, _)] => BTreeMap::from([((*name).to_owned(), said)]),
        _ => {
            let (left, right) = texts.split_at(texts.len() / 2);
            named.extend(refused(binary, directory, left));
            named.extend(refused(binary, directory, right));
            named
        }
    }
}

fn collect(value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            if let Some(file) = members.get("file").and_then(Value::as_str) {
                let said =
                    members.get("description").or_else(|| members.get("error")).and_then(Value::as_str);
                into.insert(file.trim_end_matches(".yaml").to_owned(), said.unwrap_or_default().to_owned());
            }
            members.values().for_each(|inner| collect(inner, into));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect(inner, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Pieces of plain text, most of them with a catch.
const PLAIN: &[&str] = &[
    "a",
    "b c",
    "invoke:auto",
    "mailto:support",
    "http://x/y",
    "10:30",
    "2024-01-01T10:00:00Z",
    "::1",
    "fe80::1",
    "10.0.0.0/8",
    "a#b",
    "a:",
    "-x",
    "--1",
    "?x",
    ":x",
    "<<",
    "a<<b",
    "~",
    "~x",
    "null",
    "Null",
    "nUll",
    "true",
    "TRUE",
    "tRue",
    "yes",
    "off",
    "=",
    "a=b",
    "1",
    "-1",
    "+1",
    "0",
    "-0",
    "007",
    "1_000",
    "1_000.5",
    "10_000.00",
    "-1_0.5",
    "_1.5",
    "1.5_",
    "1.",
    ".5",
    "-.5",
    "+.5",
    "+1.5",
    "+-1.5",
    "-+1.5",
    "1e3",
    "1.0e3",
    "1.e3",
    "1.5E-3",
    "0x1F",
    "0X1.8p1",
    "0x1.8p1",
    "0b11",
    "0o17",
    "1.5.2",
    "1,5",
    "12e03",
    ".inf",
    "-.inf",
    "nan",
    ".nan",
    "0.1",
    "1.10",
    "9007199254740993",
    "18446744073709551615",
    "1.7976931348623157e308",
    "4.9e-324",
    "P.id == \"u\"",
    "a[b]",
    "a{b}",
    "a]b",
    "a,b",
    "a, b",
    "it's",
    "a&b",
    "a*b",
    "a!b",
    "a|b",
    "a>b",
    "a@b",
    "a%b",
    "@a",
    "`a",
    "%a",
    "&a b",
    "*a",
    "!a",
    "|a",
    ">a",
    "😀 x",
    "ä",
    "a\u{a0}b",
    "a\u{85}b",
    "a\u{2028}b",
    "a\tb",
    "a\t",
    "a  b",
    "a ",
    "- a",
    "a - b",
    "a -b",
    "a ? b",
    "a: b",
    "\\n",
    "a\\",
    ".",
    "..",
    "-",
    "--",
    "1 000",
    "$5",
    "50%",
];

/// Text for quotes and blocks.
const TEXT: &[&str] = &[
    "",
    "a",
    " a",
    "a ",
    "a b",
    "a\nb",
    "a\n\nb",
    "a\n b",
    "a\n  b\n  c\nd",
    "\na",
    "a\n",
    "a\n\n",
    "a\n\n\nb\n",
    "x: y",
    "a # b",
    "# a",
    "- a\n- b",
    "it's",
    "say \"x\"",
    "a\tb",
    "\ta",
    "a\t",
    "\\",
    "a\\nb",
    "😀",
    "\u{7f}",
    "ä",
    "true",
    "1",
    "---",
    "a\n---\nb",
    "...",
    "P.id == \"u\" &&\nR.id == \"x\"",
    "a \nb",
    "a\n \nb",
    "\u{1}",
    "a\r\nb",
];

/// What is put in, to spoil.
const SPOIL: &[&str] = &[
    " ",
    "  ",
    "\t",
    "\n",
    "\n        ",
    "\n\n",
    ":",
    ": ",
    "#",
    " #",
    " # c",
    "-",
    "- ",
    "'",
    "\"",
    "\\",
    "[",
    "]",
    "{",
    "}",
    ",",
    ", ",
    "|",
    ">",
    "&x ",
    "*x",
    "? ",
    "%",
    "<<",
    "_",
    ".",
    "+",
    "e",
    "0",
    "1",
    "\r",
    "\r\n",
    "!",
    "@",
    "/",
    "~",
    "a",
    "\n      # c",
    "\n#c",
    "\n---\n",
    "\n...\n",
    "\\u00e9",
    "\\t",
    "\\ ",
    "\\\n        ",
    "\n      j: ",
    "\n        j: ",
];

struct Writer {
    rng: Rng,
    anchors: u8,
}

impl Writer {
    fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), anchors: 0 }
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.rng.usize(..of.len())]
    }

    fn chance(&mut self, of: usize) -> bool {
        self.rng.usize(..of) == 0
    }

    /// What follows `k:`.
    fn constant(&mut self) -> String {
        let mut text = self.after_key(6, 0);
        if self.chance(2) {
            let key = self.one(&["j", "\"j\"", "'j'", "j k", "j:k", "\"j: k\"", "j "]).to_owned();
            text += &format!("      {key}:{}", self.after_key(6, 1));
        }
        if self.chance(2) {
            for _ in 0..self.rng.usize(1..3) {
                self.spoil(&mut text);
            }
        }
        if self.chance(20) {
            text = text.replace('\n', "\r\n");
        }
        text
    }

    fn spoil(&mut self, text: &mut String) {
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let at = places[self.rng.usize(..places.len())];
        match self.rng.u8(..4) {
            0 => drop(text.remove(at)),
            1 => {
                text.remove(at);
                text.insert_str(at, self.one(SPOIL));
            }
            _ => text.insert_str(at, self.one(SPOIL)),
        }
    }

    /// A node after `key:` or `-`, whose parent is so far in. Ends its line.
    fn after_key(&mut self, indent: usize, depth: usize) -> String {
        let anchor = if self.chance(8) { self.anchor() } else { String::new() };
        let end = self.one(&["\n", "\n", "\n", " # c\n", "  \n", "\n\n", "\n      # c\n"]).to_owned();
        match self.rng.u8(..10) {
            0 | 1 if depth < 3 => {
                let inner = indent + self.rng.usize(1..4);
                let mut text = format!("{anchor}{}", end.trim_start_matches(' ').replace("      # c\n", ""));
                if !text.ends_with('\n') {
                    text.push('\n');
                }
                let map = self.rng.bool();
                for item in 0..self.rng.usize(1..4) {
                    let key = if map {
                        format!("{}{item}:", self.one(&["a", "b c", "d-", "x#"]))
                    } else {
                        "-".to_owned()
                    };
                    text += &format!("{:inner$}{key}{}", "", self.after_key(inner, depth + 1));
                }
                text
            }
            2 | 3 => format!(" {anchor}{}{end}", self.flow(depth, indent)),
            4 => format!(" {anchor}{}", self.block(indent)),
            5 if self.anchors > 0 => format!(" *x{}{end}", self.rng.u8(..self.anchors)),
            6 | 7 => format!(" {anchor}{}{end}", self.quoted(indent)),
            _ => {
                let mut text = self.one(PLAIN).to_owned();
                while self.chance(5) {
                    text += &format!("\n{:1$}{2}", "", indent + self.rng.usize(1..5), self.one(PLAIN));
                }
                format!(" {anchor}{text}{end}")
            }
        }
    }

    fn anchor(&mut self) -> String {
        self.anchors += 1;
        format!("&x{} ", self.anchors - 1)
    }

    fn flow(&mut self, depth: usize, indent: usize) -> String {
        if depth > 3 || self.chance(2) && depth > 1 {
            return match self.rng.u8(..4) {
                0 => self.quoted(indent),
                1 if self.anchors > 0 => format!("*x{}", self.rng.u8(..self.anchors)),
                _ => self.one(PLAIN).to_owned(),
            };
        }
        let blank = |writer: &mut Self| {
            let far = indent + 2;
            match writer.rng.u8(..8) {
                0 => " ".to_owned(),
                1 => format!("\n{:far$}", ""),
                2 => format!(" # c\n{:far$}", ""),
                3 if writer.chance(4) => "\t".to_owned(),
                _ => String::new(),
            }
        };
        let map = self.rng.bool();
        let mut text = if map { "{" } else { "[" }.to_owned();
        for item in 0..self.rng.usize(0..4) {
            if item > 0 {
                text += self.one(&[",", ", ", " , "]);
            }
            text += &blank(self);
            if map || self.chance(6) {
                let key = self.one(&["a", "\"b\"", "'c'", "d e", "x:y", "\"p:q\""]);
                text += &format!("{key}{item}").replace("\"0", "0\"");
                if key.ends_with(['"', '\'']) {
                    let digit = text.pop().unwrap_or_default();
                    let quote = text.pop().unwrap_or_default();
                    text.extend([digit, quote]);
                }
                text += self.one(&[": ", ": ", ":", " : "]);
            }
            text += &self.flow(depth + 1, indent);
            text += &blank(self);
        }
        text + if map { "}" } else { "]" }
    }

    fn quoted(&mut self, indent: usize) -> String {
        let text = self.one(TEXT).to_owned();
        let broken = format!("\n\n{:1$}", "", indent + 2);
        if self.rng.bool() {
            return format!("'{}'", text.replace('\'', "''").replace('\n', &broken));
        }
        let mut written = String::from("\"");
        for c in text.chars() {
            match c {
                '"' | '\\' => written.extend(['\\', c]),
                '\n' if self.rng.bool() => written += &broken,
                '\n' => written += "\\n",
                '\t' if self.rng.bool() => written += "\\t",
                c if self.chance(8) => written += &format!("\\U{:08X}", u32::from(c)),
                c if u32::from(c) < 0x100 && self.chance(8) => written += &format!("\\x{:02x}", u32::from(c)),
                ' ' if self.chance(6) => written += &format!("\n{:1$}", "", indent + 2),
                ' ' if self.chance(6) => written += &format!("\\\n{:1$}\\ ", "", indent + 2),
                c => written.push(c),
            }
        }
        written + "\""
    }

    fn block(&mut self, indent: usize) -> String {
        let inner = indent + self.rng.usize(1..5);
        let sign = self.one(&["|", "|", ">"]);
        let chomp = self.one(&["", "-", "-", "+", "2", "-2"]);
        let mut text = format!("{sign}{chomp}{}", self.one(&["\n", "\n", " # c\n", " \n"]));
        for line in self.one(TEXT).lines() {
            let at = if line.is_empty() { self.one(&["", "", "  ", "          "]).len() } else { inner };
            text += &format!("{:at$}{line}{}\n", "", if self.chance(12) { " " } else { "" });
        }
        text + self.one(&["", "", "\n", "\n\n", "      # c\n"])
    }
}

/// Forms that everybody writes, which both must take, and the same.
#[test]
fn everyday_forms_are_taken_by_both() {
    let Some(binary) = pdp::binary() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let forms = [
        " [invoke, invoke:auto]\n",
        " [\"invoke\", \"invoke:auto\"]\n",
        " {actions: [\"invoke\", \"invoke:auto\"], at: 10:30, url: http://x/y}\n",
        "\n        - invoke\n        - invoke:auto\n",
        " # why\n        # and why\n        - a # so\n\n        - b\n",
        " |-\n        P.id == \"u\" &&\n          R.id == \"x\"\n",
        " >-\n        P.id == \"u\" &&\n        R.id == \"x\"\n",
        " P.id == \"u\" &&\n        R.id == \"x\"\n",
        " \"P.id == \\\"u\\\" &&\n        R.id == 'x'\"\n",
        " &x {a: 1, b: 1.5}\n      j: *x\n      l:\n        <<: *x\n        b: 2\n",
        " [\n        a,\n        \"b\",\n      ]\n",
        " {\n        \"a\": 1,\n        \"b\": [true, null]\n      }\n",
        " 2026-01-02\n      j: a:b\n      l: \"\"\n      m: ''\n      n:\n",
        " |\n        a\n\n          b\n\n      # c\n      j: 1\n",
    ];
    let texts: BTreeMap<String, String> =
        forms.iter().enumerate().map(|(i, form)| (format!("f{i}"), policy(&format!("f{i}"), form))).collect();
    let (taken, differ) = compare(&binary, scratch.path(), &texts);
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    let refused: BTreeSet<String> = texts
        .iter()
        .filter_map(|(name, text)| {
            PolicySet::load(&[Source::new(name, text)]).err().map(|problems| problems.to_string())
        })
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
    assert_eq!(taken, forms.len() as u64);
}
