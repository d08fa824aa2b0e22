//! Who is next: the order in which the threads that run tasks take up work.
//!
//! There are three levels, each a queue. The first is for calls that are known to be short; threads of their own serve
//! it, so these never wait for a long one, not even for the end of its turn. Other calls start on the second, and sink
//! as they compute. If as many threads are busy as may compute at a time, the lower levels still get a share, so they
//! never starve. Pure: must not know what the work is, nor what time it is.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::turn::TURN;

/// The lower levels' share of the threads' time while there is work above them: one turn in this many.
const SHARE: u32 = 8;
/// A call that has computed for longer is a long one.
const LONG: Duration = Duration::from_millis(10);
/// While a call waits, its computing is forgiven at this fraction of the waiting time. So a call that needs less than
/// this fraction of a thread stays on the first level however long it lives.
const FORGIVEN: u32 = 8;

/// How much computing time a call has had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// It is known to be short, or continues after waiting.
    First,
    /// It is not known to be short, or did not end within its first turn.
    Short,
    /// It computes for long.
    Long,
}

impl Level {
    const ALL: [Level; 3] = [Level::First, Level::Short, Level::Long];
}

const LOWER: [Level; 2] = [Level::Short, Level::Long];

/// What a call has computed, minus what is forgiven.
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

    /// Where it continues after only letting others pass.
    pub(crate) fn yielded(&self) -> Level {
        self.level().max(Level::Short)
    }

    /// Where it continues after waiting until `now`.
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
    /// A waiting level is passed over for this long.
    patience: Duration,
}

#[derive(Debug)]
struct Waiting<T> {
    work: VecDeque<T>,
    /// When it last had a turn, or began to wait.
    since: Option<Instant>,
}

impl<T> Turns<T> {
    /// No work yet. With more threads, the lower levels' share is taken more often.
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

    /// The next one from the first level.
    pub(crate) fn next_first(&mut self) -> Option<T> {
        self.levels[Level::First as usize].work.pop_front()
    }

    /// The next one from the lower levels: the oldest on the higher of them, unless the other has been passed over for
    /// too long. If no more threads may compute, only what has been passed over for too long.
    pub(crate) fn next_lower(&mut self, now: Instant, may_compute: bool) -> Option<T> {
        let mut chosen = None;
        for level in LOWER {
            let waiting = &mut self.levels[level as usize];
            if waiting.work.is_empty() {
                waiting.since = None;
                continue;
            }
            let since = *waiting.since.get_or_insert(now);
            let passed_over = now.saturating_duration_since(since) >= self.patience;
            if passed_over || (may_compute && chosen.is_none()) {
                chosen = Some(level);
            }
        }
        let waiting = &mut self.levels[chosen? as usize];
        waiting.since = (waiting.work.len() > 1).then_some(now);
        waiting.work.pop_front()
    }

    /// How long until something on the lower levels has been passed over for too long; `None` if they are empty.
    pub(crate) fn patience(&self, now: Instant) -> Option<Duration> {
        let left = |level: Level| {
            let waiting = &self.levels[level as usize];
            let passed = waiting
                .since
                .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
            (!waiting.work.is_empty()).then(|| self.patience.saturating_sub(passed))
        };
        LOWER.into_iter().filter_map(left).min()
    }

    pub(crate) fn has_first(&self) -> bool {
        !self.levels[Level::First as usize].work.is_empty()
    }

    pub(crate) fn has_lower(&self) -> bool {
        let mut lower = LOWER.into_iter();
        lower.any(|level| !self.levels[level as usize].work.is_empty())
    }

    /// Takes all.
    pub(crate) fn clear(&mut self) -> Vec<T> {
        let all = self.levels.iter_mut();
        all.flat_map(|level| level.work.drain(..)).collect()
    }
}

#[cfg(test)]
mod tests;
