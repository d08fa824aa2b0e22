//! A module's grants and limits as a worker with these settings gives them, and what cut or refused them.
//!
//! Must not know where a module is from.

use std::fmt::Write as _;

use chicory_admin::{Candidate, UploadError};
use chicory_queue::Version;
use chicory_runtime::{Grants, HOST_FLOOR, LIMITS, Limits, ModuleSettings};
use chicory_signature::{Unit, qualified};
use chicory_worker::{Allowed, Excess, Manifest, Standing};
use serde_json::{Map, Value, json};

use crate::config::Config;

/// What a module gets.
pub(super) struct InForce {
    allowed: Allowed,
    excesses: Vec<Excess>,
    max_memory: u64,
}

impl InForce {
    /// What a worker with these settings gives a module that asks for this.
    pub(super) fn of(
        config: &Config,
        module: &str,
        standing: Standing,
        asked: &ModuleSettings,
    ) -> Self {
        let module = &qualified(&config.tenant, module);
        let (allowed, excesses) = config.admission.policy.weigh(module, standing, asked);
        Self {
            allowed,
            excesses,
            max_memory: config.worker.max_memory,
        }
    }

    /// The same for a version in the registry, by what its record says; none where that can't be read.
    pub(super) fn of_version(config: &Config, module: &str, version: &Version) -> Option<Self> {
        let manifest: Manifest = serde_json::from_value(version.manifest.clone()).ok()?;
        let signature = version.signature.as_deref();
        let standing = standing(config, module, signature);
        Some(Self::of(config, module, standing, &manifest.settings()))
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let settings = &self.allowed.settings;
        let tasks = settings.task_limits.iter();
        let tasks: Map<_, _> = tasks
            .map(|(task, own)| (task.clone(), json!(own)))
            .collect();
        let cuts = self.allowed.cuts.iter().map(ToString::to_string);
        let refused = self.excesses.iter().map(ToString::to_string);
        json!({
            "grants": settings.grants,
            "limits": self.limits(),
            "task_limits": tasks,
            "most_memory_bytes": self.most_memory(),
            "cuts": cuts.collect::<Vec<_>>(),
            "refused": refused.collect::<Vec<_>>(),
        })
    }

    /// For people, a line each.
    pub(super) fn lines(&self) -> Vec<String> {
        let settings = &self.allowed.settings;
        let mut lines = grants(&settings.grants);
        let held = self.limits();
        lines.push(format!("limits: {}", shown(&held)));
        for (task, own) in &settings.task_limits {
            lines.push(format!("limits of {task}: {}", shown(own)));
        }
        lines.push(format!(
            "a call takes at most {} MiB, of its own memory and of what the host holds for it",
            self.most_memory().div_ceil(1 << 20)
        ));
        let cuts = self.allowed.cuts.iter();
        lines.extend(cuts.map(|cut| format!("cut: {cut}")));
        let refused = self.excesses.iter();
        lines.extend(refused.map(|excess| format!("refused: {excess}")));
        lines
    }

    /// What one call of any task may make the worker hold, in bytes: its own memory and what the host keeps for it.
    fn most_memory(&self) -> u64 {
        let own = self.allowed.settings.task_limits.values();
        let memories = own.filter_map(|limits| limits.memory);
        let most = memories.chain(self.limits().memory).map(u64::from).max();
        most.unwrap_or(self.max_memory).saturating_add(HOST_FLOOR)
    }

    fn limits(&self) -> Limits {
        let mut held = self.allowed.settings.limits.or(&Limits::defaults());
        held.memory.get_or_insert(self.max_memory.into());
        held
    }
}

/// Whether the tenant's module is signed, as far as its signature says.
pub(super) fn standing(config: &Config, module: &str, signature: Option<&str>) -> Standing {
    let module = qualified(&config.tenant, module);
    config.admission.trust.claimed(&module, signature)
}

fn grants(grants: &Grants) -> Vec<String> {
    let switches = [
        ("clocks", grants.clocks),
        ("random", grants.random),
        ("stdio", grants.stdio),
    ];
    let on: Vec<_> = switches
        .iter()
        .filter(|(_, on)| *on)
        .map(|(name, _)| *name)
        .collect();
    let names: Vec<_> = grants.env.keys().map(String::as_str).collect();
    let dirs = grants.dirs.iter().map(|dir| {
        let how = if dir.writable { ", writable" } else { "" };
        format!("{} as {}{how}", dir.host.display(), dir.guest)
    });
    let dirs: Vec<String> = dirs.collect();
    let lists = [
        ("grants", on.join(", ")),
        ("env", names.join(", ")),
        ("http", grants.http.join(", ")),
        ("dirs", dirs.join("; ")),
        ("interfaces", grants.interfaces.join(", ")),
    ];
    let some = lists.into_iter().filter(|(_, list)| !list.is_empty());
    some.map(|(name, list)| format!("{name}: {list}")).collect()
}

/// `timeout = 300, memory = 256 MiB, …`
fn shown(limits: &Limits) -> String {
    let mut text = String::new();
    for limit in &LIMITS {
        let Some(value) = limit.of(limits) else {
            continue;
        };
        let comma = if text.is_empty() { "" } else { ", " };
        let name = limit.bounded.name;
        let (value, unit) = match limit.bounded.range.unit {
            Unit::Bytes if value % 1_048_576.0 == 0.0 && value > 0.0 => {
                (value / 1_048_576.0, " MiB")
            }
            Unit::Bytes => (value, " bytes"),
            Unit::Seconds => (value, " s"),
            _ => (value, ""),
        };
        let _ = write!(text, "{comma}{name} = {value}{unit}");
    }
    text
}

/// Refuses a module that asks for more than this program's own settings allow: a worker's are likely the same.
pub(super) fn check(config: &Config, candidate: &Candidate) -> anyhow::Result<()> {
    let manifest: Manifest = serde_json::from_value(candidate.packed.manifest.clone())?;
    let admission = &config.admission;
    let signature = candidate.signature.as_deref();
    // Whether it may run unsigned is for workers to say.
    let module = &qualified(&config.tenant, &candidate.name);
    let standing = admission
        .trust
        .check(module, &candidate.packed.bytes, signature)
        .unwrap_or(Standing::Unsigned);
    let applied = admission
        .policy
        .apply(module, standing, &manifest.settings());
    applied.map(|_| ()).map_err(|error| {
        let shown = candidate.name.clone();
        let source = Box::new(error);
        UploadError::Refused { shown, source }.into()
    })
}
