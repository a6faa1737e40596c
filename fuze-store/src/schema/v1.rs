//! Version 1, as it was. Never changed: files of this version are compared with it.

/// The triggers repeat, inside the database, what must hold whoever writes: records and roots never change, an epoch never
/// falls, a closed run never reopens, a claimed token stays claimed, an effect never goes back.
pub(super) const V1: &str = "
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL UNIQUE CHECK (length(run) = 36),
    epoch INTEGER NOT NULL CHECK (epoch >= 1),
    state TEXT NOT NULL CHECK (state IN ('running', 'suspended', 'closed')),
    stop TEXT CHECK (stop IN ('operator', 'abort')),
    count INTEGER NOT NULL CHECK (count >= 1),
    head BLOB NOT NULL CHECK (length(head) = 32),
    keys BLOB NOT NULL,
    subject TEXT,
    projected INTEGER NOT NULL DEFAULT 0 CHECK (projected IN (0, 1))
) STRICT;
CREATE INDEX runs_to_project ON runs (id) WHERE projected = 0;
CREATE TRIGGER runs_go_forward BEFORE UPDATE OF epoch, state, count ON runs
WHEN NEW.epoch < OLD.epoch OR NEW.count < OLD.count OR (OLD.state = 'closed' AND NEW.state <> 'closed')
BEGIN SELECT RAISE(ABORT, 'a run never goes back'); END;

CREATE TABLE records (
    run INTEGER NOT NULL REFERENCES runs (id),
    sequence INTEGER NOT NULL CHECK (sequence >= 0),
    line BLOB NOT NULL,
    PRIMARY KEY (run, sequence)
) STRICT;
CREATE TRIGGER records_stay BEFORE UPDATE ON records
BEGIN SELECT RAISE(ABORT, 'a record never changes'); END;

CREATE TABLE contents (
    run INTEGER NOT NULL REFERENCES runs (id),
    position INTEGER NOT NULL CHECK (position >= 0),
    root BLOB NOT NULL CHECK (length(root) = 32),
    content BLOB NOT NULL,
    keys BLOB NOT NULL,
    PRIMARY KEY (run, position),
    UNIQUE (run, root)
) STRICT;

CREATE TABLE roots (
    run INTEGER NOT NULL REFERENCES runs (id),
    position INTEGER NOT NULL CHECK (position >= 0),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    line BLOB NOT NULL,
    PRIMARY KEY (run, position)
) STRICT;
CREATE TRIGGER roots_stay BEFORE UPDATE ON roots
BEGIN SELECT RAISE(ABORT, 'a signed root never changes'); END;

CREATE TABLE progress (
    run INTEGER NOT NULL REFERENCES runs (id),
    position INTEGER NOT NULL CHECK (position >= 0),
    sequence INTEGER NOT NULL CHECK (sequence >= 0),
    epoch INTEGER NOT NULL CHECK (epoch >= 1),
    bytes BLOB NOT NULL,
    PRIMARY KEY (run, position)
) STRICT;

CREATE TABLE effects (
    run INTEGER NOT NULL REFERENCES runs (id),
    exec_id BLOB NOT NULL CHECK (length(exec_id) = 32),
    state TEXT NOT NULL CHECK (state IN ('intent', 'started', 'in_doubt', 'done')),
    PRIMARY KEY (run, exec_id)
) STRICT;
CREATE TRIGGER effects_go_forward BEFORE UPDATE ON effects
WHEN NEW.state = 'intent' AND OLD.state <> 'intent'
  OR NEW.state = 'started' AND OLD.state <> 'intent'
  OR NEW.state = 'in_doubt' AND OLD.state <> 'started'
  OR OLD.state = 'done'
BEGIN SELECT RAISE(ABORT, 'an effect never goes back'); END;

CREATE TABLE tokens (
    token_hash BLOB PRIMARY KEY NOT NULL CHECK (length(token_hash) = 32),
    run INTEGER NOT NULL REFERENCES runs (id),
    epoch INTEGER NOT NULL CHECK (epoch >= 1),
    expires_at_ms INTEGER NOT NULL,
    claim_id BLOB CHECK (length(claim_id) = 16),
    claimed_at_ms INTEGER,
    CHECK ((claim_id IS NULL) = (claimed_at_ms IS NULL))
) STRICT;
CREATE INDEX tokens_of_run ON tokens (run);
CREATE TRIGGER tokens_once BEFORE UPDATE ON tokens WHEN OLD.claim_id IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a token is claimed once'); END;
";
