//! When which fault begins and ends: drawn from a seed, printed, and read again.
//!
//! Must not do anything.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::dice::Dice;
use crate::fault::Fault;

/// One fault of a schedule. Times are milliseconds since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// When it begins.
    pub at_ms: u64,
    /// How long it lasts.
    pub lasts_ms: u64,
    /// What it is.
    pub fault: Fault,
    /// The worker, where it is done to one.
    pub seat: usize,
    /// Whether it happens during another one, so that its own recovery can't be told.
    pub beside: bool,
}

/// What a schedule is drawn for.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The faults that can be done.
    pub faults: &'a [Fault],
    /// The last one ends by then.
    pub seconds: u64,
    /// The number of workers.
    pub seats: usize,
    /// The calm after each fault, in milliseconds: recovery is seen in it.
    pub calm_ms: u64,
}

/// The schedule of a seed. Each fault comes once before one comes again. One in four of those done to servers is
/// joined by a worker's death halfway.
pub fn draw(seed: u64, terms: Terms<'_>) -> Vec<Planned> {
    let mut dice = Dice::new(seed);
    let mut schedule = Vec::new();
    let mut deck: Vec<Fault> = Vec::new();
    let mut at_ms = 1_500;
    let longest = (terms.seconds * 1000 / 6).max(3_000);
    loop {
        if deck.is_empty() {
            deck = terms.faults.to_vec();
            dice.shuffle(&mut deck);
        }
        let Some(fault) = deck.pop() else {
            return schedule;
        };
        let lasts_ms = dice.within(&fault.lasts()).min(longest);
        let seat = dice.below(terms.seats);
        if at_ms + lasts_ms + terms.calm_ms > terms.seconds * 1000 {
            return schedule;
        }
        let planned = |fault, at_ms, lasts_ms, beside| Planned {
            at_ms,
            lasts_ms,
            fault,
            seat,
            beside,
        };
        schedule.push(planned(fault, at_ms, lasts_ms, false));
        if !fault.is_of_processes() && lasts_ms > 500 && dice.once_in(4) {
            let half = lasts_ms / 2;
            schedule.push(planned(Fault::WorkerKilled, at_ms + half, half / 2, true));
        }
        let noticed_ms = fault.noticed_within().as_secs() * 1000;
        at_ms += lasts_ms + noticed_ms + terms.calm_ms + dice.within(&(0..=1_500));
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |ms: u64| ms as f64 / 1000.0;
        let beside = if self.beside { " + " } else { "" };
        write!(
            f,
            "{:>7.1} s  {:>4.1} s  {beside}{}",
            seconds(self.at_ms),
            seconds(self.lasts_ms),
            self.fault
        )?;
        if self.fault.has_a_seat() {
            write!(f, " ({})", self.seat + 1)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAULTS: [Fault; 3] = [Fault::ServerKilled, Fault::WorkerStopped, Fault::GroupLost];

    fn terms(seconds: u64) -> Terms<'static> {
        Terms {
            faults: &FAULTS,
            seconds,
            seats: 3,
            calm_ms: 2_500,
        }
    }

    #[test]
    fn a_seed_gives_one_schedule_and_another_seed_another() {
        assert_eq!(draw(7, terms(300)), draw(7, terms(300)));
        assert_ne!(draw(7, terms(300)), draw(8, terms(300)));
    }

    #[test]
    fn faults_follow_each_other_with_calm_between_and_all_come() {
        let schedule = draw(7, terms(300));
        let alone: Vec<_> = schedule.iter().filter(|one| !one.beside).collect();
        for pair in alone.windows(2) {
            assert!(pair[0].at_ms + pair[0].lasts_ms + 2_500 <= pair[1].at_ms);
        }
        for fault in FAULTS {
            assert!(alone.iter().any(|one| one.fault == fault), "{fault}");
        }
        let last = alone.last().unwrap();
        assert!(last.at_ms + last.lasts_ms <= 300_000);
    }

    #[test]
    fn a_printed_schedule_can_be_read() {
        let schedule = draw(7, terms(60));
        let text = serde_json::to_string(&schedule).unwrap();
        assert_eq!(
            serde_json::from_str::<Vec<Planned>>(&text).unwrap(),
            schedule
        );
    }
}
