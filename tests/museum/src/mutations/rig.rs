//! Runs that wait, decisions that would be accepted, and what an attacker has at hand beside them.

use std::sync::Arc;

use fuze_agent::prelude::*;
use fuze_agent::suspend::decision::Opened;
use fuze_agent::suspend::{Action, SignedDecision, Suspended, Token};
use fuze_agent::testing::MemoryStore;
use fuze_evidence::keys::FileSigner;
use fuze_evidence::sign::PublicKey;
use fuze_policy::Fixed;
use serde_json::json;

use super::Rng;
use super::signed::{Family, Mutant, mutant};
use crate::office::{Deps, Office, Person, Place, World, waiting, work};

/// What a token binds: whoever could sign one for other values would still find no run that waits for it.
const TOKEN_BOUND: &[&str] = &[
    "runId",
    "segment",
    "caseId",
    "slot",
    "of",
    "callId",
    "sequence",
    "chainHead",
    "nonce",
    "reason",
    "tool",
    "argsHash",
    "obligation",
    "registryHash",
    "fingerprint",
    "tenant",
    "principal",
    "model",
    "art22",
    "bundleHash",
    "issuedAt",
    "expiresAt",
    "origin",
    "keyId",
];
/// What an overseer's own key cannot make good. The other members are the overseer's to choose.
const DECISION_BOUND: &[&str] = &["tokenHash", "caseHash", "overseer", "keyId", "rationaleHash", "training"];

/// A run that waits, with decisions that would be accepted.
struct Target {
    deployment: Deployment,
    suspended: Option<Suspended>,
    /// Sets of decisions; each would do.
    good: Vec<Vec<SignedDecision>>,
}

/// Everything that mutants are made of and tried on.
pub struct Rig {
    key: PublicKey,
    signer: FileSigner,
    place: Place,
    strangers: Vec<FileSigner>,
    targets: Vec<Target>,
    tokens: Vec<String>,
    decisions: Vec<String>,
}

/// One mutant, in its place among decisions that would be accepted.
#[derive(Clone, Debug)]
pub struct Attack {
    /// What was done.
    pub kind: &'static str,
    target: usize,
    decisions: Vec<SignedDecision>,
    /// A token text that must not even be read.
    unreadable: Option<String>,
}

fn rules() -> Fixed {
    let four_eyes = Obligation { approvers: 2, ..Obligation::default() };
    Fixed::new().allow_tool("look").allow_tool("note").allow_tool("pay").approve_tool("refund", four_eyes)
}

async fn suspend(deployment: &Deployment, tenant: &str, tool: &str, cents: u64) -> Suspended {
    let world: Deps = World::new();
    let model = ScriptedModel::new().call(tool, json!({"to": "bakery", "cents": cents}));
    let run = deployment.run(Office, world, model).tenant(tenant).principal("clerk-1");
    waiting(run.input("Go.").start().await.unwrap())
}

impl Rig {
    /// Two runs that wait, one for two persons, and beside them runs of another tenant and of another deployment.
    pub async fn new() -> Self {
        let place = Place::with(&["anna", "ben", "clerk-1"]);
        let deployment = place.deployment(rules());
        let mut targets = Vec::new();
        let mut tokens = Vec::new();
        let mut decisions = Vec::new();
        let mut keep = |suspended: &Suspended, person: &Person, action: &Action| {
            for decision in person.decide_all(suspended, action) {
                tokens.push(decision.token);
                decisions.push(decision.decision);
            }
        };

        let one = suspend(&deployment, "acme", "pay", 100).await;
        let anna = &place.people[0];
        let modified = Action::Modify(json!({"to": "bakery", "cents": 90}));
        let good = [Action::Approve, Action::Reject, modified].map(|action| anna.decide_all(&one, &action));
        targets.push(Target { deployment: deployment.clone(), suspended: Some(one), good: good.to_vec() });

        let two = suspend(&deployment, "acme", "refund", 100).await;
        let both: Vec<SignedDecision> = two
            .cases()
            .iter()
            .zip(&place.people)
            .map(|(case, who)| who.decide(case, &Action::Approve))
            .collect();
        targets.push(Target { deployment: deployment.clone(), suspended: Some(two), good: vec![both] });

        // Genuine texts from elsewhere: the same call again, another tenant, another run, another origin under the same
        // key, another deployment altogether.
        let same = suspend(&deployment, "acme", "pay", 100).await;
        keep(&same, anna, &Action::Approve);
        keep(&suspend(&deployment, "globex", "pay", 100).await, anna, &Action::Approve);
        keep(&suspend(&deployment, "acme", "refund", 1).await, anna, &Action::Reject);
        let keys = Keys::in_directory(place.keys.path()).unwrap();
        let store = Arc::new(MemoryStore::new().unwrap());
        let origin = Deployment::with_store("other.test", keys, rules(), store).overseers(place.registry());
        keep(&suspend(&origin.build().unwrap(), "acme", "pay", 100).await, anna, &Action::Approve);
        let elsewhere = Place::with(&["anna", "ben"]);
        let other = elsewhere.deployment(rules());
        let model = ScriptedModel::new().call("pay", json!({"to": "bakery", "cents": 100}));
        let there = waiting(work(&other, &World::new(), model).await);
        keep(&there, &elsewhere.people[0], &Action::Approve);

        let strangers = vec![Person::new("mallory").key, elsewhere.signer()];
        Self {
            key: PublicKey::from_bytes(deployment.public_key()).unwrap(),
            signer: place.signer(),
            place,
            strangers,
            targets,
            tokens,
            decisions,
        }
    }

    /// The unchanged decisions are accepted, each set of them.
    ///
    /// # Errors
    /// When they are not.
    pub async fn control(&mut self) -> Result<(), String> {
        for target in &mut self.targets {
            for good in &target.good {
                let suspended = target.suspended.take().ok_or("no run")?;
                let run = suspended.run_id();
                suspended.verify(good).map(drop).map_err(|refused| refused.to_string())?;
                target.suspended = Some(target.deployment.suspended(run).await.map_err(|e| e.to_string())?);
            }
        }
        Ok(())
    }

    /// One mutant.
    pub fn mutant(&self, rng: &mut Rng) -> Attack {
        let target = usize::from(rng.one_in(5));
        let good = rng.pick(&self.targets[target].good);
        let mut decisions = good.clone();
        let at = rng.below(decisions.len());
        let (kind, unreadable) = match rng.below(5) {
            0 | 1 => {
                let made = self.token(&decisions[at].token, rng);
                decisions[at].token.clone_from(&made.text);
                (made.kind, (!made.genuine).then_some(made.text))
            }
            2 | 3 => {
                let signer = &self.place.people[at].key;
                let made = self.decision(&decisions[at].decision, signer, rng);
                decisions[at].decision = made.text;
                (made.kind, None)
            }
            _ => (self.beside(&mut decisions, at, rng), None),
        };
        Attack { kind, target, decisions, unreadable }
    }

    /// Tries it.
    ///
    /// # Errors
    /// What was accepted.
    pub fn refuses(&mut self, attack: Attack) -> Result<(), String> {
        let Attack { target, decisions, unreadable, .. } = attack;
        if let Some(text) = unreadable
            && Token::read(&text, &self.key).is_ok()
        {
            return Err(format!("the token was read: {text}"));
        }
        let target = &mut self.targets[target];
        let suspended = target.suspended.take().ok_or("no run")?;
        match suspended.verify(&decisions) {
            Ok(_) => Err(format!("accepted: {decisions:#?}")),
            Err(refused) => {
                target.suspended = Some(refused.suspended);
                Ok(())
            }
        }
    }

    fn token(&self, text: &str, rng: &mut Rng) -> Mutant {
        let wrong: Vec<&FileSigner> =
            self.strangers.iter().chain(self.place.people.iter().map(|person| &person.key)).collect();
        let family = Family {
            text,
            right: &self.signer,
            wrong: &wrong,
            siblings: &self.tokens,
            strangers: &self.decisions,
            bound: TOKEN_BOUND,
        };
        mutant(&family, rng)
    }

    fn decision(&self, text: &str, signer: &FileSigner, rng: &mut Rng) -> Mutant {
        use fuze_evidence::keys::Signer;
        let people = self.place.people.iter().map(|person| &person.key);
        let wrong: Vec<&FileSigner> = self
            .strangers
            .iter()
            .chain(people.filter(|key| key.key_id() != signer.key_id()))
            .chain([&self.signer])
            .collect();
        let family = Family {
            text,
            right: signer,
            wrong: &wrong,
            siblings: &self.decisions,
            strangers: &self.tokens,
            bound: DECISION_BOUND,
        };
        mutant(&family, rng)
    }

    /// What travels beside the signed texts, or which text travels with which.
    fn beside(&self, decisions: &mut Vec<SignedDecision>, at: usize, rng: &mut Rng) -> &'static str {
        let before = decisions.clone();
        loop {
            decisions.clone_from(&before);
            let kind = self.disturb(decisions, at, rng);
            if *decisions != before {
                return kind;
            }
        }
    }

    fn disturb(&self, decisions: &mut Vec<SignedDecision>, at: usize, rng: &mut Rng) -> &'static str {
        let one = &mut decisions[at];
        let foreign = Opened {
            salt: one.rationale.salt.clone(),
            json: "{\"cents\":1000000,\"to\":\"mallory\"}".into(),
        };
        match rng.below(9) {
            0 => {
                one.rationale.json =
                    rng.pick(&["\"\"", "\"seen \"", "null", " \"seen\"", "\"see\\u006e\""]).to_string();
                "another rationale than was signed"
            }
            1 => {
                let mut salt = one.rationale.salt.clone().into_bytes();
                let place = rng.below(salt.len());
                salt[place] = *rng.pick(b"ABCDwxyz0189-_=+ ");
                one.rationale.salt = String::from_utf8(salt).unwrap();
                "another salt than was signed"
            }
            2 => {
                one.modified_args = match (&one.modified_args, rng.one_in(2)) {
                    (Some(_), true) => None,
                    (Some(_) | None, _) => Some(foreign),
                };
                "other arguments than were signed"
            }
            3 => {
                one.outcome = Some(foreign);
                "an outcome that was not signed"
            }
            4 => {
                one.token.clone_from(rng.pick(&self.tokens));
                "the decision with another token"
            }
            5 => {
                one.decision.clone_from(rng.pick(&self.decisions));
                "the token with another decision"
            }
            6 => {
                std::mem::swap(&mut one.token, &mut one.decision);
                "token and decision in each other's place"
            }
            7 => {
                let extra = one.clone();
                decisions.push(extra);
                "a decision given twice"
            }
            _ => {
                let mut text = serde_json::to_string(one).unwrap().into_bytes();
                let place = rng.below(text.len());
                text[place] ^= 1 << rng.below(7);
                // What no longer reads is refused already; the next one is tried in its place.
                if let Ok(read) = serde_json::from_slice::<SignedDecision>(&text) {
                    *one = read;
                }
                "a bit of what travels flipped"
            }
        }
    }
}
