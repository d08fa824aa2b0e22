//! What is sent at once: a command, or several in a row.
//!
//! Must not know where it is sent to.

use std::time::Duration;

use redis::aio::ConnectionLike as _;
use redis::{Arg, Cmd, Pipeline, RedisResult, Value, cmd};

use super::link::Link;
use super::slots::Slot;

/// A command, or several whose answers come together. A transaction is written out: MULTI, its commands, EXEC.
#[derive(Clone, Copy)]
pub(super) enum Request<'a> {
    One(&'a Cmd),
    Several(&'a Pipeline),
}

fn is(command: &Cmd, place: usize, word: &[u8]) -> bool {
    matches!(command.args_iter().nth(place), Some(Arg::Simple(own)) if own == word)
}

impl Request<'_> {
    /// The slot of the first key in it.
    pub(super) fn slot(self) -> Option<Slot> {
        match self {
            Self::One(cmd) => Slot::of_command(cmd),
            Self::Several(commands) => commands
                .cmd_iter()
                .filter(|cmd| cmd.args_iter().len() > 1)
                .find_map(Slot::of_command),
        }
    }

    /// How long its last command waits for replicas.
    pub(super) fn wait(self) -> Duration {
        let Self::Several(commands) = self else {
            return Duration::ZERO;
        };
        let wait = (commands.cmd_iter().last()).filter(|last| is(last, 0, b"WAIT"));
        let timeout = wait.and_then(|wait| match wait.args_iter().nth(2)? {
            Arg::Simple(text) => std::str::from_utf8(text).ok()?.parse().ok(),
            _ => None,
        });
        Duration::from_millis(timeout.unwrap_or_default())
    }

    /// Sends it. If several answers are errors, the first counts: the later ones only follow from it.
    pub(super) async fn send(self, link: &mut Link) -> RedisResult<Value> {
        match self {
            Self::One(cmd) => link.req_packed_command(cmd).await?.extract_error(),
            Self::Several(commands) => {
                let answers = link
                    .req_packed_commands(commands, 0, commands.len())
                    .await?;
                let answers = answers.into_iter().map(Value::extract_error);
                Ok(Value::Array(answers.collect::<RedisResult<_>>()?))
            }
        }
    }

    /// The same for a node that the slot is being moved to. Its answer has one more element in front.
    pub(super) fn asking(self) -> Pipeline {
        let mut asking = Pipeline::new();
        asking.add_command(cmd("ASKING"));
        match self {
            Self::One(cmd) => drop(asking.add_command(cmd.clone())),
            Self::Several(commands) => {
                for cmd in commands.cmd_iter() {
                    asking.add_command(cmd.clone());
                }
            }
        }
        asking
    }

    /// The answer to this request, taken from the answer to [`Request::asking`].
    pub(super) fn answer_of_asking(self, answer: Value) -> Value {
        match (self, answer) {
            (Self::One(_), Value::Array(mut answers)) => answers.pop().unwrap_or(Value::Nil),
            (Self::Several(_), Value::Array(mut answers)) => Value::Array(answers.split_off(1)),
            (_, other) => other,
        }
    }
}
