//! What is sent at once: a command, or several in a row.
//!
//! Must not know where it is sent to.

use std::time::Duration;

use redis::aio::ConnectionLike as _;
use redis::{Arg, Cmd, Pipeline, RedisResult, Value, cmd};

use super::link::Link;
use super::slots::Slot;

/// A command, or several whose answers come together. On a Cluster, and before further commands, a transaction is written out:
/// MULTI, its commands, EXEC. A [`Pipeline::atomic`] one has one answer, that of EXEC; its commands' answers are dropped as they
/// arrive, which is cheaper for thousands of messages.
#[derive(Clone, Copy)]
pub(super) enum Request<'a> {
    One(&'a Cmd),
    Several(&'a Pipeline),
}

fn is(command: &Cmd, place: usize, word: &[u8]) -> bool {
    matches!(command.args_iter().nth(place), Some(Arg::Simple(own)) if own == word)
}

/// Whether an answer is an error, or has one among its elements. Nothing is moved or copied to find out.
fn has_error(answer: &Value) -> bool {
    match answer {
        Value::ServerError(_) => true,
        Value::Array(elements) => elements.iter().any(has_error),
        _ => false,
    }
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
                let (skipped, kept) = if commands.is_transaction() {
                    // Behind the answers to MULTI and to each command. Errors among them come with that of EXEC.
                    (commands.len() + 1, 1)
                } else {
                    (0, commands.len())
                };
                let answers = link.req_packed_commands(commands, skipped, kept).await?;
                if answers.iter().any(has_error) {
                    return Value::Array(answers).extract_error();
                }
                Ok(Value::Array(answers))
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
