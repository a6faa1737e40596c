//! Turning a panic inside foreign code into a value, wherever that code runs: while it is polled, and while it is dropped.

use std::any::Any;
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

/// Runs a future; a panic in it becomes its message. The future is dropped then, and never polled again.
// Nothing of the future is looked at after a panic, so its invariants do not matter any more.
pub(crate) async fn caught<F: Future + Unpin>(future: F) -> Result<F::Output, String> {
    let mut held = Held(Some(future));
    std::future::poll_fn(move |cx| {
        let Some(future) = held.0.as_mut() else { return Poll::Pending };
        match catch_unwind(AssertUnwindSafe(|| Pin::new(future).poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(message(panic))),
        }
    })
    .await
}

/// The same for code that does not wait, such as an author's own parsing of arguments.
pub(crate) fn caught_now<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(message)
}

/// A value of foreign code: what it does when it is dropped does not reach whoever drops it.
struct Held<T>(Option<T>);

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            discard(value);
        }
    }
}

fn discard<T>(value: T) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // A payload may panic in its turn; it is not worth the run.
        forget(panic);
    }
}

fn message(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    discard(panic);
    text.unwrap_or_else(|| "without a message".to_owned())
}
