//! What the chain says of a run and of the calls that waited in it, as far as tokens and decisions say it, too.
//!
//! A record holds the hashes of a token and of a decision. That binds the record to what was signed, and says nothing about whether the
//! record tells the same: who has the run's key writes "approve" beside the hash of a signed "reject".

use std::collections::{BTreeMap, BTreeSet};

use fuze_evidence::record::Entry;
use fuze_evidence::span::{AgentInvoke, HumanDecision, OversightSuspend, ToolExecute};
use fuze_evidence::vocab::{OversightAction, SuspendReason, ToolOutcome};
use fuze_evidence::{Hash, Name, Span, Timestamp};

use super::signed::{Decision, Signed, Token};

/// What the first record says.
#[derive(Debug)]
struct Run {
    entry: Entry,
    invoke: AgentInvoke,
}

/// Which case a token is a slot of: the part of the run, the arguments, the reason.
type Case = (u32, Option<Hash>, SuspendReason);

/// What is in force where a token is issued, and its record.
#[derive(Debug)]
struct Waiting {
    suspend: OversightSuspend,
    content: Option<Hash>,
    ended_at: Timestamp,
    /// The last record that is no suspension: what the tokens after it begin from.
    before: (u64, Hash),
    segment: u32,
    model: Name,
    bundle: Hash,
}

impl Waiting {
    fn case(&self) -> Case {
        (self.segment, self.suspend.args_hash, self.suspend.reason)
    }
}

#[derive(Debug)]
struct Decided {
    human: HumanDecision,
    content: Option<Hash>,
    ended_at: Timestamp,
}

/// What the records say, up to the last that was observed.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    run: Option<Run>,
    segment: u32,
    before: Option<(u64, Hash)>,
    /// The model and the policy bundle that the run goes on with, if no longer the first.
    model: Option<Name>,
    bundle: Option<Hash>,
    waiting: BTreeMap<Hash, Waiting>,
    decisions: BTreeMap<Hash, Decided>,
    /// Decisions by their step.
    steps: BTreeMap<u64, Hash>,
    /// The executions that rest on the decisions of a case, and the arguments that each ran with, if it ran.
    ran: BTreeMap<Case, BTreeSet<(Hash, Option<Hash>)>>,
}

/// What the records tell beside a decision that was checked.
pub(super) struct Told<'r> {
    pub(super) agent: Option<&'r Name>,
    pub(super) purpose: Option<&'r Name>,
    /// The root of the question that the record of the suspension commits to.
    pub(super) question: Option<Hash>,
    /// The root of the content of the decision's record.
    pub(super) content: Option<Hash>,
    /// Of a decision that modified: the roots of the arguments that the call ran with.
    pub(super) ran_with: BTreeSet<Hash>,
}

/// What is signed beside what the records say.
struct Compared(&'static str);

impl Compared {
    fn same<T: PartialEq>(&self, member: &str, signed: &T, recorded: &T) -> Result<(), String> {
        match signed == recorded {
            true => Ok(()),
            false => Err(format!("`{member}` of the {} is not what the records say", self.0)),
        }
    }
}

impl Recorded {
    /// Takes the next record.
    ///
    /// # Errors
    /// When it repeats a token or a decision.
    pub(crate) fn observe(&mut self, entry: &Entry) -> Result<(), String> {
        let twice =
            |what: &str| Err(format!("record {}: the {what} stands in an earlier record", entry.sequence));
        match &entry.span {
            Span::AgentInvoke(invoke) => {
                (self.model, self.bundle) = (Some(invoke.model_snapshot.clone()), Some(invoke.bundle_hash));
                self.run = Some(Run { entry: entry.clone(), invoke: invoke.clone() });
            }
            Span::RunResume(resume) => {
                self.segment = self.segment.saturating_add(1);
                self.bundle = Some(resume.bundle_hash);
            }
            Span::ModelDrift(drift) => self.model = Some(drift.to.clone()),
            Span::OversightSuspend(suspend) => {
                let (Some(model), Some(bundle)) = (self.model.clone(), self.bundle) else { return Ok(()) };
                let waiting = Waiting {
                    suspend: suspend.clone(),
                    content: entry.content.map(|content| content.root),
                    ended_at: entry.ended_at,
                    before: self.before.unwrap_or((0, Hash::ZERO)),
                    segment: self.segment,
                    model,
                    bundle,
                };
                if self.waiting.insert(suspend.token_hash, waiting).is_some() {
                    return twice("token");
                }
                return Ok(());
            }
            Span::HumanDecision(human) => {
                let content = entry.content.map(|content| content.root);
                let decided = Decided { human: human.clone(), content, ended_at: entry.ended_at };
                if self.decisions.insert(human.decision_hash, decided).is_some() {
                    return twice("decision");
                }
                self.steps.insert(entry.step_id, human.decision_hash);
            }
            Span::ToolExecute(tool) => self.execute(tool),
            _ => {}
        }
        self.before = Some((entry.sequence, entry.hash));
        Ok(())
    }

    /// Which decisions a call rests on.
    fn execute(&mut self, tool: &ToolExecute) {
        let decision = tool.approval_step.and_then(|step| self.steps.get(&step));
        let token =
            decision.and_then(|hash| self.decisions.get(hash)).map(|decided| decided.human.token_hash);
        if let Some(waiting) = token.and_then(|token| self.waiting.get(&token)) {
            let ran = !matches!(tool.outcome, ToolOutcome::Rejected | ToolOutcome::NotRun);
            let args = ran.then_some(tool.args_hash);
            self.ran.entry(waiting.case()).or_default().insert((tool.exec_id, args));
        }
    }

    /// Holds a decision and its token against the records: the decision's, that of the call that waited, the first, and those of the
    /// executions that rest on it.
    pub(super) fn check(
        &self,
        token: &Signed<Token>,
        decision: &Signed<Decision>,
    ) -> Result<Told<'_>, String> {
        let Some(decided) = self.decisions.get(&decision.hash) else {
            return Err(format!("no record holds the decision {}", decision.hash));
        };
        let (Some(waiting), Some(run)) = (self.waiting.get(&token.hash), &self.run) else {
            return Err(format!("no record holds the token {}", token.hash));
        };
        check_run(&token.says, run)?;
        check_wait(&token.says, waiting)?;
        let none = BTreeSet::new();
        let ran = self.ran.get(&waiting.case()).unwrap_or(&none);
        for (execution, _) in ran {
            Compared("token").same("callId", &token.says.call_id, execution)?;
        }
        check_decision(&decision.says, &decided.human)?;
        if let Some(args_hash) = &decided.human.args_hash {
            Compared("token").same("argsHash", &token.says.args_hash, args_hash)?;
        }
        check_person(&token.says, &decision.says.overseer)?;
        check_times(&token.says, &decision.says, run, waiting, decided)?;
        let modified = decision.says.action == OversightAction::Modify;
        Ok(Told {
            agent: Some(&run.invoke.agent_name),
            purpose: Some(&run.invoke.purpose),
            question: waiting.content,
            content: decided.content,
            ran_with: ran.iter().filter(|_| modified).filter_map(|(_, args)| *args).collect(),
        })
    }
}

fn check_run(token: &Token, Run { entry, invoke }: &Run) -> Result<(), String> {
    let (it, common) = (Compared("token"), &entry.common);
    it.same("runId", &token.run_id, &entry.run_id)?;
    it.same("origin", &token.origin, &invoke.origin)?;
    it.same("tenant", &token.tenant, &common.tenant)?;
    it.same("principal", &token.principal, &common.principal)?;
    it.same("subject", &token.subject, &common.subject)?;
    it.same("art22", &token.art22, &common.art22)?;
    it.same("fingerprint", &token.fingerprint, &invoke.fingerprint)?;
    it.same("registryHash", &Some(token.registry_hash), &invoke.registry_hash)
}

fn check_wait(token: &Token, waiting: &Waiting) -> Result<(), String> {
    let (it, suspend) = (Compared("token"), &waiting.suspend);
    it.same("sequence", &token.sequence, &waiting.before.0)?;
    it.same("chainHead", &token.chain_head, &waiting.before.1)?;
    it.same("segment", &token.segment, &waiting.segment)?;
    it.same("model", &token.model, &waiting.model)?;
    it.same("bundleHash", &token.bundle_hash, &waiting.bundle)?;
    it.same("expiresAt", &token.expires_at, &suspend.expires_at)?;
    it.same("of", &token.of, &suspend.of)?;
    it.same("slot", &token.slot, &suspend.slot)?;
    it.same("obligation", &u32::from(token.obligation.approvers.get()), &suspend.of)?;
    it.same("reason", &token.reason, &suspend.reason)?;
    if let Some(root) = &suspend.args_hash {
        it.same("argsHash", &token.args_hash, root)?;
    }
    suspend.tool.as_ref().map_or(Ok(()), |tool| it.same("tool", &token.tool, tool))
}

fn check_decision(decision: &Decision, recorded: &HumanDecision) -> Result<(), String> {
    let it = Compared("decision");
    it.same("tokenHash", &decision.token_hash, &recorded.token_hash)?;
    it.same("action", &decision.action, &recorded.action)?;
    it.same("custody", &decision.custody, &recorded.custody)?;
    it.same("keyId", &decision.key_id, &recorded.key_id)?;
    it.same("modifiedArgsHash", &decision.modified_args_hash, &recorded.modified_args_hash)?;
    it.same("overseer", &decision.overseer, &recorded.overseer)?;
    it.same("training", &decision.training, &recorded.training)
}

fn check_person(token: &Token, overseer: &Name) -> Result<(), String> {
    if *overseer == token.principal {
        return Err(format!("`{overseer}` started the run, and may not decide about it"));
    }
    if token.subject.as_ref() == Some(overseer) {
        return Err(format!("`{overseer}` is whom the run is about, and may not decide about it"));
    }
    match &token.obligation.may_approve {
        Some(list) if !list.iter().any(|alias| alias == overseer.as_str()) => {
            Err(format!("`{overseer}` is not among those whom the token lets decide"))
        }
        _ => Ok(()),
    }
}

/// The token was issued in the run and before its record ended; the decision was made after that, in time, and before its own record ended.
fn check_times(
    token: &Token,
    decision: &Decision,
    run: &Run,
    waiting: &Waiting,
    decided: &Decided,
) -> Result<(), String> {
    let (issued, at) = (token.issued_at, decision.decided_at);
    let (began, waits) = (run.entry.started_at, waiting.ended_at);
    if issued < began || issued > waits {
        return Err(format!("`issuedAt` of the token is {issued}, expected from {began} to {waits}"));
    }
    let until = token.expires_at.min(decided.ended_at);
    if at < issued || at > until {
        return Err(format!("`decidedAt` is {at}, expected from {issued} to {until}"));
    }
    Ok(())
}
