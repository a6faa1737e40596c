//! Suspending: tokens, the sealed snapshot, the records that commit to it, the signed suspend root, in one transaction.

use base64ct::{Base64UrlUnpadded, Encoding};
use fuze_evidence::span::OversightSuspend;
use fuze_evidence::vocab::{RunStatus, SuspendReason};
use fuze_evidence::{Hash, Timestamp};
use serde_json::json;

use super::journal::Step;
use super::state::Wait;
use super::{Driver, Ended, Exit, name};
use crate::store::{IssuedToken, Progress};
use crate::suspend::token::{MAX_TOKEN_BYTES, ObligationClaims, Token, TokenClaims};

impl<D: Send + Sync + 'static> Driver<'_, D> {
    /// Durable before it returns.
    pub(super) async fn suspend(&mut self) -> Ended {
        match self.try_suspend().await {
            Ok(()) => Ended::Suspended,
            Err(Exit::Latched(latched)) => Ended::Latched(latched),
            Err(Exit::Close(status, why)) => self.close(status, why, None).await,
            Err(Exit::Suspend) => Ended::Latched(self.journal.latch("a suspension cannot suspend")),
        }
    }

    async fn try_suspend(&mut self) -> Result<(), Exit> {
        self.enough_overseers()?;
        let issued_at = self.journal.now();
        let waits = std::mem::take(&mut self.header().waits);
        let mut tokens = Vec::new();
        let mut waiting = Vec::with_capacity(waits.len());
        for mut wait in waits {
            for slot in 0..u32::from(wait.approvers) {
                let token = self.issue(&wait, slot, issued_at)?;
                wait.tokens.push(token.as_str().to_owned());
                tokens.push((token, wait.index, wait.reason, wait.case.question.clone()));
            }
            waiting.push(wait);
        }
        self.header().waits = waiting;
        self.note_elapsed();
        self.state.header.chain = Some(self.journal.recorder()?.state().clone());
        let (snapshot, snapshot_hash) = self.journal.seal_piece(&self.state.header, &self.state.messages)?;
        self.journal.progress(Progress::Replace(snapshot));
        let epoch = self.journal.epoch();
        for (token, index, reason, question) in tokens {
            let claims = token.claims();
            let step = self.step(0);
            // Not before its token, should the clock have been set back.
            let step = Step { started_at: step.started_at.max(issued_at), ..step };
            let span = OversightSuspend {
                epoch,
                expires_at: claims.expires_at,
                of: claims.of,
                reason,
                slot: claims.slot,
                snapshot_hash,
                token_hash: token.hash(),
                args_hash: Some(claims.args_hash),
                call_index: Some(index),
                tool: Some(claims.tool.clone()),
            };
            match question {
                None => self.journal.record(step, span, None)?,
                Some(question) => {
                    self.journal.record_content(step, span, json!({ "question": question }))?;
                }
            }
            self.timeline.suspended(step, claims.tool.as_str(), &self.journal);
            let expires_at_unix_ms = claims.expires_at.as_millis();
            self.journal.token(IssuedToken { token_hash: token.hash(), expires_at_unix_ms });
        }
        self.journal.sign_suspend(self.deployment.signer())?;
        self.journal.suspended();
        self.journal.flush().await?;
        Ok(())
    }

    /// Silence is a denial, and so is a case that nobody could ever decide.
    fn enough_overseers(&self) -> Result<(), Exit> {
        let registry = self.deployment.overseers();
        let principal = &self.state.header.run.common.principal;
        for wait in &self.state.header.waits {
            let able = registry.all().filter(|overseer| {
                overseer.alias != *principal
                    && wait.trainings.iter().all(|training| overseer.trainings.contains(training))
                    && wait
                        .may_approve
                        .as_ref()
                        .is_none_or(|who| who.iter().any(|w| w == overseer.alias.as_str()))
            });
            let able = able.count();
            if able < usize::from(wait.approvers) {
                let why = format!(
                    "`{}` needs {} approver(s), and the registry has {able} who may decide and hold the training",
                    wait.tool, wait.approvers
                );
                // A call whose end is not known stays so, though there is nobody to ask.
                let waits = &self.state.header.waits;
                let in_doubt = waits.iter().any(|wait| wait.reason == SuspendReason::InDoubt);
                let status = if in_doubt { RunStatus::InDoubt } else { RunStatus::PolicyDenied };
                return Err(Exit::Close(status, why));
            }
        }
        Ok(())
    }

    fn issue(&mut self, wait: &Wait, slot: u32, issued_at: Timestamp) -> Result<Token, Exit> {
        let mut nonce = [0; 32];
        if let Err(error) = self.journal.random().fill(&mut nonce) {
            return Err(self.journal.latch(error.to_string()).into());
        }
        let deadline = wait.deadline_seconds.unwrap_or_else(|| self.deployment.approval_deadline().as_secs());
        let nanos = i128::try_from(issued_at.as_nanos()).unwrap_or(i128::MAX);
        let expires_at = Timestamp::from_nanos(nanos.saturating_add(i128::from(deadline) * 1_000_000_000));
        let expires_at = expires_at.map_err(|error| Exit::Latched(self.journal.latch(error.to_string())))?;
        let (count, chain_head) = self.journal.recorder()?.head();
        let registry_hash = match self.deployment.registry_hash() {
            Some(hash) => hash,
            None => return Err(self.journal.latch("the deployment has no registry of overseers").into()),
        };
        let header = &self.state.header;
        let run = &header.run;
        let claims = TokenClaims {
            origin: run.origin.clone(),
            run_id: self.journal.run_id(),
            segment: header.segment,
            // One case: its slots share its random salt.
            case_id: fuze_evidence::sha256(wait.case.salt.as_bytes()),
            slot,
            of: u32::from(wait.approvers),
            call_id: wait.execution,
            sequence: count.saturating_sub(1),
            chain_head,
            nonce: Base64UrlUnpadded::encode_string(&nonce),
            reason: wait.reason,
            tool: wait.tool.clone(),
            args_hash: wait.root,
            obligation: ObligationClaims {
                approvers: wait.approvers,
                may_approve: wait.may_approve.clone(),
                trainings: wait.trainings.clone(),
            },
            registry_hash,
            fingerprint: run.fingerprint,
            tenant: run.common.tenant.clone(),
            principal: run.common.principal.clone(),
            subject: run.common.subject.clone(),
            model: run.model_snapshot.clone(),
            art22: name(self.definition.art22)?,
            bundle_hash: Hash(self.gate.identity().bundle_hash),
            issued_at,
            expires_at,
            key_id: self.deployment.signer().key_id(),
        };
        let token = Token::issue(claims, self.deployment.signer())
            .map_err(|error| Exit::Latched(self.journal.latch(error.to_string())))?;
        // A token that nobody could hand in again would leave the run waiting for ever.
        match token.as_str().len() {
            0..=MAX_TOKEN_BYTES => Ok(token),
            found => {
                let why = format!(
                    "the token of `{}` would have {found} bytes, expected at most {MAX_TOKEN_BYTES}: let the policy name \
                     fewer approvers and trainings",
                    wait.tool
                );
                Err(Exit::Close(RunStatus::PolicyDenied, why))
            }
        }
    }
}
