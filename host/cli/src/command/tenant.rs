//! `chicory tenant`: who shares the fleet, and how much of it each gets.
//!
//! Must not know how messages are shared out.

use chicory_admin::{TenantDetail, TenantRemoved};
use chicory_queue::{Tenant, TenantName, TenantSettings, WEIGHT};
use chicory_signature::{Range, Unit};
use clap::{Args, Subcommand};
use serde_json::json;

use super::Context;
use crate::config::parse;
use crate::confirm::confirm;
use crate::output::table;

/// The most messages that a limit may name.
const QUEUED: Range = Range::new(0.0, 1e12, Unit::Count);

/// Commands of `chicory tenant`.
#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// Create a tenant; commands with --tenant NAME then work on what it has
    Create {
        #[command(flatten)]
        tenant: Named,
        #[command(flatten)]
        settings: Settings,
    },
    /// Show a tenant: its settings, its part of each queue, its modules
    Show {
        #[command(flatten)]
        tenant: Named,
    },
    /// Change a tenant's settings, for all workers at once
    Set {
        #[command(flatten)]
        tenant: Named,
        #[command(flatten)]
        settings: Settings,
    },
    /// List all tenants
    List,
    /// Hold a tenant's messages, and refuse new ones; what runs goes on
    Suspend {
        #[command(flatten)]
        tenant: Named,
        /// Why: its producers are told
        #[arg(long, default_value = "suspended by an operator")]
        reason: String,
    },
    /// Let a suspended tenant's messages go on
    Resume {
        #[command(flatten)]
        tenant: Named,
    },
    /// Remove a tenant with everything it has: messages, dead letters, results, modules
    Delete {
        #[command(flatten)]
        tenant: Named,
        /// Don't ask for confirmation
        #[arg(long, short)]
        yes: bool,
    },
}

/// The tenant that a command is about.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The tenant's name: 1 to 63 characters of a to z, 0 to 9 and -
    name: TenantName,
}

/// What can be set for a tenant.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Its share of a queue, in proportion to the weights of others: 1 to 1000 [default: 1]
    #[arg(long, value_parser = parse::whole_number::<u32>(WEIGHT))]
    weight: Option<u32>,
    /// Maximum number of its messages in a queue: waiting, running and delayed ones; `none` for no limit [default: none]
    #[arg(long, value_name = "NUMBER", value_parser = limit)]
    max_queued: Option<Limit>,
}

/// A number, or none.
#[derive(Debug, Clone, Copy)]
struct Limit(Option<u64>);

fn limit(text: &str) -> Result<Limit, String> {
    if text == "none" {
        return Ok(Limit(None));
    }
    let number = parse::whole(text, QUEUED);
    let number = number.ok_or_else(|| format!("give {QUEUED}, or none"))?;
    Ok(Limit(Some(number)))
}

impl Settings {
    fn apply(&self, settings: &mut TenantSettings) {
        if let Some(weight) = self.weight {
            settings.weight = weight;
        }
        if let Some(Limit(most)) = self.max_queued {
            settings.max_queued = most;
        }
    }
}

/// Runs a command of `chicory tenant`.
pub(crate) async fn run(command: TenantCommand, context: &Context) -> anyhow::Result<()> {
    let admin = context.admin_of_all().await?;
    let output = context.output;
    match command {
        TenantCommand::Create { tenant, settings } => {
            let mut first = TenantSettings::default();
            settings.apply(&mut first);
            let created = admin.create_tenant(&tenant.name, first).await?;
            output.value(&created, |created| {
                let name = &created.name;
                format!(
                    "created tenant {name}; use it with --tenant {name}, or CHICORY_TENANT={name}"
                )
            })
        }
        TenantCommand::Show { tenant } => {
            output.value(&admin.tenant_detail(&tenant.name).await?, show)
        }
        TenantCommand::Set { tenant, settings } => {
            let change = |stored: &mut TenantSettings| settings.apply(stored);
            let changed = admin.set_tenant(&tenant.name, change).await?;
            output.value(&changed, settings_of)
        }
        TenantCommand::List => output.value(&admin.tenants().await?, |tenants| list(tenants)),
        TenantCommand::Suspend { tenant, reason } => {
            let change = |stored: &mut TenantSettings| stored.suspended = Some(reason.clone());
            let changed = admin.set_tenant(&tenant.name, change).await?;
            output.value(&changed, |changed| {
                format!("suspended tenant {}", changed.name)
            })
        }
        TenantCommand::Resume { tenant } => {
            let change = |stored: &mut TenantSettings| stored.suspended = None;
            let changed = admin.set_tenant(&tenant.name, change).await?;
            output.value(&changed, |changed| {
                format!("resumed tenant {}", changed.name)
            })
        }
        TenantCommand::Delete { tenant, yes } => {
            let name = tenant.name;
            let question = format!("Remove tenant {name} with its messages, results and modules?");
            confirm(&question, yes)?;
            let removed = admin.delete_tenant(&name).await?;
            let body = json!({ "tenant": name, "removed": removed });
            output.value(&body, |_| deleted(&name, &removed))
        }
    }
}

fn deleted(name: &TenantName, removed: &TenantRemoved) -> String {
    let TenantRemoved {
        messages,
        dead_letters,
        modules,
        other,
    } = removed;
    format!(
        "deleted tenant {name}: {messages} messages, {dead_letters} dead letters, {modules} modules, {other} results and other keys"
    )
}

fn most(settings: &TenantSettings) -> String {
    let most = settings.max_queued.map(|most| most.to_string());
    most.unwrap_or_else(|| "no limit".into())
}

fn settings_of(tenant: &Tenant) -> String {
    let Tenant { name, settings, .. } = tenant;
    let mut text = format!(
        "tenant {name}: weight {}, messages per queue: {}",
        settings.weight,
        most(settings)
    );
    if let Some(reason) = &settings.suspended {
        text.push_str("\nSUSPENDED: ");
        text.push_str(reason);
    }
    text
}

fn list(tenants: &[Tenant]) -> String {
    if tenants.is_empty() {
        return "there is only the default tenant; create others: chicory tenant create NAME"
            .into();
    }
    let rows = tenants.iter().map(|tenant| {
        let settings = &tenant.settings;
        let state = match &settings.suspended {
            Some(reason) => format!("suspended: {reason}"),
            None => "active".into(),
        };
        [
            tenant.name.to_string(),
            settings.weight.to_string(),
            most(settings),
            state,
        ]
    });
    table(["TENANT", "WEIGHT", "MAX MESSAGES", "STATE"], rows)
}

fn show(detail: &TenantDetail) -> String {
    let text = settings_of(&detail.tenant);
    let modules = if detail.modules.is_empty() {
        "none".into()
    } else {
        detail.modules.join(", ")
    };
    if detail.queues.is_empty() {
        return format!("{text}\nmodules: {modules}\nqueues: none");
    }
    let rows = detail.queues.iter().map(|row| {
        let stats = &row.stats;
        [
            row.queue.clone(),
            row.ready.to_string(),
            stats.pending.to_string(),
            stats.delayed.to_string(),
            stats.dead.to_string(),
        ]
    });
    let header = ["QUEUE", "WAITING", "ADMITTED", "DELAYED", "DEAD"];
    format!("{text}\nmodules: {modules}\n{}", table(header, rows))
}
