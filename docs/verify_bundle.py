#!/usr/bin/env python3
"""Checks whole evidence bundles: what `verify.py` checks and what is wrapped around it, in the order of
section 15. Written from docs/evidence-format.md alone (its section numbers in brackets).

    verify_bundle.py --key-id HEX [--exporter HEX | --any-exporter] [--log VERIFIER-KEY [--witness VERIFIER-KEY]...]
                     [--overseer PUBLIC-KEY]... BUNDLE...

Exit: as `verify.py`. What attributes a record may have it reads from the tables of that document (3, 4), which
must lie beside it. Where a key was revoked (14) it says that it cannot verify. It does not hold what records tell
against the rules of the loop (17), and not what report.html, README.txt and policy/bundle say against the evidence:
those are the word of whoever made the bundle.
"""
import argparse, json, pathlib, re, struct, sys, zlib
from datetime import datetime, timedelta

from verify import (ANNEX, HASH, HISTORY, NUMBER, PROOF, Cannot, all_anchored, anchors, base64std, chain, check_point,
                    check_signature, commitment, content, contents, jcs, judge, lines, marks_of, need, read, sha,
                    unbase64)

NAME = re.compile(r"[A-Za-z0-9._:/@+-]{1,128}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z")
UUID7 = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
ALWAYS = {"README.txt", "keys/run.hex", "keys/run.pem", "manifest.json", "records.jsonl", "report.html",
          "roots/roots.jsonl"}
OTHERS = re.compile(r"anchors/(anchors\.jsonl|(open|close)\.tlog-proof|log\.vkey)|annex/annex\.jsonl"
                    r"|content/[0-9a-f]{64}\.json|definition/agent\.json|keys/(export\.(hex|pem)|run\.history\.jsonl)"
                    r"|oversight/(0|[1-9][0-9]*)\.json|policy/bundle|roots/(close|0|[1-9][0-9]*)\.(json|sig)")
ZERO = "0" * 64
RECORD = {"attrs", "common", "endedAt", "role", "runId", "span", "startedAt", "stepId", "v"}
ROLES = {"agent.invoke": "agent", "guardrail": "guardrail", "human.oversight.decision": "oversight",
         "model.drift": "agent", "model.generate": "model", "oversight.suspend": "oversight",
         "policy.evaluate": "policy", "run.cancel": "agent", "run.close": "agent", "run.gap": "agent",
         "run.resume": "agent", "tool.execute": "tool"}
ENTRY = {"at", "by", "domain", "keyId", "kind", "origin", "prev", "sequence", "tenant"}
WINDOWS = {"content_window", "decision_window", "hash_window"}
ERASED = {"field": ({"leaves", "root"}, {"request", "consent_withdrawn"}),
          "record": ({"root"}, {"request", "consent_withdrawn", "content_window", "decision_window"}),
          "run": (set(), {"request", "consent_withdrawn"} | WINDOWS),
          "subject": (set(), {"request", "consent_withdrawn"})}
TOKEN = {"argsHash", "art22", "bundleHash", "callId", "caseId", "chainHead", "domain", "expiresAt", "fingerprint", "issuedAt",
         "keyId", "model", "nonce", "obligation", "of", "origin", "principal", "reason", "registryHash", "runId", "segment",
         "sequence", "slot", "tenant", "tool"}
DECISION = {"acks", "action", "caseHash", "custody", "decidedAt", "domain", "keyId", "overseer", "rationaleHash", "tokenHash"}
CASE = {"agent", "arguments", "classification", "purpose", "salt", "template", "toolDescription"}
MARK = re.compile(r"\[(?:secret|[a-z0-9_]{1,32}:[A-Za-z0-9_-]{22})\]")
KEY_ENTRY = {"at", "domain", "event", "keyId", "origin", "prev", "publicKey", "role", "sequence"}
ROLES_OF_KEYS, FOREVER = ("run", "log", "overseer"), "9999-12-31T23:59:59.999999999Z"
BUCKETS = {2**n for n in range(3, 21)}
SMALL, UNBOUND = 2**16, 2**32
LIMITS = [(re.compile(names), most) for names, most in (
    ("records|report|README|policy", UNBOUND), ("annex/", 2**28), ("content/", 2**26), (r"anchors/.*\.tlog-proof", 208 * 1024),
    (r"oversight/|definition/|manifest|roots/roots\.jsonl|keys/run\.history", 2**24))]
PAYLOAD_TYPE = "application/vnd.in-toto+json"


DOCUMENT = pathlib.Path(__file__).with_name("evidence-format.md")
APP, WORD = re.compile(r"app\.[a-z0-9._]{1,64}"), re.compile("`([a-z0-9_.-]+)`")


def check_time(text, not_before="1970"):
    need(TIME.fullmatch(text) and text >= max("1970", not_before), f"{text}: not a time, or before {not_before}")
    datetime.fromisoformat(text[:19])


def after_days(time, days):
    """So many days of 24 hours later; beyond the year 9999 never."""
    try:
        return (datetime.fromisoformat(time[:19]) + timedelta(days)).isoformat() + time[19:]
    except OverflowError:
        return "never"  # which is greater than any time


def unzip(data):
    """The members, and whether their checksums hold. A zip has one form: it is written again and compared."""
    members, whole, written, directory = {}, True, b"", b""
    while data[len(written):len(written) + 4] == b"PK\3\4":
        at = len(written)
        crc, size, _, width = struct.unpack("<IIIH", data[at + 14:at + 28])
        name, octets = data[at + 30:at + 30 + width], data[at + 30 + width:at + 30 + width + size]
        both = struct.pack("<5H3I2H", 20, 0x0800, 0, 0, 0x21, crc, size, size, width, 0)
        written += b"PK\3\4" + both + name + octets
        directory += b"PK\1\2\x14\3" + both + bytes(6) + struct.pack("<II", 0x81A40000, at) + name
        need(not members or max(members) < name.decode(), "zip: names out of order")
        members[name.decode()] = octets
        whole = whole and zlib.crc32(octets) == crc
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(members), len(members), len(directory), len(written), 0)
    need(data == written + directory + end, "zip: not in its one form")
    return Files(members), whole


class Files(dict):
    """The members. Who reads one that is longer than it may be (15) is refused."""

    def __getitem__(self, name):
        octets = super().__getitem__(name)
        need(len(octets) <= next((most for of, most in LIMITS if of.match(name)), SMALL), f"{name}: too long")
        return octets


def public_key(files, stem):
    key = bytes.fromhex(files[stem + ".hex"].decode())
    check_point(key)
    need(files[stem + ".hex"].decode() == key.hex() + "\n", stem + ".hex: form")
    pem = base64std(bytes.fromhex("302a300506032b6570032100") + key)
    pem = f"-----BEGIN PUBLIC KEY-----\n{pem}\n-----END PUBLIC KEY-----\n"
    need(files[stem + ".pem"].decode() == pem, stem + ".pem: another key")
    return key


# Attributes (3, 4): the document's own tables

def read_tables(text):
    """Of `common` and each span the rows of its table: name, type, words among the values, values, when it is there."""
    tables, span = {}, None
    points = WORD.findall(text[text.index("Annex III points:"):].split("\n\n")[0])
    residencies = WORD.findall(re.search(r"\*residency\* ([^\n]*)", text)[1])
    for line in text[text.index("## 3."):text.index("## 5.")].split("\n"):
        begins = re.match(r"(?:##.*? )?`([a-z.]+)`(?:$|:$| \(role)", line)
        span = begins[1] if begins else span
        if line.startswith("| `"):
            name, kind, values, when = (cell.strip() for cell in line.split("|")[1:5])
            words = residencies if values == "residency" else WORD.findall(values)
            words += points if "Annex III" in values else []
            tables.setdefault(span, []).append((name.strip("`"), kind, words, values, when))
    return tables


def is_of(kind, words, value):
    """Whether a value is of a type that the document names."""
    if type(value) is int:
        return 0 <= value < {"u32": 2**32, "u53": 2**53}.get(kind, 0)
    if type(value) is not str:
        return kind == "boolean" and type(value) is bool
    if kind == "time":
        check_time(value)
    return {"enum": lambda: value in words, "hash": lambda: HASH.fullmatch(value), "time": lambda: True,
            "name": lambda: NAME.fullmatch(value)}.get(kind, bool)()


def check_attributes(rows, attrs, where):
    """Each is in its table and of its type; there and true as the table says, where that hangs on another of them."""
    others = set(attrs) - {name for name, *_ in rows}
    if any(name == "app.*" for name, *_ in rows):
        app = {name for name in others if APP.fullmatch(name)}
        fits = (bool, int), lambda value: type(value) is str and NAME.fullmatch(value)
        need(len(app) <= 32 and all(isinstance(attrs[n], fits[0]) or fits[1](attrs[n]) for n in app), where + "app")
        others -= app
    need(not others, where + f"unknown attributes {others}")
    said = {attrs.get(name) for name, kind, *_ in rows if kind == "enum"}
    said |= {"known"} if attrs.get("fuze.tool.known") is True else set()
    for name, kind, words, values, when in rows:
        here = name in attrs
        need(not here or is_of(kind, words, attrs[name]), where + name)
        need(here or when != "always", where + name + " is missing")
        on = re.match("(exactly if|only).*?`?([a-z_]+)`?$", when)
        if on:
            holds = on[2] in said
            need(holds or not here, where + name + " is there")
            need(here or not holds or on[1] == "only", where + name + " is missing")
        if kind == "boolean" and words and here:
            need(attrs[name] == (words[-1] in said), where + name)
        if here and "at least 1" in values:
            need(attrs[name] >= 1, where + name)
        if here and "smaller than" in values:
            need(attrs[name] < attrs[name.rpartition(".")[0] + "." + words[-1]], where + name)


def payload_check(keys, key):
    """What looks at each payload and each root in its turn: what records say of themselves (2), the few attributes
    that say how they follow each other (4), and that the key was in force when the run began (14)."""
    steps, resumed, records, tables = set(), [], [], read_tables(DOCUMENT.read_text())

    def check(n, p):
        if n is None:
            return check_time(p["root"]["at"])
        records.append(p)
        first, where = records[0], f"record {n}: "
        optional = {"content", "parentStepId"} | ({"signature"} if p["span"] == "run.close" else set())
        need(set(p) - optional == RECORD and ROLES[p["span"]] == p["role"], where + "members or role")
        content = p.get("content", {"leaves": 8, "root": ZERO})
        need(set(content) == {"leaves", "root"} and HASH.fullmatch(content["root"]), where + "content")
        need(type(content["leaves"]) is int and content["leaves"] in BUCKETS, where + "leaves")
        need(p["span"] != "oversight.suspend"
             or (p["attrs"]["fuze.oversight.reason"] == "requested") == ("content" in p), where + "content")
        check_attributes(tables["common"], p["common"], where + "common: ")
        check_attributes(tables[p["span"]], p["attrs"], where)
        check_time(p["startedAt"], first["startedAt"])
        check_time(p["endedAt"], p["startedAt"])
        step, parent = p["stepId"], p.get("parentStepId", -1)
        need(type(step) is type(parent) is int and step not in steps and parent < step < 2**53, where + "step")
        need((step, parent) == (0, -1) if n == 0 else parent >= 0, where + "step")
        steps.add(step)
        resumed.extend([n] * (p["span"] == "run.resume"))
        need(p["span"] != "run.resume" or p["attrs"]["fuze.run.segment"] == len(resumed), where + "segment")
        need(p["span"] != "run.close" or p["attrs"]["fuze.run.count"] == n, where + "count")
        refused = n == 1 and first["attrs"]["fuze.run.outcome"] == "refused"
        need(not refused or p["span"] == "run.close", where + "after a refusal")
        if n == 0:
            need(UUID7.fullmatch(p["runId"]), "runId")
            keys.at(sha(key), p["startedAt"], p["attrs"]["fuze.origin"])

    return check


# Keys over time (14)

class Keys:
    """The run's key as it is, or all keys of a history whose first one is trusted."""

    def __init__(self, key):
        self.of = None
        self.periods = {sha(key): {"key": key, "since": "1970", "until": FOREVER}}

    def read(self, octets):
        """Reads a history, and returns its first key's id. Whether anything about it is trusted is not said here."""
        self.periods, prev, at, signer = {}, ZERO, "1970", None
        for n, line in enumerate(lines(octets)):
            signed = read(line)
            e, event = signed["entry"], signed["entry"]["event"]
            subject = unbase64(e["publicKey"])
            check_point(subject)
            signer = signer or subject
            self.of = self.of or (e["origin"], e["role"])
            more = {"compromisedSince"} & set(e) if event == "revoked" else set()
            need(set(e) == KEY_ENTRY | more and e["domain"] == "fuze/key/v1", "history: members")
            need(set(signed) == {"entry", "signature"} | ({"proof"} if event != "revoked" else set()), "history: members")
            need((e["origin"], e["role"]) == self.of and NAME.fullmatch(e["origin"]) and e["role"] in ROLES_OF_KEYS,
                 "history: of another")
            need(e["keyId"] == sha(signer) and jcs([e["prev"], e["sequence"]]) == jcs([prev, n]), "history: order")
            check_time(e["at"], at)
            check_time(e.get("compromisedSince", e["at"]))
            check_signature(signer, unbase64(signed["signature"]), jcs(e))
            period = self.periods.get(sha(subject))
            need((event == "introduced") == (n == 0) and (event == "revoked") == (period is not None), "history: event")
            if event == "revoked":
                need(subject != signer and "revoked" not in period, "history: it cannot be revoked")
                period["revoked"] = e["at"]
            else:
                need(event in ("introduced", "rotated"), "history: event")
                check_signature(subject, unbase64(signed["proof"]), jcs(e))
                need(n or signed["proof"] == signed["signature"], "history: proof")
                for period in self.periods.values():
                    period["until"] = min(period["until"], e["at"])
                self.periods[sha(subject)] = {"key": subject, "since": e["at"], "until": FOREVER}
                signer = subject
            prev, at = sha(line), e["at"]
        return next(iter(self.periods))

    def at(self, key_id, time, origin):
        """The key that may sign then for runs of this origin."""
        period = self.periods.get(key_id) if self.of in (None, (origin, "run")) else None
        if period is None or "revoked" in period or not period["since"] <= time <= period["until"]:
            raise Cannot(f"the key {key_id} was not in force at {time}, or nobody vouched for it, or it was revoked")
        return period["key"]


    def may_export(self, maker, key, at, run_keys):
        """Whether a key that may sign runs made a bundle then; the run's own may have been replaced since (15)."""
        period = self.periods.get(sha(maker))
        if maker == key or period is None:
            return maker == key or sha(maker) in run_keys
        return "revoked" not in period and period["since"] <= at <= period["until"]


# The annex (12)

def check_entry(e):
    """A statement by itself: which members it has for its kind and scope, and what may stand in them."""
    kind, scope, reason = e["kind"], e.get("scope"), e.get("reason")
    if kind == "erased":
        more, reasons = ERASED[scope]
        more = more | {"reason", "runId", "scope"} | ({"closeRoot"} if reason == "hash_window" else set())
        need(reason in reasons and (e["by"] == "retention") == (reason in WINDOWS), "annex: reason")
    elif kind in ("hold", "release"):
        more = {"reason", "scope"} | ({"runId"} if scope == "run" else set())
        need(scope in ("run", "tenant") and reason in ("legal_claims", "evidence_freeze"), "annex: scope or reason")
    elif kind == "given_up":
        more = {"count", "head", "runId"}
        need(type(e["count"]) is int and e["count"] > 0, "annex: count")
    else:
        need(kind in ("contested", "late_outcome"), "annex: kind")
        more = {"runId", "statement"} | ({"root"} & set(e))
    need(set(e) == ENTRY | more and e["domain"] == "fuze/annex/v1", "annex: members")
    check_time(e["at"])
    need(all(NAME.fullmatch(e[name]) for name in ("by", "origin", "tenant")), "annex: a name")
    need(all(HASH.fullmatch(e[name]) for name in {"closeRoot", "head", "root", "statement", "keyId"} & set(e)),
         "annex: a hash")
    need("runId" not in e or UUID7.fullmatch(e["runId"]), "annex: runId")
    leaves = e.get("leaves", [ZERO])
    need(leaves and leaves == sorted(set(leaves)) and all(map(HASH.fullmatch, leaves)), "annex: leaves")


def read_annex(files, keys, first):
    """The statements, which follow each other, are signed, and erase nothing that is held."""
    entries, prev, at, holds = [], ZERO, "1970", []
    for n, line in enumerate(lines(files[ANNEX])):
        need(len(line) < 2**24, "annex: a line too long")
        signed = read(line)
        e = signed["entry"]
        check_entry(e)
        need(set(signed) == {"entry", "signature"}, "annex: members")
        check_signature(keys.at(e["keyId"], e["at"], e["origin"]), unbase64(signed["signature"]), jcs(e))
        of = [first["attrs"]["fuze.origin"], first["common"]["fuze.tenant.id"]]
        need([e["origin"], e["tenant"]] == of and jcs([e["prev"], e["sequence"]]) == jcs([prev, n]), "annex: order")
        check_time(e["at"], at)
        hold = (e.get("scope"), e.get("runId"), e.get("reason"))
        if e["kind"] == "hold":
            holds.append(hold)
        elif e["kind"] == "release":
            holds.remove(hold)
        elif e["kind"] == "erased":
            need(not any(scope == "tenant" or run == e["runId"] for scope, run, _ in holds), "annex: it is held")
        entries.append(e)
        prev, at = sha(line), e["at"]
    return entries


def check_annex(files, entries, payloads, withheld):
    """What is said about this run is true and explains what is missing. Returns how many leaf hashes are withheld."""
    roots = {p["content"]["root"] for p in payloads if "content" in p}
    there = {root for root in roots if f"content/{root}.json" in files}
    oversight = {p["content"]["root"] for p in payloads if p["role"] == "oversight" and "content" in p}
    content_days, decision_days = (payloads[0]["attrs"][f"fuze.retention.{w}_days"] for w in ("content", "decision"))
    gone, explained = set(), set()
    end = (len(payloads), read(lines(files["records.jsonl"])[-1])["hash"])
    closed = payloads[-1]["span"] == "run.close"
    over = payloads[-1]["endedAt"] if closed else None
    for e in (e for e in entries if e.get("runId") == payloads[0]["runId"] and e["kind"] not in ("hold", "release")):
        early = e["kind"] in ("erased", "given_up") and e["at"] < payloads[-1]["endedAt"]
        need(not early and e.get("root") in roots | {None}, "annex: before the end, or no root")
        if e["kind"] == "given_up":
            need(not closed and (e["count"], e["head"]) == end, "annex: given up, and not as it is here")
            over = over or e["at"]
        if e["kind"] == "erased":
            need(over, "annex: erased from a run that had not ended")
            late = e["reason"] == "decision_window" or oversight & ({e["root"]} if "root" in e else oversight)
            ends = after_days(over, max(content_days, decision_days) if late else content_days)
            need(e["reason"] not in WINDOWS or e["at"] >= ends, "annex: its window had not ended")
            erased = {e["root"]} if e["scope"] == "record" else set() if e["scope"] == "field" else roots
            need("closeRoot" not in e and not erased & there, "annex: what it says is gone is here")
            explained |= erased
            if e["scope"] == "field" and e["root"] in there:
                leaves = json.loads(files[f"content/{e['root']}.json"])["leaves"]
                need(set(e["leaves"]) <= {leaf.get("hash") for leaf in leaves}, "annex: what it says is gone is here")
                gone |= set(e["leaves"])
    need(roots - there <= explained, "content is missing, and nothing explains it")
    return len(set(withheld) - gone)


# Decisions (11)

def signed_text(text, prefix, domain, members, optional):
    """A token or a decision (11): what it says, the octets that were signed, the signature."""
    begin, octets, signature = text.split(".")
    octets, signature = unbase64(octets), unbase64(signature)
    claims = read(octets)
    need(begin == prefix and claims["domain"] == domain and len(signature) == 64 and len(text) <= 16384, prefix)
    need(set(claims) - optional == members, f"{domain}: members")
    need(all(HASH.fullmatch(claims[name]) for name in claims if name.endswith("Hash") or name.endswith("Id")
             and name != "runId"), f"{domain}: a hash")
    return claims, octets, signature


def check_says(signed, must, what):
    """What is signed says what the records say. `None` is a member that must not be there."""
    for name, expected in must.items():
        need(name in signed if expected is not None else name not in signed, f"{what}: {name}")
        need(expected is None or jcs(signed[name]) == jcs(expected), f"{what}: {name} is not what the records say")


def recorded_decisions(payloads, hashes):
    """Of each decision in the chain, by its hash: its record, that of its token, and what both must say; and the executions
    that rest on each case, with the arguments that they ran with. `hashes` are the records'."""
    first, segment, before, tokens, decisions, steps, ran = payloads[0], 0, None, {}, {}, {}, {}
    of_run = {"runId": first["runId"], "origin": first["attrs"]["fuze.origin"], "tenant": first["common"]["fuze.tenant.id"],
              "principal": first["common"]["fuze.principal.id"], "subject": first["common"].get("fuze.subject.ref"),
              "art22": first["common"]["fuze.art22_decision"], "fingerprint": first["attrs"]["fuze.agent.fingerprint"],
              "registryHash": first["attrs"].get("fuze.oversight.registry_hash"),
              "model": first["attrs"]["fuze.model.snapshot"], "bundleHash": first["attrs"]["fuze.policy.bundle_hash"]}
    for n, p in enumerate(payloads):
        attrs = p["attrs"]
        said = {name[15:]: value for name, value in attrs.items() if name.startswith("fuze.oversight.")}
        call = {"argsHash": attrs["fuze.tool.args_hash"]} if "fuze.tool.args_hash" in attrs else {}
        if p["span"] == "oversight.suspend":
            need(said["token_hash"] not in tokens, "a token twice")
            tool = {"tool": attrs["gen_ai.tool.name"]} if "gen_ai.tool.name" in attrs else {}
            must = {**of_run, **call, **tool, "chainHead": before[1], "sequence": before[0], "segment": segment,
                    **{name: said[name] for name in ("of", "reason", "slot")}, "expiresAt": said["expires_at"]}
            case = (segment, call.get("argsHash"), said["reason"])
            tokens[said["token_hash"]] = {"record": p, "must": must, "case": case}
            continue
        if p["span"] == "human.oversight.decision":
            need(said["decision_hash"] not in decisions, "a decision twice")
            token = tokens.get(said["token_hash"], {"record": p, "must": {"": "no record holds it"}, "case": None})
            steps[p["stepId"]] = token["case"]
            decisions[said["decision_hash"]] = {"record": p, "token": token, "call": call, "must": {
                "action": said["action"], "custody": said["custody"], "keyId": said["key_id"], "overseer": said["overseer"],
                "modifiedArgsHash": said.get("modified_args_hash"), "tokenHash": said["token_hash"],
                "training": said.get("training")}}
        if p["span"] == "tool.execute" and attrs.get("fuze.approval.step") in steps:
            rests = ran.setdefault(steps[attrs["fuze.approval.step"]], set())
            rests.add((attrs["fuze.tool.exec_id"], attrs["fuze.tool.args_hash"],
                       attrs["fuze.tool.outcome"] not in ("rejected", "not_run")))
        if p["span"] == "run.resume":
            segment += 1
            of_run["bundleHash"] = attrs["fuze.policy.bundle_hash"]
        if p["span"] == "model.drift":
            of_run["model"] = attrs["fuze.model.to"]
        before = (n, hashes[n])
    return decisions, ran


def check_obligation(obligation, of):
    optional = obligation.get("mayApprove", [])
    need(set(obligation) - {"mayApprove"} == {"approvers", "trainings"}, "token: obligation")
    need(type(obligation["approvers"]) is int and obligation["approvers"] == of in range(1, 256), "token: approvers")
    need(all(type(names) is list and all(type(name) is str for name in names)
             for names in (optional, obligation["trainings"])), "token: obligation")


def check_decision(claims):
    """What a decision says by itself."""
    action = claims["action"]
    need(action in ("approve", "modify", "reject", "halt", "done", "not_done"), "decision: action")
    need((action == "modify") == ("modifiedArgsHash" in claims), "decision: modifiedArgsHash")
    need((action == "done") == ("outcomeHash" in claims), "decision: outcomeHash")
    need(type(claims["acks"]) is list, "decision: acks")
    for ack in claims["acks"]:
        need(set(ack) == {"from", "kind", "to"} and ack["kind"] == "model", "decision: acks")
        need(NAME.fullmatch(ack["from"]) and NAME.fullmatch(ack["to"]), "decision: acks")


def stands_for(redacted, said):
    """Whether this can be what redaction (10) leaves: at least one character for each mark, and the rest as it is."""
    first, *rest = MARK.split(redacted)
    if not rest or not said.startswith(first):
        return redacted == said
    at = len(first)
    for part in rest[:-1]:
        found = said.find(part, at + 1)
        if found < 0:
            return False
        at = found + len(part)
    return at < len(said) and said[at + 1:].endswith(rest[-1])


def is_same(leaf, said):
    """Whether a leaf is what redaction leaves of `said`."""
    if leaf == {} and type(said) is dict:
        return all(str(n) in said for n in range(len(said)))
    if type(leaf) is str and type(said) is str:
        return stands_for(leaf, said)
    if type(leaf) is str and type(said) in (int, float):
        return MARK.search(leaf)
    return jcs(leaf) == jcs(said)


def at_pointer(value, path):
    for token in path.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        if type(value) is list:
            need(re.fullmatch(NUMBER, token), "no place in a list")
            token = int(token)
        value = value[token]
    return value


def size(value):
    """How many scalars, empty lists and empty objects a value has."""
    inner = value.values() if type(value) is dict else value if type(value) is list else ()
    return sum(map(size, inner)) or 1


def hold(said, leaves, prefix, what):
    """What was shown or written is what is disclosed of a content at `prefix` and below, as far as no mark of redaction stands
    there. Where nothing of the content is withheld, it is all of it."""
    leaves = leaves or [{"hash": ZERO}]
    whole = not any("hash" in leaf for leaf in leaves)
    fields = {leaf["leaf"]["path"]: leaf["leaf"]["value"] for leaf in leaves if "leaf" in leaf}
    fields = {path[len(prefix):]: value for path, value in fields.items() if (path + "/").startswith(prefix + "/")}
    for path, value in fields.items():
        need(MARK.search(path) or is_same(value, at_pointer(said, path)), f"{what}: another {prefix}{path}")
    outer = {path[:at] for path in fields for at, character in enumerate(path) if character == "/"}
    need(not whole or len(set(fields) - outer) == size(said), f"{what}: more or less than is recorded")


def check_case(d, token, claims, of_token, first, disclosed):
    """What was shown opens `caseHash`, and is what records commit to."""
    case = d["case"]
    need(set(case) - {"question", "recorded"} == CASE and case["template"] == "fuze/case/v1", "case: members")
    need(all(type(case[name]) is str for name in ("classification", "toolDescription")), "case: members")
    shown = commitment("fuze/leaf/v1", case["salt"], "", jcs([d["token"], case]).decode())
    need(shown == claims["caseHash"], "decision: on another case")
    need(sha(case["salt"].encode()) == token["caseId"], "token: caseId")
    check_says(case, {"agent": first["attrs"]["gen_ai.agent.name"], "purpose": first["attrs"]["fuze.purpose"]}, "case")
    arguments = read(case["arguments"].encode())
    if "recorded" in case:
        leaves = case["recorded"]["leaves"]
        need(not content(jcs({**case["recorded"], "v": 1}), token["argsHash"], len(leaves)), "case: it withholds")
        hold(arguments, leaves, "", "case: arguments")
    hold(arguments, disclosed(token["argsHash"]), "", "case: arguments")
    asked = of_token["record"].get("content")
    need(("question" in case) == (asked is not None), "case: question")
    if asked:
        need(type(case["question"]) is str, "case: question")
        hold(case["question"], disclosed(asked["root"]), "/question", "case")


def decision(octets, key, recorded, first, overseers, disclosed):
    """Returns the decision's hash. `recorded` is what `recorded_decisions` says, `overseers` the keys that are known, by their
    ids; `disclosed` gives the leaves of a content."""
    d = read(octets)
    need({"decision", "token"} <= set(d) <= {"case", "decision", "opened", "token"}, "decision: members")
    token, token_octets, signature = signed_text(d["token"], "fz1", "fuze/resume/v1", TOKEN, {"subject"})
    check_signature(key, signature, token_octets)
    optional = {"modifiedArgsHash", "outcomeHash", "training"}
    claims, claims_octets, signature = signed_text(d["decision"], "fzd1", "fuze/decision/v1", DECISION, optional)
    check_decision(claims)
    need(token["keyId"] == sha(key) and claims["tokenHash"] == sha(token_octets), "decision: on another token")
    need(claims["keyId"] != sha(key), "decision: by the key that signs the run")
    decisions, ran = recorded
    need(sha(claims_octets) in decisions, "decision: not in the chain")
    of_decision = decisions[sha(claims_octets)]
    of_token, ran = of_decision["token"], ran.get(of_decision["token"]["case"], set())
    check_says(token, of_token["must"], "token")
    check_says(token, of_decision["call"], "token")
    check_says(claims, of_decision["must"], "decision")
    need({execution for execution, *_ in ran} <= {token["callId"]}, "token: callId")
    check_obligation(token["obligation"], token["of"])
    need(len(unbase64(token["nonce"])) == 32 and NAME.fullmatch(token["tool"]), "token: nonce or tool")
    who, allowed = claims["overseer"], token["obligation"].get("mayApprove")
    need(who not in (token["principal"], token.get("subject")), "decision: by whom it may not be")
    need(allowed is None or who in allowed, "decision: by whom it may not be")
    check_time(token["expiresAt"])
    check_time(token["issuedAt"], first["startedAt"])
    need(token["issuedAt"] <= of_token["record"]["endedAt"], "token: issuedAt")
    check_time(claims["decidedAt"], token["issuedAt"])
    need(claims["decidedAt"] <= min(token["expiresAt"], of_decision["record"]["endedAt"]), "decision: decidedAt")
    if claims["keyId"] in overseers:
        check_signature(overseers[claims["keyId"]], signature, claims_octets)
    if "case" in d:
        check_case(d, token, claims, of_token, first, disclosed)
    for name, opened in d.get("opened", {}).items():
        need(name in ("modifiedArgs", "outcome", "rationale") and set(opened) == {"json", "salt"}, "opened: members")
        value = read(opened["json"].encode())
        said = commitment("fuze/leaf/v1", opened["salt"], "", opened["json"])
        need(said == claims[name + "Hash"], f"decision: {name}")
        if "content" in of_decision["record"]:
            hold(value, disclosed(of_decision["record"]["content"]["root"]), "/" + name, "decision")
        for arguments in (arguments for _, arguments, it_ran in ran if it_ran and name == "modifiedArgs"):
            hold(value, disclosed(arguments), "", name)
    return sha(claims_octets)


def check_decisions(files, key, payloads, overseers):
    recorded = recorded_decisions(payloads, [read(line)["hash"] for line in lines(files["records.jsonl"])])
    found = []

    def disclosed(root):
        octets = files.get(f"content/{root}.json")
        return octets and json.loads(octets)["leaves"]

    for name in (name for name in files if name.startswith("oversight/")):
        found.append(decision(files[name], key, recorded, payloads[0], overseers, disclosed))
    need(len(found) == len(set(found)), "a decision twice")


# Copies for people, the log, the manifest (13, 15)


def check_root_copies(files, roots, closed):
    names = {"roots/roots.jsonl"}
    for n, signed in enumerate(roots):
        name = "roots/close" if closed and n == len(roots) - 1 else f"roots/{n}"
        check_time(signed["root"]["at"])
        need(files[name + ".json"] == jcs(signed["root"]), name + ".json: another than was signed")
        need(files[name + ".sig"] == unbase64(signed["signature"]), name + ".sig: another than was signed")
        names |= {name + ".json", name + ".sig"}
    need({name for name in files if name.startswith("roots/")} == names, "roots/: of no root")


def check_anchors(files, roots, closed):
    """What is in anchors/ has its form, and holds under the key there. Returns the places in the log, by kind."""
    names = {name for name in files if name.startswith("anchors/")}
    if not names:
        return {}
    found = [read(line, 4096) for line in lines(files["anchors/anchors.jsonl"])]
    proofs = [kind for kind in ("run_open", "run_close") if f"anchors/{kind[4:]}.tlog-proof" in names]
    need([anchor["kind"] for anchor in found] == proofs, "anchors: other lines than proofs")
    for anchor in found:
        is_open = anchor["kind"] == "run_open"
        leaf = anchor["leaf"]
        need(set(anchor) == {"at", "index", "kind", "leaf", "log", "salt", "v"}, "anchors: members")
        need(set(leaf) == {"commit", "domain", "kind", "runTag"} | ({"deadline"} if is_open else set()), "leaf: members")
        need(jcs(anchor["v"]) == b"1" and len(unbase64(anchor["salt"])) == 32, "anchors: version or salt")
        need(leaf["domain"] == "fuze/log-leaf/v1" and HASH.fullmatch(leaf["runTag"]), "leaf: domain or tag")
        check_time(anchor["at"])
        if is_open:
            check_time(leaf["deadline"], roots[0]["root"]["at"] + "+")
    log = files["anchors/log.vkey"].decode()
    need(log.endswith("\n"), "log.vkey: form")
    places = anchors(files, roots, closed, log[:-1])
    if len(places) == 2:
        need(found[0]["leaf"]["runTag"] == found[1]["leaf"]["runTag"], "anchors: of two runs")
        need(places["run_open"] < places["run_close"], "anchors: closed before it was opened")
    return places


def check_witnesses(files, witnesses):
    """Each proof is on a checkpoint that all of these have cosigned (13)."""
    for proof in (files[name].decode() for name in files if name.endswith(".tlog-proof")):
        _, _, _, checkpoint, _, _, _, marks = PROOF.fullmatch(proof).groups()
        for witness in witnesses:
            name, key, cosignatures = marks_of(witness, 4, marks)
            for time, signature in ((mark[:8], mark[8:]) for mark in cosignatures):
                time = int.from_bytes(time, "big")
                need(0 < time < 2**63, "anchors: a cosignature of no time")
                check_signature(key, signature, f"cosignature/v1\ntime {time}\n{checkpoint}".encode())
            if not cosignatures:
                raise Cannot(f"{name} has not cosigned")


def check_manifest(files, maker, first, close, withheld):
    """The manifest says what is in the bundle, and is signed by `maker`."""
    envelope = read(files["manifest.json"])
    payload = unbase64(envelope["payload"], base64std)
    signature = unbase64(envelope["signatures"][0]["sig"], base64std)
    check_signature(maker, signature, b"DSSEv1 28 %s %d %s" % (PAYLOAD_TYPE.encode(), len(payload), payload))
    signatures = [{"keyid": sha(maker), "sig": base64std(signature)}]
    must = {"payload": envelope["payload"], "payloadType": PAYLOAD_TYPE, "signatures": signatures}
    need(jcs(envelope) == jcs(must), "manifest: form")
    said = json.loads(payload)["predicate"]
    check_time(said["exportedAt"])
    predicate = {"exportedAt": said["exportedAt"], "format": 1, "origin": first["attrs"]["fuze.origin"],
                 "runId": first["runId"], "tenant": first["common"]["fuze.tenant.id"], "withheld": withheld, **close}
    listed = sorted(set(files) - {"manifest.json"})
    must = {"_type": "https://in-toto.io/Statement/v1", "predicate": predicate,
            "predicateType": "urn:fuze:evidence-bundle:v1",
            "subject": [{"digest": {"sha256": sha(files[name])}, "name": name} for name in listed]}
    need(payload == jcs(must), "manifest: does not say what is in the bundle")
    return said["exportedAt"]


def verify(data, run_keys, exporters=(), any_exporter=False, log=None, witnesses=(), overseers=()):
    """Raises what is wrong first, in the order of section 15."""
    files, whole = unzip(data)
    need(ALWAYS <= set(files), "a member is missing")
    need(all(name in ALWAYS or OTHERS.fullmatch(name) for name in files), "an unknown member")
    numbers = (re.match("(oversight|roots)/([0-9]+)", name) for name in files)
    need(all(int(number[2]) < 2**64 for number in numbers if number), "an unknown member")
    key = maker = public_key(files, "keys/run")
    try:
        named = read(files["records.jsonl"].split(b"\n")[0])["payload"]["attrs"]["fuze.key_id"]
    except Exception:
        named = sha(key)
    need(named == sha(key), "keys/run.hex: another key than record 0 names")
    keys, history = Keys(key), Keys(key)
    if HISTORY in files and history.read(files[HISTORY]) in run_keys:
        keys = history
    elif sha(key) not in run_keys:
        raise Cannot(f"nobody vouched for the run's key {sha(key)}")
    payloads, roots = chain(files, key, payload_check(keys, key))
    closed = payloads[-1]["span"] == "run.close"
    entries = read_annex(files, keys, payloads[0]) if ANNEX in files else []
    withheld = contents(files, payloads)
    withheld = check_annex(files, entries, payloads, withheld)
    check_decisions(files, key, payloads, {sha(bytes.fromhex(key)): bytes.fromhex(key) for key in overseers})
    if "definition/agent.json" in files:
        fingerprint = payloads[0]["attrs"]["fuze.agent.fingerprint"]
        read(files["definition/agent.json"])
        need(sha(files["definition/agent.json"]) == fingerprint, "definition: another agent's")
    check_root_copies(files, roots, closed)
    places = check_anchors(files, roots, closed)
    if "keys/export.hex" in files or "keys/export.pem" in files:
        maker = public_key(files, "keys/export")
        need(maker != key, "keys/export.hex: the run's key")
    close = {"closeRoot": sha(jcs(roots[-1]))} if closed else {}
    at = check_manifest(files, maker, payloads[0], close, withheld)
    need(whole, "zip: a checksum")
    if not any_exporter and sha(maker) not in exporters and not keys.may_export(maker, key, at, run_keys):
        raise Cannot(f"nobody vouched for the bundle's maker {sha(maker)}")
    named = log and files.get("anchors/log.vkey") == log.encode() + b"\n"
    if log and not (named and all_anchored(roots, closed, places)):
        raise Cannot("its last root, or the open that its close names, is not anchored in that log")
    check_witnesses(files, witnesses)
    if not closed:
        raise Cannot("it holds, but the run is not closed: nobody can say that this is all")


def verify_file(path, given):
    with open(path, "rb") as bundle:
        verify(bundle.read(), given.key_id, given.exporter, given.any_exporter, given.log, given.witness, given.overseer)


def main():
    parser = argparse.ArgumentParser(description="Checks evidence bundles.")
    parser.add_argument("bundle", nargs="+")
    parser.add_argument("--key-id", action="append", required=True, help="SHA-256 of a key that signs runs")
    parser.add_argument("--exporter", action="append", default=[], help="SHA-256 of a key that may make bundles")
    parser.add_argument("--any-exporter", action="store_true", help="whoever made the bundle")
    parser.add_argument("--log", help="the verifier key of the log in which the run must be anchored")
    parser.add_argument("--witness", action="append", default=[], help="the verifier key of one who must have cosigned")
    parser.add_argument("--overseer", action="append", default=[], help="an overseer's public key, in hex")
    given = parser.parse_args()
    try:
        keys = [marks_of(vkey, 4, "")[1] for vkey in given.witness]
        keys += [marks_of(vkey, 1, "")[1] for vkey in [given.log] if vkey]
        for key in given.overseer:
            check_point(bytes.fromhex(key))
        for key in keys:
            check_point(key)
    except Exception as why:
        parser.error(f"no key: {why}")
    if given.witness and not given.log:
        parser.error("--witness is for the checkpoints of a log: name it with --log")
    if len(keys) != len(set(keys)):
        parser.error("one key is named as two witnesses, or as the log and a witness: it would count twice")
    answers = [judge(verify_file, path, given) for path in given.bundle]
    print("report.html, README.txt and policy/bundle were not looked at: they are their maker's word", file=sys.stderr)
    for path, (_, said) in zip(given.bundle, answers):
        print(f"{path}: {said}".encode("unicode_escape").decode())
    sys.exit(max(answers)[0])


if __name__ == "__main__":
    main()
