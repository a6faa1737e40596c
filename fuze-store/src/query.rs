//! Searching runs by what their summaries say. Each filter has an index; pages are cut by a place in the order, not by a count.

use std::fmt;
use std::str::FromStr;

use fuze_agent::store::{RunState, StoreError};
use fuze_evidence::vocab::RunStatus;
use fuze_evidence::{Hash, Name, RunId, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use crate::error::{corrupt, sql};
use crate::rows::{state_name, state_of, unsigned};

/// Which runs to list. Filters that are not set let everything through; those that are set must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a query finds nothing until a store is asked"]
pub struct Query {
    run: Option<RunId>,
    tenant: Option<Name>,
    subject: Option<Name>,
    agent: Option<Name>,
    state: Option<RunState>,
    status: Option<RunStatus>,
    opened_from: Option<Timestamp>,
    opened_before: Option<Timestamp>,
    after: Option<Cursor>,
    limit: u32,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            run: None,
            tenant: None,
            subject: None,
            agent: None,
            state: None,
            status: None,
            opened_from: None,
            opened_before: None,
            after: None,
            limit: Self::PAGE,
        }
    }
}

impl Query {
    /// How many runs a page has, unless told.
    pub const PAGE: u32 = 100;
    /// The most that a page may have.
    pub const MAX_PAGE: u32 = 1000;

    /// Every run.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only this run.
    pub const fn run(mut self, run: RunId) -> Self {
        self.run = Some(run);
        self
    }

    /// Runs on behalf of `tenant`.
    pub fn tenant(mut self, tenant: Name) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Runs whose data subject has this alias.
    pub fn subject(mut self, alias: Name) -> Self {
        self.subject = Some(alias);
        self
    }

    /// Runs of the agent of this name.
    pub fn agent(mut self, agent: Name) -> Self {
        self.agent = Some(agent);
        self
    }

    /// Runs that stand so.
    pub const fn state(mut self, state: RunState) -> Self {
        self.state = Some(state);
        self
    }

    /// Runs that have closed like this.
    pub const fn status(mut self, status: RunStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Runs that were opened at this time or later.
    pub const fn opened_from(mut self, time: Timestamp) -> Self {
        self.opened_from = Some(time);
        self
    }

    /// Runs that were opened earlier than this.
    pub const fn opened_before(mut self, time: Timestamp) -> Self {
        self.opened_before = Some(time);
        self
    }

    /// Runs that come after the place where a page ended.
    pub const fn after(mut self, place: Cursor) -> Self {
        self.after = Some(place);
        self
    }

    /// At most this many runs: 100 unless told, 1 to 1000.
    pub const fn limit(mut self, runs: u32) -> Self {
        self.limit = match runs {
            0 => 1,
            1..=Self::MAX_PAGE => runs,
            _ => Self::MAX_PAGE,
        };
        self
    }
}

/// A place in the order of runs: by the time when they were opened, then by their id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    opened_at: Timestamp,
    run: RunId,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.opened_at, self.run)
    }
}

/// A text that is no [`Cursor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotACursor;

impl fmt::Display for NotACursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a place in a listing: a time, `/` and a run id, as the page before gave it")
    }
}

impl std::error::Error for NotACursor {}

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let (opened_at, run) = text.split_once('/').ok_or(NotACursor)?;
        Ok(Self {
            opened_at: opened_at.parse().map_err(|_| NotACursor)?,
            run: run.parse().map_err(|_| NotACursor)?,
        })
    }
}

/// A run in a listing. What its records say was not verified for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// On whose behalf.
    pub tenant: Name,
    /// The run's alias for its data subject.
    pub subject: Option<Name>,
    /// The agent's name.
    pub agent: Name,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it closed, and how.
    pub closed: Option<(Timestamp, RunStatus)>,
    /// Where it stands.
    pub state: RunState,
    /// Its epoch.
    pub epoch: u64,
    /// How many records it has, and the hash of the last.
    pub head: (u64, Hash),
    /// How many leaves it has in a transparency log.
    pub anchors: u64,
}

impl RunSummary {
    /// Its place in the order of runs.
    #[must_use]
    pub const fn cursor(&self) -> Cursor {
        Cursor { opened_at: self.opened_at, run: self.run }
    }
}

/// Some runs, and where the next page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The runs, in their order.
    pub runs: Vec<RunSummary>,
    /// For [`Query::after`], if there are more.
    pub next: Option<Cursor>,
}

const COLUMNS: &str =
    "SELECT runs.run, tenant, summaries.subject, agent, opened, closed, status, state, epoch, count, head,
    (SELECT count(*) FROM anchors WHERE anchors.run = runs.id)
    FROM summaries JOIN runs ON runs.id = summaries.run";

/// The statement and its parameters.
fn statement(query: &Query) -> (String, Vec<Value>) {
    let mut text = COLUMNS.to_owned();
    let mut values = Vec::new();
    let mut filter = |condition: &str, value: Option<String>| {
        let Some(value) = value else { return };
        text.push_str(if values.is_empty() { " WHERE " } else { " AND " });
        text.push_str(condition);
        values.push(Value::Text(value));
    };
    let name = |name: &Option<Name>| name.as_ref().map(ToString::to_string);
    filter("runs.run = ?", query.run.map(|run| run.to_string()));
    filter("tenant = ?", name(&query.tenant));
    filter("summaries.subject = ?", name(&query.subject));
    filter("agent = ?", name(&query.agent));
    filter("status = ?", query.status.map(|status| status.as_str().to_owned()));
    filter("state = ?", query.state.map(|state| state_name(state).to_owned()));
    filter("opened >= ?", query.opened_from.map(|time| time.to_string()));
    filter("opened < ?", query.opened_before.map(|time| time.to_string()));
    if let Some(Cursor { opened_at, run }) = query.after {
        filter("opened >= ?", Some(opened_at.to_string()));
        filter("(opened || '/' || runs.run) > ?", Some(Cursor { opened_at, run }.to_string()));
    }
    text.push_str(" ORDER BY opened, runs.run LIMIT ?");
    // One more than asked for, to know whether there are more.
    values.push(Value::Integer(i64::from(query.limit) + 1));
    (text, values)
}

/// The runs that `query` asks for.
pub(crate) fn page(connection: &Connection, query: &Query) -> Result<Page, StoreError> {
    let (text, values) = statement(query);
    let mut statement = connection.prepare_cached(&text).map_err(sql)?;
    let mut rows = statement.query(params_from_iter(values)).map_err(sql)?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next().map_err(sql)? {
        runs.push(summary(row)?);
    }
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let more = runs.len() > limit;
    runs.truncate(limit);
    let next = runs.last().filter(|_| more).map(RunSummary::cursor);
    Ok(Page { runs, next })
}

fn summary(row: &Row<'_>) -> Result<RunSummary, StoreError> {
    let text = |at: usize| row.get::<_, String>(at).map_err(sql);
    let optional = |at: usize| row.get::<_, Option<String>>(at).map_err(sql);
    let number = |at: usize| row.get::<_, i64>(at).map_err(sql).and_then(unsigned);
    let closed = match (optional(5)?, optional(6)?) {
        (Some(at), Some(status)) => Some((read("a time", &at)?, read("a status", &status)?)),
        _ => None,
    };
    Ok(RunSummary {
        run: read("a run id", &text(0)?)?,
        tenant: read("a name", &text(1)?)?,
        subject: optional(2)?.map(|alias| read("a name", &alias)).transpose()?,
        agent: read("a name", &text(3)?)?,
        opened_at: read("a time", &text(4)?)?,
        closed,
        state: state_of(&text(7)?)?,
        epoch: number(8)?,
        head: (number(9)?, Hash(row.get(10).map_err(sql)?)),
        anchors: number(11)?,
    })
}

fn read<T: FromStr>(what: &str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| corrupt(format!("a summary has `{text}` for {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    /// Each filter is answered by an index, in order, without sorting all runs.
    #[test]
    fn no_filter_walks_over_all_runs() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::create(&mut connection).unwrap();
        let name = || Name::new("somebody").unwrap();
        let time = Timestamp::from_nanos(1_795_294_256_123_456_789).unwrap();
        for (query, index) in [
            (Query::new(), "summaries_by_time"),
            (Query::new().opened_from(time), "summaries_by_time"),
            (Query::new().opened_before(time), "summaries_by_time"),
            (Query::new().tenant(name()), "summaries_by_tenant"),
            (Query::new().tenant(name()).opened_from(time), "summaries_by_tenant"),
            (Query::new().subject(name()), "summaries_by_subject"),
            (Query::new().agent(name()), "summaries_by_agent"),
            (Query::new().status(RunStatus::Completed), "summaries_by_status"),
        ] {
            let (text, values) = statement(&query);
            let plan: Vec<String> = connection
                .prepare(&format!("EXPLAIN QUERY PLAN {text}"))
                .unwrap()
                .query_map(params_from_iter(values), |row| row.get(3))
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            let first = plan.first().unwrap();
            assert!(first.contains(index), "{query:?}: {plan:?}");
        }
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let text = "2026-11-21T20:50:56.123456789Z/01a1ffe0-5b80-72ec-8aea-5ec1eadfffe1";
        assert_eq!(text.parse::<Cursor>().unwrap().to_string(), text);
        for wrong in [
            "",
            "2026-11-21T20:50:56.123456789Z",
            "2026-11-21T20:50:56Z/01a1ffe0-5b80-72ec-8aea-5ec1eadfffe1",
        ] {
            assert_eq!(wrong.parse::<Cursor>(), Err(NotACursor), "{wrong}");
        }
    }
}
