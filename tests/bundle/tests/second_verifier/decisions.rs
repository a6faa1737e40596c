//! Decisions of people beside records that tell something else, signed by the run's key: whoever has it may write what it wants, and not what a
//! person has signed.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use fuze_agent_bundle_tests::forge::{Members, pack, unpack};
use fuze_agent_bundle_tests::runs::{Run, Shape};
use fuze_agent_bundle_tests::tamper::{remanifest, resign_with};
use fuze_agent_bundle_tests::tools::python;
use fuze_audit::Selection;
use fuze_evidence::content::{DisclosedLeaf, Opening};
use fuze_evidence::keys::Signer;
use fuze_evidence::sign::write_signature;
use fuze_evidence::{jcs, sha256};
use serde_json::{Value, json};

use crate::judges::{Other, ours};

const MEMBER: &str = "oversight/0.json";

fn run(seed: u64) -> Run {
    Run::new(Shape { deployment: 1, subject: true, turns: 1, ..Shape::full(seed) })
}

/// The run's bundle with its records changed, and all signed anew by the run's key.
fn forged(run: &Run, members: &Members, change: impl FnMut(&mut Vec<Value>)) -> Vec<u8> {
    let mut members = members.clone();
    resign_with(&mut members, run.signer(), change, |_, _| {});
    remanifest(&mut members, run.signer());
    pack(&members)
}

fn of_span<'v>(values: &'v mut [Value], span: &str) -> &'v mut Value {
    &mut values.iter_mut().find(|record| record["payload"]["span"] == span).unwrap()["payload"]
}

#[test]
fn what_the_records_tell_of_a_decision_is_what_was_signed() {
    let Some(python) = python() else { return };
    let mut other = Other::start(&python);
    let run = run(1);
    let members = unpack(&run.bundle(Selection::all()));
    let id = run.public_key().id();
    let mut judged = |bundle: &[u8], part: &str| {
        let (mine, [theirs, _]) = (ours(bundle, id, false, None), other.judge(bundle, id, false));
        let code = u8::from(!part.is_empty());
        assert_eq!((mine.0, theirs.0), (code, code), "{part}: {mine:?}, {theirs:?}");
        assert!(mine.1.contains(part), "{part}: {mine:?}");
        assert!(
            part.is_empty() || mine.1.contains(MEMBER) && theirs.1.contains(part.trim_matches('`')),
            "{part}: {theirs:?}"
        );
    };
    judged(&forged(&run, &members, |_| {}), "");
    let hash = json!(sha256(b"another"));
    let (suspend, decision) = ("oversight.suspend", "human.oversight.decision");
    for (span, attribute, value, part) in [
        (suspend, "fuze.oversight.expires_at", json!("2026-11-22T20:50:56.000000000Z"), "`expiresAt`"),
        (suspend, "fuze.oversight.of", json!(2), "`of`"),
        (suspend, "fuze.oversight.reason", json!("policy"), "`reason`"),
        (suspend, "gen_ai.tool.name", json!("another"), "`tool`"),
        (suspend, "fuze.tool.args_hash", hash.clone(), "`argsHash`"),
        (decision, "fuze.tool.args_hash", hash.clone(), "`argsHash`"),
        (decision, "fuze.oversight.action", json!("reject"), "`action`"),
        (decision, "fuze.oversight.custody", json!("offline"), "`custody`"),
        (decision, "fuze.oversight.overseer", json!("overseer-4"), "`overseer`"),
        (decision, "fuze.oversight.training", json!("hr-2027"), "`training`"),
        (decision, "fuze.oversight.key_id", hash.clone(), "`keyId`"),
        ("agent.invoke", "fuze.agent.fingerprint", hash.clone(), "`fingerprint`"),
        ("agent.invoke", "fuze.oversight.registry_hash", hash.clone(), "`registryHash`"),
    ] {
        let mut without = members.clone();
        without.remove("definition/agent.json");
        let change = |values: &mut Vec<Value>| of_span(values, span)["attrs"][attribute] = value.clone();
        judged(&forged(&run, &without, change), part);
    }
    for (name, value, part) in [
        ("fuze.principal.id", json!("recruiter-8"), "`principal`"),
        ("fuze.art22_decision", json!("none"), "`art22`"),
        ("fuze.subject.ref", json!("subject-2"), "`subject`"),
    ] {
        let change = |values: &mut Vec<Value>| {
            values.iter_mut().for_each(|record| record["payload"]["common"][name] = value.clone());
        };
        judged(&forged(&run, &members, change), part);
    }
    // A step more before the call waited: the person saw another head of the chain.
    let change = |values: &mut Vec<Value>| {
        let before = values.iter().position(|record| record["payload"]["span"] == suspend).unwrap() - 1;
        values[before]["payload"]["endedAt"] = values[before]["payload"]["startedAt"].clone();
    };
    judged(&forged(&run, &members, change), "`chainHead`");
    other.end();
}

/// One approval for another run, with other arguments, in another person's name.
#[test]
fn a_decision_is_for_one_run() {
    let Some(python) = python() else { return };
    let mut other = Other::start(&python);
    let (mine, theirs) = (run(1), run(2));
    let [mut members, from] = [&mine, &theirs].map(|run| unpack(&run.bundle(Selection::all())));
    let signed: Value = serde_json::from_slice(&from[MEMBER]).unwrap();
    let hash = |member: &str| {
        let text = signed[member].as_str().unwrap().split('.').nth(1).unwrap();
        json!(sha256(&Base64UrlUnpadded::decode_vec(text).unwrap()))
    };
    let (token, decision) = (hash("token"), hash("decision"));
    let key_id = json!(theirs.overseer.id());
    members.insert(MEMBER.to_owned(), from[MEMBER].clone());
    let bundle = forged(&mine, &members, |values| {
        of_span(values, "oversight.suspend")["attrs"]["fuze.oversight.token_hash"] = token.clone();
        let attrs = &mut of_span(values, "human.oversight.decision")["attrs"];
        attrs["fuze.oversight.token_hash"] = token.clone();
        attrs["fuze.oversight.decision_hash"] = decision.clone();
        attrs["fuze.oversight.key_id"] = key_id.clone();
    });
    let id = mine.public_key().id();
    let (ours, [theirs, _]) = (ours(&bundle, id, false, None), other.judge(&bundle, id, false));
    assert_eq!((ours.0, theirs.0), (1, 1), "{ours:?}, {theirs:?}");
    assert!(ours.1.contains("`runId` of the token") && theirs.1.contains("runId"), "{ours:?}, {theirs:?}");
    other.end();
}

/// What a member `oversight/<n>.json` says, taken apart.
struct Said {
    token: Value,
    decision: Value,
    case: Value,
    opened: Value,
}

fn claims(text: &Value) -> Value {
    let octets = text.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(octets).unwrap()).unwrap()
}

/// The text of signed claims, and what names them.
fn signed(prefix: &str, claims: &Value, signer: &dyn Signer) -> (String, Value) {
    let octets = jcs::to_vec(claims).unwrap();
    let signature = write_signature(&signer.sign(&octets).unwrap());
    (format!("{prefix}.{}.{signature}", Base64UrlUnpadded::encode_string(&octets)), json!(sha256(&octets)))
}

fn commit(salt: &Value, text: String) -> Value {
    let salt = serde_json::from_value(salt.clone()).unwrap();
    json!(Opening { path: String::new(), value: Value::String(text), salt }.leaf_hash().unwrap())
}

fn text(value: &Value) -> String {
    String::from_utf8(jcs::to_vec(value).unwrap()).unwrap()
}

/// What opens a commitment to `value`, and the commitment.
fn open(said: &mut Said, member: &str, value: &Value) {
    let salt = said.case["salt"].clone();
    said.decision[format!("{member}Hash")] = commit(&salt, text(value));
    said.opened[member] = json!({"json": text(value), "salt": salt});
}

/// The run's bundle in which the deployment and the person together signed something else, and the records go along.
fn conspired(
    run: &Run,
    members: &Members,
    change: &dyn Fn(&mut Said),
    records: &dyn Fn(&mut [Value]),
) -> Vec<u8> {
    let mut members = members.clone();
    let member: Value = serde_json::from_slice(&members[MEMBER]).unwrap();
    let mut said = Said {
        token: claims(&member["token"]),
        decision: claims(&member["decision"]),
        case: member["case"].clone(),
        opened: member["opened"].clone(),
    };
    change(&mut said);
    let (token, token_hash) = signed("fz1", &said.token, run.signer());
    said.decision["tokenHash"] = token_hash.clone();
    if said.case.is_object() {
        said.decision["caseHash"] = commit(&said.case["salt"], text(&json!([token, said.case])));
    }
    let key: &dyn Signer =
        if said.decision["keyId"] == json!(run.signer().key_id()) { run.signer() } else { &run.overseer_key };
    let (decision, decision_hash) = signed("fzd1", &said.decision, key);
    let mut member = json!({"decision": decision, "opened": said.opened, "token": token});
    if said.case.is_object() {
        member["case"] = said.case;
    }
    members.insert(MEMBER.to_owned(), jcs::to_vec(&member).unwrap());
    forged(run, &members, |values| {
        of_span(values, "oversight.suspend")["attrs"]["fuze.oversight.token_hash"] = token_hash.clone();
        let attrs = &mut of_span(values, "human.oversight.decision")["attrs"];
        attrs["fuze.oversight.token_hash"] = token_hash.clone();
        attrs["fuze.oversight.decision_hash"] = decision_hash.clone();
        attrs["fuze.oversight.key_id"] = said.decision["keyId"].clone();
        attrs["fuze.oversight.overseer"] = said.decision["overseer"].clone();
        attrs["fuze.oversight.action"] = said.decision["action"].clone();
        if said.decision["action"] == "modify" {
            let hash = &said.decision["modifiedArgsHash"];
            attrs["fuze.oversight.edited"] = json!(true);
            attrs["fuze.oversight.modified_args_hash"] = hash.clone();
        }
        records(values);
    })
}

fn modify(said: &mut Said, step: &str) {
    let mut arguments: Value = serde_json::from_str(said.case["arguments"].as_str().unwrap()).unwrap();
    arguments["candidate"] = json!(step);
    said.decision["action"] = json!("modify");
    open(said, "modifiedArgs", &arguments);
}

/// A change of what is signed, and what of it is refused; empty where it is not.
type Conspiracy<'c> = (&'c str, &'c dyn Fn(&mut Said));

#[test]
fn what_was_signed_fits_the_run_and_what_was_shown_is_what_ran() {
    let Some(python) = python() else { return };
    let mut other = Other::start(&python);
    let run = run(1);
    let whole = unpack(&run.bundle(Selection::all()));
    let hidden = unpack(&run.bundle(Selection::nothing()));
    let id = run.public_key().id();
    let mut judged = |bundle: &[u8], part: &str, what: &str| {
        let (mine, [theirs, _]) = (ours(bundle, id, false, None), other.judge(bundle, id, false));
        let code = u8::from(!part.is_empty());
        assert_eq!((mine.0, theirs.0), (code, code), "{what}: {part}: {mine:?}, {theirs:?}");
        assert!(
            part.is_empty() || mine.1.contains(MEMBER) && mine.1.contains(part),
            "{what}: {part}: {mine:?}"
        );
    };
    let at = |seconds: u64| json!(format!("2026-11-21T20:50:{seconds:02}.000000000Z"));
    let none: &dyn Fn(&mut [Value]) = &|_| {};
    let both: &[Conspiracy<'_>] = &[
        ("", &|_| {}),
        ("", &|said| said.case = Value::Null),
        // What was shown is not what ran.
        ("at `/candidate`", &|said| {
            said.case["arguments"] =
                json!(said.case["arguments"].as_str().unwrap().replace("\"17\"", "\"19\""));
        }),
        ("the case shows other arguments", &|said| {
            said.case["arguments"] =
                json!(said.case["arguments"].as_str().unwrap().replace("{\"0", "{\"!\":1,\"0"));
        }),
        ("not canonical", &|said| said.case["arguments"] = json!("{ }")),
        ("withholds", &|said| {
            let leaf = &mut said.case["recorded"]["leaves"][0];
            let opened: DisclosedLeaf = serde_json::from_value(leaf.clone()).unwrap();
            *leaf = json!({"hash": opened.hash().unwrap()});
        }),
        ("`agent`", &|said| said.case["agent"] = json!("Another")),
        ("`purpose`", &|said| said.case["purpose"] = json!("another")),
        ("question", &|said| said.case["question"] = json!("May I?")),
        ("members", &|said| said.case["hint"] = json!("approve it")),
        ("members", &|said| said.case["template"] = json!("fuze/case/v2")),
        ("members", &|said| said.case["recorded"] = Value::Null),
        ("members", &|said| {
            said.case.as_object_mut().unwrap().remove("classification");
        }),
        ("`caseId`", &|said| said.token["caseId"] = json!(sha256(b"another"))),
        // What the token says of the run.
        ("`obligation`", &|said| said.token["obligation"]["approvers"] = json!(2)),
        ("`model`", &|said| said.token["model"] = json!("other-9")),
        ("`bundleHash`", &|said| said.token["bundleHash"] = json!(sha256(b"another"))),
        ("`callId`", &|said| said.token["callId"] = json!(sha256(b"another"))),
        ("`issuedAt`", &|said| said.token["issuedAt"] = json!("2026-11-21T20:50:55.999999999Z")),
        ("`issuedAt`", &|said| said.token["issuedAt"] = json!("2026-11-21T20:59:00.000000000Z")),
        // The members of both.
        ("unknown field", &|said| said.token["zzz"] = json!("x")),
        ("unknown field", &|said| said.decision["zzz"] = json!({"note": "free text"})),
        ("missing field", &|said| {
            said.token.as_object_mut().unwrap().remove("obligation");
        }),
        ("missing field", &|said| {
            said.decision.as_object_mut().unwrap().remove("acks");
        }),
        ("null", &|said| said.token["obligation"] = Value::Null),
        ("expected", &|said| said.token["obligation"] = json!([])),
        ("expected", &|said| said.token["obligation"] = json!("two")),
        ("expected", &|said| said.token["obligation"]["mayApprove"] = json!({"overseer-3": 1})),
        ("expected", &|said| said.token["obligation"]["mayApprove"] = json!("overseer-3-and-friends")),
        ("reads back", &|said| said.token["obligation"]["mayApprove"] = Value::Null),
        ("nonzero", &|said| said.token["obligation"]["approvers"] = json!(0)),
        ("expected", &|said| said.token["obligation"]["trainings"] = json!([1])),
        ("expected", &|said| said.token["nonce"] = json!("AAAA")),
        ("expected", &|said| said.token["sequence"] = json!(true)),
        ("", &|said| said.decision["acks"] = json!([{"from": "a", "kind": "model", "to": "b"}])),
        ("expected", &|said| said.decision["acks"] = json!([{"from": "a", "kind": "policy", "to": "b"}])),
        ("expected", &|said| said.decision["acks"] = json!([{"from": "a", "kind": "model"}])),
        ("reserved", &|said| said.decision["action"] = json!("escalate")),
        ("`outcomeHash`", &|said| said.decision["action"] = json!("done")),
        ("`modifiedArgsHash`", &|said| said.decision["modifiedArgsHash"] = json!(sha256(b"x"))),
        // Times and people.
        ("", &|said| said.decision["decidedAt"] = said.token["issuedAt"].clone()),
        ("`decidedAt`", &|said| {
            (said.token["issuedAt"], said.decision["decidedAt"]) = (at(57), at(56));
        }),
        ("`decidedAt`", &|said| said.decision["decidedAt"] = json!("2026-11-22T20:50:56.000000000Z")),
        ("the key that signs the run", &|said| said.decision["keyId"] = said.token["keyId"].clone()),
        ("whom the run is about", &|said| said.decision["overseer"] = said.token["subject"].clone()),
        // What the person wrote instead is what ran, and the outcome and the reasons are the record's.
        ("", &|said| modify(said, "17")),
    ];
    for (n, (part, change)) in both.iter().enumerate() {
        for (what, members) in [("all", &whole), ("nothing", &hidden)] {
            judged(&conspired(&run, members, change, none), part, &format!("{n} with {what}"));
        }
    }
    // Only where what ran is disclosed can it be told from what the person wrote.
    let other_words: &dyn Fn(&mut Said) = &|said| modify(said, "19");
    judged(&conspired(&run, &whole, other_words, none), "at `/candidate` than `modifiedArgs`", "modified");
    judged(&conspired(&run, &hidden, other_words, none), "", "modified");
    // Somebody else refused the call: it did not run with anything.
    let refused: &dyn Fn(&mut [Value]) = &|values| {
        of_span(values, "tool.execute")["attrs"]["fuze.tool.outcome"] = json!("rejected");
    };
    judged(&conspired(&run, &whole, other_words, refused), "", "refused");
    // The same of what was shown, if the case does not say what it was about.
    let unsaid: &dyn Fn(&mut Said) = &|said| {
        said.case.as_object_mut().unwrap().remove("recorded");
        said.case["arguments"] = json!(said.case["arguments"].as_str().unwrap().replace("\"17\"", "\"19\""));
    };
    judged(&conspired(&run, &whole, unsaid, none), "at `/candidate`", "shown");
    judged(&conspired(&run, &hidden, unsaid, none), "", "shown");
    // The decision's record before the suspension, and no registry at all.
    let early: &dyn Fn(&mut [Value]) = &|values| {
        let began = values[0]["payload"]["startedAt"].clone();
        let record = of_span(values, "human.oversight.decision");
        (record["startedAt"], record["endedAt"]) = (began.clone(), began);
    };
    judged(&conspired(&run, &whole, &|_| {}, early), "`decidedAt`", "early");
    let unlisted: &dyn Fn(&mut [Value]) = &|values| {
        values[0]["payload"]["attrs"].as_object_mut().unwrap().remove("fuze.oversight.registry_hash");
    };
    let changed = |said: &mut Said| {
        said.token.as_object_mut().unwrap().remove("registryHash");
    };
    let mut without = whole.clone();
    without.remove("definition/agent.json");
    judged(&conspired(&run, &without, &changed, unlisted), "missing field", "registry");
    other.end();
}
