//! The tasks of a run: their kinds, their messages, and the one right end of each.
//!
//! Must not know what happens to them.

use serde::Serialize;
use serde_json::{Value, json};

use crate::dice::Dice;

/// The queues of a run. Each batch goes to one of them.
pub const QUEUES: [&str; 3] = ["red", "green", "blue"];

/// What a task does, as the server that counts effects sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Succeeds. May not fail, since it has no retries.
    Steady,
    /// Fails twice, and succeeds.
    Flaky,
    /// Is due later, and succeeds.
    Delayed,
    /// Fails always, with one retry: a dead letter.
    Dead,
    /// Succeeds, at most once.
    Once,
    /// Takes seconds, longer than a lease, and succeeds.
    Long,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Steady,
        Self::Flaky,
        Self::Delayed,
        Self::Dead,
        Self::Once,
        Self::Long,
    ];

    /// Its name, with which ids begin.
    pub fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Flaky => "flaky",
            Self::Delayed => "delayed",
            Self::Dead => "dead",
            Self::Once => "once",
            Self::Long => "long",
        }
    }

    /// The kind of a task with this id.
    pub fn of_id(id: &str) -> Option<Self> {
        let (name, _) = id.split_once('-')?;
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// How often it runs where nothing breaks.
    pub fn attempts(self) -> usize {
        match self {
            Self::Flaky => 3,
            Self::Dead => 2,
            _ => 1,
        }
    }

    /// How many of its executions fail.
    pub fn failures(self) -> usize {
        match self {
            Self::Flaky => 2,
            Self::Dead => usize::MAX,
            _ => 0,
        }
    }

    /// Whether it ends as SUCCESS, and not as a dead letter.
    pub fn succeeds(self) -> bool {
        self != Self::Dead
    }
}

/// One task.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its id.
    pub id: String,
    /// What it does.
    pub kind: Kind,
    /// How long it takes, in milliseconds.
    pub takes_ms: u64,
    /// When it is due after it was enqueued, in milliseconds.
    pub delay_ms: u64,
}

impl Task {
    /// A task of a random kind.
    pub fn draw(number: usize, dice: &mut Dice) -> Self {
        let kind = match dice.below(20) {
            0..=7 => Kind::Steady,
            8..=11 => Kind::Flaky,
            12..=14 => Kind::Delayed,
            15..=16 => Kind::Dead,
            17..=18 => Kind::Once,
            _ => Kind::Long,
        };
        Self {
            id: format!("{}-{number:05}", kind.name()),
            kind,
            takes_ms: match kind {
                Kind::Long => dice.within(&(2_000..=5_000)),
                _ => 0,
            },
            delay_ms: match kind {
                Kind::Delayed => dice.within(&(500..=6_000)),
                _ => 0,
            },
        }
    }

    /// Its message. `authority` is where effects are counted, `now` is in seconds since 1970.
    pub fn message(&self, authority: &str, now: f64) -> Value {
        let module = if self.kind == Kind::Once {
            "once"
        } else {
            "effect"
        };
        let retries = match self.kind {
            Kind::Flaky => 5,
            Kind::Dead => 1,
            _ => 0,
        };
        let mut message = json!({
            "id": self.id,
            "name": format!("{module}.get"),
            "args": [authority, format!("/{}/{}", self.id, self.takes_ms)],
            "retry": { "max_retries": retries, "retry_delay": 0.2, "backoff": "fixed" },
        });
        if self.kind == Kind::Delayed {
            message["eta"] = json!(self.due(now));
        }
        message
    }

    /// When it is due if enqueued at `now`, in seconds since 1970.
    pub fn due(&self, now: f64) -> f64 {
        now + self.delay_ms as f64 / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_its_kind() {
        let mut dice = Dice::new(1);
        for number in 0..100 {
            let task = Task::draw(number, &mut dice);
            assert_eq!(Kind::of_id(&task.id), Some(task.kind));
        }
    }
}
