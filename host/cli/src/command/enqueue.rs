//! `chicory enqueue`: one message from flags, or many from a file.
//!
//! What is deployed is asked of the registry, by [`Checks`]. Must not know files ([`enqueue_file`]).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chicory_admin::Admin;
use chicory_queue::{
    Backoff, BrokerError, Checks, Connected, Enqueued, OnDuplicate, RetryPolicy, SystemClock,
    TaskMessage, Timestamp,
};
use clap::{Args, ValueEnum};

use super::call::CallArgs;
use super::{Context, enqueue_file, result};
use crate::caution;
use crate::config::{FlagValue, parse};
use crate::exit::CommandError;
use crate::output::{tell, write_json, write_line};

/// Flags of `chicory enqueue`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["task", "file"]))]
pub(crate) struct EnqueueArgs {
    /// Task name: module.function, or module.interface.function
    task: Option<String>,
    #[command(flatten)]
    call: CallArgs,
    /// Enqueue the messages in a file with one JSON object per line ({"name", "args", "kwargs", "eta",
    /// "id", …}); - reads standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["kwargs", "id", "wait", "delay", "eta"])]
    file: Option<PathBuf>,
    /// Queue to enqueue to
    #[arg(long, short, default_value = "default", value_parser = parse::queue)]
    queue: String,
    /// Delay before the first start: seconds, or a duration such as 500ms, 30s or 2h
    #[arg(long, value_name = "DURATION", value_parser = parse::seconds, conflicts_with = "eta")]
    delay: Option<Duration>,
    /// Earliest time of the first start, in ISO 8601, such as 2026-01-31T09:00:00Z or
    /// 2026-01-31T09:00:00[Europe/Berlin]
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    eta: Option<Timestamp>,
    /// Message id [default: a new UUID]
    #[arg(long)]
    id: Option<String>,
    /// What to do if a given id is queued, running, or has ended and its result is still kept: return doesn't
    /// enqueue it again, reject fails, run enqueues it again
    #[arg(long, value_name = "ACTION", value_enum, default_value_t = DuplicateArg::Return)]
    on_duplicate: DuplicateArg,
    /// Run only on this version of the module, given by its full digest
    #[arg(long, value_name = "DIGEST", value_parser = digest)]
    pin: Option<String>,
    /// Checks before enqueueing: inputs, strict or none [default: `validation_mode`]
    #[arg(long, value_name = "MODE")]
    validation: Option<String>,
    /// Store neither state nor result
    #[arg(long, conflicts_with = "wait")]
    ignore_result: bool,
    #[command(flatten)]
    retry: RetryArgs,
    /// Wait until the task ends, and print its result
    #[arg(long)]
    wait: bool,
    /// Maximum time to wait [default: `result.default_timeout`, or no limit]
    #[arg(long, value_name = "DURATION", value_parser = parse::seconds, requires = "wait")]
    timeout: Option<Duration>,
}

const EXAMPLES: &str = "\
Examples:
  chicory enqueue demo.add 1 2 --wait
  chicory enqueue thumbnail.resize --kwargs '{\"width\": 200}' --delay 30s --queue images
  chicory enqueue --file messages.jsonl --queue bulk

Arguments are checked before anything is enqueued (exit code 2): against the active version of the \
task's module, or against the version given by --pin. A module that is not in the registry is \
unknown here, so the worker checks the arguments of its tasks.

Exit codes with --wait: 0 the task succeeded, 1 it failed, 4 it did not end in time.";

/// A retry policy that overrides the task's own.
#[derive(Debug, Args)]
struct RetryArgs {
    /// Number of retries, overriding the task's own retry policy
    #[arg(long, value_name = "N", value_parser = parse::whole_number::<u32>(RetryPolicy::RETRIES))]
    max_retries: Option<u32>,
    /// Base delay between attempts, in seconds
    #[arg(
        long,
        value_name = "SECONDS",
        requires = "max_retries",
        value_parser = parse::number(RetryPolicy::DELAY),
        allow_negative_numbers = true
    )]
    retry_delay: Option<f64>,
    /// How the delay grows with each retry
    #[arg(long, value_enum, requires = "max_retries")]
    backoff: Option<BackoffArg>,
}

/// [`OnDuplicate`] as a flag's value.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum DuplicateArg {
    Return,
    Reject,
    Run,
}

impl From<DuplicateArg> for OnDuplicate {
    fn from(arg: DuplicateArg) -> Self {
        match arg {
            DuplicateArg::Return => Self::Return,
            DuplicateArg::Reject => Self::Reject,
            DuplicateArg::Run => Self::Run,
        }
    }
}

/// [`Backoff`] as a flag's value.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum BackoffArg {
    Fixed,
    Linear,
    Exponential,
}

impl From<BackoffArg> for Backoff {
    fn from(arg: BackoffArg) -> Self {
        match arg {
            BackoffArg::Fixed => Self::Fixed,
            BackoffArg::Linear => Self::Linear,
            BackoffArg::Exponential => Self::Exponential,
        }
    }
}

impl RetryArgs {
    fn policy(&self) -> Option<RetryPolicy> {
        let max_retries = self.max_retries?;
        let mut policy = RetryPolicy {
            max_retries,
            ..RetryPolicy::default()
        };
        if let Some(delay) = self.retry_delay {
            policy.retry_delay = delay;
        }
        if let Some(backoff) = self.backoff {
            policy.backoff = backoff.into();
        }
        Some(policy)
    }
}

impl EnqueueArgs {
    /// The settings among them.
    pub(crate) fn settings(&self) -> Vec<FlagValue> {
        let mode = self.validation.clone();
        mode.map(|mode| ("validation_mode", "--validation", mode))
            .into_iter()
            .collect()
    }
}

/// A full digest, with or without the name of its algorithm.
fn digest(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let whole = digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    whole
        .then(|| digits.to_ascii_lowercase())
        .ok_or_else(|| "give the full SHA-256 digest, 64 hexadecimal digits".into())
}

/// Enqueues, and waits where asked to.
pub(crate) async fn run(args: EnqueueArgs, context: &Context) -> anyhow::Result<()> {
    let retry = args.retry.policy();
    if let Some(file) = &args.file {
        let defaults = enqueue_file::Defaults {
            queue: args.queue,
            retry,
            ignore_result: args.ignore_result,
            pin: args.pin,
            on_duplicate: args.on_duplicate.into(),
        };
        return enqueue_file::run(file, &defaults, context).await;
    }
    let mut message = message(&args, retry)?;
    if args.wait {
        message = message.awaited();
    }
    let connected = context.connect().await?;
    let mut checks = Checks::new(connected.registry.as_ref(), context.config.validation);
    let admin = Admin::new(connected.clone(), Arc::new(SystemClock));
    // In the same round trip.
    let (checked, ()) = tokio::join!(
        checks.check(&mut message),
        caution::say(&admin, context.output)
    );
    checked?;
    let is_there = !add(&args, &message, &connected).await?;
    if is_there {
        tell(&format!(
            "message {} is there already: it is queued, runs or has ended; --on-duplicate run enqueues it again",
            message.id
        ));
    }
    if args.wait {
        let timeout = args.timeout.or(context.config.result_timeout);
        return result::wait(&admin, &message.id, timeout, context.output).await;
    }
    if context.output.is_json() {
        let mut body = serde_json::json!({ "id": message.id, "queue": args.queue });
        if args.id.is_some() {
            body["present"] = is_there.into();
        }
        return write_json(&body);
    }
    write_line(&message.id)
}

/// Adds the message; false if one of its id is there already.
async fn add(
    args: &EnqueueArgs,
    message: &TaskMessage,
    connected: &Connected,
) -> Result<bool, BrokerError> {
    let (broker, messages) = (&connected.broker, std::slice::from_ref(message));
    if message.noted {
        let on_duplicate = args.on_duplicate.into();
        let answers = broker.enqueue_noted(&args.queue, messages, on_duplicate);
        return Ok(answers.await? == [Enqueued::Added]);
    }
    broker.enqueue(&args.queue, messages).await?;
    Ok(true)
}

fn message(args: &EnqueueArgs, retry: Option<RetryPolicy>) -> anyhow::Result<TaskMessage> {
    let mut message = TaskMessage::new(args.task.as_deref().unwrap_or_default());
    if message.name.is_empty() {
        return Err(CommandError::Usage("the task's name is empty".into()).into());
    }
    match args.id.as_deref() {
        Some("") => return Err(CommandError::Usage("--id is empty".into()).into()),
        Some(id) => message = message.with_id(id),
        None => {}
    }
    message.arguments = args.call.arguments()?;
    message.eta = args.eta;
    if let Some(delay) = args.delay {
        message = message.after(delay);
    }
    message.retry = retry;
    message.pin.clone_from(&args.pin);
    message.ignore_result = args.ignore_result;
    Ok(message)
}

#[cfg(test)]
mod tests {
    use crate::args::{Cli, Command};
    use clap::Parser as _;

    fn parse(line: &[&str]) -> Result<super::EnqueueArgs, String> {
        let line = ["chicory", "enqueue"].iter().chain(line);
        match Cli::try_parse_from(line)
            .map_err(|error| error.to_string())?
            .command
        {
            Command::Enqueue(args) => Ok(args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn arguments_are_json_or_text_and_flags_may_follow() {
        let args = parse(&[
            "m.f",
            "-1",
            "two",
            "[3]",
            "--wait",
            "--kwargs",
            "{\"k\":null}",
        ])
        .unwrap();
        let message = super::message(&args, None).unwrap();
        assert_eq!(message.arguments.args().as_str(), r#"[-1,"two",[3]]"#);
        assert!(args.wait && message.arguments.kwargs().as_str().starts_with("{\"k\":"));
    }

    #[test]
    fn a_delay_becomes_a_time() {
        let before = chicory_queue::Timestamp::now();
        let args = parse(&["m.f", "--delay", "1h", "--max-retries", "2"]).unwrap();
        let message = super::message(&args, args.retry.policy()).unwrap();
        assert!(message.eta.unwrap().since(before).as_secs() >= 3600);
        assert_eq!(message.retry.unwrap().max_retries, 2);
    }

    #[test]
    fn wrong_usage_says_what_is_right() {
        for (name, line) in [
            ("kwargs_no_object", &["m.f", "--kwargs", "[1]"][..]),
            ("delay", &["m.f", "--delay", "soon"]),
            ("queue", &["m.f", "--queue", "a b"]),
            ("eta", &["m.f", "--eta", "tomorrow"]),
            ("nothing", &[]),
            ("pin", &["m.f", "--pin", "abc"]),
            ("wait_for_nothing", &["m.f", "--wait", "--ignore-result"]),
        ] {
            insta::assert_snapshot!(format!("usage_{name}"), parse(line).unwrap_err());
        }
    }
}
