//! `README.txt`: how to check a bundle with tools that everybody has. Lines that begin with four spaces and `$ ` are commands;
//! the project's own checks run exactly these.

use fuze_evidence::sign::PublicKey;

use crate::verify::Inspected;

pub(crate) fn text(inspected: &Inspected, maker: &PublicKey) -> String {
    let run = &inspected.run;
    let mut out = INTRODUCTION.to_owned();
    for (name, value) in [
        ("run", run.run_id.to_string()),
        ("deployment", run.origin.to_string()),
        ("tenant", run.tenant.to_string()),
        ("records", run.records.to_string()),
        ("run key id", inspected.run_key.id().to_string()),
    ] {
        out.push_str(&format!("    {name:<12}{value}\n"));
    }
    out.push_str(MEMBERS);
    out.push_str(&container(maker, &inspected.run_key));
    out.push_str(CHAIN);
    let closed = inspected.close_root.is_some();
    let names = (0..run.roots.saturating_sub(closed.into())).map(|n| n.to_string());
    for name in names.chain(closed.then(|| "close".to_owned())) {
        out.push_str(&format!(
            "    $ openssl pkeyutl -verify -rawin -pubin -inkey keys/run.pem -in roots/{name}.json -sigfile roots/{name}.sig\n"
        ));
    }
    // The close is the last record, and its root is about those before.
    let covered = run.signed_records.saturating_sub(closed.into());
    out.push_str(&TIED.replace("COVERED", &covered.to_string()));
    out.push_str(if closed { CLOSE } else { NOT_CLOSED });
    out.push_str(CONTENT);
    if inspected.anchors.summary().is_some() {
        out.push_str(ANCHORS);
    }
    out.push_str(LIMITS);
    out
}

fn container(maker: &PublicKey, run_key: &PublicKey) -> String {
    let (file, whose) = if maker == run_key {
        ("run.pem", MADE_BY_THE_RUNS_KEY.to_owned())
    } else {
        ("export.pem", MADE_BY_ANOTHER_KEY.replace("EXPORT_KEY_ID", &maker.id().to_string()))
    };
    CONTAINER.replace("export.pem", file) + &whose + LISTED
}

const INTRODUCTION: &str = "\
HOW TO CHECK THIS BUNDLE BY HAND

This is the evidence of one run of an AI agent. You need no software of ours and no network: sh, sed, cut, base64, sha256sum and
openssl 3 will do. Unpack it into an empty directory with `unzip` and run the commands below there. A line that begins
with `$` is a command; below it stands what must come out. This text is a part of the bundle: whoever makes up a bundle can make up
other commands. It stands in each bundle, so take it from one of which you know where it comes from.

";

const MEMBERS: &str = "
Compare the run key id with what you know from elsewhere: a letter, a web page, an earlier bundle. A key that you only have
from this bundle proves nothing, because whoever makes up a run can make up a key.

    $ openssl pkey -pubin -in keys/run.pem -outform DER | tail -c 32 | sha256sum | cut -c 1-64
        the run key id above
    $ openssl pkey -pubin -in keys/run.pem -noout -text | head -n 1
        ED25519 Public-Key:

The second command is needed, too: a key of another kind can be made so that it ends in the same octets.

";

const CONTAINER: &str = "\
1. NOTHING WAS CHANGED SINCE THE BUNDLE WAS MADE

manifest.json is a DSSE envelope: a statement in base64, and a signature over it.

    $ sed 's/^{\"payload\":\"\\([^\"]*\\)\".*$/\\1/' manifest.json | base64 -d > ../statement.json
    $ sed 's/^.*\"sig\":\"\\([^\"]*\\)\".*$/\\1/' manifest.json | base64 -d > ../statement.sig
    $ { printf 'DSSEv1 28 application/vnd.in-toto+json %d ' $(wc -c < ../statement.json); cat ../statement.json; } > ../statement.signed
    $ openssl pkeyutl -verify -rawin -pubin -inkey keys/export.pem -in ../statement.signed -sigfile ../statement.sig
        Signature Verified Successfully
";

const MADE_BY_THE_RUNS_KEY: &str = "
It is the run's key that made the bundle.
";

const MADE_BY_ANOTHER_KEY: &str = "
The key is not the run's. Its id is EXPORT_KEY_ID, and says who packed these files,
if you know from elsewhere whose it is; else only that one person packed them all. It proves nothing about the run: anybody can
pack files under a key of their own. Records and roots are vouched for by the run's key alone, in sections 2 and 3; this text,
the report, and that what is disclosed is all that was to be disclosed, by this key alone.

    $ openssl pkey -pubin -in keys/export.pem -outform DER | tail -c 32 | sha256sum | cut -c 1-64
        EXPORT_KEY_ID
    $ openssl pkey -pubin -in keys/export.pem -noout -text | head -n 1
        ED25519 Public-Key:
";

const LISTED: &str = "
The statement lists every file with its SHA-256.

    $ sed 's/{\"digest\":{\"sha256\":\"/\\n/g' ../statement.json | sed -n 's/^\\([0-9a-f]*\\)\"},\"name\":\"\\([^\"]*\\)\".*$/\\1  \\2/p' > ../sums
    $ sha256sum --check --strict --quiet ../sums && echo all as listed
        all as listed
    $ { cut -c 67- ../sums; echo manifest.json; } | LC_ALL=C sort > ../listed; find . -type f | cut -c 3- | LC_ALL=C sort | cmp - ../listed && echo nothing else
        nothing else

2. THE CHAIN

records.jsonl has one record a line. The hash of a record is the SHA-256 of its line without the member `hash`, and it
holds the hash of the record before as `prevHash`; the first holds 64 zeros.

";

const CHAIN: &str = "    \
    $ prev=0000000000000000000000000000000000000000000000000000000000000000; n=0; while IFS= read -r line || [ -n \"$line\" ]; do hash=$(printf '%s' \"$line\" | sed 's/^{\"hash\":\"[0-9a-f]*\",/{/' | tr -d '\\n' | sha256sum | cut -c 1-64); case \"$line\" in '{\"hash\":\"'\"$hash\"'\",'*',\"prevHash\":\"'\"$prev\"'\",\"sequence\":'\"$n\"'}') ;; *) echo \"record $n is wrong\" ;; esac; prev=$hash; n=$((n+1)); done < records.jsonl; echo \"$n records, head $prev\"
        the number of records above, and no line that says that one is wrong

3. THE SIGNATURES

Each file roots/N.json is a statement that the run's key signed: how many records there were (`count`) and the hash of the last
of them (`head`), when the run began, each time it waited for a person, and when it closed. Each command must answer
\"Signature Verified Successfully\".

";

const TIED: &str = "
That they are signed says nothing about records.jsonl yet. Line `count` there must have the hash `head`; the close's are of the
record before itself. `origin`, `runId` and `tenant` in them are to be those above.

    $ covered=0; for root in roots/*.json; do count=$(sed -n 's/^.*\"count\":\\([0-9][0-9]*\\),.*$/\\1/p' \"$root\"); head=$(sed -n 's/^.*\"head\":\"\\([0-9a-f]*\\)\".*$/\\1/p' \"$root\"); sed -n \"${count:-0}p\" records.jsonl | grep -q \"^{\\\"hash\\\":\\\"$head\\\",\" || echo \"$root is not about these records\"; if [ \"${count:-0}\" -gt \"$covered\" ]; then covered=$count; fi; done; echo \"the roots cover the first $covered records\"
        the roots cover the first COVERED records
";

const CLOSE: &str = "
The close also covers the last record, which is itself: `closeHash` is the SHA-256 of that record's payload without its `signature`.

    $ payload=$(tail -n 1 records.jsonl | sed 's/,\"signature\":{\"root\":{[^{}]*},\"signature\":\"[^\"]*\"}//; s/^.*\"payload\":\\(.*\\),\"prevHash\":.*$/\\1/' | tr -d '\\n' | sha256sum | cut -c 1-64); grep -c \"\\\"closeHash\\\":\\\"$payload\\\"\" roots/close.json
        1
    $ count=$(sed -n 's/^.*\"count\":\\([0-9][0-9]*\\),.*$/\\1/p' roots/close.json); test $(wc -l < records.jsonl) -eq $((count + 1)) && echo nothing after the close
        nothing after the close
";

const NOT_CLOSED: &str = "
THIS RUN IS NOT CLOSED. What the roots cover may be intact; that it is all cannot be said. For records after those that the roots
cover nobody vouches but whoever packed the bundle.
";

const CONTENT: &str = "
4. WHAT WAS SAID AND DONE

Records hold no content, only roots of hash trees over it. content/<root>.json has each leaf of one: opened, or as its hash
alone if it was not disclosed to you. The hash of an opened leaf is the SHA-256 of a zero octet and the text
[\"fuze/leaf/v1\",\"<salt>\",\"<path>\",<value>], for instance

    printf '\\000%s' '[\"fuze/leaf/v1\",\"<salt>\",\"/name\",\"Ada\"]' | sha256sum

with salt, path and value exactly as they stand in the file; of a decoy, of [\"fuze/decoy/v1\",\"<salt>\"]. Hashes are put
together pairwise, sha256(0x01 || left || right) in octets, until one is left: the root, which is the file's name.

NO COMMAND HERE CHECKS THAT. A made-up value in a file below content/ passes all of them, and so does a content that no record
names: believe none before docs/verify.py or `fuze audit verify` has hashed it. The first is a short program that shares no code
with ours; take it from the project, not from whom you have the bundle.
";

const ANCHORS: &str = "
5. THE TRANSPARENCY LOG

anchors/*.tlog-proof show that a log holds the open and the close root (c2sp.org/tlog-proof, signed-note, RFC 6962). Any tool for
such logs checks them, with the log's verifier key as you know it from elsewhere: the leaf is the member `leaf` of the line in
anchors.jsonl, octet for octet, and its `commit` is the SHA-256 of the 32 octets of `salt` and the 32 of the SHA-256 of the signed root.
";

const LIMITS: &str = "
WHAT THIS DOES NOT PROVE

- That what content/ discloses is what was said: see section 4.
- That what was recorded is true: the records are consistent, their inputs may be false.
- That what was done was allowed: these commands do not read what records say. `fuze audit verify` holds it against the rules.
- What a person was shown before a decision: these commands do not read decisions. `fuze audit verify` and docs/verify_bundle.py hold case and
  arguments against the records as far as both are disclosed, and not where redaction left a mark.
- Who decided: that an alias and its key are one person is the deployment's word, which keeps the registry of overseers.
- That nothing else happened: what was never recorded is not found.
- That no other history exists: whoever holds the run's key can sign another one, unless a log, a witness or an earlier bundle
  in somebody else's hands says what was signed first.
- That what was erased is gone everywhere: copies that others made are not recalled.
- That the run's key is still good: it may have been revoked since. Ask for the newest key history.
";
