//! Calls of tasks that run at most once, on their way to their acknowledgement.
//!
//! Must not know who acknowledges, nor when.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use chicory_queue::Outcome;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::attempt::Attempt;
use crate::attempt::call::Call;
use crate::attempt::runner::{Runnable, Running};
use crate::turn::TURN;

/// Where calls wait. There are no more of them than tasks that may run.
pub(crate) struct Unacknowledged(mpsc::UnboundedSender<Waiting>);

/// A call that waits until its message is acknowledged.
pub(crate) struct Waiting {
    pub(crate) attempt: Arc<Attempt>,
    /// Told once it may start; dropped if it may not. A permit that comes with it is free again when it has started.
    pub(crate) start: oneshot::Sender<Option<OwnedSemaphorePermit>>,
}

impl Unacknowledged {
    /// Returns it with its other end, for the duty that acknowledges.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Waiting>) {
        let (waiting, asked) = mpsc::unbounded_channel();
        (Self(waiting), asked)
    }

    /// Has a call wait for its acknowledgement.
    pub(crate) fn ask(&self, waiting: Waiting) {
        // Fails only when the worker has stopped.
        let _ = self.0.send(waiting);
    }

    /// A call of this attempt that begins once the message is acknowledged. Only for a lane, which it may occupy for a
    /// turn.
    pub(crate) fn call(
        &self,
        attempt: &Arc<Attempt>,
        task: Arc<dyn Runnable>,
        call: Call,
    ) -> Running {
        let (start, mut started) = oneshot::channel();
        let attempt = Arc::clone(attempt);
        self.ask(Waiting {
            attempt: Arc::clone(&attempt),
            start,
        });
        Box::pin(async move {
            let answered = match wait_here(&mut started) {
                Some(answer) => answer,
                None => started.await,
            };
            let Ok(start) = answered else {
                return Outcome::Interrupted.into();
            };
            attempt.begins();
            tracing::debug!(task_id = call.id(), "acknowledged, and started");
            let running = task.run(call);
            drop(start);
            running.await
        })
    }
}

/// Waits on the caller's thread, but not for longer than a turn: if the thread did something else meanwhile, the message
/// would be acknowledged while its task waits for its turn.
fn wait_here<T>(answer: &mut oneshot::Receiver<T>) -> Option<Result<T, oneshot::error::RecvError>> {
    let until = Instant::now() + TURN;
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        let polled = Pin::new(&mut *answer).poll(&mut Context::from_waker(&waker));
        if let Poll::Ready(answer) = polled {
            return Some(answer);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}

/// Wakes a thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
