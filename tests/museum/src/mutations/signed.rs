//! Mutants of one signed text, `<prefix>.<base64url JCS>.<base64url signature>`.

use base64ct::{Base64UrlUnpadded, Encoding};
use fuze_evidence::jcs;
use fuze_evidence::keys::{FileSigner, Signer};
use fuze_evidence::sign::{SignedObject, with_domain};
use serde_json::{Map, Value, json};

use super::Rng;

/// A signed text in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// What stands first.
    pub prefix: String,
    /// The decoded body.
    pub body: Vec<u8>,
    /// The decoded signature.
    pub signature: Vec<u8>,
}

impl Parts {
    /// Takes a text apart.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (prefix, body, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let decode = |part: &str| Base64UrlUnpadded::decode_vec(part).ok();
        Some(Self { prefix: prefix.to_owned(), body: decode(body)?, signature: decode(signature)? })
    }

    /// Puts it together again.
    #[must_use]
    pub fn join(&self) -> String {
        let encode = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
        format!("{}.{}.{}", self.prefix, encode(&self.body), encode(&self.signature))
    }

    fn members(&self) -> Map<String, Value> {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(members)) => members,
            _ => panic!("a body is an object"),
        }
    }
}

/// Signs an object under its domain, with whatever key.
#[must_use]
pub fn sign_raw<T: SignedObject>(prefix: &str, object: &T, signer: &FileSigner) -> String {
    sign_body(prefix, with_domain(object).unwrap(), signer)
}

fn sign_body(prefix: &str, body: Vec<u8>, signer: &FileSigner) -> String {
    let signature = signer.sign(&body).unwrap().to_vec();
    Parts { prefix: prefix.to_owned(), body, signature }.join()
}

/// What an attacker has at hand for one signed text.
pub(super) struct Family<'a> {
    /// The text.
    pub(super) text: &'a str,
    /// The key that may sign it.
    pub(super) right: &'a FileSigner,
    /// Keys that may sign other things.
    pub(super) wrong: &'a [&'a FileSigner],
    /// Genuine texts of the same kind, of other slots, runs, tenants and deployments.
    pub(super) siblings: &'a [String],
    /// Genuine texts of the other kind.
    pub(super) strangers: &'a [String],
    /// Members that no holder of the right key would change and be believed.
    pub(super) bound: &'a [&'static str],
}

/// A mutant of a signed text.
pub(super) struct Mutant {
    pub(super) kind: &'static str,
    pub(super) text: String,
    /// Whether the right key signed exactly this text: then only the run can tell that it is not its own.
    pub(super) genuine: bool,
}

type Make = fn(&Family<'_>, &mut Rng) -> String;

const FORGED: &[(&str, Make)] = &[
    ("a character of the text changed", character),
    ("a bit of the text flipped", bit),
    ("the text cut off", cut),
    ("characters put in or left out", edit),
    ("another prefix", prefix),
    ("another spelling of base64", spelling),
    ("an octet of the body changed", body_octet),
    ("an octet of the signature changed", signature_octet),
    ("the signature with the group order added", malleable),
    ("a signature of another text", spliced_signature),
    ("the signature under another body", spliced_body),
    ("a member changed", |f, r| with_old_signature(f, &changed(f, r, false))),
    ("two members swapped", |f, r| with_old_signature(f, &swapped(f, r))),
    ("signed by another key", |f, r| resigned(f, r, false, false)),
    ("signed by another key that it names", |f, r| resigned(f, r, true, false)),
    ("changed and signed by another key", |f, r| resigned(f, r, false, true)),
    ("changed and signed by another key that it names", |f, r| resigned(f, r, true, true)),
    ("signed by the right key for another domain", other_domain),
    ("a member added, signed by the right key", added),
    ("a member left out, signed by the right key", left_out),
    ("a member twice, signed by the right key", twice),
    ("not canonical, signed by the right key", not_canonical),
];

/// One mutant; never the text itself.
pub(super) fn mutant(family: &Family<'_>, rng: &mut Rng) -> Mutant {
    loop {
        let (kind, text, genuine) = if rng.one_in(6) {
            let members = changed(family, rng, true);
            let body = jcs::to_vec(&members).unwrap();
            ("another one, signed by the right key", sign_body(head(family), body, family.right), true)
        } else {
            let (kind, make) = rng.pick(FORGED);
            (*kind, make(family, rng), false)
        };
        if text != family.text {
            return Mutant { kind, text, genuine };
        }
    }
}

fn parts(family: &Family<'_>) -> Parts {
    Parts::of(family.text).unwrap()
}

fn head<'a>(family: &Family<'a>) -> &'a str {
    family.text.split('.').next().unwrap()
}

fn character(family: &Family<'_>, rng: &mut Rng) -> String {
    let mut bytes = family.text.as_bytes().to_vec();
    let at = rng.below(bytes.len());
    bytes[at] = *rng.pick(b"ABCXYZabcxyz0189-_.=+/ \n\0~");
    String::from_utf8(bytes).unwrap()
}

fn bit(family: &Family<'_>, rng: &mut Rng) -> String {
    let mut bytes = family.text.as_bytes().to_vec();
    let at = rng.below(bytes.len());
    bytes[at] ^= 1 << rng.below(7);
    String::from_utf8(bytes).unwrap()
}

fn cut(family: &Family<'_>, rng: &mut Rng) -> String {
    let at = rng.below(family.text.len());
    let (front, back) = family.text.split_at(at);
    if rng.one_in(3) { back.to_owned() } else { front.to_owned() }
}

fn edit(family: &Family<'_>, rng: &mut Rng) -> String {
    let mut text = family.text.to_owned();
    for _ in 0..=rng.below(3) {
        let at = rng.below(text.len());
        if rng.one_in(2) {
            text.remove(at);
        } else {
            text.insert(at, *rng.pick(&['A', 'a', '0', '_', '.', '=', ' ', '\n', '\u{feff}', 'é']));
        }
        if !text.is_ascii() || text.is_empty() {
            break;
        }
    }
    text
}

fn prefix(family: &Family<'_>, rng: &mut Rng) -> String {
    let rest = family.text.split_once('.').unwrap().1;
    let other =
        ["", "fz", "fz0", "fz2", "fz11", "FZ1", "fz1", "fzd1", "fzd2", "FZD1", " fz1", "fz1 ", "fzd1.", "v1"];
    format!("{}.{rest}", rng.pick(&other))
}

fn spelling(family: &Family<'_>, rng: &mut Rng) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut pieces: Vec<String> = family.text.split('.').map(str::to_owned).collect();
    let which = 1 + rng.below(2);
    let piece = &mut pieces[which];
    match rng.below(4) {
        0 => *piece = piece.replace('-', "+").replace('_', "/"),
        1 => piece.push_str(rng.word(&["=", "==", "A", "\n", " "])),
        2 => piece.insert(rng.below(piece.len()), *rng.pick(&['\n', ' ', '\r', '='])),
        // Bits beyond the last whole octet: the same octets, spelt otherwise.
        _ => {
            let last = piece.pop().unwrap();
            let at = ALPHABET.iter().position(|known| *known == last as u8).unwrap();
            piece.push(char::from(ALPHABET[at ^ (1 + rng.below(3))]));
        }
    }
    pieces.join(".")
}

fn body_octet(family: &Family<'_>, rng: &mut Rng) -> String {
    let mut parts = parts(family);
    let at = rng.below(parts.body.len());
    parts.body[at] =
        if rng.one_in(2) { parts.body[at] ^ (1 << rng.below(8)) } else { *rng.pick(b"0a\"{}:, ") };
    parts.join()
}

fn signature_octet(family: &Family<'_>, rng: &mut Rng) -> String {
    let mut parts = parts(family);
    match rng.below(8) {
        0 => parts.signature = vec![0; 64],
        1 => parts.signature.truncate(rng.below(64)),
        2 => parts.signature.push(0),
        3 => parts.signature.rotate_left(32),
        _ => {
            let at = rng.below(64);
            parts.signature[at] ^= 1 << rng.below(8);
        }
    }
    parts.join()
}

/// Ed25519 without a check of S below the group order takes this for another signature of the same text.
fn malleable(family: &Family<'_>, rng: &mut Rng) -> String {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut parts = parts(family);
    for _ in 0..=rng.below(7) {
        let mut carry = 0u16;
        for (octet, order) in parts.signature[32..].iter_mut().zip(ORDER) {
            let sum = u16::from(*octet) + u16::from(order) + carry;
            *octet = u8::try_from(sum & 0xff).unwrap();
            carry = sum >> 8;
        }
    }
    parts.join()
}

fn spliced_signature(family: &Family<'_>, rng: &mut Rng) -> String {
    let from = if rng.one_in(2) { family.siblings } else { family.strangers };
    let signature = Parts::of(rng.pick(from).as_str()).unwrap().signature;
    Parts { signature, ..parts(family) }.join()
}

fn spliced_body(family: &Family<'_>, rng: &mut Rng) -> String {
    let from = if rng.one_in(2) { family.siblings } else { family.strangers };
    let body = Parts::of(rng.pick(from).as_str()).unwrap().body;
    Parts { body, ..parts(family) }.join()
}

fn with_old_signature(family: &Family<'_>, members: &Map<String, Value>) -> String {
    Parts { body: jcs::to_vec(members).unwrap(), ..parts(family) }.join()
}

/// One to three members changed: into a sibling's, or into something else of the same kind.
fn changed(family: &Family<'_>, rng: &mut Rng, bound_only: bool) -> Map<String, Value> {
    let before = parts(family).members();
    let mut members = before.clone();
    let all: Vec<String> = before.keys().filter(|key| *key != "domain").cloned().collect();
    while members == before {
        for _ in 0..=rng.below(3) {
            let key = match bound_only {
                true => (*rng.pick(family.bound)).to_owned(),
                false => rng.pick(&all).clone(),
            };
            let now = members.get(&key).cloned().unwrap_or(Value::Null);
            let sibling = Parts::of(rng.pick(family.siblings).as_str()).unwrap().members().get(&key).cloned();
            let value = match sibling {
                Some(sibling) if sibling != now && rng.one_in(2) => sibling,
                Some(_) | None => other_value(&key, &now, rng),
            };
            members.insert(key, value);
        }
    }
    members
}

fn other_value(key: &str, now: &Value, rng: &mut Rng) -> Value {
    match now {
        Value::Number(number) => {
            let n = number.as_u64().unwrap_or(0);
            json!(*rng.pick(&[n + 1, n.saturating_sub(1), n + 256, 0, 1, 4_294_967_295]))
        }
        Value::String(text) if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) => {
            let mut text = text.clone().into_bytes();
            let at = rng.below(64);
            text[at] = *rng.pick(b"0123456789abcdef");
            json!(String::from_utf8(text).unwrap())
        }
        Value::String(text) if key.ends_with("At") => {
            let mut text = text.clone().into_bytes();
            // A digit of the year, the month, the day or later.
            let at = *rng.pick(&[2, 3, 6, 9, 12, 15, 18, 25]);
            text[at] = *rng.pick(b"0123456789");
            json!(String::from_utf8(text).unwrap())
        }
        Value::String(text) => {
            let words = [
                "approve", "modify", "reject", "policy", "law", "look", "refund", "globex", "mallory", "none",
            ];
            match rng.below(3) {
                0 => json!(format!("{text}x")),
                1 => json!(text.to_uppercase()),
                _ => json!(rng.pick(&words)),
            }
        }
        Value::Object(members) => {
            let mut members = members.clone();
            members.insert("approvers".into(), json!(rng.below(4)));
            members.insert("mayApprove".into(), json!(["mallory"]));
            members.insert("trainings".into(), json!([]));
            Value::Object(members)
        }
        Value::Array(_) => json!([{"from": "a", "kind": "model", "to": "b"}]),
        Value::Null => json!("0".repeat(64)),
        Value::Bool(value) => json!(!value),
    }
}

fn swapped(family: &Family<'_>, rng: &mut Rng) -> Map<String, Value> {
    let mut members = parts(family).members();
    let keys: Vec<String> = members.keys().cloned().collect();
    let (a, b) = (rng.pick(&keys).clone(), rng.pick(&keys).clone());
    let (value_a, value_b) = (members[&a].clone(), members[&b].clone());
    members.insert(a, value_b);
    members.insert(b, value_a);
    members
}

fn resigned(family: &Family<'_>, rng: &mut Rng, named: bool, change: bool) -> String {
    let signer = *rng.pick(family.wrong);
    let mut members = if change { changed(family, rng, false) } else { parts(family).members() };
    if named {
        members.insert("keyId".into(), json!(signer.key_id()));
    }
    sign_body(head(family), jcs::to_vec(&members).unwrap(), signer)
}

fn other_domain(family: &Family<'_>, rng: &mut Rng) -> String {
    let mut members = parts(family).members();
    let domains =
        ["fuze/resume/v1", "fuze/decision/v1", "fuze/resume/v2", "fuze/run-close/v1", "fuze/annex/v1", ""];
    let other: Vec<&str> = domains.into_iter().filter(|domain| members["domain"] != *domain).collect();
    match rng.below(other.len() + 2) {
        0 => drop(members.remove("domain")),
        1 => drop(members.insert("domain".into(), Value::Null)),
        at => drop(members.insert("domain".into(), json!(other[at - 2]))),
    }
    sign_body(head(family), jcs::to_vec(&members).unwrap(), family.right)
}

fn added(family: &Family<'_>, rng: &mut Rng) -> String {
    let mut members = parts(family).members();
    let keys = ["approved", "v", "admin", "argsHash2", "", "modifiedArgs", "subject2"];
    let values = [json!(true), Value::Null, json!(1), json!("x"), json!({}), json!([])];
    members.insert((*rng.pick(&keys)).into(), rng.pick(&values).clone());
    sign_body(head(family), jcs::to_vec(&members).unwrap(), family.right)
}

fn left_out(family: &Family<'_>, rng: &mut Rng) -> String {
    let mut members = parts(family).members();
    // What is optional may be absent; another test says that it must not be.
    let optional = ["training", "subject", "modifiedArgsHash", "outcomeHash"];
    let keys: Vec<String> = members.keys().filter(|key| !optional.contains(&key.as_str())).cloned().collect();
    members.remove(rng.pick(&keys));
    sign_body(head(family), jcs::to_vec(&members).unwrap(), family.right)
}

fn twice(family: &Family<'_>, rng: &mut Rng) -> String {
    let parts = parts(family);
    let members = parts.members();
    let keys: Vec<String> = members.keys().cloned().collect();
    let key = rng.pick(&keys);
    let value = if rng.one_in(2) { members[key].clone() } else { other_value(key, &members[key], rng) };
    let pair = format!("{}:{}", json!(key), value);
    let text = String::from_utf8(parts.body).unwrap();
    let inner = &text[1..text.len() - 1];
    let body = if rng.one_in(2) { format!("{{{pair},{inner}}}") } else { format!("{{{inner},{pair}}}") };
    sign_body(head(family), body.into_bytes(), family.right)
}

fn not_canonical(family: &Family<'_>, rng: &mut Rng) -> String {
    let parts = parts(family);
    let text = String::from_utf8(parts.body.clone()).unwrap();
    let body = match rng.below(9) {
        0 => text.replacen(':', ": ", 1 + rng.below(20)),
        1 => text.replacen(',', ",\n", 1 + rng.below(20)),
        2 => format!("{text}{}", rng.pick(&[" ", "\n", "\0", ",", "{}", "null"])),
        3 => format!("{}{text}", rng.pick(&[" ", "\n", "\u{feff}", "\t"])),
        4 => {
            // The members in another order.
            let mut members: Vec<(String, Value)> = parts.members().into_iter().collect();
            let at = 1 + rng.below(members.len() - 1);
            members.rotate_left(at);
            let pairs: Vec<String> = members.iter().map(|(k, v)| format!("{}:{v}", json!(k))).collect();
            format!("{{{}}}", pairs.join(","))
        }
        5 => text.replacen('a', "\\u0061", 1 + rng.below(5)),
        6 => text.replacen('/', "\\/", 1 + rng.below(5)),
        7 => {
            text.replacen(":0,", rng.word(&[":-0,", ":0.0,", ":0e0,", ":00,"]), 1).replacen(":1,", ":1.0,", 1)
        }
        _ => text.replacen('}', ",}", 1),
    };
    sign_body(head(family), body.into_bytes(), family.right)
}
