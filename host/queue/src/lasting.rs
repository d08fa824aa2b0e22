//! Lasting states, such as a server that is down: logged when they begin, once a minute while they last, and when they
//! end.
//!
//! Must not know what is logged.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time between two lines about one state.
const EVERY: Duration = Duration::from_mins(1);

/// The lasting states of a process, by name.
#[derive(Debug, Default)]
pub struct Lasting(Mutex<HashMap<String, Instant>>);

impl Lasting {
    /// The state is on: calls `say` if it just began, or was last logged a minute ago.
    pub fn on(&self, state: &str, say: impl FnOnce()) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.get(state).is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        said.insert(state.to_owned(), Instant::now());
        drop(said);
        say();
    }

    /// The state is over: calls `say` if it was on.
    pub fn over(&self, state: &str, say: impl FnOnce()) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let was_on = said.remove(state).is_some();
        drop(said);
        if was_on {
            say();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_said_once_and_when_it_is_over() {
        let (states, mut lines) = (Lasting::default(), Vec::new());
        for _ in 0..3 {
            states.on("a", || lines.push("on"));
        }
        states.on("b", || lines.push("b"));
        states.over("a", || lines.push("over"));
        states.over("a", || lines.push("over"));
        states.on("a", || lines.push("on"));
        assert_eq!(lines, ["on", "b", "over", "on"]);
    }
}
