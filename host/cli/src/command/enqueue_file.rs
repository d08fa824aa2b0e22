//! `chicory enqueue --file`: many messages, one JSON object per line.
//!
//! A file is checked completely before its first message is sent. A stream can't be, so it is checked and sent batch by
//! batch, and an error says where to continue. Must not distinguish brokers.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use chicory_admin::Admin;
use chicory_queue::{
    Broker, BrokerError, Checks, Enqueued, OnDuplicate, RetryPolicy, SystemClock, TaskMessage,
    UnreadableMessage,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::Context;
use crate::caution;
use crate::exit::CommandError;
use crate::output::is_watched;

/// Defaults for messages that don't set these themselves.
#[derive(Debug)]
pub(crate) struct Defaults {
    /// Where all messages go.
    pub(crate) queue: String,
    /// For messages without a policy of their own.
    pub(crate) retry: Option<RetryPolicy>,
    /// For messages that don't set it.
    pub(crate) ignore_result: bool,
    /// For messages without a version of their own.
    pub(crate) pin: Option<String>,
    /// For lines with an id that is there already.
    pub(crate) on_duplicate: OnDuplicate,
}

/// What became of the messages.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    added: u64,
    /// Those whose ids were there already.
    present: u64,
}

/// Messages that are sent at once, all or none: few round trips with small batches.
const BATCH: usize = 1_000;

/// Enqueues all messages of the file, or of standard input if it is `-`.
pub(crate) async fn run(path: &Path, defaults: &Defaults, context: &Context) -> anyhow::Result<()> {
    let named = || format!("can't read {}", path.display());
    let is_file = path != Path::new("-") && path.metadata().with_context(named)?.is_file();
    let open = || -> anyhow::Result<Box<dyn BufRead>> {
        if path == Path::new("-") {
            return Ok(Box::new(std::io::stdin().lock()));
        }
        Ok(Box::new(BufReader::new(
            File::open(path).with_context(named)?,
        )))
    };
    let connected = context.connect().await?;
    let admin = Admin::new(connected.clone(), Arc::new(SystemClock));
    caution::say(&admin, context.output).await;
    let mut checks = Checks::new(connected.registry.as_ref(), context.config.validation);
    let mut total = None;
    if is_file {
        total = Some(count(Lines::new(open()?), defaults, &mut checks).await?);
    }
    let mut lines = Lines::new(open()?);
    let bar = progress(total);
    let sent = send(
        &mut lines,
        &mut checks,
        connected.broker.as_ref(),
        defaults,
        &bar,
    )
    .await;
    bar.finish_and_clear();
    let Sent { added, present } = sent?;
    let body = json!({ "enqueued": added, "present": present, "queue": defaults.queue });
    context.output.value(&body, |_| {
        let queue = &defaults.queue;
        match present {
            0 => format!("enqueued {added} messages in queue {queue}"),
            _ => {
                format!("enqueued {added} messages in queue {queue}; {present} were there already")
            }
        }
    })
}

/// Checks all messages, and returns their number.
async fn count(
    mut lines: Lines,
    defaults: &Defaults,
    checks: &mut Checks<'_>,
) -> anyhow::Result<u64> {
    let mut messages = 0;
    loop {
        match next_checked(&mut lines, defaults, checks).await?.len() {
            0 => return Ok(messages),
            more => messages += more as u64,
        }
    }
}

async fn send(
    lines: &mut Lines,
    checks: &mut Checks<'_>,
    broker: &dyn Broker,
    defaults: &Defaults,
    bar: &ProgressBar,
) -> anyhow::Result<Sent> {
    let mut sent = Sent::default();
    loop {
        let (first, added) = (lines.number + 1, sent.added);
        let so_far =
            || format!("{added} messages were enqueued, but those from line {first} on were not");
        let batch = next_checked(lines, defaults, checks)
            .await
            .with_context(so_far)?;
        if batch.is_empty() {
            return Ok(sent);
        }
        let added = add(&batch, broker, defaults).await.with_context(so_far)?;
        sent.added += added;
        sent.present += batch.len() as u64 - added;
        bar.set_position(sent.added + sent.present);
    }
}

/// Adds a batch, all or none of what is not there already; returns how many were added.
async fn add(
    batch: &[TaskMessage],
    broker: &dyn Broker,
    defaults: &Defaults,
) -> Result<u64, BrokerError> {
    if !batch.iter().any(|message| message.noted) {
        broker.enqueue(&defaults.queue, batch).await?;
        return Ok(batch.len() as u64);
    }
    let answers = broker.enqueue_noted(&defaults.queue, batch, defaults.on_duplicate);
    let added = answers.await?.into_iter();
    Ok(added.filter(|answer| *answer == Enqueued::Added).count() as u64)
}

/// The next batch, each message checked against what is deployed.
async fn next_checked(
    lines: &mut Lines,
    defaults: &Defaults,
    checks: &mut Checks<'_>,
) -> anyhow::Result<Vec<TaskMessage>> {
    let mut batch = Vec::new();
    for (line, mut message) in lines.next_batch(defaults)? {
        let checked = checks.check(&mut message).await;
        checked.with_context(|| format!("line {line}"))?;
        batch.push(message);
    }
    Ok(batch)
}

/// A progress bar if the number is known, else a spinner; nothing if standard error is not a terminal.
fn progress(total: Option<u64>) -> ProgressBar {
    if !is_watched() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{bar:40} {human_pos}/{human_len} messages, {per_sec}, {eta} left",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {human_pos} messages, {per_sec}",
        ),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(error) => unreachable!("{template:?}: {error}"),
    }
}

/// Messages, read line by line.
struct Lines {
    input: Box<dyn BufRead>,
    number: u64,
    line: Vec<u8>,
}

impl Lines {
    fn new(input: Box<dyn BufRead>) -> Self {
        Self {
            input,
            number: 0,
            line: Vec::new(),
        }
    }

    /// The next messages, each with its line number; none at the end.
    fn next_batch(&mut self, defaults: &Defaults) -> anyhow::Result<Vec<(u64, TaskMessage)>> {
        let mut batch = Vec::new();
        while batch.len() < BATCH
            && let Some(message) = self.next_message(defaults)?
        {
            batch.push((self.number, message));
        }
        Ok(batch)
    }

    /// The next line that is not empty.
    fn next_message(&mut self, defaults: &Defaults) -> anyhow::Result<Option<TaskMessage>> {
        loop {
            self.line.clear();
            if self.input.read_until(b'\n', &mut self.line)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.number == 1 && self.line.starts_with(BYTE_ORDER_MARK) {
                self.line.drain(..BYTE_ORDER_MARK.len());
            }
            if !self.line.trim_ascii().is_empty() {
                let message = read_message(&self.line, defaults);
                return message.map(Some).map_err(|reason| {
                    CommandError::Usage(format!("line {}: {reason}", self.number)).into()
                });
            }
        }
    }
}

/// What some programs begin a file in UTF-8 with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What looks like a field of a message, and would travel along without effect: what to give instead.
const NO_FIELDS: [(&str, &str); 5] = [
    ("queue", "set the queue of all messages with --queue"),
    ("delay", "give the time of its start as `eta`"),
    ("max_retries", "put it into `retry`: {\"max_retries\": 3}"),
    ("retry_delay", "put it into `retry`, beside `max_retries`"),
    ("backoff", "put it into `retry`, beside `max_retries`"),
];

/// The fields of a line, as they were written.
type Fields = BTreeMap<String, Box<RawValue>>;

fn fields(line: &[u8]) -> Result<Fields, String> {
    serde_json::from_slice(line).map_err(|error| {
        if error.is_data() {
            return "give a JSON object, such as {\"name\": \"demo.add\", \"args\": [1, 2]}".into();
        }
        // The parser's line number is relative; the error already has the file's.
        error.to_string().replace(" at line 1 column", " at column")
    })
}

fn read_message(line: &[u8], defaults: &Defaults) -> Result<TaskMessage, String> {
    let mut fields = fields(line)?;
    if let Some((name, instead)) = NO_FIELDS
        .iter()
        .find(|(name, _)| fields.contains_key(*name))
    {
        return Err(format!("a message has no field `{name}`; {instead}"));
    }
    if fields
        .get("priority")
        .is_some_and(|priority| priority.get() != "null")
    {
        return Err("`priority` has no effect yet; leave it out".into());
    }
    let written = |value: Value| to_raw_value(&value).map_err(|error| error.to_string());
    let is_given = fields.get("id").is_some_and(|id| id.get() != "null");
    if !is_given {
        fields.insert("id".into(), written(chicory_queue::new_id().into())?);
    }
    if !fields.contains_key("ignore_result") && defaults.ignore_result {
        fields.insert("ignore_result".into(), written(true.into())?);
    }
    let line = serde_json::to_vec(&fields).map_err(|error| error.to_string())?;
    let mut message = TaskMessage::decode(&line.into()).map_err(|error| match error {
        // A position in the reassembled line would not help.
        UnreadableMessage::Json(reason) => match reason.split_once(" at line 1 column") {
            Some((reason, _)) => reason.to_owned(),
            None => reason,
        },
        other => other.to_string(),
    })?;
    message.noted |= is_given;
    if message.retry.is_none() {
        message.retry.clone_from(&defaults.retry);
    }
    if message.pin.is_none() {
        message.pin.clone_from(&defaults.pin);
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> Defaults {
        Defaults {
            queue: "q".into(),
            retry: None,
            ignore_result: true,
            pin: Some("abc".into()),
            on_duplicate: OnDuplicate::Return,
        }
    }

    fn lines(text: &'static str) -> Lines {
        Lines::new(Box::new(text.as_bytes()))
    }

    #[test]
    fn an_id_is_made_where_there_is_none() {
        let mut lines = lines("{\"name\":\"m.f\",\"args\":[1]}\n\n{\"name\":\"m.g\",\"id\":\"x\"}");
        let batch = lines.next_batch(&defaults()).unwrap();
        assert_eq!(batch.len(), 2);
        let (line, first) = &batch[0];
        assert!(*line == 1 && !first.id.is_empty() && first.ignore_result);
        assert_eq!(first.pin.as_deref(), Some("abc"));
        assert_eq!((batch[1].0, batch[1].1.id.as_str()), (3, "x"));
    }

    /// Case Q20: a byte order mark, a number with a fraction, a zone, and a number that no float holds.
    #[test]
    fn what_other_programs_write_is_read() {
        let mut lines = lines(
            "\u{feff}{\"name\":\"m.f\",\"retries\":0.0,\"priority\":null,\"eta\":\"2030-06-01T09:00:00[Europe/Berlin]\",\
             \"trace\":123456789012345678901234567890}",
        );
        let (_, message) = lines.next_batch(&defaults()).unwrap().remove(0);
        assert_eq!(message.retries, 0);
        assert_eq!(message.eta.unwrap().to_string(), "2030-06-01T07:00:00Z");
        let stored = message.encode();
        assert!(
            stored.contains("\"trace\":123456789012345678901234567890"),
            "{stored}"
        );
    }

    #[test]
    fn a_bad_line_is_named() {
        for (text, expected) in [
            ("{\"name\":\"a\"}\n{]", "line 2: "),
            ("\n\n3", "line 3: give a JSON object"),
            ("{\"args\":[]}", "line 1: the field `name`"),
            (
                "{\"name\":\"a\",\"queue\":\"b\"}",
                "line 1: a message has no field `queue`",
            ),
            // Case Q20.
            (
                "{\"name\":\"a\",\"delay\":60}",
                "line 1: a message has no field `delay`; give the time of its start as `eta`",
            ),
            (
                "{\"name\":\"a\",\"priority\":9}",
                "line 1: `priority` has no effect yet",
            ),
            (
                "{\"name\":\"a\",\"kwargs\":[]}",
                "line 1: kwargs: expected an object, got array",
            ),
            (
                "{\"name\":\"a\",\"args\":{}}",
                "line 1: args: expected an array, got object",
            ),
            (
                "{\"name\":\"a\",\"retries\":0.5}",
                "line 1: retries = 0.5 is not allowed",
            ),
            (
                "{\"name\":\"a\",\"eta\":\"soon\"}",
                "line 1: eta: expected a time, ISO 8601 or seconds since 1970, got \"soon\"",
            ),
        ] {
            let error = lines(text).next_batch(&defaults()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_long_file_comes_in_batches() {
        let text = "{\"name\":\"m.f\"}\n".repeat(BATCH + 1);
        let mut lines = Lines::new(Box::new(std::io::Cursor::new(text)));
        let sizes = [(); 3].map(|()| lines.next_batch(&defaults()).unwrap().len());
        assert_eq!(sizes, [BATCH, 1, 0]);
    }
}
