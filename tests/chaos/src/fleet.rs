//! The workers of a run, each in its seat: killed, stopped and replaced as the schedule says.
//!
//! Must not know what tasks do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::fault::Fault;
use crate::launch::{DRAIN_SECONDS, Launch};
use crate::process::{Journal, Process};

/// How long a worker may take to end beyond the time for its drain.
const BEYOND: Duration = Duration::from_secs(5);

/// The workers.
#[derive(Debug)]
pub struct Fleet {
    launch: Arc<Launch>,
    seats: Vec<Process>,
    gone: Vec<Journal>,
    /// What went wrong with one, in words.
    pub complaints: Vec<String>,
}

impl Fleet {
    /// Starts this many.
    pub fn start(launch: Arc<Launch>, workers: usize) -> Self {
        let start = |seat| Process::start(launch.worker(seat), launch.log(seat, 0));
        Self {
            seats: (0..workers).map(start).collect(),
            launch,
            gone: Vec::new(),
            complaints: Vec::new(),
        }
    }

    /// Breaks the worker in `seat`.
    pub fn begin(&mut self, fault: Fault, seat: usize) {
        match fault {
            Fault::WorkerKilled => self.seats[seat].kill(),
            Fault::AllWorkersKilled => self.seats.iter_mut().for_each(Process::kill),
            Fault::WorkerStopped => self.seats[seat].signal(Signal::SIGSTOP),
            Fault::WorkerReplaced => self.seats[seat].signal(Signal::SIGTERM),
            Fault::AllClocksBehind => self.move_clocks(fault.moved_by()),
            _ => self.launch.move_clock(seat, fault.moved_by()),
        }
    }

    /// Makes it whole again.
    pub fn end(&mut self, fault: Fault, seat: usize) {
        match fault {
            Fault::WorkerStopped => self.seats[seat].signal(Signal::SIGCONT),
            Fault::WorkerKilled => self.replace(seat),
            Fault::AllWorkersKilled => (0..self.seats.len()).for_each(|seat| self.replace(seat)),
            Fault::WorkerReplaced => {
                self.drained(seat);
                self.replace(seat);
            }
            Fault::AllClocksBehind => self.move_clocks(0),
            _ => self.launch.move_clock(seat, 0),
        }
    }

    /// Notes how much memory each has, and replaces those that have ended by themselves.
    pub fn look_after(&mut self, expected_down: &[usize]) {
        for seat in 0..self.seats.len() {
            if expected_down.contains(&seat) {
                continue;
            }
            if let Some(status) = self.seats[seat].has_ended() {
                let last = self.last_words(seat);
                self.complaints.push(format!(
                    "worker {} ended by itself: {status}{last}",
                    seat + 1
                ));
                self.replace(seat);
            }
            self.seats[seat].measure();
        }
    }

    /// Asks all to stop, and waits for them; how long the slowest took.
    pub fn stop(&mut self) -> Duration {
        let begun = Instant::now();
        for process in &self.seats {
            process.signal(Signal::SIGTERM);
        }
        (0..self.seats.len()).for_each(|seat| self.drained(seat));
        begun.elapsed()
    }

    /// The number of workers.
    #[expect(clippy::len_without_is_empty, reason = "a fleet has workers")]
    pub fn len(&self) -> usize {
        self.seats.len()
    }

    /// What all of them have said and taken.
    pub fn journals(&self) -> Vec<Journal> {
        let mut journals = self.gone.clone();
        journals.extend(self.seats.iter().map(Process::journal));
        journals
    }

    fn move_clocks(&self, seconds: i64) {
        (0..self.seats.len()).for_each(|seat| self.launch.move_clock(seat, seconds));
    }

    fn drained(&mut self, seat: usize) {
        let patience = Duration::from_secs(DRAIN_SECONDS) + BEYOND;
        match self.seats[seat].ends_within(patience) {
            Some(status) if status.success() => {}
            Some(status) => {
                let last = self.last_words(seat);
                self.complaints
                    .push(format!("worker {} drained to {status}{last}", seat + 1));
            }
            None => {
                let last = self.last_words(seat);
                self.complaints.push(format!(
                    "worker {} did not end within {patience:?} after SIGTERM{last}",
                    seat + 1
                ));
                self.seats[seat].kill();
            }
        }
    }

    fn replace(&mut self, seat: usize) {
        self.seats[seat].kill();
        let log = self.launch.log(seat, self.gone.len() + 1);
        let next = Process::start(self.launch.worker(seat), log);
        let last = std::mem::replace(&mut self.seats[seat], next);
        self.gone.push(last.journal());
    }

    fn last_words(&self, seat: usize) -> String {
        let last = self.seats[seat].journal().last;
        last.iter().flat_map(|line| ["\n      ", line]).collect()
    }
}
