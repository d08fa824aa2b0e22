//! Wake-ups: told at once within the process, found by looking at the file for other processes' changes.
//!
//! Must not change anything in the file. A wake-up may be one too many, never one too few for those
//! who registered before they looked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{mpsc, watch};

use super::{promote, registry};
use crate::{Timestamp, Wake};

/// How often the file is looked at while somebody waits, and after a long time without a change.
const LOOK: Duration = Duration::from_millis(4);
const LOOK_RARELY: Duration = Duration::from_millis(20);
const QUIET: Duration = Duration::from_secs(30);

/// A subscriber that is so far behind loses wake-ups; it looks by itself as well.
const BACKLOG: usize = 64;

/// What a transaction changed that somebody may wait for.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Messages became ready.
    pub(super) ready: bool,
    /// The earliest message delayed, per queue.
    pub(super) due: Vec<Wake>,
    /// Tasks that have a result now.
    pub(super) ended: Vec<String>,
    /// The registry's revision, where it is a new one.
    pub(super) registry: Option<u64>,
}

impl Changes {
    /// Notes a delayed message.
    pub(super) fn delayed(&mut self, queue: &Arc<str>, due: Timestamp) {
        match self.due.iter_mut().find(|wake| wake.queue == *queue) {
            Some(wake) => wake.due = wake.due.min(due),
            None => self.due.push(Wake {
                queue: queue.clone(),
                due,
            }),
        }
    }
}

/// Those who wait, in this process.
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
    /// Each queue, with the due time last told of.
    queues: Vec<(Arc<str>, Option<Timestamp>)>,
    wakes: mpsc::Sender<Wake>,
}

/// Somebody who watches the registry.
#[derive(Debug)]
struct Watcher {
    /// The revision last told of; none before the first.
    told: Option<u64>,
    wakes: mpsc::Sender<()>,
}

impl Wakes {
    /// Counts as waiting until it is dropped: only then is the file looked at.
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

    /// Wake-ups for somebody who watches the registry.
    pub(super) fn watcher(&self) -> mpsc::Receiver<()> {
        // One wake-up that was not taken yet stands for all that follow.
        let (wakes, receiver) = mpsc::channel(1);
        lock(&self.watchers).push(Watcher { told: None, wakes });
        receiver
    }

    /// Tells of a change made by this process.
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

    fn somebody_waits(&self) -> bool {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            return true;
        }
        let mut promoters = lock(&self.promoters);
        promoters.retain(|promoter| !promoter.wakes.is_closed());
        let mut watchers = lock(&self.watchers);
        watchers.retain(|watcher| !watcher.wakes.is_closed());
        !promoters.is_empty() || !watchers.is_empty()
    }

    /// Tells of a change made by another process: which, nobody says.
    fn tell_all(&self, connection: &Connection) {
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
        // A file that can't be read now is read at the next change, or by those who watch.
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
            // A file that can't be read now is read at the next change, or by the promoter itself.
            let next = promote::next_due(connection, queue).unwrap_or(*told);
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

/// Looks for changes that other processes made, by the writer's connection: there, the file's data
/// version changes by others' commits only.
#[derive(Debug)]
pub(super) struct FileWatch {
    wakes: Arc<Wakes>,
    version: i64,
    looked: Option<Instant>,
    quiet_since: Instant,
}

impl FileWatch {
    /// Watches for those who wait.
    pub(super) fn new(wakes: Arc<Wakes>) -> Self {
        Self {
            wakes,
            version: 0,
            looked: None,
            quiet_since: Instant::now(),
        }
    }

    /// Looks if it is time to; says when it is time again, or nothing while nobody waits.
    pub(super) fn look(&mut self, connection: &Connection) -> Option<Duration> {
        if !self.wakes.somebody_waits() {
            self.quiet_since = Instant::now();
            return None;
        }
        let pause = if self.quiet_since.elapsed() > QUIET {
            LOOK_RARELY
        } else {
            LOOK
        };
        if let Some(passed) = self.looked.map(|looked| looked.elapsed())
            && passed < pause
        {
            return pause.checked_sub(passed);
        }
        self.looked = Some(Instant::now());
        if self.version_changed(connection) {
            self.quiet_since = Instant::now();
            self.wakes.tell_all(connection);
        }
        Some(pause)
    }

    fn version_changed(&mut self, connection: &Connection) -> bool {
        let version = connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)));
        match version {
            Ok(version) => std::mem::replace(&mut self.version, version) != version,
            // Those who wait ask the file themselves, and get the error.
            Err(_) => true,
        }
    }
}

/// Somebody waits.
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
    /// Until the task may have a result that was not there when this was last called.
    pub(super) async fn changed(&mut self) {
        // The sender stays while a receiver does.
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
    // What is kept here is valid after every step, so a panic elsewhere does not spoil it.
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
    fn the_file_is_left_alone_while_nobody_waits() {
        let wakes = Arc::new(Wakes::default());
        let file = Connection::open_in_memory().expect("a file");
        let mut watch = FileWatch::new(wakes.clone());
        assert_eq!(watch.look(&file), None);
        let waiting = wakes.waiting();
        let promoter = wakes.promoter(&["q".into()]);
        let watcher = wakes.watcher();
        assert!(watch.look(&file).is_some());
        drop(waiting);
        assert!(watch.look(&file).is_some());
        drop(promoter);
        assert!(watch.look(&file).is_some());
        drop(watcher);
        assert_eq!(watch.look(&file), None);
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
