//! Decodes large messages, one at a time, on another thread, so the duties need not wait for it.
//!
//! Must not know what becomes of a message.

use std::sync::Arc;

use chicory_queue::Delivery;
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

impl Default for Decoding {
    fn default() -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            tasks: TaskTracker::new(),
        }
    }
}

impl Decoding {
    /// Decodes a delivery, then hands it on. A panic cancels `broken`.
    pub(crate) fn decode<F: Future<Output = ()> + Send>(
        &self,
        broken: CancellationToken,
        mut delivery: Delivery,
        hand_on: impl FnOnce(Delivery) -> F + Send + 'static,
    ) {
        let turn = Arc::clone(&self.turn);
        self.tasks.spawn(async move {
            let turn = turn.acquire_owned().await;
            let decoded = spawn_blocking(move || {
                watching(broken, || delivery.decode());
                delivery
            });
            // This fails only while the runtime shuts down. The lease then expires.
            let Ok(delivery) = decoded.await else {
                return;
            };
            drop(turn);
            hand_on(delivery).await;
        });
    }

    /// Waits until all are handed on. No more may be added.
    pub(crate) async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
