#!/usr/bin/env python3
"""Checks the evidence in a bundle, offline: the chain of records, its signed roots and the close, what is
disclosed of content, and that roots stand in a transparency log. Written from docs/evidence-format.md alone
(its section numbers in brackets), without the Rust code. Needs Python 3.9 and `cryptography`.

    verify.py --key-id HEX [--log VERIFIER-KEY] BUNDLE...

Exit: 0 verified, 1 refused, 2 usage, 3 cannot be verified, 4 not readable; of several bundles, the greatest.

How to read it: what is not as it must be raises, and what raises is a refusal (`judge`). So a missing member
or a wrong type needs no line of its own. Where it can, a check builds what must stand there and compares.

What it does not look at: what records say beyond what the chain rests on (2, 4, 17), witnesses' cosignatures
(13), anchors without --log, and what is wrapped around the evidence: the zip's form, the manifest, decisions,
copies for people. With an annex (12) or a key history (14) the answer is 3 once all else holds: an annex may
say that what is here was erased or what is missing was not, a history that the key was not in force, and who
has not read them cannot say "verified". `verify_bundle.py`, which builds on this, reads them and most of the rest.
"""
import argparse, base64, decimal, hashlib, json, re, sys, zipfile
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ANNEX, HISTORY, SUITE = "annex/annex.jsonl", "keys/run.history.jsonl", "fuze-ed25519-sha256-v1"
HASH, NUMBER, POINTER = re.compile("[0-9a-f]{64}"), "0|[1-9][0-9]{0,6}", re.compile("(/([^~/]|~[01])*){0,64}")
PROOF = re.compile(r"c2sp\.org/tlog-proof@v1\n(?:extra ([^\n]{0,5464})\n)?index (0|[1-9][0-9]*)\n((?:[^\n]+\n)*)\n"
                   r"(([^\x00-\x1f]+)\n([1-9][0-9]*)\n([^\n]+)\n)\n((?:\u2014 [^\s+\x00-\x1f]+ [^\s=]{7}[^\s]*\n){1,100})")


class Failed(Exception):
    """The evidence is refused."""


class Cannot(Exception):
    """Nothing can be said: this verifier, or what it was given, does not suffice."""


def need(holds, why):
    if not holds:
        raise Failed(why)


def sha(octets):
    return hashlib.sha256(octets).hexdigest()


# Canonical form (1)

def number(x):
    """As ECMAScript writes it: Python's repr has the same digits, and other rules for exponents."""
    small = abs(x) < 2**53 and (isinstance(x, int) or not x.is_integer())
    need(small or (isinstance(x, float) and 1e21 <= abs(x) < float("inf")), "a number out of the profile")
    return format(decimal.Decimal(repr(x)), "f") if 1e-6 <= abs(x) < 1e-4 else repr(x).replace("e-0", "e-")


def jcs(x, depth=0):
    if x is None or isinstance(x, (bool, str)):
        return json.dumps(x, ensure_ascii=False).encode()
    if isinstance(x, (int, float)):
        return number(x).encode()
    need(depth < 64, "nested too deep")
    if isinstance(x, list):
        return b"[" + b",".join(jcs(item, depth + 1) for item in x) + b"]"
    keys = sorted(x, key=lambda key: key.encode("utf-16-be"))
    return b"{" + b",".join(jcs(key) + b":" + jcs(x[key], depth + 1) for key in keys) + b"}"


def read(octets, most=2**24):
    """One canonical value: parsed, written again, compared. A key that stands twice is written once."""
    value = json.loads(octets.decode())
    need(jcs(value) == octets and len(octets) <= most, "not canonical, or too long")
    return value


def lines(octets):
    need(octets.endswith(b"\n"), "empty, or the last line is not whole")
    return octets[:-1].split(b"\n")


def base64url(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def base64std(octets):
    return base64.b64encode(octets).decode()


def unbase64(text, write=base64url):
    octets = base64.urlsafe_b64decode(text + "==")
    need(write(octets) == text, "not base64 in its one form")
    return octets


# Signatures (6). The library checks S and the equation; these five are the only y of points of small order.
P = 2**255 - 19
Y8 = int("7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd83d3d706a17c7", 16)


def check_point(octets):
    y = int.from_bytes(octets, "little") % 2**255
    need(len(octets) == 32 and y < P and y not in (0, 1, P - 1, Y8, P - Y8), "a key or R of small order")


def check_signature(key, signature, message):
    check_point(key)
    check_point(signature[:32])
    Ed25519PublicKey.from_public_bytes(key).verify(signature, message)


# The chain and its signed roots (2 to 6)

def check_root(signed, key, first, **must):
    """A signed root says exactly what it must, and the key signed that."""
    must = {"at": signed["root"]["at"], "keyId": sha(key), "origin": first["attrs"]["fuze.origin"],
            "runId": first["runId"], "suite": SUITE, "tenant": first["common"]["fuze.tenant.id"], **must}
    need(jcs(signed) == jcs({"root": must, "signature": signed["signature"]}), f"root: expected {must}")
    check_signature(key, unbase64(signed["signature"]), jcs(must))


def chain(files, key, check=lambda n, what: None):
    """Returns the payloads of the records and the signed roots, the close root last if the run is closed. `check` is
    shown each payload with its number and each root without one, in the order in which they stand."""
    payloads, roots, segment, head, prev_root = [], [], 0, "0" * 64, "0" * 64
    root_lines = lines(files["roots/roots.jsonl"])
    for n, line in enumerate(lines(files["records.jsonl"])):
        p = read(line)["payload"]
        suite = p["attrs"]["fuze.suite"] if n == 0 else SUITE
        if jcs(p["v"]) != b"1" or (isinstance(suite, str) and suite != SUITE):
            raise Cannot(f"record {n}: another version or suite")
        need(suite == SUITE, "record 0: suite")
        check(n, p)
        hashed = jcs({"payload": p, "prevHash": head, "sequence": n})
        need(line == b'{"hash":"%s",' % sha(hashed).encode() + hashed[1:], f"record {n}: hash, after {head}")
        payloads.append(p)
        first, before, span = payloads[0], payloads[n - 1]["span"] if n else None, p["span"]
        need(jcs([p["common"], p["runId"]]) == jcs([first["common"], first["runId"]]), f"record {n}: run")
        need((span == "agent.invoke") == (n == 0) and before != "run.close", f"record {n}: order")
        segment += span == "run.resume"
        must = {"segment": segment, "prevRoot": prev_root}
        if span == "run.close":
            rest = {name: value for name, value in p.items() if name != "signature"}
            open_leaf = {name: leaf for name, leaf in p["signature"]["root"].items() if name == "openLeaf"}
            need(all(type(leaf) is int and 0 <= leaf < 2**53 for leaf in open_leaf.values()), "root: openLeaf")
            check_root(p["signature"], key, first, at=p["endedAt"], closeHash=sha(jcs(rest)), count=n,
                       domain="fuze/run-close/v1", head=head, openedAt=first["startedAt"],
                       status=p["attrs"]["fuze.run.status"], **must, **open_leaf)
            roots.append(p["signature"])
        head = sha(hashed)
        if span in ("agent.invoke", "oversight.suspend") and len(roots) < len(root_lines):
            signed = read(root_lines[len(roots)])
            check(None, signed)
            if n == 0 or signed["root"]["count"] == n + 1:
                domain = f"fuze/run-{'suspend' if n else 'open'}/v1"
                check_root(signed, key, first, count=n + 1, domain=domain, head=head, **must)
                roots.append(signed)
                prev_root = sha(jcs(signed))
    need(len(roots) == len(root_lines) + (span == "run.close"), "a root at no place of this run")
    need(payloads[0]["attrs"]["fuze.key_id"] == sha(key), "keys/run.hex: another key than record 0 names")
    return payloads, roots


# Content (7, 15)

def commitment(domain, salt, *rest):
    need(len(unbase64(salt)) == 32, "a salt is not 32 octets")
    return sha(b"\0" + jcs([domain, salt, *rest]))


def content(octets, root, count):
    """What is disclosed of one content. Returns the leaf hashes of which nothing is."""
    members = read(octets, 2**26)
    need(jcs({**members, "leaves": 0}) == jcs({"leaves": 0, "root": root, "v": 1}), "content: another root")
    hashes, values = [], {}
    for leaf in members["leaves"]:
        (kind, x), = leaf.items()
        if kind == "leaf":
            need(len(x) == 3 and x["path"] not in values, "content: a leaf's members, or a path twice")
            values[x["path"]] = x["value"]
            hashes.append(commitment("fuze/leaf/v1", x["salt"], x["path"], x["value"]))
        elif kind == "decoy":
            hashes.append(commitment("fuze/decoy/v1", x))
        else:
            need(kind == "hash" and HASH.fullmatch(x), "content: a leaf")
            hashes.append(x)
    for path, value in values.items():
        need(POINTER.fullmatch(path) and not (value and isinstance(value, (dict, list))), f"content: {path}")
        tokens = path.split("/")
        outer = [("/".join(tokens[:n]), tokens[n]) for n in range(1, len(tokens))]
        for name, token in (pair for pair in outer if pair[0] in values):
            need(values[name] == {} and re.fullmatch(NUMBER, token), f"content: {path} is inside a leaf")
    need(len(hashes) == count in [2**n for n in range(3, 21)] and hashes == sorted(set(hashes)), "leaves")
    while len(hashes) > 1:
        hashes = [sha(b"\1" + bytes.fromhex(a + b)) for a, b in zip(hashes[::2], hashes[1::2])]
    need(hashes == [root], "content: does not hash to its root")
    return [leaf["hash"] for leaf in members["leaves"] if "hash" in leaf]


def contents(files, payloads):
    """All that the records commit to. Returns the leaf hashes of which nothing is disclosed."""
    used, withheld = set(), []
    for committed in (p["content"] for p in payloads if "content" in p):
        name = f"content/{committed['root']}.json"
        need(name not in used and (name in files or ANNEX in files), f"{name} is missing, or used twice")
        used.add(name)
        if name in files:
            withheld += content(files[name], committed["root"], committed["leaves"])
    need({name for name in files if name.startswith("content/")} <= used, "content of no record")
    return withheld


# The log (13): C2SP signed-note, tlog-checkpoint, tlog-proof; RFC 6962, sections 2.1 and 2.1.1

def tree_root(leaf, index, size, path):
    """From the root down: the audit path's last hash is the root's other child."""
    if size == 1:
        need(index == 0 and not path, "anchors: a proof of another place")
        return leaf
    left = 1 << (size - 1).bit_length() - 1
    if index < left:
        return hashlib.sha256(b"\1" + tree_root(leaf, index, left, path[:-1]) + path[-1]).digest()
    return hashlib.sha256(b"\1" + path[-1] + tree_root(leaf, index - left, size - left, path[:-1])).digest()


def marks_of(vkey, kind, marks):
    """Of the marks under a note those by this verifier key, with its name and its public key."""
    name, key_hash, key = vkey.split("+", 2)
    key = unbase64(key, base64std)
    need(key[0] == kind and key_hash == sha(name.encode() + b"\n" + key)[:8], f"{vkey}: another kind of key")
    marks = [(who, unbase64(text, base64std)) for _, who, text in map(str.split, marks.split("\n")[:-1])]
    return name, key[1:], [mark[4:] for who, mark in marks if (who, mark[:4].hex()) == (name, key_hash)]


def inclusion(proof, leaf, log):
    """Returns the name of the log with this verifier key, and at which place of it the leaf stands."""
    extra, index, path, checkpoint, origin, size, root, marks = PROOF.fullmatch(proof.decode()).groups()
    need(len(unbase64(extra or "", base64std)) <= 4096 and len((checkpoint + marks).encode()) < 192 * 1024, "too long")
    name, key, signatures = marks_of(log, 1, marks)
    need(signatures and origin == name, "anchors: a checkpoint that its log did not sign")
    for signature in signatures:
        check_signature(key, signature, checkpoint.encode())
    path = [unbase64(line, base64std) for line in path.split("\n")[:-1]]
    found = tree_root(hashlib.sha256(b"\0" + leaf).digest(), int(index), int(size), path)
    need(base64std(found) == root and {len(h) for h in path} <= {32} and int(size) < 2**63, "anchors: not in the tree")
    return name, int(index)


def anchors(files, roots, closed, log):
    """The roots of which there are lines and proofs stand in the log. Returns at which places, by kind."""
    places = {}
    for anchor in (read(line, 4096) for line in lines(files["anchors/anchors.jsonl"])):
        kind, leaf = anchor["kind"], anchor["leaf"]
        need(kind == "run_open" or (kind == "run_close" and closed), "anchors: of what is not there")
        commit = sha(unbase64(anchor["salt"]) + bytes.fromhex(sha(jcs(roots[0 if kind == "run_open" else -1]))))
        need([leaf["commit"], leaf["kind"]] == [commit, kind] and kind not in places, "anchors: another root")
        name, places[kind] = inclusion(files[f"anchors/{kind[4:]}.tlog-proof"], jcs(leaf), log)
        need(jcs([anchor["log"], anchor["index"]]) == jcs([name, places[kind]]), "anchors: of another log or place")
    opened = roots[-1]["root"].get("openLeaf")
    need(opened in (None, places.get("run_open", opened)), "anchors: another open than the close names")
    return places


def all_anchored(roots, closed, places):
    """The last root stands in the log, and the open that a close names."""
    opened = {"run_open"} if "openLeaf" in roots[-1]["root"] or not closed else set()
    return opened | ({"run_close"} if closed else set()) <= set(places)


# The whole

def verify(path, run_keys, log):
    """Raises what is wrong first."""
    with zipfile.ZipFile(path) as bundle:
        size = bundle.fp.seek(0, 2)
        need(size >= sum(member.file_size for member in bundle.infolist()), "compressed, or members in each other")
        files = {name: bundle.read(name) for name in bundle.namelist()}
        need(len(files) == len(bundle.namelist()), "a member twice")
    key = bytes.fromhex(re.fullmatch("([0-9a-f]{64})\n", files["keys/run.hex"].decode())[1])
    if sha(key) not in run_keys:
        raise Cannot(f"nobody vouched for the run's key {sha(key)}")
    payloads, roots = chain(files, key)
    contents(files, payloads)
    closed = payloads[-1]["span"] == "run.close"
    named = log and files.get("anchors/log.vkey") == log.encode() + b"\n"
    if log and not (named and all_anchored(roots, closed, anchors(files, roots, closed, log))):
        raise Cannot("its last root, or the open that its close names, is not anchored in that log")
    for name in {ANNEX, HISTORY} & set(files):
        raise Cannot(f"the rest holds, but this verifier does not read {name}; verify_bundle.py does")
    if not closed:
        raise Cannot("it holds, but the run is not closed: nobody can say that this is all")


def judge(verify, *given):
    """An exit code, and what to say."""
    try:
        verify(*given)
        return 0, "verified (what was not looked at stands at the head of this program)"
    except Cannot as why:
        return 3, f"cannot be verified: {why}"
    except OSError as why:
        return 4, str(why)
    except Exception as why:
        return 1, f"refused: {type(why).__name__}: {why}"


def main():
    parser = argparse.ArgumentParser(description="Checks the evidence in bundles.")
    parser.add_argument("bundle", nargs="+")
    parser.add_argument("--key-id", action="append", required=True, help="SHA-256 of a key that signs runs")
    parser.add_argument("--log", help="the verifier key of the log in which the run must be anchored")
    given = parser.parse_args()
    answers = [judge(verify, path, given.key_id, given.log) for path in given.bundle]
    for path, (_, said) in zip(given.bundle, answers):
        print(f"{path}: {said}".encode("unicode_escape").decode())
    sys.exit(max(answers)[0])


if __name__ == "__main__":
    main()
