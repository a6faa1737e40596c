#!/usr/bin/env python3
"""Checks evidence bundles. Written from docs/evidence-format.md alone (section numbers in brackets); shares nothing with the
Rust code. Needs Python 3.9 or later and `cryptography`.  verify.py --key-id HEX [--exporter HEX | --any-exporter] BUNDLE...
Exit: 0 verified, 1 failed, 2 usage, 3 could not be verified (not closed, no key), 4 not readable; of several, the greatest.
Left to fuller verifiers: the table of attributes of each span (4) beyond those that the chain itself rests on, cosignatures of
witnesses (13); and what needs an annex (12) or a key history (14), where it says that it cannot."""
import argparse, base64, binascii, hashlib, json, re, struct, sys, zlib
from datetime import datetime
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

class Failed(Exception): pass
class Cannot(Exception): pass

def need(holds, why):
    if not holds: raise Failed(why)

sha = lambda octets: hashlib.sha256(octets).hexdigest()
HASH, NAME = re.compile(r"[0-9a-f]{64}"), re.compile(r"[A-Za-z0-9._:/@+-]{1,128}")
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
ROLES = {"agent.invoke": "agent", "guardrail": "guardrail", "model.generate": "model", "policy.evaluate": "policy", "tool.execute": "tool",
         "oversight.suspend": "oversight", "human.oversight.decision": "oversight", "run.resume": "agent", "run.cancel": "agent",
         "run.gap": "agent", "model.drift": "agent", "run.close": "agent"}
is_hash = lambda x: isinstance(x, str) and HASH.fullmatch(x) is not None
is_int = lambda x: isinstance(x, int) and not isinstance(x, bool) and x >= 0

# Canonical form (1)
def number(x):
    if isinstance(x, int):
        need(abs(x) < 2**53, "integer out of range")
        return str(x)
    need(x == x and abs(x) != float("inf") and not (x == int(x) and 2**53 <= abs(x) < 1e21), "number out of the profile")
    mantissa, _, exponent = repr(abs(x)).partition("e")
    whole, _, part = mantissa.partition(".")
    n = len(whole) + int(exponent or 0) - (len(whole + part) - len((whole + part).lstrip("0")))
    sign, digits = "-" if x < 0 else "", (whole + part).strip("0")
    if not digits: return "0"
    k = len(digits)
    if k <= n <= 21: return sign + digits + "0" * (n - k)
    if 0 < n <= 21: return sign + digits[:n] + "." + digits[n:]
    if -6 < n <= 0: return sign + "0." + "0" * -n + digits
    return sign + digits[0] + ("." + digits[1:] if k > 1 else "") + "e" + ("+" if n > 0 else "-") + str(abs(n - 1))

def canon(x, depth=0):
    need(depth <= 64, "nested too deep")
    if x is None or isinstance(x, bool): return json.dumps(x)
    if isinstance(x, (int, float)): return number(x)
    if isinstance(x, str): return json.dumps(x, ensure_ascii=False)
    if isinstance(x, list): return "[" + ",".join(canon(i, depth + 1) for i in x) + "]"
    keys = sorted(x, key=lambda k: k.encode("utf-16-be", "surrogatepass"))
    return "{" + ",".join(json.dumps(k, ensure_ascii=False) + ":" + canon(x[k], depth + 1) for k in keys) + "}"

jcs = lambda x: canon(x).encode()

def members(pairs):
    need(len(dict(pairs)) == len(pairs), "a key twice")
    return dict(pairs)

def read(octets, what):
    """One canonical JSON value: parsed, written again, compared."""
    try:
        value = json.loads(octets.decode(), object_pairs_hook=members)
        need(jcs(value) == octets, what + ": not canonical")
    except (ValueError, RecursionError): raise Failed(what + ": not canonical JSON")
    return value

def only(value, required, optional=(), what="object"):
    need(isinstance(value, dict) and set(required) <= set(value) <= set(required) | set(optional), what + ": other members than it must have")
    return value

def unbase64(text, decode=base64.urlsafe_b64decode, encode=base64.urlsafe_b64encode, pad=True):
    try: octets = decode(text.encode() + (b"=" * (-len(text) % 4) if pad else b""))
    except (binascii.Error, ValueError, AttributeError): raise Failed("not base64")
    again = encode(octets).decode()
    need((again.rstrip("=") if pad else again) == text, "not canonical base64")
    return octets

def is_time(text):
    if not isinstance(text, str) or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", text, re.A): return False
    try: return datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").year >= 1970
    except ValueError: return False

# Signatures (6): neither keys nor R of small order, each in its one encoding; S below the order is checked by the library
P = 2**255 - 19
Y8 = int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little")
def point(octets):
    y = int.from_bytes(octets, "little") & (2**255 - 1)
    return y < P and y not in (0, 1, P - 1, Y8, P - Y8)

def signed(key, signature, message):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        return point(key) and point(signature[:32])
    except (InvalidSignature, ValueError): return False

# The zip (15): taken apart by its directory, written again, compared
def unzip(data):
    need(22 <= len(data) < 2**32, "zip: size")
    count, size, offset = struct.unpack("<HII", data[-12:-2])
    out, at, inside, local, central = {}, offset, 0, b"", b""
    try:
        for _ in range(count):
            crc, length, _, name_length = struct.unpack("<IIIH", data[at + 16:at + 30])
            name = data[at + 46:at + 46 + name_length].decode()
            octets = data[inside + 30 + name_length:inside + 30 + name_length + length]
            fixed = struct.pack("<5H3I2H", 20, 0x0800, 0, 0, 0x21, crc, length, length, name_length, 0)
            local = b"PK\3\4" + fixed + name.encode()
            need(data[inside:inside + len(local)] == local and len(octets) == length, "zip: a header")
            entry = b"PK\1\2\x14\3" + fixed + bytes(6) + struct.pack("<II", 0x81A40000, inside) + name.encode()
            need(data[at:at + len(entry)] == entry, "zip: the directory")
            need(not out or max(out) < name, "zip: names out of order")
            out[name], inside, at = (octets, crc), inside + len(local) + length, at + len(entry)
    except (struct.error, UnicodeDecodeError): raise Failed("zip: the directory")
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, size, offset, 0)
    need(inside == offset and at == offset + size and data[at:] == end, "zip: the end")
    return {name: octets for name, (octets, _) in out.items()}, {name for name, (octets, crc) in out.items() if zlib.crc32(octets) != crc}

KNOWN = re.compile(r"README\.txt|anchors/(anchors\.jsonl|(open|close)\.tlog-proof|log\.vkey)|annex/annex\.jsonl|content/[0-9a-f]{64}\.json|"
                   r"definition/agent\.json|keys/(run|export)\.(hex|pem)|keys/run\.history\.jsonl|manifest\.json|oversight/(0|[1-9]\d*)\.json|"
                   r"policy/bundle|records\.jsonl|report\.html|roots/(roots\.jsonl|(close|0|[1-9]\d*)\.(json|sig))", re.A)

def public_key(files, stem):
    text = files.get(stem + ".hex", b"").decode("latin-1")
    need(re.fullmatch("[0-9a-f]{64}\n", text), stem + ".hex: not a key")
    key = bytes.fromhex(text)
    need(point(key), stem + ".hex: not a key")
    try: Ed25519PublicKey.from_public_bytes(key)
    except ValueError: raise Failed(stem + ".hex: not a key")
    pem = base64.b64encode(bytes.fromhex("302a300506032b6570032100") + key).decode()
    need(files.get(stem + ".pem") == f"-----BEGIN PUBLIC KEY-----\n{pem}\n-----END PUBLIC KEY-----\n".encode(), stem + ".pem: another key")
    return key

def lines(octets, what):
    parts = octets.split(b"\n")
    need(parts.pop() == b"" , what + ": a partial line")
    return parts

# Record and order (2, 3, 4)
def record(line, sequence):
    what = f"record {sequence}"
    r = read(line, what)
    need(isinstance(r, dict) and isinstance(r.get("payload"), dict) and "v" in r["payload"], what + ": no record")
    p = r["payload"]
    if p["v"] != 1 or p["v"] is True: raise Cannot(f"{what}: version {p['v']}")
    need(isinstance(p.get("attrs"), dict), what + ": attrs")
    suite = p["attrs"].get("fuze.suite", "fuze-ed25519-sha256-v1")
    if isinstance(suite, str) and suite != "fuze-ed25519-sha256-v1": raise Cannot(f"{what}: suite {suite}")
    only(r, ("hash", "payload", "prevHash", "sequence"), what=what)
    only(p, ("attrs", "common", "endedAt", "role", "runId", "span", "startedAt", "stepId", "v"), ("content", "parentStepId", "signature"), what)
    need(ROLES.get(p["span"]) == p["role"] and ("signature" in p) == (p["span"] == "run.close"), what + ": span")
    need(is_time(p["startedAt"]) and is_time(p["endedAt"]) and p["endedAt"] >= p["startedAt"], what + ": time")
    need(isinstance(p["runId"], str) and UUID7.fullmatch(p["runId"]) and is_int(p["stepId"]) and is_int(r["sequence"]), what + ": ids")
    if "content" in p:
        n = only(p["content"], ("leaves", "root"), what=what)["leaves"]
        need(is_int(n) and 8 <= n <= 2**20 and n & (n - 1) == 0 and is_hash(p["content"]["root"]), what + ": content")
    return r

class Run:
    def __init__(self, files, key):
        self.files, self.key, self.key_id = files, key, sha(key)
        self.records, self.roots = [], lines(files["roots/roots.jsonl"], "roots")
        self.next, self.head, self.prev_root, self.segment, self.closed, self.taken, self.steps = 0, "0" * 64, "0" * 64, 0, None, 0, set()

    def root(self, envelope, domain, extra=()):
        """A signed root of this run: members, values, signature (6)."""
        only(envelope, ("root", "signature"), what="root")
        base = ("at", "count", "domain", "head", "keyId", "origin", "prevRoot", "runId", "segment", "suite", "tenant")
        root = only(envelope["root"], base + tuple(extra), ("openLeaf",) if extra else (), "root")
        signature = unbase64(envelope["signature"])
        need(len(signature) == 64 and signed(self.key, signature, jcs(root)), "root: signature")
        first = self.first["payload"]
        fixed = {"domain": domain, "keyId": self.key_id, "origin": first["attrs"]["fuze.origin"], "runId": first["runId"],
                 "suite": "fuze-ed25519-sha256-v1", "tenant": first["common"]["fuze.tenant.id"]}
        need(all(root[k] == v for k, v in fixed.items()) and is_time(root["at"]) and is_int(root["count"]), "root: of another run")
        return root

    def check_place(self, root):
        need(root["count"] == self.next and root["head"] == self.head and root["segment"] == self.segment and root["prevRoot"] == self.prev_root,
             f"root: expected it over {self.next} records, head {self.head}")

    def step(self, line):
        r = record(line, self.next)
        p, what = r["payload"], f"record {self.next}"
        if self.next == 0:
            need(p["span"] == "agent.invoke", what + ": not a beginning")
            self.first = r
        first = self.first["payload"]
        need(self.closed is None, what + ": after the close")
        need(r["sequence"] == self.next and r["prevHash"] == self.head, what + f": expected it after {self.head}")
        need(sha(b"{" + line[line.index(b",") + 1:]) == r["hash"], what + ": hash")
        need(p["runId"] == first["runId"] and p["common"] == first["common"], what + ": of another run")
        need(p["startedAt"] >= first["startedAt"] and p["stepId"] not in self.steps, what + ": step")
        need(("parentStepId" not in p and p["stepId"] == 0) if self.next == 0 else is_int(p.get("parentStepId")) and p["parentStepId"] < p["stepId"], what + ": parent")
        need((p["span"] == "agent.invoke") == (self.next == 0), what + ": order")
        need(self.next != 1 or first["attrs"].get("fuze.run.outcome") != "refused" or p["span"] == "run.close", what + ": a refused start goes on")
        if p["span"] == "run.resume": need(p["attrs"].get("fuze.run.segment") == self.segment + 1, what + ": segment")
        if p["span"] == "run.close":
            need(p["attrs"].get("fuze.run.count") == self.next, what + ": count")
            root = self.root(p["signature"], "fuze/run-close/v1", ("closeHash", "openedAt", "status"))
            self.check_place(root)
            need(root["closeHash"] == sha(jcs({k: v for k, v in p.items() if k != "signature"})) and root["status"] == p["attrs"].get("fuze.run.status")
                 and root["openedAt"] == first["startedAt"] and root["at"] == p["endedAt"], "close root")
            self.closed = p["signature"]
        self.steps.add(p["stepId"]); self.records.append(r)
        self.next, self.head = self.next + 1, r["hash"]
        if p["span"] == "run.resume": self.segment += 1
        if self.closed is None and (self.next == 1 or p["span"] == "oversight.suspend"): self.take_root()

    def take_root(self):
        if self.taken == len(self.roots): return need(self.next > 1, "the open root is missing")
        line = self.roots[self.taken]
        envelope = read(line, f"root {self.taken}")
        root = self.root(envelope, "fuze/run-open/v1" if self.next == 1 else "fuze/run-suspend/v1")
        if self.next > 1 and root["count"] > self.next: return
        self.check_place(root)
        self.prev_root, self.taken = sha(line), self.taken + 1

# Content (7, 15): returns how many leaves are not disclosed
def content(octets, expected):
    c = only(read(octets, "content"), ("leaves", "root", "v"), what="content")
    need(c["v"] == 1 and c["v"] is not True and c["root"] == expected["root"] and isinstance(c["leaves"], list), "content: of another root")
    hashes, withheld = [], 0
    for leaf in c["leaves"]:
        need(isinstance(leaf, dict) and len(leaf) == 1, "content: leaf")
        (kind, x), = leaf.items()
        if kind == "leaf":
            only(x, ("path", "salt", "value"), what="leaf")
            need(isinstance(x["path"], str) and len(unbase64(x["salt"])) == 32, "content: leaf")
            hashes.append(sha(b"\0" + jcs(["fuze/leaf/v1", x["salt"], x["path"], x["value"]])))
        elif kind == "decoy":
            need(len(unbase64(x)) == 32, "content: decoy")
            hashes.append(sha(b"\0" + jcs(["fuze/decoy/v1", x])))
        else:
            need(kind == "hash" and is_hash(x), "content: leaf")
            hashes.append(x); withheld += 1
    need(len(hashes) == expected["leaves"] and all(a < b for a, b in zip(hashes, hashes[1:])), "content: number or order of leaves")
    while len(hashes) > 1:
        hashes = [sha(b"\1" + bytes.fromhex(a + b)) for a, b in zip(hashes[::2], hashes[1::2])]
    need(hashes == [expected["root"]], "content: does not hash to its root")
    return withheld

# Decisions (11)
def text_object(text, prefix, domain):
    need(isinstance(text, str) and len(text) <= 16384 and text.count(".") == 2 and text.startswith(prefix + "."), prefix + ": form")
    octets, signature = (unbase64(part) for part in text.split(".")[1:])
    value = read(octets, prefix)
    need(isinstance(value, dict) and value.get("domain") == domain and len(signature) == 64, prefix + ": form")
    return value, sha(octets), octets, signature

def commitment(salt, text):
    need(len(unbase64(salt)) == 32, "salt")
    return sha(b"\0" + jcs(["fuze/leaf/v1", salt, "", text]))

def decision(octets, run, recorded):
    d = only(read(octets, "decision"), ("decision", "token"), ("case", "opened"), "decision")
    token, token_hash, message, signature = text_object(d["token"], "fz1", "fuze/resume/v1")
    need(token.get("keyId") == run.key_id and signed(run.key, signature, message), "token: signature")
    claims, decision_hash, _, _ = text_object(d["decision"], "fzd1", "fuze/decision/v1")
    need(claims.get("tokenHash") == token_hash and recorded.get(decision_hash) == (token_hash, claims.get("keyId")), "decision: not in the chain")
    if "case" in d:
        need(isinstance(d["case"], dict), "case")
        need(commitment(d["case"].get("salt"), canon([d["token"], d["case"]])) == claims.get("caseHash"), "case: another than was decided")
    opened = only(d.get("opened", {}), (), ("modifiedArgs", "outcome", "rationale"), "opened")
    for name, hashed in (("rationale", "rationaleHash"), ("modifiedArgs", "modifiedArgsHash"), ("outcome", "outcomeHash")):
        if name in opened:
            only(opened[name], ("json", "salt"), what=name)
            need(isinstance(opened[name]["json"], str), name)
            read(opened[name]["json"].encode("utf-8", "surrogatepass"), name)
            need(commitment(opened[name]["salt"], opened[name]["json"]) == claims.get(hashed), name + ": does not open its commitment")
    return decision_hash

# The log (13): C2SP signed-note, tlog-checkpoint, tlog-proof; RFC 9162 section 2.1.3.2
def verifier_key(text):
    parts = text.split("+", 2)
    need(len(parts) == 3, "verifier key: form")
    raw = unbase64(parts[2], pad=False, decode=lambda t: base64.b64decode(t, validate=True), encode=base64.b64encode)
    need(len(raw) == 33 and raw[0] == 1 and point(raw[1:]), "verifier key: not Ed25519")
    digest = hashlib.sha256(parts[0].encode() + b"\n" + raw).digest()[:4]
    need(parts[1] == digest.hex(), "verifier key: hash")
    return parts[0], digest, raw[1:]

def b64_lines(texts):
    return [unbase64(t, pad=False, decode=lambda t: base64.b64decode(t, validate=True), encode=base64.b64encode) for t in texts]

def inclusion(proof, line, log):
    """The leaf of `line` stands in the log whose verifier key is `log`; cosignatures of witnesses are left to fuller verifiers."""
    name, digest, key = verifier_key(log)
    try: head, _, note = proof.decode().partition("\n\n")
    except UnicodeDecodeError: raise Failed("proof: not UTF-8")
    head = head.split("\n")
    need(head[0] == "c2sp.org/tlog-proof@v1", "proof: form")
    head = head[2:] if head[1:2] and head[1].startswith("extra ") else head[1:]
    need(head and re.fullmatch(r"index (0|[1-9]\d*)", head[0], re.A) and int(head[0][6:]) == line["index"], "proof: of another leaf")
    hashes = b64_lines(head[1:])
    text, gap, marks = note.partition("\n\n")
    text += "\n"
    parts = text.split("\n")
    need(gap and marks.endswith("\n") and len(parts) == 4 and parts[0] == name == line["log"] and re.fullmatch(r"0|[1-9]\d*", parts[1], re.A), "checkpoint: of another log")
    holds = False
    for mark in marks[:-1].split("\n"):
        need(mark.startswith("\u2014 ") and mark.count(" ") == 2, "checkpoint: signature line")
        (raw,) = b64_lines([mark.split(" ")[2]])
        if mark.split(" ")[1] == name and raw[:4] == digest:
            need(len(raw) == 68 and signed(key, raw[4:], text.encode()), "checkpoint: signature")
            holds = True
    need(holds, "checkpoint: not signed by the log")
    at, last = line["index"], int(parts[1]) - 1
    need(at <= last, "proof: beyond the tree")
    h = hashlib.sha256(b"\0" + jcs(line["leaf"])).digest()
    for beside in hashes:
        need(last and len(beside) == 32, "proof: too long")
        if at & 1 or at == last:
            h = hashlib.sha256(b"\1" + beside + h).digest()
            while not at & 1 and at: at, last = at >> 1, last >> 1
        else: h = hashlib.sha256(b"\1" + h + beside).digest()
        at, last = at >> 1, last >> 1
    need(not last and [h] == b64_lines([parts[2]]), "proof: does not lead to the root")

def anchors(files, roots, closed):
    """What lies in anchors/ holds together under the key beside it. Returns the lines with their proofs."""
    names = {"anchors/anchors.jsonl", "anchors/log.vkey", "anchors/open.tlog-proof", "anchors/close.tlog-proof"}
    if not names & set(files): return []
    need({"anchors/anchors.jsonl", "anchors/log.vkey"} <= set(files), "anchors: a missing member")
    found, all_lines = [], lines(files["anchors/anchors.jsonl"], "anchors")
    for name, kind, root in (("open", "run_open", roots[0]), ("close", "run_close", roots[-1] if closed else None)):
        if f"anchors/{name}.tlog-proof" not in files: continue
        need(root is not None and len(found) < len(all_lines), "anchors: no such root or no line for it")
        a = only(read(all_lines[len(found)], "anchors"), ("at", "index", "kind", "leaf", "log", "salt", "v"), what="anchors")
        leaf = only(a["leaf"], ("commit", "domain", "kind", "runTag") + (("deadline",) if kind == "run_open" else ()), what="leaf")
        salt = unbase64(a["salt"])
        need(a["v"] == 1 and a["v"] is not True and a["kind"] == leaf["kind"] == kind and leaf["domain"] == "fuze/log-leaf/v1" and is_time(a["at"])
             and is_int(a["index"]) and is_hash(leaf["runTag"]) and isinstance(a["log"], str) and NAME.fullmatch(a["log"]), "anchors: line")
        if kind == "run_open": need(is_time(leaf["deadline"]) and leaf["deadline"] > root["root"]["at"], "anchors: deadline")
        need(len(salt) == 32 and leaf["commit"] == sha(salt + bytes.fromhex(sha(jcs(root)))), "anchors: of another root")
        found.append((a, files[f"anchors/{name}.tlog-proof"]))
    need(len(found) == len(all_lines) > 0, "anchors: a line without a proof")
    key = files["anchors/log.vkey"].decode("latin-1")
    need(key.endswith("\n"), "log.vkey: form")
    for line, proof in found: inclusion(proof, line, key[:-1])
    if len(found) == 2:
        (a, _), (b, _) = found
        need(a["leaf"]["runTag"] == b["leaf"]["runTag"] and a["log"] == b["log"] and a["index"] < b["index"], "anchors: of two runs")
        need(roots[-1]["root"].get("openLeaf", a["index"]) == a["index"], "anchors: openLeaf")
    return found

def verify(data, run_keys, exporters=(), any_exporter=False, log=None):
    """Returns 0 or 3; raises Failed or Cannot. The order of the checks is that of section 15."""
    files, bad_crc = unzip(data)
    need(all(KNOWN.fullmatch(name) for name in files), "an unknown member")
    need({"README.txt", "keys/run.hex", "keys/run.pem", "manifest.json", "records.jsonl", "report.html", "roots/roots.jsonl"} <= set(files), "a missing member")
    if {"annex/annex.jsonl", "keys/run.history.jsonl"} & set(files): raise Cannot("this verifier reads neither annex nor key history")
    key = public_key(files, "keys/run")
    try: named = record(files["records.jsonl"].split(b"\n")[0], 0)["payload"]["attrs"].get("fuze.key_id", sha(key))
    except (Failed, Cannot): named = sha(key)
    need(named == sha(key), "keys/run.hex: not the key that record 0 names")
    if sha(key) not in run_keys: raise Cannot(f"run key {sha(key)} is not trusted")
    run = Run(files, key)
    records = lines(files["records.jsonl"], "records")
    need(records, "records: empty")
    for line in records: run.step(line)
    need(run.taken == len(run.roots), "a root that does not belong to the run")
    withheld, roots, recorded, seen = 0, set(), {}, set()
    for r in run.records:
        p = r["payload"]
        if "content" in p:
            name = f"content/{p['content']['root']}.json"
            need(name in files and name not in roots, f"record {r['sequence']}: content is missing or used twice")
            withheld += content(files[name], p["content"]); roots.add(name)
        if p["span"] == "human.oversight.decision":
            recorded[p["attrs"].get("fuze.oversight.decision_hash")] = (p["attrs"].get("fuze.oversight.token_hash"), p["attrs"].get("fuze.oversight.key_id"))
    need({n for n in files if n.startswith("content/")} == roots, "content of no record")
    for name in (n for n in files if n.startswith("oversight/")):
        one = decision(files[name], run, recorded)
        need(one not in seen, "a decision twice"); seen.add(one)
    if "definition/agent.json" in files:
        need(sha(files["definition/agent.json"]) == run.first["payload"]["attrs"].get("fuze.agent.fingerprint"), "definition: another fingerprint")
    copies = {f"roots/{n}": json.loads(line) for n, line in enumerate(run.roots)}
    if run.closed: copies["roots/close"] = run.closed
    for name, envelope in copies.items():
        need(files.get(name + ".json") == jcs(envelope["root"]) and files.get(name + ".sig") == unbase64(envelope["signature"]), name + ": another than was signed")
    need({n for n in files if n.startswith("roots/")} == {"roots/roots.jsonl"} | {n + s for n in copies for s in (".json", ".sig")}, "a root of no run")
    anchored = anchors(files, list(copies.values()), run.closed is not None)
    # The manifest
    envelope = only(read(files["manifest.json"], "manifest"), ("payload", "payloadType", "signatures"), what="manifest")
    need(envelope["payloadType"] == "application/vnd.in-toto+json" and isinstance(envelope["signatures"], list) and len(envelope["signatures"]) == 1, "manifest: form")
    mark = only(envelope["signatures"][0], ("keyid", "sig"), what="manifest")
    standard = dict(decode=lambda t: base64.b64decode(t, validate=True), encode=base64.b64encode, pad=False)
    payload, signature = unbase64(envelope["payload"], **standard), unbase64(mark["sig"], **standard)
    maker = key
    if "keys/export.hex" in files or "keys/export.pem" in files:
        maker = public_key(files, "keys/export")
        need(maker != key, "keys/export.hex: the run's key")
    pae = b"DSSEv1 28 application/vnd.in-toto+json %d " % len(payload) + payload
    need(mark["keyid"] == sha(maker) and len(signature) == 64 and signed(maker, signature, pae), "manifest: signature")
    statement = read(payload, "statement")
    predicate = {"exportedAt": statement.get("predicate", {}).get("exportedAt"), "format": 1, "origin": run.first["payload"]["attrs"]["fuze.origin"],
                 "runId": run.first["payload"]["runId"], "tenant": run.first["payload"]["common"]["fuze.tenant.id"], "withheld": withheld}
    if run.closed: predicate["closeRoot"] = sha(jcs(run.closed))
    subject = [{"digest": {"sha256": sha(files[n])}, "name": n} for n in sorted(files) if n != "manifest.json"]
    need(is_time(predicate["exportedAt"]) and jcs(statement) == jcs({"_type": "https://in-toto.io/Statement/v1", "predicate": predicate,
         "predicateType": "urn:fuze:evidence-bundle:v1", "subject": subject}), "manifest: not what is in the bundle")
    need(not bad_crc, "zip: a checksum")
    if not any_exporter and sha(maker) not in set(run_keys) | set(exporters): raise Cannot(f"the bundle's maker {sha(maker)} is not trusted")
    if log is not None:
        name, key_hash, _ = verifier_key(log)
        if not anchored or (run.closed and anchored[-1][0]["kind"] != "run_close"): raise Cannot("the last root is anchored in no log")
        for line, proof in anchored:
            if line["log"] != name or verifier_key(files["anchors/log.vkey"].decode()[:-1])[1] != key_hash: raise Cannot(f"anchored in another log than {log}")
            inclusion(proof, line, log)
    return 0 if run.closed else 3

def judge(data, **trust):
    try:
        code = verify(data, **trust)
        return code, "verified" if code == 0 else "intact, but the run is not closed"
    except Failed as e: return 1, f"failed: {e}"
    except Cannot as e: return 3, f"cannot verify: {e}"

def main():
    parser = argparse.ArgumentParser(description="Checks evidence bundles.")
    parser.add_argument("bundle", nargs="+")
    parser.add_argument("--key-id", action="append", required=True, help="a key that may sign runs (SHA-256 of the raw key)")
    parser.add_argument("--exporter", action="append", default=[], help="a key that may make bundles")
    parser.add_argument("--any-exporter", action="store_true")
    parser.add_argument("--log", help="the verifier key of the log in which the run must be anchored")
    a = parser.parse_args()
    worst = 0
    for path in a.bundle:
        try:
            with open(path, "rb") as f: code, said = judge(f.read(), run_keys=a.key_id, exporters=a.exporter, any_exporter=a.any_exporter, log=a.log)
        except OSError as e: code, said = 4, str(e)
        print(f"{path}: {said}")
        worst = max(worst, code)
    sys.exit(worst)

if __name__ == "__main__": main()
