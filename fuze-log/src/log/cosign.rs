//! Asking witnesses about the newest checkpoint. Off the way of appends: a witness that is slow holds up nobody's run.

use std::fmt;
use std::sync::mpsc::sync_channel;

use super::Log;
use super::error::LogError;
use super::worker::Job;
use crate::note::{KeyName, Note};
use crate::witness::{WitnessClient, WitnessError};

/// What came of asking.
#[derive(Debug, Clone)]
#[must_use = "witnesses that refused are in it"]
pub struct Cosigning {
    /// The checkpoint with every cosignature that came.
    pub checkpoint: Note,
    /// Who cosigned.
    pub cosigned: Vec<KeyName>,
    /// Who did not, and why. A log that was rolled back or forked is seen here first.
    pub refused: Vec<CosignError>,
}

/// That a witness did not cosign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosignError {
    /// Which.
    pub witness: KeyName,
    /// Why.
    pub error: WitnessError,
}

impl fmt::Display for CosignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "witness `{}`: {}", self.witness, self.error)
    }
}

impl std::error::Error for CosignError {}

impl Log {
    /// Asks all `witnesses` at once about the newest checkpoint, and publishes what they sign. Blocks as long as the slowest;
    /// appends go on meanwhile.
    ///
    /// # Errors
    /// When the checkpoint cannot be read or written; what a witness says is in [`Cosigning::refused`].
    pub fn cosign(&self, witnesses: &[WitnessClient]) -> Result<Cosigning, LogError> {
        let mut checkpoint = self.checkpoint()?.note().clone();
        let asked = &checkpoint;
        let answers: Vec<_> = std::thread::scope(|scope| {
            let asking: Vec<_> = witnesses
                .iter()
                .map(|witness| scope.spawn(move || witness.cosign(asked, self.reader())))
                .collect();
            asking.into_iter().map(|thread| thread.join()).collect()
        });
        let (mut lines, mut cosigned, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for (witness, answer) in witnesses.iter().zip(answers) {
            let name = witness.vkey().name().clone();
            match answer {
                Ok(Ok(line)) => {
                    lines.push(line);
                    cosigned.push(name);
                }
                Ok(Err(error)) => refused.push(CosignError { witness: name, error }),
                Err(_) => {
                    let error = WitnessError::Answer("its transport panicked".into());
                    refused.push(CosignError { witness: name, error });
                }
            }
        }
        for line in &lines {
            checkpoint.add(line.clone()).map_err(crate::ReaderError::Note)?;
        }
        if !lines.is_empty() {
            let (reply, answer) = sync_channel(1);
            self.worker.send(Job::Cosigned {
                note: checkpoint.clone(),
                lines,
                // Nobody else waits for it.
                reply: Box::new(move |result| drop(reply.send(result))),
            })?;
            answer.recv().map_err(|_| LogError::Closed)??;
        }
        Ok(Cosigning { checkpoint, cosigned, refused })
    }
}
