//! Who waits in this process, and how they are woken.
//!
//! Must not change anything in the file. There may be one wake-up too many, but never one too few for a wait that was
//! registered before the file was checked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::sync::{mpsc, watch};

use super::changes::Changes;
use super::{promote, registry};
use crate::{Timestamp, Wake};

/// A subscriber that falls this far behind loses wake-ups; it also checks for itself.
const BACKLOG: usize = 64;

/// The waits of this process.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    waiting: AtomicUsize,
    ready: watch::Sender<()>,
    ended: Mutex<HashMap<String, watch::Sender<()>>>,
    promoters: Mutex<Vec<Promoter>>,
    watchers: Mutex<Vec<Watcher>>,
}

#[derive(Debug)]
struct Promoter {
    /// Each queue, with the due time that was last reported.
    queues: Vec<(Arc<str>, Option<Timestamp>)>,
    wakes: mpsc::Sender<Wake>,
}

/// A wait for changes of the registry.
#[derive(Debug)]
struct Watcher {
    /// The revision that was last reported; `None` before the first.
    told: Option<u64>,
    wakes: mpsc::Sender<()>,
}

impl Wakes {
    /// Counts as waiting until it is dropped: the file is only checked while someone waits.
    pub(super) fn waiting(self: &Arc<Self>) -> Waiting {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        Waiting(self.clone())
    }

    /// Changes when messages may have become ready.
    pub(super) fn ready(&self) -> watch::Receiver<()> {
        self.ready.subscribe()
    }

    /// Changes when the task may have a result.
    pub(super) fn ended(self: &Arc<Self>, task_id: &str) -> Ended {
        let changed = lock(&self.ended)
            .entry(task_id.to_owned())
            .or_default()
            .subscribe();
        Ended {
            changed,
            task_id: task_id.to_owned(),
            wakes: self.clone(),
            _waiting: self.waiting(),
        }
    }

    /// Wake-ups for a promoter.
    pub(super) fn promoter(&self, queues: &[Arc<str>]) -> mpsc::Receiver<Wake> {
        let (wakes, receiver) = mpsc::channel(BACKLOG);
        let queues = queues.iter().map(|queue| (queue.clone(), None)).collect();
        lock(&self.promoters).push(Promoter { queues, wakes });
        receiver
    }

    /// Wake-ups for a caller that watches the registry.
    pub(super) fn watcher(&self) -> mpsc::Receiver<()> {
        // One wake-up that has not been taken yet stands for all that follow.
        let (wakes, receiver) = mpsc::channel(1);
        lock(&self.watchers).push(Watcher { told: None, wakes });
        receiver
    }

    /// Reports a change made by this process.
    pub(super) fn tell(&self, changes: Changes) {
        if changes.ready {
            self.ready.send_replace(());
        }
        if !changes.ended.is_empty() {
            let ended = lock(&self.ended);
            for changed in changes.ended.iter().filter_map(|id| ended.get(id)) {
                changed.send_replace(());
            }
        }
        for wake in changes.due {
            for promoter in lock(&self.promoters).iter_mut() {
                promoter.tell(&wake);
            }
        }
        if let Some(revision) = changes.registry {
            self.tell_watchers(revision);
        }
    }

    fn tell_watchers(&self, revision: u64) {
        for watcher in lock(&self.watchers).iter_mut() {
            if watcher.told.replace(revision) != Some(revision) {
                let _ = watcher.wakes.try_send(());
            }
        }
    }

    /// Whether anyone would be woken.
    pub(super) fn somebody_waits(&self) -> bool {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            return true;
        }
        let mut promoters = lock(&self.promoters);
        promoters.retain(|promoter| !promoter.wakes.is_closed());
        let mut watchers = lock(&self.watchers);
        watchers.retain(|watcher| !watcher.wakes.is_closed());
        !promoters.is_empty() || !watchers.is_empty()
    }

    /// Wakes all waiters after another process wrote to the file; `SQLite` doesn't say what changed.
    pub(super) fn tell_all(&self, connection: &Connection) {
        self.ready.send_replace(());
        for changed in lock(&self.ended).values() {
            changed.send_replace(());
        }
        for promoter in lock(&self.promoters).iter_mut() {
            promoter.look(connection);
        }
        if lock(&self.watchers).is_empty() {
            return;
        }
        // If the file can't be read now, it is read at the next change, or by the watchers themselves.
        if let Ok(revision) = registry::revision(connection) {
            self.tell_watchers(revision);
        }
    }
}

impl Promoter {
    fn tell(&mut self, wake: &Wake) {
        for (queue, told) in &mut self.queues {
            if *queue == wake.queue {
                *told = Some(wake.due);
                let _ = self.wakes.try_send(wake.clone());
            }
        }
    }

    fn look(&mut self, connection: &Connection) {
        for (queue, told) in &mut self.queues {
            // If the file can't be read now, it is read at the next change, or by the promoter itself.
            let next = promote::next_of_queue(connection, queue).unwrap_or(*told);
            if next != *told {
                *told = next;
                if let Some(due) = next {
                    let queue = queue.clone();
                    let _ = self.wakes.try_send(Wake { queue, due });
                }
            }
        }
    }
}

/// Counts as a wait until it is dropped.
#[derive(Debug)]
pub(super) struct Waiting(Arc<Wakes>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A wait for a task's result.
#[derive(Debug)]
pub(super) struct Ended {
    changed: watch::Receiver<()>,
    task_id: String,
    wakes: Arc<Wakes>,
    _waiting: Waiting,
}

impl Ended {
    /// Returns once the task may have a result that was not there when this was last called.
    pub(super) async fn changed(&mut self) {
        // The sender stays as long as a receiver does.
        let _ = self.changed.changed().await;
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let mut ended = lock(&self.wakes.ended);
        if ended
            .get(&self.task_id)
            .is_some_and(|changed| changed.receiver_count() <= 1)
        {
            ended.remove(&self.task_id);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is kept here is valid after every step, so a panic elsewhere does not corrupt it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promoter_hears_of_the_earliest_of_its_own_queues() {
        let wakes = Wakes::default();
        let (mine, other): (Arc<str>, Arc<str>) = ("mine".into(), "other".into());
        let mut promoter = wakes.promoter(std::slice::from_ref(&mine));
        let mut changes = Changes::default();
        for (queue, micros) in [(&other, 1), (&mine, 7), (&mine, 5), (&mine, 9)] {
            changes.delayed(queue, Timestamp::from_micros(micros));
        }
        wakes.tell(changes);
        let due = Timestamp::from_micros(5);
        assert_eq!(promoter.try_recv(), Ok(Wake { queue: mine, due }));
        assert!(promoter.try_recv().is_err());
    }

    #[test]
    fn a_watcher_hears_of_each_revision_once() {
        let wakes = Wakes::default();
        let mut watcher = wakes.watcher();
        for (revision, told) in [(1, true), (1, false), (2, true), (3, true)] {
            wakes.tell_watchers(revision);
            assert_eq!(watcher.try_recv().is_ok(), told, "{revision}");
        }
    }

    #[test]
    fn a_wait_that_is_over_leaves_nothing_behind() {
        let wakes = Arc::new(Wakes::default());
        let (first, second) = (wakes.ended("m"), wakes.ended("m"));
        drop(first);
        assert_eq!(lock(&wakes.ended).len(), 1);
        drop(second);
        assert!(lock(&wakes.ended).is_empty());
        assert!(!wakes.somebody_waits());
    }
}
