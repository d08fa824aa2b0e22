//! Who is next: the order in which the threads that run tasks take up work.
//!
//! There are three levels, each a queue. A call starts on the first, and sinks while it computes, so calls that are
//! soon over start before long ones go on. Lower levels have a share, so that they never starve. Pure: must not know
//! what the work is, nor which time it is.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::turn::TURN;

/// What a lower level has of the threads' time while there is work above it: a turn in this many.
const SHARE: u32 = 8;
/// A call that has computed for longer is a long one.
const LONG: Duration = Duration::from_millis(10);
/// What a call has computed is forgiven while it waits, at this part of the time. So a call that needs less than this
/// part of a thread stays on the first level however long it lives.
const FORGIVEN: u32 = 8;

/// How long a call has had to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// It starts, or goes on after it has waited.
    First,
    /// It did not end within its first turn.
    Short,
    /// It computes for long.
    Long,
}

impl Level {
    const ALL: [Level; 3] = [Level::First, Level::Short, Level::Long];
}

/// What a call has computed, less what is forgiven.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    computed: Duration,
    paused: Instant,
}

impl Account {
    /// A call that has computed until `now`.
    pub(crate) fn new(computed: Duration, now: Instant) -> Self {
        Self {
            computed,
            paused: now,
        }
    }

    /// It has computed again, until `now`.
    pub(crate) fn add(&mut self, computed: Duration, now: Instant) {
        self.computed += computed;
        self.paused = now;
    }

    /// Where it is to go on, having only let others pass.
    pub(crate) fn yielded(&self) -> Level {
        self.level().max(Level::Short)
    }

    /// Where it is to go on, having waited until `now`.
    pub(crate) fn woken(&mut self, now: Instant) -> Level {
        let waited = now.saturating_duration_since(self.paused);
        self.computed = self.computed.saturating_sub(waited / FORGIVEN);
        self.paused = now;
        self.level()
    }

    fn level(&self) -> Level {
        match self.computed {
            computed if computed < TURN => Level::First,
            computed if computed < LONG => Level::Short,
            _ => Level::Long,
        }
    }
}

/// Work that waits for a thread.
#[derive(Debug)]
pub(crate) struct Turns<T> {
    levels: [Waiting<T>; 3],
    /// A level that waits is passed over for this long.
    patience: Duration,
}

#[derive(Debug)]
struct Waiting<T> {
    work: VecDeque<T>,
    /// When it last had a turn, or began to wait.
    since: Option<Instant>,
}

impl<T> Turns<T> {
    /// Nothing waits. With more threads, the lower levels' share is taken more often.
    pub(crate) fn new(threads: usize) -> Self {
        let threads = u32::try_from(threads.max(1)).unwrap_or(u32::MAX);
        let empty = |_| Waiting {
            work: VecDeque::new(),
            since: None,
        };
        Self {
            levels: Level::ALL.map(empty),
            patience: TURN * SHARE / threads,
        }
    }

    pub(crate) fn push(&mut self, level: Level, work: T) {
        self.levels[level as usize].work.push_back(work);
    }

    /// What is next: the oldest of the highest level, unless a lower one has been passed over for too long.
    pub(crate) fn next(&mut self, now: Instant) -> Option<T> {
        let highest = self
            .levels
            .iter()
            .position(|level| !level.work.is_empty())?;
        let mut chosen = highest;
        for lower in highest + 1..self.levels.len() {
            let waiting = &mut self.levels[lower];
            if waiting.work.is_empty() {
                waiting.since = None;
                continue;
            }
            let since = *waiting.since.get_or_insert(now);
            if now.saturating_duration_since(since) >= self.patience {
                chosen = lower;
            }
        }
        let waiting = &mut self.levels[chosen];
        waiting.since = (waiting.work.len() > 1).then_some(now);
        waiting.work.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.levels.iter().all(|level| level.work.is_empty())
    }

    /// Takes all.
    pub(crate) fn clear(&mut self) -> Vec<T> {
        let all = self.levels.iter_mut();
        all.flat_map(|level| level.work.drain(..)).collect()
    }
}

#[cfg(test)]
mod tests;
