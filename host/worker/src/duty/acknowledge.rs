//! Duty: acknowledges messages of tasks that run at most once, each just before it starts.
//!
//! At any time, at most one message per thread is acknowledged without running yet, so the tasks that are lost with a
//! killed worker had begun. Requests that arrive during one round trip share the next. If the answer is lost, the broker is
//! asked again until it answers: it knows what it acknowledged for whom. Meanwhile, nothing else of that queue is asked for. A
//! task whose message is not acknowledged does not start; the message is released. Must not know how a call runs.

use std::sync::Arc;
use std::time::Duration;

use chicory_queue::Settled;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

use crate::context::WorkerContext;
use crate::unacknowledged::Waiting;

/// How long after a question without an answer it is asked again.
const AGAIN: Duration = Duration::from_millis(100);
/// Maximum number of calls in one question that have not been asked for before.
const MOST: usize = 256;

/// A call whose message is to be acknowledged.
struct Asked {
    one: Waiting,
    /// Lets it be acknowledged while it does not run. Not held while an answer is missing, or a queue whose server does not
    /// answer would hold up all others.
    start: Option<OwnedSemaphorePermit>,
}

/// Acknowledges until nobody can ask anymore.
pub(crate) async fn acknowledge(
    context: Arc<WorkerContext>,
    mut waiting: mpsc::UnboundedReceiver<Waiting>,
) {
    let starts = Arc::new(Semaphore::new(context.config.threads.clamp(1, MOST)));
    let mut unanswered: Vec<Asked> = Vec::new();
    // Calls of queues that have unanswered ones.
    let mut behind: Vec<Waiting> = Vec::new();
    let mut again = Instant::now();
    loop {
        let mut batch = Vec::new();
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(again), if !unanswered.is_empty() => {
                batch.append(&mut unanswered);
            }
            first = waiting.recv() => {
                let Some(one) = first else { return };
                if has_queue_of(&unanswered, &one) {
                    behind.push(one);
                    continue;
                }
                let Ok(start) = Arc::clone(&starts).acquire_owned().await else { return };
                batch.push(Asked { one, start: Some(start) });
                while let Ok(start) = Arc::clone(&starts).try_acquire_owned()
                    && let Ok(one) = waiting.try_recv()
                {
                    if has_queue_of(&unanswered, &one) {
                        behind.push(one);
                    } else {
                        batch.push(Asked { one, start: Some(start) });
                    }
                }
            }
        }
        unanswered.extend(acknowledge_batch(&context, batch).await);
        again = Instant::now() + AGAIN;
        if !behind.is_empty() {
            let free = behind.extract_if(.., |one| !has_queue_of(&unanswered, one));
            free.for_each(|one| context.unacknowledged.ask(one));
        }
    }
}

fn has_queue_of(asked: &[Asked], one: &Waiting) -> bool {
    let queue = &one.attempt.lease().queue;
    asked
        .iter()
        .any(|other| other.one.attempt.lease().queue == *queue)
}

/// Asks for these, and starts what is acknowledged. Returns those that have no answer.
async fn acknowledge_batch(context: &WorkerContext, mut batch: Vec<Asked>) -> Vec<Asked> {
    let now = std::time::Instant::now();
    batch
        .retain(|Asked { one, .. }| !one.start.is_closed() && !one.attempt.lease_time.is_over(now));
    if batch.is_empty() {
        return batch;
    }
    // From here on its message may be acknowledged: then there is no lease that could be lost.
    for asked in &batch {
        asked.one.attempt.lease_time.ended();
    }
    let leases: Vec<_> = (batch.iter())
        .map(|asked| asked.one.attempt.lease().clone())
        .collect();
    let answer = context.connected.broker.acknowledge(&leases).await;
    let answers = context.note(answer);
    let answers = answers.unwrap_or_else(|| vec![Settled::Unreachable; batch.len()]);
    let mut unanswered = Vec::new();
    for (Asked { one, start }, answer) in batch.into_iter().zip(answers) {
        match answer {
            Settled::Applied => {
                one.attempt.acknowledged();
                // If the call was given up meanwhile, its attempt is released as one that had not begun.
                let _ = one.start.send(start);
            }
            Settled::Unreachable => unanswered.push(Asked { one, start: None }),
            // Dropped: it may not start.
            Settled::LeaseLost => {}
        }
    }
    unanswered
}
