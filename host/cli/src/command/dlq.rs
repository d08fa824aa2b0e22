//! `chicory dlq`: messages that were given up on, and giving them another attempt.
//!
//! Must not know how dead letters are kept.

use chicory_admin::{Admin, Replayed};
use chicory_queue::{DeadLetter, DeadLetterRange, ReplayOptions};
use clap::{Args, Subcommand};
use serde_json::json;

use super::Context;
use crate::config::parse;
use crate::confirm::confirm;
use crate::exit::CommandError;
use crate::output::{printable, shorten, table};

/// Commands of `chicory dlq`.
#[derive(Debug, Subcommand)]
pub(crate) enum DlqCommand {
    /// List dead letters, the oldest first
    #[command(after_help = "Example: chicory dlq list --queue images --count 20")]
    List {
        #[command(flatten)]
        queue: QueueArg,
        /// Maximum number of dead letters to list
        #[arg(long, short = 'n', default_value_t = 100, value_parser = parse::whole_number::<usize>(parse::LISTED))]
        count: usize,
        /// List only dead letters after this id, to continue an earlier list
        #[arg(long, value_name = "ID")]
        after: Option<String>,
        /// List the newest first
        #[arg(long)]
        newest: bool,
    },
    /// Show one dead letter with its message and error
    Show {
        #[command(flatten)]
        queue: QueueArg,
        /// Id of the dead letter, or of its task
        id: String,
    },
    /// Make dead letters ready to run again
    #[command(after_help = "\
Examples:
  chicory dlq replay 1764000000000-0 --queue images
  chicory dlq replay --all --keep-retries")]
    Replay(ReplayArgs),
    /// Delete one dead letter
    Delete {
        #[command(flatten)]
        queue: QueueArg,
        /// Id of the dead letter, or of its task
        id: String,
    },
    /// Delete all dead letters of a queue
    Purge {
        #[command(flatten)]
        queue: QueueArg,
        /// Don't ask for confirmation
        #[arg(long, short)]
        yes: bool,
    },
    /// Count the dead letters of a queue
    Count {
        #[command(flatten)]
        queue: QueueArg,
    },
}

/// The queue of a command.
#[derive(Debug, Args)]
pub(crate) struct QueueArg {
    /// Queue name
    #[arg(long = "queue", short = 'q', default_value = "default", value_parser = parse::queue)]
    name: String,
}

/// Flags of `chicory dlq replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    queue: QueueArg,
    /// Id of the dead letter, or of its task
    #[arg(required_unless_present = "all")]
    id: Option<String>,
    /// Replay all dead letters that exist now
    #[arg(long, conflicts_with = "id")]
    all: bool,
    /// Reset the retry count (the default)
    #[arg(long, conflicts_with = "keep_retries")]
    reset_retries: bool,
    /// Keep the retry count: a message without retries left gets one attempt
    #[arg(long)]
    keep_retries: bool,
}

/// Runs a command of `chicory dlq`.
pub(crate) async fn run(command: DlqCommand, context: &Context) -> anyhow::Result<()> {
    let admin = context.admin().await?;
    let output = context.output;
    match command {
        DlqCommand::List {
            queue,
            count,
            after,
            newest,
        } => {
            let range = DeadLetterRange {
                count,
                after,
                newest_first: newest,
            };
            let letters = admin.dead_letters(&queue.name, range).await?;
            output.value(&letters, |letters| list(letters, &queue.name))
        }
        DlqCommand::Show { queue, id } => {
            let letter = admin.dead_letter(&queue.name, &id).await?;
            output.value(&letter, show)
        }
        DlqCommand::Replay(args) => replay(&args, &admin, context).await,
        DlqCommand::Delete { queue, id } => {
            admin.delete_dead_letter(&queue.name, &id).await?;
            output.value(&json!({ "deleted": 1 }), |_| format!("deleted {id}"))
        }
        DlqCommand::Purge { queue, yes } => {
            confirm(
                &format!("Delete all dead letters of queue {}?", queue.name),
                yes,
            )?;
            let deleted = admin.purge_dead_letters(&queue.name).await?;
            let body = json!({ "deleted": deleted });
            output.value(&body, |_| format!("deleted {deleted} dead letters"))
        }
        DlqCommand::Count { queue } => {
            let count = admin.count_dead_letters(&queue.name).await?;
            output.value(&json!({ "count": count }), |_| count.to_string())
        }
    }
}

async fn replay(args: &ReplayArgs, admin: &Admin, context: &Context) -> anyhow::Result<()> {
    let queue = &args.queue.name;
    let options = ReplayOptions {
        reset_retries: !args.keep_retries,
    };
    let outcome = match &args.id {
        Some(id) => {
            admin.replay(queue, id, options).await?;
            Replayed {
                replayed: 1,
                kept: Vec::new(),
            }
        }
        None => admin.replay_all(queue, options).await?,
    };
    context.output.value(&outcome, |outcome| match &args.id {
        Some(id) => format!("replayed {id}"),
        None => format!("replayed {} dead letters", outcome.replayed),
    })?;
    let Some(first) = outcome.kept.first() else {
        return Ok(());
    };
    let message = format!(
        "{} dead letters can't be replayed: {}",
        outcome.kept.len(),
        first.reason
    );
    Err(CommandError::Failed(message).into())
}

fn list(letters: &[DeadLetter], queue: &str) -> String {
    if letters.is_empty() {
        return format!("queue {queue} has no dead letters");
    }
    let header = ["ID", "TASK", "TASK ID", "FAILED AT", "RETRIES", "ERROR"];
    table(
        header,
        letters.iter().map(|letter| {
            [
                letter.id.clone(),
                letter.task_name.clone(),
                letter.task_id.clone(),
                letter.failed_at.clone(),
                letter.retry_count.to_string(),
                shorten(&letter.error, 60),
            ]
        }),
    )
}

fn show(letter: &DeadLetter) -> String {
    let message = match &letter.original_message {
        Some(message) => serde_json::to_string_pretty(message).unwrap_or_default(),
        None => format!("(unreadable) {}", letter.data),
    };
    printable(&format!(
        "id:        {}\ntask:      {}\ntask id:   {}\nfailed at: {}\nretries:   {}\nentry:     {}\nerror:     {}\nmessage:   {}",
        letter.id,
        letter.task_name,
        letter.task_id,
        letter.failed_at,
        letter.retry_count,
        letter.original_stream_id,
        letter.error,
        message,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_letter_is_shown_without_control_characters() {
        let letter = DeadLetter {
            id: "1-0".into(),
            original_message: None,
            data: "\u{1b}[2Jx".into(),
            failed_at: "2026-01-31T09:00:00Z".into(),
            error: "UnreadableMessage: no JSON".into(),
            retry_count: 0,
            original_stream_id: "0-1".into(),
            task_id: String::new(),
            task_name: String::new(),
        };
        insta::assert_snapshot!(show(&letter));
        insta::assert_snapshot!(list(&[letter], "q"));
    }
}
