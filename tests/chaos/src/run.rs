//! One run: everything is started, broken by the schedule, drained and accounted for.
//!
//! Must not judge: see `account`.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::account::{Evidence, Happened};
use crate::dice::Dice;
use crate::effects::Effects;
use crate::fault::Fault;
use crate::fleet::Fleet;
use crate::ground::{Ground, Kind};
use crate::launch::Launch;
use crate::left;
use crate::producer::{Producers, batches};
use crate::schedule::Planned;
use crate::task::Task;

/// What a run is to be.
#[derive(Debug, Clone)]
pub struct Terms {
    /// What keeps the queues.
    pub ground: Kind,
    /// What tasks, batches and schedule are drawn from.
    pub seed: u64,
    /// How long things break.
    pub seconds: u64,
    /// The number of tasks.
    pub tasks: usize,
    /// The number of workers.
    pub workers: usize,
    /// The longest from a fault's end to the next completed task.
    pub recovery: Duration,
    /// A folder for the workers' logs, with every detail.
    pub logs: Option<PathBuf>,
    /// How long a lease lasts, in milliseconds.
    pub lease_ms: u64,
    /// The setting `wait_replicas`.
    pub wait_replicas: u32,
    /// The program.
    pub program: PathBuf,
    /// What breaks when.
    pub schedule: Vec<Planned>,
}

/// Producers that enqueue side by side.
const PRODUCERS: usize = 2;
/// After the last fault, all tasks end within this time.
const DRAIN: Duration = Duration::from_mins(2);
/// Between two looks.
const PACE: Duration = Duration::from_millis(20);
/// Between two measurements of memory.
const MEASURE: Duration = Duration::from_secs(1);

/// Runs it.
pub fn run(terms: &Terms, tell: &dyn Fn(&str)) -> Evidence {
    let runtime = Runtime::new().expect("a runtime");
    let effects = Effects::start(&runtime).expect("a free port");
    let mut dice = Dice::new(terms.seed);
    let draw = |number| Task::draw(number, &mut dice);
    let tasks: Vec<Task> = (0..terms.tasks).map(draw).collect();
    let mut ground = terms.ground.start(&runtime, &terms.schedule);
    let launch = Arc::new(launch(terms, &*ground, &effects));
    let producers = Producers::default();
    let over = Duration::from_secs(terms.seconds);
    let deadline = Instant::now() + over + DRAIN;
    let mut stage = Stage {
        ground: &mut *ground,
        fleet: Fleet::start(Arc::clone(&launch), terms.workers),
        producers: producers.clone(),
        tell,
        measured: Instant::now(),
        down: Vec::new(),
    };
    let batches = batches(&tasks, over, &mut dice);
    let work = &|number| {
        let share: Vec<_> = batches.iter().skip(number).step_by(PRODUCERS).collect();
        producers.work(number, &launch, &effects.authority, &share, deadline);
    };
    let faults = std::thread::scope(|scope| {
        let working: Vec<_> = (0..PRODUCERS)
            .map(|number| scope.spawn(move || work(number)))
            .collect();
        let faults = stage.play(&terms.schedule);
        let ended = || working.iter().all(ScopedJoinHandle::is_finished);
        stage.watch_until(deadline, ended);
        faults
    });
    let url = stage.ground.direct_url();
    let ended = || {
        runtime
            .block_on(left::unfinished(&url))
            .is_ok_and(|count| count == 0)
    };
    stage.watch_until(deadline, ended);
    let taken = stage.fleet.stop();
    tell(&format!("drained and stopped in {taken:.1?}"));
    let left = runtime.block_on(left::look(&url, &tasks));
    Evidence {
        enqueued: producers.enqueued(),
        executions: effects.seen(),
        left: left.expect("the server is whole"),
        faults,
        journals: stage.fleet.journals(),
        complaints: stage.fleet.complaints.clone(),
        recovery: terms.recovery,
        ground: terms.ground,
        lease: Duration::from_millis(terms.lease_ms),
        tasks,
    }
}

/// The program for these terms. Only where clocks are moved do workers get clocks of their own.
fn launch(terms: &Terms, ground: &dyn Ground, effects: &Effects) -> Launch {
    let moved = |one: &Planned| one.fault.moves_a_workers_clock();
    let clocks = if terms.schedule.iter().any(moved) {
        terms.workers
    } else {
        0
    };
    Launch::new(terms, ground.url(), &effects.authority, clocks)
}

/// What is broken and watched.
struct Stage<'a> {
    ground: &'a mut dyn Ground,
    fleet: Fleet,
    producers: Producers,
    tell: &'a dyn Fn(&str),
    measured: Instant,
    /// Workers that are down on purpose.
    down: Vec<usize>,
}

impl Stage<'_> {
    /// Plays the schedule.
    fn play(&mut self, schedule: &[Planned]) -> Vec<Happened> {
        let mut start = Instant::now();
        let mut moments: Vec<(u64, bool, usize)> = Vec::new();
        for (index, one) in schedule.iter().enumerate() {
            moments.push((one.at_ms, true, index));
            moments.push((one.at_ms + one.lasts_ms, false, index));
        }
        // A fault of no length begins before it ends.
        moments.sort_by_key(|(at, begins, index)| (*at, *index, !begins));
        let mut happened: Vec<Option<Happened>> = vec![None; schedule.len()];
        for (at, begins, index) in moments {
            let then = start + Duration::from_millis(at);
            self.watch_until(then, || false);
            // Where servers took long to be whole again, the rest comes later.
            start += Instant::now().duration_since(then);
            let planned = schedule[index];
            if begins {
                (self.tell)(&planned.to_string());
                let begun = Instant::now();
                self.begin(planned);
                happened[index] = Some(Happened {
                    planned,
                    begun,
                    ended: begun,
                });
            } else {
                self.end(planned);
                if let Some(one) = &mut happened[index] {
                    one.ended = Instant::now();
                }
                if !planned.fault.is_of_processes() {
                    self.ground.until_whole();
                }
            }
        }
        happened.into_iter().flatten().collect()
    }

    fn begin(&mut self, planned: Planned) {
        let Planned { fault, seat, .. } = planned;
        match fault {
            Fault::ProducersKilled => self.producers.kill(),
            _ if fault.is_of_processes() => {
                self.down.extend(self.taken_down(fault, seat));
                self.fleet.begin(fault, seat);
            }
            _ => self.ground.begin(fault),
        }
    }

    fn end(&mut self, planned: Planned) {
        let Planned { fault, seat, .. } = planned;
        match fault {
            Fault::ProducersKilled => {}
            _ if fault.is_of_processes() => {
                self.fleet.end(fault, seat);
                let up = self.taken_down(fault, seat);
                self.down.retain(|seat| !up.contains(seat));
            }
            _ => self.ground.end(fault),
        }
    }

    /// The workers that end because of a fault.
    fn taken_down(&self, fault: Fault, seat: usize) -> Vec<usize> {
        match fault {
            Fault::AllWorkersKilled => (0..self.fleet.len()).collect(),
            Fault::WorkerKilled | Fault::WorkerReplaced => vec![seat],
            _ => Vec::new(),
        }
    }

    /// Looks after the workers until then, or until it is done.
    fn watch_until(&mut self, then: Instant, mut done: impl FnMut() -> bool) {
        loop {
            if self.measured.elapsed() > MEASURE {
                self.measured = Instant::now();
                self.fleet.look_after(&self.down);
            }
            let left = then.saturating_duration_since(Instant::now());
            if left.is_zero() || done() {
                return;
            }
            std::thread::sleep(left.min(PACE));
        }
    }
}
