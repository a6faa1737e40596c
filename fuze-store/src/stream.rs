//! A run's lines in the tables, one stream for each of its files.

/// One of a run's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Content,
    Keys,
    Records,
    Roots,
    /// Is there only if the run was anchored.
    Anchors,
}

/// In the order in which they are written: content and keys stand there before the records that name them.
pub(crate) const STREAMS: [Stream; 5] =
    [Stream::Content, Stream::Keys, Stream::Records, Stream::Roots, Stream::Anchors];

/// What an erasure leaves where a line was, or the rest of one: no line begins with it or ends in it.
pub(crate) const BLANK: u8 = b' ';

/// The position at which every stream has begun.
pub(crate) const FIRST: i64 = -1;

impl Stream {
    pub(crate) const fn file_name(self) -> &'static str {
        match self {
            Self::Content => "content.jsonl",
            Self::Keys => "keys.jsonl",
            Self::Records => "records.jsonl",
            Self::Roots => "roots.jsonl",
            Self::Anchors => "anchors.jsonl",
        }
    }

    /// The lines of the run `?1` from the position `?2` on, each with its position. What was erased leaves gaps, in the table as blanks.
    pub(crate) const fn query(self) -> &'static str {
        match self {
            Self::Content => {
                "SELECT CAST(rtrim(content) AS BLOB), position FROM contents
                 WHERE run = ?1 AND position >= ?2 AND substr(content, 1, 1) <> x'20' ORDER BY position"
            }
            Self::Keys => {
                "SELECT keys, -1 AS position FROM runs WHERE id = ?1 AND ?2 <= -1 AND keys <> x''
                 UNION ALL
                 SELECT CAST(rtrim(keys) AS BLOB), position FROM contents
                 WHERE run = ?1 AND position >= ?2 AND substr(keys, 1, 1) <> x'20'
                 ORDER BY position"
            }
            Self::Records => {
                "SELECT line, sequence FROM records WHERE run = ?1 AND sequence >= ?2 ORDER BY sequence"
            }
            Self::Roots => {
                "SELECT line, position FROM roots WHERE run = ?1 AND position >= ?2 ORDER BY position"
            }
            Self::Anchors => {
                "SELECT line, position FROM anchors WHERE run = ?1 AND position >= ?2 ORDER BY position"
            }
        }
    }
}
