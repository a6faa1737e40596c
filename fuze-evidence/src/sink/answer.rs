//! One answer from a thread to a task, without an executor of a certain kind.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

struct State<T> {
    answer: Option<T>,
    /// Whoever would answer is gone.
    over: bool,
    waker: Option<Waker>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

/// Whoever answers, once; dropped without an answer, it says so.
pub(super) struct Asked<T>(Arc<Shared<T>>);

/// Whoever waits.
pub(super) struct Answer<T>(Arc<Shared<T>>);

pub(super) fn question<T>() -> (Asked<T>, Answer<T>) {
    let state = Mutex::new(State { answer: None, over: false, waker: None });
    let shared = Arc::new(Shared { state, changed: Condvar::new() });
    (Asked(Arc::clone(&shared)), Answer(shared))
}

impl<T> Asked<T> {
    pub(super) fn answer(self, answer: T) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).answer = Some(answer);
        // Dropping wakes.
    }
}

impl<T> Drop for Asked<T> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.over = true;
        let waker = state.waker.take();
        drop(state);
        self.0.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Answer<T> {
    /// Blocks the thread. `None`: nobody is left who could answer.
    pub(super) fn wait(self) -> Option<T> {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.changed.wait_while(state, |state| !state.over);
        waited.unwrap_or_else(PoisonError::into_inner).answer.take()
    }
}

impl<T> Future for Answer<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.over {
            return Poll::Ready(state.answer.take());
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}
