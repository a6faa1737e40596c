//! Version 2: what can be searched for, anchors, the annex, and nothing that can be deleted without a line of the annex.

/// Whether the annex says that something of the run `$run` (the table's own number) was erased: `$what` of its content
/// (of all of it, or of the root that the row names), or its evidence as a whole.
macro_rules! explained {
    ($run:literal, $what:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM annex JOIN runs AS r ON r.run = annex.run WHERE r.id = ",
            $run,
            " AND annex.erases IN (",
            $what,
            ") AND (annex.root IS NULL OR annex.root = OLD.root))"
        )
    };
}

/// As above, where a statement about one content is not enough.
macro_rules! explained_whole {
    ($run:literal, $what:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM annex JOIN runs AS r ON r.run = annex.run WHERE r.id = ",
            $run,
            " AND annex.erases IN (",
            $what,
            ") AND annex.root IS NULL)"
        )
    };
}

/// A statement of the annex has to stand first: what it does not explain cannot go. `REPLACE` deletes without asking a trigger for
/// deletion, so each insertion is looked at too: what is there already is not written again.
pub(super) const V2: &str = concat!(
    "
CREATE TABLE summaries (
    run INTEGER PRIMARY KEY NOT NULL REFERENCES runs (id),
    tenant TEXT NOT NULL,
    subject TEXT,
    agent TEXT NOT NULL,
    opened TEXT NOT NULL CHECK (length(opened) = 30),
    closed TEXT CHECK (length(closed) = 30),
    status TEXT,
    CHECK ((closed IS NULL) = (status IS NULL))
) STRICT;
CREATE INDEX summaries_by_time ON summaries (opened, run);
CREATE INDEX summaries_by_tenant ON summaries (tenant, opened, run);
CREATE INDEX summaries_by_subject ON summaries (subject, opened, run) WHERE subject IS NOT NULL;
CREATE INDEX summaries_by_agent ON summaries (agent, opened, run);
CREATE INDEX summaries_by_status ON summaries (status, opened, run) WHERE status IS NOT NULL;
CREATE TRIGGER summaries_close_once BEFORE UPDATE ON summaries
WHEN OLD.closed IS NOT NULL OR NEW.run <> OLD.run OR NEW.tenant <> OLD.tenant OR NEW.subject IS NOT OLD.subject
  OR NEW.agent <> OLD.agent OR NEW.opened <> OLD.opened
BEGIN SELECT RAISE(ABORT, 'a summary changes once, when its run closes'); END;
CREATE TRIGGER summaries_once BEFORE INSERT ON summaries
WHEN EXISTS (SELECT 1 FROM summaries WHERE run = NEW.run)
BEGIN SELECT RAISE(ABORT, 'a summary is written once'); END;
CREATE TRIGGER summaries_keep BEFORE DELETE ON summaries
WHEN NOT ",
    explained_whole!("OLD.run", "'evidence'"),
    "
BEGIN SELECT RAISE(ABORT, 'nothing goes without a line of the annex'); END;

CREATE TABLE annex (
    tenant TEXT NOT NULL,
    sequence INTEGER NOT NULL CHECK (sequence >= 0),
    run TEXT CHECK (length(run) = 36),
    erases TEXT CHECK (erases IN ('content', 'evidence')),
    root BLOB CHECK (length(root) = 32),
    line BLOB NOT NULL,
    CHECK (erases IS NULL OR run IS NOT NULL),
    PRIMARY KEY (tenant, sequence)
) STRICT;
CREATE INDEX annex_of_run ON annex (run) WHERE run IS NOT NULL;
CREATE TRIGGER annex_follows BEFORE INSERT ON annex
WHEN NEW.sequence <> (SELECT ifnull(max(sequence) + 1, 0) FROM annex WHERE tenant = NEW.tenant)
  OR EXISTS (SELECT 1 FROM annex WHERE rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'the annex only grows'); END;
CREATE TRIGGER annex_stays BEFORE UPDATE ON annex
BEGIN SELECT RAISE(ABORT, 'the annex only grows'); END;
CREATE TRIGGER annex_keeps BEFORE DELETE ON annex
BEGIN SELECT RAISE(ABORT, 'the annex only grows'); END;

CREATE TABLE anchors (
    run INTEGER NOT NULL REFERENCES runs (id),
    position INTEGER NOT NULL CHECK (position >= 0),
    line BLOB NOT NULL,
    PRIMARY KEY (run, position)
) STRICT;
CREATE TRIGGER anchors_follow BEFORE INSERT ON anchors
WHEN NEW.position <> (SELECT ifnull(max(position) + 1, 0) FROM anchors WHERE run = NEW.run)
  OR EXISTS (SELECT 1 FROM anchors WHERE rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'anchors are only added'); END;
CREATE TRIGGER anchors_stay BEFORE UPDATE ON anchors
BEGIN SELECT RAISE(ABORT, 'an anchor never changes'); END;
CREATE TRIGGER anchors_keep BEFORE DELETE ON anchors
WHEN NOT ",
    explained_whole!("OLD.run", "'evidence'"),
    "
BEGIN SELECT RAISE(ABORT, 'nothing goes without a line of the annex'); END;

CREATE TRIGGER runs_once BEFORE INSERT ON runs
WHEN EXISTS (SELECT 1 FROM runs WHERE run = NEW.run OR id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'a run begins once'); END;
CREATE TRIGGER runs_stay BEFORE UPDATE OF id, run, keys, subject ON runs
WHEN NEW.id <> OLD.id OR NEW.run <> OLD.run OR NEW.subject IS NOT OLD.subject
  OR (NEW.keys <> OLD.keys AND NOT (NEW.keys = x'' AND ",
    explained_whole!("OLD.id", "'content', 'evidence'"),
    "))
BEGIN SELECT RAISE(ABORT, 'who and what a run is never changes'); END;
CREATE TRIGGER runs_keep BEFORE DELETE ON runs
BEGIN SELECT RAISE(ABORT, 'that a run was stays known'); END;

CREATE TRIGGER records_follow BEFORE INSERT ON records
WHEN NEW.sequence <> (SELECT ifnull(max(sequence) + 1, 0) FROM records WHERE run = NEW.run)
  OR EXISTS (SELECT 1 FROM records WHERE rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'records are only added'); END;
CREATE TRIGGER records_keep BEFORE DELETE ON records
WHEN NOT ",
    explained_whole!("OLD.run", "'evidence'"),
    "
BEGIN SELECT RAISE(ABORT, 'nothing goes without a line of the annex'); END;

CREATE TRIGGER roots_follow BEFORE INSERT ON roots
WHEN NEW.position <> (SELECT ifnull(max(position) + 1, 0) FROM roots WHERE run = NEW.run)
  OR EXISTS (SELECT 1 FROM roots WHERE rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'signed roots are only added'); END;
CREATE TRIGGER roots_keep BEFORE DELETE ON roots
WHEN NOT ",
    explained_whole!("OLD.run", "'evidence'"),
    "
BEGIN SELECT RAISE(ABORT, 'nothing goes without a line of the annex'); END;

CREATE TRIGGER contents_follow BEFORE INSERT ON contents
WHEN EXISTS (SELECT 1 FROM contents WHERE run = NEW.run AND (position >= NEW.position OR root = NEW.root))
  OR EXISTS (SELECT 1 FROM contents WHERE rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'content is only added'); END;
CREATE TRIGGER contents_stay BEFORE UPDATE ON contents
WHEN NEW.run <> OLD.run OR NEW.position <> OLD.position OR NEW.root <> OLD.root OR NOT ",
    explained!("OLD.run", "'content', 'evidence'"),
    "
BEGIN SELECT RAISE(ABORT, 'content changes only as the annex says'); END;
CREATE TRIGGER contents_keep BEFORE DELETE ON contents
WHEN NOT ",
    explained!("OLD.run", "'content', 'evidence'"),
    "
BEGIN SELECT RAISE(ABORT, 'nothing goes without a line of the annex'); END;

CREATE TRIGGER effects_keep BEFORE DELETE ON effects
BEGIN SELECT RAISE(ABORT, 'an effect stays in the ledger'); END;
CREATE TRIGGER effects_known BEFORE UPDATE OF run, exec_id ON effects
BEGIN SELECT RAISE(ABORT, 'an effect stays in the ledger'); END;
CREATE TRIGGER tokens_keep BEFORE DELETE ON tokens
BEGIN SELECT RAISE(ABORT, 'a token stays known'); END;
CREATE TRIGGER tokens_issued_once BEFORE INSERT ON tokens
WHEN NEW.claim_id IS NOT NULL OR EXISTS (SELECT 1 FROM tokens WHERE token_hash = NEW.token_hash OR rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'a token is issued once'); END;
"
);
