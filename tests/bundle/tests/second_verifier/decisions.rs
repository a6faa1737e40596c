//! Decisions of people beside records that tell something else, signed by the run's key: whoever has it may write what it wants, and not what a
//! person has signed.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use fuze_agent_bundle_tests::forge::{Members, pack, unpack};
use fuze_agent_bundle_tests::runs::{Run, Shape};
use fuze_agent_bundle_tests::tamper::{remanifest, resign_with};
use fuze_agent_bundle_tests::tools::python;
use fuze_audit::Selection;
use fuze_evidence::sha256;
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
