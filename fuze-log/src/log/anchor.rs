//! The log as the place where runs are anchored.

use async_trait::async_trait;
use fuze_evidence::anchor::{Anchor, AnchorError, AnchorLine, Blinding, Prepared};
use fuze_evidence::{Hash, Name, SignedRoot, Timestamp};

use super::{Log, LogError};

impl From<LogError> for AnchorError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Busy { .. } => Self::Busy(error.to_string()),
            other => Self::Place(other.to_string()),
        }
    }
}

impl Log {
    async fn keep(&self, prepared: Prepared) -> Result<AnchorLine, AnchorError> {
        let index = self.append_async(prepared.leaf()).await?;
        let at = Timestamp::from_system_time(self.now()).map_err(|e| AnchorError::Place(e.to_string()))?;
        Ok(prepared.anchored(index, self.origin().clone(), at)?)
    }

    /// Anchors a line of an annex, given as the SHA-256 of its canonical octets. With the same blinding it is the same leaf: whoever
    /// keeps that first may ask again.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub async fn anchor_annex(&self, line: Hash, blinding: &Blinding) -> Result<AnchorLine, AnchorError> {
        self.keep(Prepared::annex(line, blinding)?).await
    }

    /// Anchors a line of a key history, as [`Log::anchor_annex`] does.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub async fn anchor_key(&self, line: Hash, blinding: &Blinding) -> Result<AnchorLine, AnchorError> {
        self.keep(Prepared::key(line, blinding)?).await
    }
}

#[async_trait]
impl Anchor for Log {
    fn origin(&self) -> &Name {
        self.origin()
    }

    fn public_key(&self) -> [u8; 32] {
        self.vkey().key().to_bytes()
    }

    async fn anchor_open(
        &self,
        root: &SignedRoot,
        deadline: Timestamp,
        blinding: &Blinding,
    ) -> Result<AnchorLine, AnchorError> {
        self.keep(Prepared::open(root, deadline, blinding)?).await
    }

    async fn anchor_close(&self, root: &SignedRoot, opened: &AnchorLine) -> Result<AnchorLine, AnchorError> {
        if opened.log() != self.origin() {
            return Err(AnchorError::Leaf(fuze_evidence::anchor::LeafError::Log {
                expected: opened.log().clone(),
                found: self.origin().clone(),
            }));
        }
        self.keep(Prepared::close(root, opened)?).await
    }
}
