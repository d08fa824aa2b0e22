//! What the demo enqueues, and the expected outcome of each task.
//!
//! Knows the tasks of `examples/`. Must not know how they are run or watched.

use std::time::Duration;

use chicory_queue::{Arguments, TaskMessage, Timestamp};
use chicory_signature::TaskName;
use serde_json::{Value, json};

/// A task to enqueue.
#[derive(Debug)]
pub(super) struct Case {
    /// What it shows, for people.
    pub(super) about: &'static str,
    pub(super) task: &'static str,
    args: Value,
    kwargs: Value,
    /// Delay before the first start.
    pub(super) delay: Option<Duration>,
    /// The number of attempts until it ends.
    pub(super) attempts: u32,
    pub(super) end: End,
}

/// The expected outcome.
#[derive(Debug)]
pub(super) enum End {
    /// It returns, and the result passes the check.
    Returns(fn(&Value) -> bool),
    /// It ends as a dead letter whose error has this name.
    Dies(&'static str),
}

impl Case {
    fn new(about: &'static str, task: &'static str, args: Value, end: End) -> Self {
        Self {
            about,
            task,
            args,
            kwargs: json!({}),
            delay: None,
            attempts: 1,
            end,
        }
    }

    /// The module that its task is in.
    pub(super) fn module(&self) -> &'static str {
        let name = TaskName::parse(self.task).ok();
        let reading = name.and_then(|name| name.readings().next());
        reading.map_or(self.task, |reading| reading.module)
    }

    /// The message to enqueue now.
    pub(super) fn message(&self, now: Timestamp) -> TaskMessage {
        let mut message = TaskMessage::new(self.task);
        if let (Value::Array(args), Value::Object(kwargs)) = (&self.args, &self.kwargs) {
            message.arguments = Arguments::new(args, kwargs);
        }
        message.eta = self.delay.map(|delay| now.after(delay));
        message
    }
}

/// A picture of 64 by 48 pixels.
const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAEAAAAAwCAIAAAAuKetIAAAAWklEQVR42u3PQRHAMAwDsAALiMExnIEowGFw99WdCGhmUtlSSqc0AgICAgICAgICAgL3gSeVLaV0SgICAgICAgICAgICPwJvKltK6ZQEBAQEBAQEBAQEBK4DH9gAmMSGMu9AAAAAAElFTkSuQmCC";

/// The case whose dead letter is replayed.
pub(super) const REPLAYED: &str = "demo.always-fails";

/// Everything that the demo shows.
pub(super) fn all() -> Vec<Case> {
    [of_every_kind(), programs(), in_time(), failing()]
        .into_iter()
        .flatten()
        .collect()
}

/// Modules with typed functions.
fn of_every_kind() -> Vec<Case> {
    let table = "city,sales\nOslo,3\nRome,4\nOslo,5\n";
    vec![
        Case::new(
            "adds",
            "demo.add",
            json!([1, 2]),
            End::Returns(|sum| *sum == json!(3)),
        ),
        Case::new(
            "reports progress",
            "demo.log-and-progress",
            json!([3]),
            End::Returns(|steps| *steps == json!(3)),
        ),
        Case::new(
            "Markdown to HTML",
            "markdown.render",
            json!(["# Chicory\n\n*Sandboxed* tasks"]),
            End::Returns(|html| contains(html, "<h1>Chicory</h1>")),
        ),
        Case::new(
            "sums of a CSV column",
            "csv-stats.aggregate",
            json!([table, "city", "sales"]),
            End::Returns(|groups| groups[0]["sum"] == json!(8.0)),
        ),
        Case::new(
            "a smaller picture",
            "thumbnail.resize",
            json!([PICTURE, 16]),
            End::Returns(|picture| picture["width"] == json!(16)),
        ),
    ]
}

/// Command-line programs.
fn programs() -> Vec<Case> {
    let text = "to be or not to be";
    vec![
        Case {
            kwargs: json!({ "stdin": text }),
            ..Case::new(
                "a command-line program",
                "wordcount.run",
                json!([]),
                End::Returns(|words| contains(words, "2 be")),
            )
        },
        Case {
            kwargs: json!({ "stdin": text }),
            ..Case::new(
                "the same in C",
                "wordcount-c.run",
                json!([]),
                End::Returns(|words| contains(words, "6 words")),
            )
        },
    ]
}

/// Tasks that take time: a delay, or more attempts.
fn in_time() -> Vec<Case> {
    vec![
        Case {
            delay: Some(Duration::from_secs(1)),
            ..Case::new(
                "delayed by a second",
                "demo.greet",
                json!(["world"]),
                End::Returns(|greeting| contains(greeting, "Hello, world")),
            )
        },
        Case {
            attempts: 3,
            ..Case::new(
                "fails twice, then succeeds",
                "demo.flaky",
                json!([]),
                End::Returns(|attempt| *attempt == json!(3)),
            )
        },
    ]
}

/// Tasks that end as dead letters.
fn failing() -> Vec<Case> {
    vec![
        Case {
            attempts: 2,
            ..Case::new("always fails", REPLAYED, json!([]), End::Dies("TaskError"))
        },
        Case::new(
            "loops endlessly",
            "demo.spin",
            json!([]),
            End::Dies("Timeout"),
        ),
        Case::new(
            "eats memory",
            "demo.eat-memory",
            json!([]),
            End::Dies("OutOfMemory"),
        ),
        Case::new(
            "wrong arguments",
            "demo.add",
            json!([1, "two"]),
            End::Dies("ValidationError"),
        ),
    ]
}

fn contains(value: &Value, part: &str) -> bool {
    value.as_str().is_some_and(|text| text.contains(part))
}
