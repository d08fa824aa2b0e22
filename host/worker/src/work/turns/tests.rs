//! The order of turns, with a simulated clock and simulated threads. Times are in microseconds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Account, FORGIVEN, LONG, Level, SHARE, TURN, Turns};

const SLICE: u64 = 2000;
const LOWER_SHARE: u64 = 8;

#[test]
fn the_simulation_has_the_same_turns() {
    assert_eq!(TURN, Duration::from_micros(SLICE));
    assert_eq!(u64::from(SHARE), LOWER_SHARE);
}

/// A call of a simulated worker.
#[derive(Debug, Clone)]
struct Call {
    arrives: u64,
    computes: u64,
    /// Known to be short.
    short: bool,
}

/// When each call started and ended.
#[derive(Debug, Default)]
struct History {
    started: BTreeMap<usize, u64>,
    ended: BTreeMap<usize, u64>,
    /// The longest time that any call waited for a turn.
    longest_wait: u64,
}

/// A worker in the simulation.
struct Simulation {
    start: Instant,
    calls: Vec<Call>,
    accounts: Vec<Account>,
    turns: Turns<usize>,
    /// When each call began to wait for a turn.
    since: Vec<u64>,
    /// Calls that arrive or continue later, each with its level.
    later: Vec<(u64, Level, usize)>,
    history: History,
}

impl Simulation {
    fn new(threads: usize, calls: Vec<Call>) -> Self {
        let start = Instant::now();
        let later = calls.iter().enumerate();
        Self {
            start,
            accounts: vec![Account::new(Duration::ZERO, start); calls.len()],
            turns: Turns::new(threads),
            since: vec![0; calls.len()],
            later: later
                .map(|(at, call)| {
                    let level = if call.short {
                        Level::First
                    } else {
                        Level::Short
                    };
                    (call.arrives, level, at)
                })
                .collect(),
            calls,
            history: History::default(),
        }
    }

    /// Runs all calls to completion on `threads` threads of each kind, one turn at a time, as if each had its own
    /// processor.
    fn run(mut self, threads: usize) -> History {
        // When each becomes free, and whether it is at work until then.
        let mut seats = vec![(0, false); 2 * threads];
        while self.history.ended.len() < self.calls.len() {
            let seat = (0..seats.len()).min_by_key(|&seat| seats[seat].0).unwrap();
            let now = seats[seat].0;
            seats[seat].1 = false;
            self.arrivals(now);
            let busy = seats.iter().filter(|(_, busy)| *busy).count();
            let next = if seat < threads {
                self.turns.next_first()
            } else {
                self.turns.next_lower(self.at(now), busy < threads)
            };
            seats[seat] = match next {
                Some(call) => (self.turn(call, now), true),
                None => (now + 100, false),
            };
        }
        self.history
    }

    fn at(&self, now: u64) -> Instant {
        self.start + Duration::from_micros(now)
    }

    fn arrivals(&mut self, now: u64) {
        let mut due: Vec<_> = self.later.extract_if(.., |(at, ..)| *at <= now).collect();
        due.sort_unstable();
        for (at, level, call) in due {
            self.since[call] = at;
            self.turns.push(level, call);
        }
    }

    /// Gives a call its turn, and returns when it is over.
    fn turn(&mut self, call: usize, now: u64) -> u64 {
        let history = &mut self.history;
        history.longest_wait = history.longest_wait.max(now - self.since[call]);
        history.started.entry(call).or_insert(now);
        let slice = self.calls[call].computes.min(SLICE);
        self.calls[call].computes -= slice;
        let end = now + slice;
        let at = self.at(end);
        self.accounts[call].add(Duration::from_micros(slice), at);
        if self.calls[call].computes == 0 {
            self.history.ended.insert(call, end);
        } else {
            let level = self.accounts[call].yielded();
            self.later.push((end, level, call));
        }
        end
    }
}

fn simulate(threads: usize, calls: &[Call]) -> History {
    Simulation::new(threads, calls.to_vec()).run(threads)
}

fn call(arrives: u64, computes: u64) -> Call {
    Call {
        arrives,
        computes,
        short: false,
    }
}

fn short(arrives: u64, computes: u64) -> Call {
    Call {
        short: true,
        ..call(arrives, computes)
    }
}

/// Case M10: short calls don't wait for long ones, not even for their turns. Four short calls beside 30 that compute
/// for a second each, on two threads of each kind.
#[test]
fn short_calls_wait_for_no_turn_of_a_long_one() {
    let mut calls = vec![call(0, 1_000_000); 30];
    for moment in [200_000, 201_000, 405_000, 900_000] {
        calls.extend(vec![short(moment, 100); 4]);
    }
    let history = simulate(2, &calls);
    for (number, quick) in calls.iter().enumerate().skip(30) {
        let took = history.ended[&number] - quick.arrives;
        assert!(took <= 400, "call {number} took {took} µs");
    }
}

/// If a task's length is not known yet, its calls start before long ones continue.
#[test]
fn new_calls_start_before_long_ones_resume() {
    let mut calls = vec![call(0, 1_000_000); 30];
    for moment in [200_000, 201_000, 405_000, 900_000] {
        calls.extend(vec![call(moment, 100); 4]);
    }
    let history = simulate(2, &calls);
    for (number, quick) in calls.iter().enumerate().skip(30) {
        let took = history.ended[&number] - quick.arrives;
        assert!(took <= 2 * SLICE + 1000, "call {number} took {took} µs");
    }
}

/// An endless stream of short calls leaves the long ones their share.
#[test]
fn long_calls_keep_their_share_beside_a_stream_of_short_ones() {
    let mut calls = vec![call(0, 50_000); 3];
    // More than one thread can do.
    calls.extend((0..4000).map(|number| short(number * 500, 1000)));
    let history = simulate(1, &calls);
    let last = (0..3).map(|long| history.ended[&long]).max().unwrap();
    let turns = 3 * 50_000 / SLICE;
    assert!(last <= SLICE * (LOWER_SHARE + 2) * turns, "{last}");
    assert!(last >= SLICE * LOWER_SHARE * (turns - 20), "{last}");
}

/// A call that mostly waits stays on the first level; one that computes sinks.
#[test]
fn waiting_forgives_computing() {
    let mut now = Instant::now();
    let mut account = Account::new(TURN / 2, now);
    assert_eq!(account.yielded(), Level::Short);
    assert_eq!(account.woken(now), Level::First);
    for _ in 0..1000 {
        now += TURN * FORGIVEN;
        assert_eq!(account.woken(now), Level::First);
        account.add(TURN, now);
    }
    assert_eq!(account.woken(now), Level::Short);
    account.add(LONG, now);
    assert_eq!(account.woken(now), Level::Long);
    assert_eq!(account.yielded(), Level::Long);
    assert_eq!(account.woken(now + LONG * 2 * FORGIVEN), Level::First);
}

proptest! {
    /// Nothing starves: whatever arrives, each call gets its next turn after at most as many turns of the share as
    /// there are calls.
    #[test]
    fn nothing_starves(
        threads in 1..5_usize,
        calls in prop::collection::vec((0..300_000_u64, 1000..60_000_u64, any::<bool>()), 1..60),
    ) {
        let call = |(arrives, computes, short)| Call { arrives, computes, short };
        let calls: Vec<_> = calls.into_iter().map(call).collect();
        let history = simulate(threads, &calls);
        let bound = SLICE * (LOWER_SHARE + 3) * (calls.len() as u64 + 1);
        prop_assert!(history.longest_wait <= bound, "{} > {bound}", history.longest_wait);
    }

    /// A short call waits only for the short ones before it.
    #[test]
    fn a_short_call_waits_only_for_short_ones(
        threads in 1..5_usize,
        long in 0..100_usize,
        quick in 1..20_usize,
        at in 0..200_000_u64,
    ) {
        let mut calls = vec![call(0, 300_000); long];
        // All long ones have started by then.
        calls.extend(vec![short(at + 4000 * long as u64, 100); quick]);
        let history = simulate(threads, &calls);
        for (number, new) in calls.iter().enumerate().skip(long) {
            let waited = history.started[&number] - new.arrives;
            prop_assert!(waited <= 100 * (quick as u64 + 1), "{waited}");
        }
    }
}
