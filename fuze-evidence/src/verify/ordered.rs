//! Work on several threads whose results are taken in order, with so few pieces under way that memory does not grow.

use std::num::NonZeroUsize;
use std::sync::mpsc;
use std::thread;

/// How many pieces each thread may have: one that it works on, and one that waits so that the thread does not.
const PIECES_PER_THREAD: usize = 2;

/// Gives each piece of `next` to `work`, on one of `threads` threads, and then piece and result to `take`, in order and on this
/// thread. Ends where `take` fails, or with what `next` failed with, once everything before it was taken.
///
/// A single piece is worked on here: most runs are short, and a thread costs more than they do.
pub(super) fn in_order<P: Send, R: Send, S, E>(
    threads: NonZeroUsize,
    mut next: impl FnMut() -> Result<Option<P>, S>,
    work: impl Fn(&P) -> R + Sync,
    mut take: impl FnMut(P, R) -> Result<(), E>,
) -> Result<Result<(), S>, E> {
    let ahead = [next(), next()];
    let several = matches!(ahead, [Ok(Some(_)), Ok(Some(_))]);
    let mut pieces = ahead.into_iter().chain(std::iter::from_fn(|| Some(next())));
    let mut next = || pieces.next().unwrap_or(Ok(None));
    if !several || threads.get() == 1 {
        loop {
            match next() {
                Ok(None) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
                Ok(Some(piece)) => {
                    let result = work(&piece);
                    take(piece, result)?;
                }
            }
        }
    }
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..threads.get())
            .map(|_| {
                let (give, given) = mpsc::channel::<P>();
                let (done, results) = mpsc::channel();
                let work = &work;
                scope.spawn(move || {
                    for piece in given {
                        let result = work(&piece);
                        if done.send((piece, result)).is_err() {
                            return;
                        }
                    }
                });
                (give, results)
            })
            .collect();
        let mut ended = None;
        let (mut given, mut taken) = (0, 0);
        loop {
            while ended.is_none() && given - taken < threads.get() * PIECES_PER_THREAD {
                match next() {
                    Ok(None) => ended = Some(Ok(())),
                    Err(error) => ended = Some(Err(error)),
                    Ok(Some(piece)) => {
                        if let Some((give, _)) = lanes.get(given % threads) {
                            // A lane is closed only by a panic in its thread, which the scope passes on.
                            drop(give.send(piece));
                        }
                        given += 1;
                    }
                }
            }
            if given == taken {
                return Ok(ended.unwrap_or(Ok(())));
            }
            match lanes.get(taken % threads).map(|(_, results)| results.recv()) {
                Some(Ok((piece, result))) => take(piece, result)?,
                // As above: the scope does not return.
                Some(Err(_)) | None => return Ok(Ok(())),
            }
            taken += 1;
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Gives 0, 1, 2 … up to `pieces`, fails then if `fails`, and stops taking at `stop`.
    fn check(threads: usize, pieces: usize, fails: bool, stop: usize) {
        let (mut given, mut taken, most) = (0, Vec::new(), AtomicUsize::new(0));
        let under_way = AtomicUsize::new(0);
        let result = in_order(
            NonZeroUsize::new(threads).unwrap(),
            || match given {
                n if n == pieces => {
                    if fails {
                        Err("source")
                    } else {
                        Ok(None)
                    }
                }
                n => {
                    given += 1;
                    most.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    Ok(Some(n))
                }
            },
            |piece| piece * piece,
            |piece, result| {
                under_way.fetch_sub(1, Ordering::SeqCst);
                assert_eq!(result, piece * piece);
                if piece == stop {
                    return Err("taken");
                }
                taken.push(piece);
                Ok(())
            },
        );
        let expected = if stop < pieces {
            Err("taken")
        } else if fails {
            Ok(Err("source"))
        } else {
            Ok(Ok(()))
        };
        assert_eq!(result, expected, "{threads} {pieces} {fails} {stop}");
        assert_eq!(taken, (0..pieces.min(stop)).collect::<Vec<_>>());
        assert!(most.into_inner() <= (threads * PIECES_PER_THREAD).max(2));
    }

    #[test]
    fn results_come_in_order_and_few_are_under_way() {
        for threads in 1..5 {
            for pieces in [0, 1, 2, 3, 7, 50] {
                for fails in [false, true] {
                    for stop in [0, 1, 5, usize::MAX] {
                        check(threads, pieces, fails, stop);
                    }
                }
            }
        }
    }
}
