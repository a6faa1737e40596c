//! What the first record says of a run, and runs that tell of something else: without a lawful basis, a plan, a store, people who may decide,
//! or with a model that is elsewhere.

use super::forged::{Tale, completed, forged, honest};
use super::*;

/// Rules that are broken here.
pub(super) const RULES: &[Rule] = &[
    Rule::OversightPlan,
    Rule::Retention,
    Rule::AbleToWait,
    Rule::PersonalData,
    Rule::SpecialCategory,
    Rule::SameModel,
    Rule::Trained,
];

use OversightAction as A;
use PolicyDecision::{Allow, RequiresApproval};

/// The story of two approvals, of a run that says this of itself.
#[track_caller]
fn begun(
    common: impl FnOnce(&mut Common) + 'static,
    start: impl FnOnce(&mut AgentInvoke) + 'static,
    change: impl FnOnce(&mut Story),
) -> Vec<Rule> {
    let mut story = Story { common: Box::new(common), start: Box::new(start), ..Story::approved() };
    change(&mut story);
    broken(story)
}

type Begins = fn(&mut AgentInvoke);
type Decides = dyn Fn(&mut HumanDecision);

fn as_it_is<T>(_: &mut T) {}

/// Neither Annex III nor GDPR Art. 22: the policy asked for people.
fn ordinary(common: &mut Common) {
    (common.annex_iii, common.art22) = (AnnexIii::None, Art22::None);
}

#[test]
fn a_run_begins_as_law_has_it() {
    use RunStatus::Error;
    let starts: [(Rule, Begins); 9] = [
        (Rule::OversightPlan, |start| start.oversight_plan = None),
        (Rule::OversightPlan, |start| (start.oversight_plan, start.training) = (None, None)),
        (Rule::OversightPlan, |start| start.training = None),
        (Rule::Retention, |start| start.retention_decision_days = 183),
        (Rule::Retention, |start| start.retention_content_days = 0),
        (Rule::Retention, |start| start.retention_hash_days = 29),
        (Rule::AbleToWait, |start| start.store = None),
        (Rule::AbleToWait, |start| start.registry_hash = None),
        (Rule::AbleToWait, |start| (start.store, start.registry_hash) = (None, None)),
    ];
    for (number, (rule, start)) in starts.into_iter().enumerate() {
        // Whichever of the two makes it so.
        for common in [
            as_it_is::<Common> as fn(&mut Common),
            |common| common.art22 = Art22::None,
            |common| common.annex_iii = AnnexIii::None,
        ] {
            let found = begun(common, start, |_| ());
            assert_eq!(found.first(), Some(&rule), "{number}: {found:?}");
            // What was refused lacks what it was refused for.
            let refused =
                |story: &mut Story| (story.refused, story.spans, story.status) = (true, vec![], Error);
            assert_eq!(begun(common, start, refused), [], "{number}");
            // As soon as it begins.
            let ended = |story: &mut Story| (story.spans, story.status) = (vec![], Error);
            assert_eq!(begun(common, start, ended), [rule], "{number}");
        }
    }
    // Elsewhere law asks for none of it.
    let alone = |start: &mut AgentInvoke| {
        (start.oversight_plan, start.training) = (None, None);
        (start.store, start.registry_hash) = (None, None);
        (start.retention_content_days, start.retention_decision_days, start.retention_hash_days) = (1, 1, 1);
    };
    let ended = |story: &mut Story| (story.spans, story.status) = (vec![], Error);
    assert_eq!(begun(ordinary, alone, ended), []);
    let nothing = |start: &mut AgentInvoke| start.retention_decision_days = 0;
    assert_eq!(begun(ordinary, nothing, ended), [Rule::Retention]);
    // But whoever waits has where and for whom to wait, and whoever is taken up again was kept.
    let waits = |start: fn(&mut AgentInvoke)| begun(ordinary, start, Story::asked_by_policy);
    assert_eq!(waits(|start| start.store = None), [Rule::AbleToWait]);
    assert_eq!(waits(|start| start.registry_hash = None), [Rule::AbleToWait]);
    let crashed = |start: fn(&mut AgentInvoke)| {
        begun(ordinary, start, |story| {
            let cause = ResumeCause::Recovery;
            let taken_up = RunResume { bundle_hash: sha256(b"bundle"), cause, epoch: 2, segment: 1 };
            story.spans = vec![taken_up.into(), RunGap { what: Gap::Process, exec_id: None }.into()];
            story.status = Error;
        })
    };
    assert_eq!(crashed(|start| start.store = None), [Rule::AbleToWait]);
    assert_eq!(crashed(|start| start.registry_hash = None), []);
}

#[test]
fn personal_data_has_its_basis_and_its_subject() {
    let handles = |classification, common: fn(&mut Common)| {
        begun(common, as_it_is, |story| tool(&mut story.spans[EXECUTE]).classification = classification)
    };
    let lacks: [fn(&mut Common); 2] = [|common| common.lawful_basis = None, |common| common.subject = None];
    for common in lacks {
        for classification in [Classification::Personal, Classification::SpecialCategory] {
            assert_eq!(handles(classification, common), [Rule::PersonalData]);
        }
        for classification in [Classification::Public, Classification::Confidential] {
            assert_eq!(handles(classification, common), []);
        }
    }
    // What people refused says of itself what it is, too.
    let refused = begun(lacks[0], as_it_is, |story| {
        human(&mut story.spans[SECOND_PERSON]).action = A::Reject;
        tool(&mut story.spans[EXECUTE]).outcome = ToolOutcome::Rejected;
        story.spans.remove(ALLOWED);
        story.status = RunStatus::OversightMissing;
    });
    assert_eq!(refused, [Rule::PersonalData]);
    // Nobody is erased where there is nobody.
    let erased = |common: fn(&mut Common)| {
        begun(common, as_it_is, |story| {
            story.spans = vec![RunCancel { cancelled_by: CancelledBy::SubjectErased }.into()];
            story.status = RunStatus::Cancelled;
        })
    };
    assert_eq!(erased(as_it_is), []);
    assert_eq!(erased(|common| common.subject = None), [Rule::PersonalData]);
}

#[test]
fn the_model_is_where_it_was() {
    let elsewhere = |at: &[usize], start: fn(&mut AgentInvoke), classification| {
        begun(as_it_is, start, |story| {
            for at in at {
                asked(&mut story.spans[*at]).residency = Residency::Us;
            }
            tool(&mut story.spans[EXECUTE]).classification = classification;
        })
    };
    let (confidential, special) = (Classification::Confidential, Classification::SpecialCategory);
    let us = |start: &mut AgentInvoke| start.model_residency = Residency::Us;
    const LAST: usize = EXECUTE + 1;
    assert_eq!(elsewhere(&[], as_it_is, special), []);
    assert_eq!(elsewhere(&[GENERATE], as_it_is, confidential), [Rule::SameModel]);
    assert_eq!(elsewhere(&[], us, confidential), [Rule::SameModel]);
    assert_eq!(elsewhere(&[GENERATE, LAST], us, confidential), []);
    // Whoever takes the run up may have it elsewhere, as far as its agent lets them.
    assert_eq!(elsewhere(&[LAST], as_it_is, confidential), []);
    // But not with such data, neither before nor after.
    assert_eq!(elsewhere(&[LAST], as_it_is, special), [Rule::SpecialCategory]);
    assert_eq!(elsewhere(&[GENERATE], us, special), [Rule::SpecialCategory]);
    let twice = begun(as_it_is, as_it_is, |story| {
        let failed = with(answer(1), |s| {
            (asked(s).outcome, asked(s).error) = (ModelOutcome::Error, Some(ModelErrorCode::Timeout));
            asked(s).residency = Residency::Us;
        });
        story.spans.insert(LAST, failed);
        tool(&mut story.spans[EXECUTE]).classification = confidential;
    });
    assert_eq!(twice, [Rule::SameModel]);
    // Another model takes over from the one that was there.
    let drifts = |steps: &[(&str, &str)]| {
        completed(|_| {
            let (mut t, said) = Tale::approved();
            for (from, to) in steps {
                t.add(ModelDrift { acknowledged: true, from: name(from), to: name(to) });
            }
            t.done(0, said);
            Some(t)
        })
        .broken()
    };
    assert_eq!(drifts(&[("scripted/1", "two"), ("two", "three")]), []);
    assert_eq!(drifts(&[("one", "two")]), [Rule::SameModel]);
    assert_eq!(drifts(&[("scripted/1", "two"), ("scripted/1", "three")]), [Rule::SameModel]);
    assert_eq!(drifts(&[("scripted/1", "scripted/1")]), [Rule::SameModel]);
}

#[test]
fn whoever_decides_has_no_part_in_the_run() {
    let run = Host::with(Box::new(Counter(1))).signer.key_id();
    let changes: [Box<Decides>; 3] = [
        Box::new(|human| human.overseer = name("recruiter-7")),
        Box::new(|human| human.overseer = name("subject-1f8a")),
        Box::new(move |human| human.key_id = run),
    ];
    for change in changes {
        let found = begun(as_it_is, as_it_is, |story| change(human(&mut story.spans[FIRST_PERSON])));
        assert_eq!(found, [Rule::IndependentPeople]);
    }
    // A name has one key in the whole run, and a key one name: the registry has.
    let again = |change: fn(&mut HumanDecision)| {
        completed(|_| {
            let mut t = Tale::new(2);
            let said = t.decided_by_people(0, &[A::Approve])[0];
            t.done(0, said);
            t.decide(RequiresApproval, 1);
            let token = t.waits(1, 1)[0];
            let said = t.person(1, token, A::Approve, |human| {
                (human.overseer, human.key_id) = (name("overseer-1"), sha256(&1u32.to_be_bytes()));
                change(human);
            });
            t.resumes(ResumeCause::Decision);
            t.done(1, said);
            Some(t)
        })
        .broken()
    };
    assert_eq!(again(|_| ()), []);
    assert_eq!(again(|human| human.overseer = name("overseer-2")), [Rule::DistinctPeople]);
    assert_eq!(again(|human| human.key_id = sha256(b"another key")), [Rule::DistinctPeople]);
}

#[test]
fn whoever_decides_names_the_training() {
    let untrained = |human: &mut HumanDecision| human.training = None;
    forged(Rule::Trained, |t| {
        t.decide(RequiresApproval, 0);
        let token = t.waits(0, 1)[0];
        let said = t.person(0, token, A::Approve, untrained);
        t.resumes(ResumeCause::Decision);
        t.done(0, said);
        None
    });
    // Whatever the wait is said to be for.
    for reason in [SuspendReason::Policy, SuspendReason::Tool, SuspendReason::InDoubt] {
        forged(Rule::WaitGrounded, |t| {
            t.decide(RequiresApproval, 0);
            let token = t.suspend(0, 0, 1, |waits| waits.reason = reason);
            let said = t.person(0, token, A::Approve, untrained);
            t.resumes(ResumeCause::Decision);
            t.done(0, said);
            None
        });
    }
    forged(Rule::Trained, |_| {
        let (mut t, said) = Tale::approved();
        t.decide(Allow, 0);
        let token = t.suspend(0, 0, 1, |waits| waits.reason = SuspendReason::Requested);
        t.person(0, token, A::Reject, untrained);
        t.resumes(ResumeCause::Decision);
        t.done(0, said);
        Some(t)
    });
    // Where the policy asks, what it asks of people is its own affair; and an agent without a plan asks for nothing.
    honest(|t| {
        t.by_law = false;
        t.decide(RequiresApproval, 0);
        let token = t.waits(0, 1)[0];
        let said = t.person(0, token, A::Approve, untrained);
        t.resumes(ResumeCause::Decision);
        t.done(0, said);
        None
    });
}

#[test]
fn one_engine_decides_until_the_run_is_taken_up() {
    let other =
        |at: usize| begun(as_it_is, as_it_is, |story| policy(&mut story.spans[at]).engine = name("another"));
    assert_eq!(other(ASKED), [Rule::KnownPolicy]);
    assert_eq!(other(ALLOWED), []);
}

#[test]
fn nobody_is_missing_where_nobody_is_needed() {
    let missing = |common: fn(&mut Common)| {
        begun(common, as_it_is, |story| {
            tool(&mut story.spans[EXECUTE]).outcome = ToolOutcome::NotApplied;
            story.status = RunStatus::OversightMissing;
        })
    };
    assert_eq!(missing(as_it_is), []);
    assert_eq!(missing(|common| common.art22 = Art22::None), [Rule::HumanDecided]);
}
