//! Version 3: erasures whose files are not yet in step, and what goes with a run's content besides.

/// Whether the annex says that all content of the run with the number `OLD.run`, or its evidence as a whole, was erased.
macro_rules! explained {
    ($what:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM annex JOIN runs AS r ON r.run = annex.run WHERE r.id = OLD.run AND annex.erases IN (",
            $what,
            ") AND annex.root IS NULL)"
        )
    };
}

/// A row of `unfinished` is written with the erasure and goes when the subject's key, the files and the write-ahead log have followed.
pub(super) const V3: &str = concat!(
    "
CREATE TABLE unfinished (
    run INTEGER PRIMARY KEY NOT NULL REFERENCES runs (id),
    subject TEXT
) STRICT;

DROP TRIGGER tokens_keep;
CREATE TRIGGER tokens_keep BEFORE DELETE ON tokens
WHEN NOT ",
    explained!("'content', 'evidence'"),
    "
BEGIN SELECT RAISE(ABORT, 'a token stays known'); END;
DROP TRIGGER effects_keep;
CREATE TRIGGER effects_keep BEFORE DELETE ON effects
WHEN NOT ",
    explained!("'evidence'"),
    "
BEGIN SELECT RAISE(ABORT, 'an effect stays in the ledger'); END;
"
);
