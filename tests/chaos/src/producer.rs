//! Producers: they enqueue batches with the program, and try again with the same ids until it says that all is queued.
//!
//! Must not know workers.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::dice::Dice;
use crate::effects::now;
use crate::launch::Launch;
use crate::task::{QUEUES, Task};

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);
/// One of them runs within this time.
const RUNNING: Duration = Duration::from_secs(2);
/// What the program takes from its start to its batch, about.
const SENT: Duration = Duration::from_millis(8);
/// A producer that takes longer is killed, and its batch tried again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tasks that are enqueued together, and when.
#[derive(Debug, Clone)]
pub struct Batch {
    after: Duration,
    queue: &'static str,
    tasks: Vec<Task>,
}

/// What producers have done.
#[derive(Debug, Clone, Default)]
pub struct Enqueued {
    /// Ids that are queued for sure, as the program said.
    pub acknowledged: HashSet<String>,
    /// When each was sent first. It may have been queued from then on, whatever the program said.
    pub sent: HashMap<String, Instant>,
    /// Ids that were sent more than once, because the first try's end was not known to be good.
    pub sent_again: HashSet<String>,
    /// The queue of each id.
    pub queues: HashMap<String, &'static str>,
    /// When delayed tasks are due, in seconds since 1970.
    pub due: HashMap<String, f64>,
    /// How often the program ended with which code, and its last words. No code: it was killed.
    pub failures: BTreeMap<Option<i32>, (u64, String)>,
}

/// Producers at work.
#[derive(Debug, Clone, Default)]
pub struct Producers {
    done: Arc<Mutex<Enqueued>>,
    running: Arc<Mutex<Vec<u32>>>,
}

/// Deals tasks to batches that are spread evenly over the time.
pub fn batches(tasks: &[Task], over: Duration, dice: &mut Dice) -> Vec<Batch> {
    // About four batches a second.
    let mean = (tasks.len() as u64)
        .div_ceil(over.as_secs().max(1) * 4)
        .max(1);
    let mut batches = Vec::new();
    let mut rest = tasks;
    while !rest.is_empty() {
        let done = (tasks.len() - rest.len()) as f64 / tasks.len() as f64;
        let size = usize::try_from(dice.within(&(1..=mean * 2))).unwrap_or(1);
        let (batch, left) = rest.split_at(size.min(rest.len()));
        batches.push(Batch {
            after: over.mul_f64(done),
            queue: QUEUES[dice.below(QUEUES.len())],
            tasks: batch.to_vec(),
        });
        rest = left;
    }
    batches
}

impl Producers {
    /// Works off every batch of `batches` whose turn it is, until `deadline`.
    pub fn work(
        &self,
        number: usize,
        launch: &Launch,
        authority: &str,
        batches: &[&Batch],
        deadline: Instant,
    ) {
        let begun = Instant::now();
        let file = launch.path(&format!("batch-{number}.jsonl"));
        for batch in batches {
            std::thread::sleep(batch.after.saturating_sub(begun.elapsed()));
            self.write(&file, batch, authority);
            while !self.enqueues(launch, &file, batch) {
                if Instant::now() > deadline {
                    return;
                }
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// Kills the programs that enqueue, once there are any.
    pub fn kill(&self) {
        let begun = Instant::now();
        while lock(&self.running).is_empty() && begun.elapsed() < RUNNING {
            std::thread::sleep(Duration::from_millis(1));
        }
        // It may have sent its batch by then, or not.
        std::thread::sleep(SENT);
        for id in lock(&self.running).iter() {
            let _ = chicory_testing::signal(*id, Signal::SIGKILL);
        }
    }

    /// What has been done so far.
    pub fn enqueued(&self) -> Enqueued {
        lock(&self.done).clone()
    }

    fn write(&self, file: &Path, batch: &Batch, authority: &str) {
        let now = now();
        let mut lines = String::new();
        let mut done = lock(&self.done);
        for task in &batch.tasks {
            lines.push_str(&task.message(authority, now).to_string());
            lines.push('\n');
            done.sent.insert(task.id.clone(), Instant::now());
            done.queues.insert(task.id.clone(), batch.queue);
            if task.delay_ms > 0 {
                done.due.insert(task.id.clone(), task.due(now));
            }
        }
        drop(done);
        fs::write(file, lines).expect("the folder can be written to");
    }

    /// Whether the program said that the whole batch is queued.
    fn enqueues(&self, launch: &Launch, file: &Path, batch: &Batch) -> bool {
        let (code, said) = self.run(launch.enqueue(file, batch.queue));
        let ids = batch.tasks.iter().map(|task| task.id.clone());
        let mut done = lock(&self.done);
        if code == Some(0) {
            done.acknowledged.extend(ids);
            return true;
        }
        done.sent_again.extend(ids);
        let failures = done.failures.entry(code).or_default();
        failures.0 += 1;
        said.trim().clone_into(&mut failures.1);
        false
    }

    /// Runs a program; its code and what it said on standard error. Killed by us or too slow: no code.
    fn run(&self, mut command: Command) -> (Option<i32>, String) {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let id = child.id();
        lock(&self.running).push(id);
        let code = ends(&mut child);
        lock(&self.running).retain(|other| *other != id);
        let output = child.wait_with_output();
        let said = output.map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
        (code, said.unwrap_or_default())
    }
}

/// Waits for a program's end. Few lines are written, so that its pipe never fills.
fn ends(child: &mut Child) -> Option<i32> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return status.code();
        }
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
