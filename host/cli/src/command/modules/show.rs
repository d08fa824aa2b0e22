//! `chicory modules show`: everything about one module.
//!
//! Must not know its past.

use chicory_admin::{ModuleDetail, ModuleState};
use chicory_queue::{
    Canary, CanaryCounts, ModuleRecord, Progress, Rollout, Timestamp, Version, WorkerReport,
};
use chicory_signature::{short_digest, shown_names};

use super::second;
use crate::command::Context;
use crate::command::in_force::InForce;
use crate::output::{printable, table};

/// Shows the module, and what its active version gets by these settings.
pub(super) fn show(detail: &ModuleDetail, context: &Context) -> anyhow::Result<()> {
    let record = &detail.record;
    let version = record.active_version().or(record.versions.last());
    let in_force =
        version.and_then(|version| InForce::of_version(&context.config, &record.name, version));
    let mut body = serde_json::to_value(detail)?;
    if let (Some(body), Some(in_force)) = (body.as_object_mut(), &in_force) {
        body.insert("in_force".to_owned(), in_force.json());
    }
    context.output.value(&body, |_| {
        let mut text = human(detail, Timestamp::now());
        if let Some(in_force) = &in_force {
            let lines = in_force.lines().join("\n  ");
            text.push_str(&printable(&format!(
                "\nin force on a worker with these settings (see [policy]):\n  {lines}"
            )));
        }
        text
    })
}

pub(super) fn human(detail: &ModuleDetail, now: Timestamp) -> String {
    let record = &detail.record;
    let mut parts = vec![format!("{}: {}", record.name, ModuleState::of(record, now))];
    if let Some(rollout) = &record.rollout {
        parts.push(rolling_out(rollout, &detail.reports));
    }
    if let Some(canary) = &record.canary {
        parts.push(on_trial(canary, detail.canary_counts.unwrap_or_default()));
    }
    let versions = record.versions.iter().rev();
    parts.push(table(
        [
            "DIGEST", "VERSION", "BYTES", "DEPLOYED", "BY", "SIGNED", "STATE",
        ],
        versions.map(|version| row(record, version)),
    ));
    let newest = record.versions.last();
    if let Some(version) = record.active_version().or(newest) {
        parts.push(tasks(&record.name, version));
    }
    printable(&parts.join("\n"))
}

fn row(record: &ModuleRecord, version: &Version) -> [String; 7] {
    let is = |digest: Option<&String>| digest == Some(&version.digest);
    let rollout = record.rollout.as_ref().map(|rollout| &rollout.digest);
    let canary = record.canary.as_ref().map(|canary| &canary.digest);
    let state = if is(record.active.as_ref()) {
        "active"
    } else if is(canary) {
        "canary"
    } else if is(rollout) {
        "rolling out"
    } else if version.retiring {
        "retiring"
    } else {
        ""
    };
    [
        short_digest(&version.digest).to_owned(),
        version.version.clone().unwrap_or_default(),
        version.size.to_string(),
        second(version.deployed_at),
        version.deployed_by.clone(),
        if version.signature.is_some() {
            "yes"
        } else {
            "no"
        }
        .to_owned(),
        state.to_owned(),
    ]
}

fn rolling_out(rollout: &Rollout, reports: &[WorkerReport]) -> String {
    let mut lines = vec![format!(
        "  {} of {} by {} since {}, expires at {}",
        rollout.how,
        short_digest(&rollout.digest),
        rollout.by,
        second(rollout.started_at),
        second(rollout.expires_at)
    )];
    lines.extend(reports.iter().map(|report| {
        let progress = match &report.progress {
            Progress::Ready => "ready",
            Progress::Switched => "switched",
            Progress::Refused(reason) => reason,
        };
        format!("  worker {}: {progress}", report.worker_id)
    }));
    lines.join("\n")
}

fn on_trial(canary: &Canary, counts: CanaryCounts) -> String {
    let terms = &canary.terms;
    let of =
        |failed: u64, ok: u64| format!("{failed} of {} attempts failed", ok.saturating_add(failed));
    format!(
        "  canary by {} since {}: {}; on the active version, {}\n  rolled back at {} percentage points more failures, promoted after {} s and {} attempts",
        canary.by,
        second(canary.since),
        of(counts.canary_failed, counts.canary_ok),
        of(counts.active_failed, counts.active_ok),
        terms.margin,
        terms.hold,
        terms.min_tasks
    )
}

fn tasks(module: &str, version: &Version) -> String {
    let shown = shown_names(version.tasks.keys().map(String::as_str));
    let tasks = shown.iter().zip(version.tasks.values());
    let lines: Vec<_> = tasks
        .map(|(task, signature)| format!("  {module}.{task}: {signature}"))
        .collect();
    format!(
        "tasks of {}:\n{}",
        short_digest(&version.digest),
        lines.join("\n")
    )
}
