//! Looks at a directory now and then, on a thread that its caller owns.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Reload, Reloading};
use crate::agent_tool::LoadError;

/// Looks at a directory of policies at most every so often.
///
/// What changed is taken when two looks in a row saw the same bytes: a file that is being written may well be a policy by itself, with
/// the rules missing that deny.
///
/// ```no_run
/// use std::ops::ControlFlow;
/// use std::sync::Arc;
/// use std::time::Duration;
/// use fuze_policy::reload::{Reloading, Watcher};
///
/// let engine = Arc::new(Reloading::load("policies")?);
/// let mut watcher = Watcher::new(Arc::clone(&engine), Duration::from_secs(10));
/// std::thread::spawn(move || {
///     watcher.watch(|seen| {
///         if let Err(problems) = seen {
///             eprintln!("the policies from before stay in force:\n{problems}");
///         }
///         ControlFlow::Continue(())
///     });
/// });
/// # Ok::<(), fuze_policy::agent_tool::LoadError>(())
/// ```
#[derive(Debug)]
pub struct Watcher {
    engine: Arc<Reloading>,
    every: Duration,
    /// When to look again. `None`: at once.
    next: Option<Instant>,
    /// What stood there at the last look and is not in force.
    seen: Option<[u8; 32]>,
}

impl Watcher {
    /// Looks at most once in `every`.
    #[must_use]
    pub fn new(engine: Arc<Reloading>, every: Duration) -> Self {
        Self { engine, every, next: None, seen: None }
    }

    /// Looks, if it is time to at `now`; `None` if it is not.
    pub fn look(&mut self, now: Instant) -> Option<Result<Reload, LoadError>> {
        if self.next.is_some_and(|next| now < next) {
            return None;
        }
        self.next = now.checked_add(self.every);
        Some(self.look_at_once())
    }

    fn look_at_once(&mut self) -> Result<Reload, LoadError> {
        let before = self.seen.take();
        let engine = Arc::clone(&self.engine);
        let _one_at_a_time = engine.looking();
        let read = engine.read()?;
        if !engine.is_in_force(&read) {
            self.seen = Some(read.hash);
            if before != Some(read.hash) {
                return Ok(Reload::Settling);
            }
        }
        engine.take(&read)
    }

    /// Looks again and again, and tells what came of it, until it is told to stop. The thread sleeps in between;
    /// [`Thread::unpark`](std::thread::Thread::unpark) wakes it to be told sooner.
    pub fn watch(&mut self, mut tell: impl FnMut(&Result<Reload, LoadError>) -> ControlFlow<()>) {
        loop {
            if let Some(seen) = self.look(Instant::now())
                && tell(&seen).is_break()
            {
                return;
            }
            thread::park_timeout(self.every);
        }
    }
}
