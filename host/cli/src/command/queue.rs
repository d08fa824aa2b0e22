//! `chicory queue`: sizes, consumers and delayed messages of queues, and emptying one.
//!
//! Must not know how queues are kept.

use std::time::Duration;

use chicory_admin::{QueueDetail, QueueRow};
use clap::Subcommand;
use serde_json::json;

use super::Context;
use crate::config::parse;
use crate::confirm::confirm;
use crate::output::table;

/// Commands of `chicory queue`.
#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// List all queues with their sizes
    List {
        /// Look through everything on the server for queues that only other programs have used, and list them from then on
        #[arg(long)]
        scan: bool,
    },
    /// Show one queue: its sizes, its consumers, and its next delayed messages
    Show {
        /// Queue name
        #[arg(default_value = "default", value_parser = parse::queue)]
        queue: String,
        /// Maximum number of delayed messages to show
        #[arg(long, short = 'n', default_value_t = 10, value_parser = parse::whole_number::<usize>(parse::LISTED))]
        count: usize,
    },
    /// Remove all ready, running and delayed messages of a queue, but not its dead letters
    Purge {
        /// Queue name
        #[arg(default_value = "default", value_parser = parse::queue)]
        queue: String,
        /// Don't ask for confirmation
        #[arg(long, short)]
        yes: bool,
    },
}

/// Runs a command of `chicory queue`.
pub(crate) async fn run(command: QueueCommand, context: &Context) -> anyhow::Result<()> {
    let admin = context.admin().await?;
    match command {
        QueueCommand::List { scan } => {
            let rows = if scan {
                admin.find_queues().await?
            } else {
                admin.queues().await?
            };
            context.output.value(&rows, |rows| list(rows))
        }
        QueueCommand::Show { queue, count } => {
            let detail = admin.queue(&queue, count).await?;
            context.output.value(&detail, show)
        }
        QueueCommand::Purge { queue, yes } => {
            confirm(&format!("Remove all messages of queue {queue}?"), yes)?;
            let removed = admin.purge(&queue).await?;
            let body = json!({ "removed": removed, "queue": queue });
            context.output.value(&body, |_| {
                format!("removed {removed} messages of queue {queue}")
            })
        }
    }
}

fn list(rows: &[QueueRow]) -> String {
    if rows.is_empty() {
        return "there are no queues; `chicory enqueue` creates one, and `chicory queue list --scan` finds those that only \
            other programs have used"
            .into();
    }
    table(
        [
            "QUEUE",
            "READY",
            "OLDEST",
            "RUNNING",
            "DELAYED",
            "DEAD",
            "CONSUMERS",
        ],
        rows.iter().map(|row| {
            [
                row.queue.clone(),
                row.ready.to_string(),
                age(row.stats.oldest_ready_ms),
                row.stats.pending.to_string(),
                row.stats.delayed.to_string(),
                row.stats.dead.to_string(),
                row.stats.consumers.to_string(),
            ]
        }),
    )
}

/// How long the oldest ready message has been ready: milliseconds below a second, else whole seconds.
fn age(milliseconds: Option<u64>) -> String {
    let Some(milliseconds) = milliseconds else {
        return "-".into();
    };
    let whole = match milliseconds {
        0..1000 => milliseconds,
        _ => milliseconds / 1000 * 1000,
    };
    humantime::format_duration(Duration::from_millis(whole)).to_string()
}

fn show(detail: &QueueDetail) -> String {
    let mut text = list(std::slice::from_ref(&detail.row));
    if !detail.consumer_list.is_empty() {
        let rows = detail.consumer_list.iter().map(|consumer| {
            [
                consumer.name.clone(),
                consumer.pending.to_string(),
                humantime::format_duration(Duration::from_millis(consumer.idle_ms)).to_string(),
            ]
        });
        text = format!("{text}\n\n{}", table(["CONSUMER", "HOLDS", "IDLE"], rows));
    }
    if !detail.delayed_list.is_empty() {
        let rows = detail.delayed_list.iter().map(|delayed| {
            let message = delayed.message.as_ref();
            [
                delayed.due.to_string(),
                message.map_or_else(|| "(unreadable)".into(), |message| message.name.to_string()),
                message.map_or_else(String::new, |message| message.id.to_string()),
                message.map_or_else(String::new, |message| message.retries.to_string()),
            ]
        });
        let header = ["DUE", "TASK", "TASK ID", "RETRIES"];
        text = format!("{text}\n\n{}", table(header, rows));
    }
    text
}
