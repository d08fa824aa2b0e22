//! A connection on a thread of its own: blocking calls stay off the executor, and one writer per
//! process never waits for itself.
//!
//! Must not know what the work is.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::changes::Changes;
use super::fault::Fault;
use super::wakes::Wakes;
use crate::BrokerError;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Runs work on one connection, in the order it was requested. The thread ends with its last handle.
#[derive(Debug, Clone)]
pub(super) struct Thread {
    jobs: Sender<Job>,
    place: Arc<str>,
}

impl Thread {
    /// Starts the thread. Between jobs, `look` is called; it returns when it wants to be called again.
    pub(super) fn start(
        connection: Connection,
        place: Arc<str>,
        look: impl FnMut(&Connection) -> Option<Duration> + Send + 'static,
    ) -> Result<Self, BrokerError> {
        let (jobs, queue) = channel();
        std::thread::Builder::new()
            .name("sqlite".into())
            .spawn(move || serve(connection, &queue, look))
            .map_err(|error| BrokerError::Unavailable {
                place: place.to_string(),
                advice: Some("no thread could be started for its file"),
                source: error.into(),
            })?;
        Ok(Self { jobs, place })
    }

    /// Runs `work` outside a transaction.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, BrokerError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // A caller that no longer waits does not need the answer.
            let _ = reply.send(work(connection));
        });
        self.jobs.send(job).map_err(|_| BrokerError::Closed)?;
        let done = answer.await.map_err(|_| BrokerError::Closed)?;
        done.map_err(|fault| fault.at(&self.place))
    }

    /// Runs `work` in a transaction that holds the write lock from the start. Once committed, wakes those who wait for
    /// what it changed, whether or not the caller still listens.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        wakes: &Arc<Wakes>,
        work: impl FnOnce(&Transaction<'_>, &mut Changes) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, BrokerError> {
        let wakes = wakes.clone();
        self.run(move |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut changes = Changes::default();
            let value = work(&transaction, &mut changes)?;
            transaction.commit()?;
            wakes.tell(changes);
            Ok(value)
        })
        .await
    }

    /// Makes the thread call `look` now.
    pub(super) fn poke(&self) {
        // A thread that has ended has nothing to look at.
        let _ = self.jobs.send(Box::new(|_| ()));
    }
}

fn serve(
    mut connection: Connection,
    jobs: &Receiver<Job>,
    mut look: impl FnMut(&Connection) -> Option<Duration>,
) {
    loop {
        let next = match look(&connection) {
            None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(pause) => jobs.recv_timeout(pause),
        };
        match next {
            Ok(job) => job(&mut connection),
            Err(RecvTimeoutError::Timeout) => (),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
