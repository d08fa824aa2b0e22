//! Decodes large messages, one at a time, on another thread, so the duties need not wait for it.
//!
//! Must not know what becomes of a message.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chicory_queue::{Delivery, Lease};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::alarm::watching;

/// The messages that are being decoded, or wait for it.
pub(crate) struct Decoding {
    turn: Arc<Semaphore>,
    tasks: TaskTracker,
}

/// A message that is to be decoded.
pub(crate) struct Undecoded {
    pub(crate) delivery: Delivery,
    /// Just before the broker was asked for it.
    pub(crate) asked: Instant,
    /// How often its lease is renewed while it waits.
    pub(crate) renewed_every: Duration,
}

/// What became of a lease that was to be renewed.
pub(crate) enum Renewed {
    /// Renewed, not before this time.
    At(Instant),
    /// The broker did not say.
    Unknown,
    /// Another worker has it.
    Lost,
}

impl Default for Decoding {
    fn default() -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            tasks: TaskTracker::new(),
        }
    }
}

impl Decoding {
    /// Decodes a delivery, then hands it on with the time for which its lease is known to be held. A panic cancels `broken`.
    pub(crate) fn decode<R, F>(
        &self,
        broken: CancellationToken,
        undecoded: Undecoded,
        renew: impl Fn(Lease) -> R + Send + 'static,
        hand_on: impl FnOnce(Delivery, Instant) -> F + Send + 'static,
    ) where
        R: Future<Output = Renewed> + Send,
        F: Future<Output = ()> + Send,
    {
        let turn = Arc::clone(&self.turn);
        self.tasks.spawn(async move {
            let Undecoded {
                mut delivery,
                mut asked,
                renewed_every,
            } = undecoded;
            let mut turn = pin!(turn.acquire_owned());
            let turn = loop {
                tokio::select! {
                    biased;
                    turn = &mut turn => break turn,
                    () = tokio::time::sleep(renewed_every) => {}
                }
                match renew(delivery.lease.clone()).await {
                    Renewed::At(time) => asked = time,
                    Renewed::Unknown => {}
                    Renewed::Lost => return,
                }
            };
            let decoded = spawn_blocking(move || {
                watching(broken, || delivery.decode());
                delivery
            });
            // This fails only while the runtime shuts down. The lease then expires.
            let Ok(delivery) = decoded.await else {
                return;
            };
            drop(turn);
            hand_on(delivery, asked).await;
        });
    }

    /// How many are not handed on yet.
    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Waits until all are handed on. No more may be added.
    pub(crate) async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    fn undecoded() -> Undecoded {
        let message = chicory_queue::TaskMessage::new("a.b");
        let lease = Lease {
            tenant: chicory_queue::TenantName::default(),
            queue: "q".into(),
            entry: "1-0".into(),
            consumer: "c".into(),
            acknowledged: false,
            reclaims: None,
            noted_id: None,
        };
        Undecoded {
            delivery: Delivery {
                lease,
                payload: chicory_queue::Payload::Encoded,
                raw: message.encode().into(),
                task_id: "m".into(),
                deliveries: 1,
            },
            asked: Instant::now(),
            renewed_every: Duration::from_millis(1),
        }
    }

    #[tokio::test]
    async fn the_lease_of_a_message_that_waits_is_renewed_until_it_is_lost() {
        for loses in [false, true] {
            let decoding = Decoding::default();
            let before = Arc::clone(&decoding.turn).acquire_owned().await;
            let (renewing, mut renewed) = mpsc::unbounded_channel();
            let (handing, mut handed) = mpsc::unbounded_channel();
            let broken = CancellationToken::new();
            let renew = move |lease: Lease| {
                let _ = renewing.send(lease.entry);
                let renewed = if loses {
                    Renewed::Lost
                } else {
                    Renewed::At(Instant::now())
                };
                std::future::ready(renewed)
            };
            let first = Instant::now();
            decoding.decode(broken, undecoded(), renew, async move |_, asked| {
                let _ = handing.send(asked);
            });
            assert_eq!(decoding.len(), 1);
            assert_eq!(renewed.recv().await.as_deref(), Some("1-0"));
            if !loses {
                renewed.recv().await.expect("again");
                drop(before);
            }
            decoding.finish().await;
            assert_eq!(
                handed.recv().await.is_some_and(|asked| asked > first),
                !loses
            );
            assert_eq!(decoding.len(), 0);
        }
    }
}
