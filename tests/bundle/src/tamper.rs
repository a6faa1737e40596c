//! What can be done to a bundle, one function for each class, with what must come of it.

use fuze_evidence::keys::{FileSigner, Signer};
use fuze_evidence::sign::write_signature;
use fuze_evidence::{Hash, jcs, sha256};
use serde_json::{Value, json};

use crate::forge::{Members, pack, repack, statement, unpack};
use crate::runs::Run;

/// What must come of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Refused at this member, and at this line of it.
    FailedAt(&'static str, u64),
    /// Refused at this member.
    FailedIn(&'static str),
    /// Refused.
    Failed,
    /// Nothing can be said.
    Cannot,
    /// Intact, and never "verified".
    NotClosed,
    /// Well: only somebody who keeps an earlier root or a log can tell.
    Unnoticed,
}

/// A number source that is the same on every machine.
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

/// The lines of a member, each with its line feed.
pub fn lines(octets: &[u8]) -> Vec<Vec<u8>> {
    octets.split_inclusive(|&octet| octet == b'\n').map(<[u8]>::to_vec).collect()
}

fn records(members: &Members) -> Vec<Vec<u8>> {
    lines(&members["records.jsonl"])
}

fn value(line: &[u8]) -> Value {
    serde_json::from_slice(line).unwrap()
}

fn line(value: &Value) -> Vec<u8> {
    let mut line = jcs::to_vec(value).unwrap();
    line.push(b'\n');
    line
}

/// Gives each record its place, the hash before it and its own hash: what anybody can do.
pub fn rehash(records: &mut [Value]) {
    let mut head = Hash::ZERO;
    for (sequence, record) in records.iter_mut().enumerate() {
        record["prevHash"] = json!(head);
        record["sequence"] = json!(sequence);
        record.as_object_mut().unwrap().remove("hash");
        head = sha256(&jcs::to_vec(record).unwrap());
        record["hash"] = json!(head);
    }
}

fn set_records(members: &mut Members, records: &[Value]) {
    members.insert("records.jsonl".to_owned(), records.iter().flat_map(line).collect());
}

/// Changes records and rehashes: what anybody can do.
pub fn rewrite(members: &mut Members, change: impl FnOnce(&mut Vec<Value>)) {
    let mut values: Vec<Value> = records(members).iter().map(|line| value(line)).collect();
    change(&mut values);
    rehash(&mut values);
    set_records(members, &values);
}

fn sign_root(root: &Value, signer: &dyn Signer) -> Value {
    let signature = signer.sign(&jcs::to_vec(root).unwrap()).unwrap();
    json!({"root": root, "signature": write_signature(&signature)})
}

/// Changes a run and signs everything anew: what whoever has the run's key can do.
pub fn resign(members: &mut Members, signer: &dyn Signer, change: impl FnOnce(&mut Vec<Value>)) {
    resign_with(members, signer, change, |_, _| {});
}

/// The same, and each root is changed before it is signed, by its number; the close root is the last.
pub fn resign_with(
    members: &mut Members,
    signer: &dyn Signer,
    change: impl FnOnce(&mut Vec<Value>),
    mut change_root: impl FnMut(usize, &mut Value),
) {
    let mut values: Vec<Value> = records(members).iter().map(|line| value(line)).collect();
    change(&mut values);
    rehash(&mut values);
    let head = |values: &[Value], count: u64| values[count as usize - 1]["hash"].clone();
    let mut prev = json!(Hash::ZERO);
    let mut roots = Vec::new();
    for (n, line_) in lines(&members["roots/roots.jsonl"]).iter().enumerate() {
        let mut root = value(line_)["root"].clone();
        root["head"] = head(&values, root["count"].as_u64().unwrap());
        root["keyId"] = json!(signer.key_id());
        root["prevRoot"] = prev;
        root["runId"] = values[0]["payload"]["runId"].clone();
        root["tenant"] = values[0]["payload"]["common"]["fuze.tenant.id"].clone();
        change_root(n, &mut root);
        let signed = sign_root(&root, signer);
        copy_root(members, &n.to_string(), &signed);
        prev = json!(sha256(&jcs::to_vec(&signed).unwrap()));
        roots.extend(line(&signed));
    }
    members.insert("roots/roots.jsonl".to_owned(), roots);
    let last = values.len() - 1;
    if values[last]["payload"].get("signature").is_some() {
        let mut root = values[last]["payload"]["signature"]["root"].clone();
        values[last]["payload"].as_object_mut().unwrap().remove("signature");
        root["closeHash"] = json!(sha256(&jcs::to_vec(&values[last]["payload"]).unwrap()));
        root["count"] = json!(last);
        root["head"] = head(&values, last as u64);
        root["prevRoot"] = prev;
        root["at"] = values[last]["payload"]["endedAt"].clone();
        root["openedAt"] = values[0]["payload"]["startedAt"].clone();
        root["keyId"] = json!(signer.key_id());
        root["status"] = values[last]["payload"]["attrs"]["fuze.run.status"].clone();
        root["tenant"] = values[0]["payload"]["common"]["fuze.tenant.id"].clone();
        change_root(lines(&members["roots/roots.jsonl"]).len(), &mut root);
        let signed = sign_root(&root, signer);
        values[last]["payload"]["signature"] = signed.clone();
        copy_root(members, "close", &signed);
        rehash(&mut values);
    }
    set_records(members, &values);
}

fn copy_root(members: &mut Members, name: &str, signed: &Value) {
    let signature = fuze_evidence::sign::read_signature(signed["signature"].as_str().unwrap()).unwrap();
    members.insert(format!("roots/{name}.json"), jcs::to_vec(&signed["root"]).unwrap());
    members.insert(format!("roots/{name}.sig"), signature.to_vec());
}

/// A manifest that says again what the members say: whoever may make bundles.
pub fn remanifest(members: &mut Members, maker: &dyn Signer) {
    let mut statement = statement(members);
    let all = records(members);
    // A line that a flipped bit left unreadable says nothing.
    let last: Value = serde_json::from_slice(all.last().unwrap()).unwrap_or_default();
    let predicate = statement["predicate"].as_object_mut().unwrap();
    predicate.remove("closeRoot");
    if let Some(signed) = last["payload"].get("signature") {
        predicate.insert("closeRoot".to_owned(), json!(sha256(&jcs::to_vec(signed).unwrap())));
    }
    let contents = members.iter().filter(|(name, _)| name.starts_with("content/"));
    let withheld = contents.map(|(_, octets)| {
        let content: Option<Value> = serde_json::from_slice(octets).ok();
        let leaves = content.and_then(|content| content["leaves"].as_array().cloned()).unwrap_or_default();
        leaves.iter().filter(|leaf| leaf.get("hash").is_some()).count()
    });
    predicate.insert("withheld".to_owned(), json!(withheld.sum::<usize>()));
    predicate.insert("runId".to_owned(), last["payload"]["runId"].clone());
    predicate.insert("tenant".to_owned(), last["payload"]["common"]["fuze.tenant.id"].clone());
    members.insert("manifest.json".to_owned(), crate::forge::envelope(&statement, maker));
    let packed = repack(members, maker);
    *members = unpack(&packed);
}

/// A class of tampering.
pub struct Class {
    pub name: &'static str,
    pub apply: fn(&mut Members, &Run, &Run, &mut Dice) -> Expected,
}

macro_rules! classes {
    ($($name:ident: |$members:ident, $run:ident, $other:ident, $dice:ident| $body:block)+) => {
        /// Every class that needs no log. Each changes the members; who packs them decides about the manifest.
        pub const CLASSES: &[Class] = &[$(Class {
            name: stringify!($name),
            apply: |$members, $run, $other, $dice| {
                let _ = (&$run, &$other, &$dice);
                $body
            },
        }),+];
    };
}

const RECORDS: &str = "records.jsonl";

fn join(members: &mut Members, lines: Vec<Vec<u8>>) {
    members.insert(RECORDS.to_owned(), lines.concat());
}

classes! {
    edit: |members, run, other, dice| {
        let mut all = records(members);
        let at = dice.below(all.len());
        let mut record = value(&all[at]);
        record["payload"]["stepId"] = json!(record["payload"]["stepId"].as_u64().unwrap() + 500);
        all[at] = line(&record);
        join(members, all);
        Expected::FailedAt(RECORDS, at as u64)
    }
    edit_and_rehash: |members, run, other, dice| {
        let at = 1 + dice.below(records(members).len() - 1);
        rewrite(members, |all| all[at]["payload"]["endedAt"] = json!("2027-01-01T00:00:00.000000000Z"));
        match run.shape.closed {
            true => Expected::Failed,
            // Nothing signs what stands after the last root of a run that has not closed.
            false => Expected::Unnoticed,
        }
    }
    drop: |members, run, other, dice| {
        let mut all = records(members);
        if all.len() < 3 {
            return Expected::Unnoticed;
        }
        let at = 1 + dice.below(all.len() - 2);
        all.remove(at);
        join(members, all);
        Expected::FailedAt(RECORDS, at as u64)
    }
    insert: |members, run, other, dice| {
        let at = 1 + dice.below(records(members).len() - 1);
        let mut all: Vec<Value> = records(members).iter().map(|line| value(line)).collect();
        let gap = json!({
            "attrs": {"fuze.gap.what": "process"}, "common": all[0]["payload"]["common"], "role": "agent", "span": "run.gap",
            "startedAt": all[0]["payload"]["startedAt"], "endedAt": all[0]["payload"]["startedAt"],
            "runId": all[0]["payload"]["runId"], "stepId": 900, "parentStepId": 0, "v": 1,
        });
        all.insert(at, json!({"payload": gap, "prevHash": all[at]["prevHash"], "sequence": at}));
        all[at]["hash"] = json!(sha256(&jcs::to_vec(&all[at]).unwrap()));
        set_records(members, &all);
        Expected::FailedAt(RECORDS, at as u64 + 1)
    }
    reorder: |members, run, other, dice| {
        let mut all = records(members);
        let at = dice.below(all.len() - 1);
        all.swap(at, at + 1);
        join(members, all);
        Expected::FailedAt(RECORDS, at as u64)
    }
    duplicate: |members, run, other, dice| {
        let mut all = records(members);
        let at = dice.below(all.len());
        all.insert(at, all[at].clone());
        join(members, all);
        Expected::FailedAt(RECORDS, at as u64 + 1)
    }
    cut_head: |members, run, other, dice| {
        let mut all = records(members);
        all.remove(0);
        join(members, all);
        Expected::FailedAt(RECORDS, 0)
    }
    cut_head_and_rehash: |members, run, other, dice| {
        rewrite(members, |all| { all.remove(0); });
        Expected::FailedAt(RECORDS, 0)
    }
    cut_tail: |members, run, other, dice| {
        let mut all = records(members);
        all.pop();
        join(members, all);
        match run.shape.closed {
            true => Expected::FailedIn("roots/close.json"),
            false => Expected::Failed,
        }
    }
    cut_the_close_with_its_files: |members, run, other, dice| {
        if !run.shape.closed {
            return Expected::NotClosed;
        }
        let mut all = records(members);
        all.pop();
        join(members, all);
        members.remove("roots/close.json");
        members.remove("roots/close.sig");
        remanifest(members, run.signer());
        Expected::NotClosed
    }
    cut_a_line_feed: |members, run, other, dice| {
        members.get_mut(RECORDS).unwrap().pop();
        Expected::FailedIn(RECORDS)
    }
    append_after_the_close: |members, run, other, dice| {
        if !run.shape.closed {
            return Expected::NotClosed;
        }
        let mut all: Vec<Value> = records(members).iter().map(|line| value(line)).collect();
        let (count, last) = (all.len(), all[all.len() - 1].clone());
        let mut payload = all[1]["payload"].clone();
        payload["stepId"] = json!(900);
        payload.as_object_mut().unwrap().remove("signature");
        if payload["span"] == "run.close" {
            payload["span"] = json!("run.cancel");
            payload["attrs"] = json!({"fuze.run.cancelled_by": "operator"});
        }
        payload.as_object_mut().unwrap().remove("content");
        let mut record = json!({"payload": payload, "prevHash": last["hash"], "sequence": count});
        record["hash"] = json!(sha256(&jcs::to_vec(&record).unwrap()));
        all.push(record);
        set_records(members, &all);
        Expected::FailedAt(RECORDS, count as u64)
    }
    splice_between_runs: |members, run, other, dice| {
        let theirs = records(&unpack(&other.bundle(other.selection())));
        let at = 1 + dice.below(records(members).len().min(theirs.len()) - 1);
        let mut all = records(members)[..at].to_vec();
        all.extend_from_slice(&theirs[at..]);
        let mut values: Vec<Value> = all.iter().map(|line| value(line)).collect();
        rehash(&mut values);
        set_records(members, &values);
        Expected::FailedAt(RECORDS, at as u64)
    }
    other_tenants_name: |members, run, other, dice| {
        rewrite(members, |all| {
            for record in all {
                record["payload"]["common"]["fuze.tenant.id"] = json!("other");
            }
        });
        Expected::FailedAt("roots/roots.jsonl", 0)
    }
    other_origins_name: |members, run, other, dice| {
        rewrite(members, |all| all[0]["payload"]["attrs"]["fuze.origin"] = json!("other.example"));
        Expected::FailedAt("roots/roots.jsonl", 0)
    }
    other_runs_roots: |members, run, other, dice| {
        let theirs = unpack(&other.bundle(other.selection()));
        for name in ["roots/roots.jsonl", "roots/0.json", "roots/0.sig"] {
            members.insert(name.to_owned(), theirs[name].clone());
        }
        Expected::FailedAt("roots/roots.jsonl", 0)
    }
    other_runs_content: |members, run, other, dice| {
        let theirs = unpack(&other.bundle(other.selection()));
        let name = theirs.keys().find(|name| name.starts_with("content/")).unwrap();
        members.insert(name.clone(), theirs[name].clone());
        Expected::FailedIn("content/")
    }
    other_runs_content_under_this_name: |members, run, other, dice| {
        let theirs = unpack(&other.bundle(other.selection()));
        let content = theirs.iter().find(|(name, _)| name.starts_with("content/")).unwrap().1.clone();
        let name = members.keys().find(|name| name.starts_with("content/")).unwrap().clone();
        members.insert(name, content);
        Expected::FailedIn("content/")
    }
    rewrite_with_the_stolen_key: |members, run, other, dice| {
        resign(members, run.signer(), |all| {
            let at = all.len() - 1;
            all[at]["payload"]["stepId"] = json!(700);
        });
        match run.shape.closed {
            true => Expected::Unnoticed,
            false => Expected::NotClosed,
        }
    }
    rewrite_with_another_key: |members, run, other, dice| {
        let key = stranger(dice);
        resign(members, &key, |all| all[0]["payload"]["attrs"]["fuze.key_id"] = json!(key.key_id()));
        set_key(members, "keys/run", &key);
        Expected::Cannot
    }
    key_swapped: |members, run, other, dice| {
        set_key(members, "keys/run", &stranger(dice));
        Expected::FailedIn("keys/run.hex")
    }
    pem_of_another_key: |members, run, other, dice| {
        let hex = members["keys/run.hex"].clone();
        set_key(members, "keys/run", &stranger(dice));
        members.insert("keys/run.hex".to_owned(), hex);
        Expected::FailedIn("keys/run.pem")
    }
    close_signature_stripped: |members, run, other, dice| {
        if !run.shape.closed {
            return Expected::NotClosed;
        }
        let last = records(members).len() - 1;
        rewrite(members, |all| { all[last]["payload"].as_object_mut().unwrap().remove("signature"); });
        Expected::FailedAt(RECORDS, last as u64)
    }
    root_stripped: |members, run, other, dice| {
        let kept = lines(&members["roots/roots.jsonl"]).split_off(1).concat();
        members.insert("roots/roots.jsonl".to_owned(), kept);
        Expected::FailedIn("roots/roots.jsonl")
    }
    roots_twice: |members, run, other, dice| {
        let mut roots = lines(&members["roots/roots.jsonl"]);
        roots.push(roots[0].clone());
        members.insert("roots/roots.jsonl".to_owned(), roots.concat());
        Expected::FailedIn("roots/roots.jsonl")
    }
    version_downgraded: |members, run, other, dice| {
        let all = records(members);
        let at = dice.below(all.len());
        let to = [json!(0), json!(2), json!("1")][dice.below(3)].clone();
        let mut changed: Vec<Value> = all.iter().map(|line| value(line)).collect();
        changed[at]["payload"]["v"] = to;
        set_records(members, &changed);
        Expected::Cannot
    }
    suite_downgraded: |members, run, other, dice| {
        rewrite(members, |all| all[0]["payload"]["attrs"]["fuze.suite"] = json!("fuze-rsa-md5-v0"));
        Expected::Cannot
    }
    suite_of_a_root_downgraded: |members, run, other, dice| {
        let mut roots = lines(&members["roots/roots.jsonl"]);
        let mut root = value(&roots[0]);
        root["root"]["suite"] = json!("none");
        roots[0] = line(&root);
        members.insert("roots/roots.jsonl".to_owned(), roots.concat());
        Expected::FailedAt("roots/roots.jsonl", 0)
    }
    malleable_signature: |members, run, other, dice| {
        let mut roots = lines(&members["roots/roots.jsonl"]);
        let mut root = value(&roots[0]);
        let signature = fuze_evidence::sign::read_signature(root["signature"].as_str().unwrap()).unwrap();
        root["signature"] = json!(write_signature(&plus_order(signature)));
        roots[0] = line(&root);
        members.insert("roots/roots.jsonl".to_owned(), roots.concat());
        Expected::FailedAt("roots/roots.jsonl", 0)
    }
    white_space: |members, run, other, dice| {
        let mut all = records(members);
        let at = dice.below(all.len());
        all[at].insert(1, b' ');
        join(members, all);
        Expected::FailedAt(RECORDS, at as u64)
    }
    keys_in_another_order: |members, run, other, dice| {
        let mut all = records(members);
        let at = dice.below(all.len());
        let text = String::from_utf8(all[at].clone()).unwrap();
        let (from, rest) = text.strip_prefix('{').unwrap().split_once(',').unwrap();
        let moved = format!("{{{},{from}}}\n", rest.trim_end().strip_suffix('}').unwrap());
        all[at] = moved.into_bytes();
        join(members, all);
        Expected::FailedAt(RECORDS, at as u64)
    }
    escape_that_is_not_needed: |members, run, other, dice| {
        replace(members, RECORDS, "agent.invoke", "\\u0061gent.invoke");
        Expected::FailedAt(RECORDS, 0)
    }
    duplicate_key: |members, run, other, dice| {
        replace(members, RECORDS, "\"v\":1}", "\"v\":1,\"v\":1}");
        Expected::FailedAt(RECORDS, 0)
    }
    beyond_2_53: |members, run, other, dice| {
        replace(members, RECORDS, "\"stepId\":0", "\"stepId\":9007199254740993");
        Expected::FailedAt(RECORDS, 0)
    }
    minus_zero: |members, run, other, dice| {
        replace(members, RECORDS, "\"stepId\":0", "\"stepId\":-0");
        Expected::FailedAt(RECORDS, 0)
    }
    unknown_member: |members, run, other, dice| {
        rewrite(members, |all| all[0]["payload"]["zeal"] = json!(1));
        Expected::FailedAt(RECORDS, 0)
    }
    unknown_file: |members, run, other, dice| {
        members.insert("notes.txt".to_owned(), b"hello".to_vec());
        Expected::FailedIn("notes.txt")
    }
    missing_content: |members, run, other, dice| {
        let name = members.keys().find(|name| name.starts_with("content/")).unwrap().clone();
        members.remove(&name);
        Expected::FailedIn("content/")
    }
    disclosed_value_changed: |members, run, other, dice| {
        let disclosed = members.iter().find_map(|(name, octets)| {
            let text = std::str::from_utf8(octets).ok()?;
            (name.starts_with("content/") && text.contains("\"value\":\"")).then(|| name.clone())
        });
        let Some(name) = disclosed else { return untouched(run) };
        replace(members, &name, "\"value\":\"", "\"value\":\"x");
        Expected::FailedIn("content/")
    }
    leaves_in_another_order: |members, run, other, dice| {
        let name = members.keys().find(|name| name.starts_with("content/")).unwrap().clone();
        let mut content = value(&members[&name]);
        content["leaves"].as_array_mut().unwrap().swap(0, 1);
        members.insert(name, jcs::to_vec(&content).unwrap());
        Expected::FailedIn("content/")
    }
    decision_of_nobody: |members, run, other, dice| {
        let Some(octets) = members.get("oversight/0.json") else { return untouched(run) };
        let mut decision = value(octets);
        decision["decision"] = decision["token"].as_str().unwrap().replace("fz1.", "fzd1.").into();
        members.insert("oversight/0.json".to_owned(), jcs::to_vec(&decision).unwrap());
        Expected::FailedIn("oversight/0.json")
    }
    rationale_changed: |members, run, other, dice| {
        if !members.contains_key("oversight/0.json") {
            return untouched(run);
        }
        replace(members, "oversight/0.json", "the dossier holds", "the dossier fails");
        Expected::FailedIn("oversight/0.json")
    }
    case_changed: |members, run, other, dice| {
        if !members.contains_key("oversight/0.json") {
            return untouched(run);
        }
        replace(members, "oversight/0.json", "HiringAgent", "FiringAgent");
        Expected::FailedIn("oversight/0.json")
    }
    decision_twice: |members, run, other, dice| {
        let Some(octets) = members.get("oversight/0.json").cloned() else { return untouched(run) };
        members.insert("oversight/1.json".to_owned(), octets);
        Expected::FailedIn("oversight/1.json")
    }
    definition_of_another_agent: |members, run, other, dice| {
        members.insert("definition/agent.json".to_owned(), b"{}".to_vec());
        Expected::FailedIn("definition/agent.json")
    }
    signed_copy_changed: |members, run, other, dice| {
        replace(members, "roots/0.json", "\"count\":1", "\"count\":2");
        Expected::FailedIn("roots/0.json")
    }
    report_changed: |members, run, other, dice| {
        replace(members, "report.html", "<title>", "<title>All is well: ");
        Expected::FailedIn("report.html")
    }
}

/// What is expected where a class finds nothing to change.
pub fn untouched(run: &Run) -> Expected {
    if run.shape.closed { Expected::Unnoticed } else { Expected::NotClosed }
}

fn stranger(dice: &mut Dice) -> FileSigner {
    let mut random = crate::runs::random(dice.below(1 << 30) as u64);
    FileSigner::ephemeral(fuze_evidence::Name::new("test").unwrap(), &mut random).unwrap()
}

/// Writes a key in both its spellings.
pub fn set_key(members: &mut Members, stem: &str, key: &dyn Signer) {
    use base64ct::{Base64, Encoding as _};
    let mut der = vec![0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    der.extend_from_slice(&key.public_key());
    let pem =
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", Base64::encode_string(&der));
    members.insert(format!("{stem}.pem"), pem.into_bytes());
    members.insert(format!("{stem}.hex"), format!("{}\n", Hash(key.public_key())).into_bytes());
}

/// S + L instead of S: the same point, another text. Verifiers that do not check the range accept it.
pub fn plus_order(mut signature: [u8; 64]) -> [u8; 64] {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (octet, order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*octet) + u16::from(order) + carry;
        [*octet, _] = sum.to_le_bytes();
        carry = sum >> 8;
    }
    signature
}

/// Replaces the first find in a member.
pub fn replace(members: &mut Members, name: &str, from: &str, to: &str) {
    let octets = members.get_mut(name).unwrap();
    let at = octets.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    octets.splice(at..at + from.len(), to.bytes());
}

/// How the changed members are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// The manifest stays as it was.
    AsIs,
    /// With a manifest that fits, signed by whom the verifier trusts: what the members say must itself be refused.
    Remade,
}

/// Applies a class to a run's bundle.
pub fn tampered(
    class: &Class,
    run: &Run,
    other: &Run,
    dice: &mut Dice,
    packing: Packing,
) -> (Vec<u8>, Expected) {
    let mut members = unpack(&run.bundle(run.selection()));
    let before = members.clone();
    let expected = (class.apply)(&mut members, run, other, dice);
    if packing == Packing::Remade && members != before {
        let parses =
            records(&members).last().is_some_and(|last| serde_json::from_slice::<Value>(last).is_ok());
        if parses {
            remanifest(&mut members, run.signer());
        }
    }
    (pack(&members), expected)
}
