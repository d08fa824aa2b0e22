//! What people see of modules in all states.

use chicory_admin::{Activated, ModuleDetail, ModuleRow};
use chicory_queue::{
    Activation, AuditEntry, Canary, CanaryCounts, CanaryTerms, ModuleRecord, Phase, Progress,
    Rollout, Timestamp, Version, WorkerReport,
};
use serde_json::json;

use super::{audit, history, list, show};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_900_000_000 + seconds) * 1_000_000 + 123_456)
}

fn version(digest: &str, name: &str, seconds: i64) -> Version {
    let signature = json!({
        "kind": "function",
        "params": [{"name": "width", "type": "u32"}],
        "result": "bytes",
    });
    Version {
        digest: digest.repeat(64),
        size: 102_400,
        version: Some(name.into()),
        tasks: [(
            "shrink".to_owned(),
            serde_json::from_value(signature).unwrap(),
        )]
        .into(),
        manifest: json!({}),
        deployed_by: "ann@build".into(),
        deployed_at: at(seconds),
        signature: (name == "1.1.0").then(|| "untrusted comment: x".into()),
        source: (name == "1.1.0")
            .then(|| format!("oci://ghcr.io/acme/resize:1.1.0@sha256:{}", "e".repeat(64))),
        retiring: name == "1.0.0",
    }
}

fn record() -> ModuleRecord {
    let mut record = ModuleRecord::new("resize");
    record.versions = vec![
        version("a", "1.0.0", 0),
        version("b", "1.1.0", 60),
        version("c", "1.2.0", 120),
    ];
    let activation = |digest: &str, seconds: i64, how: &str| Activation {
        digest: digest.repeat(64),
        at: at(seconds),
        by: "ann@build".into(),
        how: how.into(),
    };
    record.history = vec![
        activation("e", -60, "deploy"),
        activation("a", 1, "deploy"),
        activation("b", 61, "promote"),
    ];
    record.active = Some("b".repeat(64));
    record
}

fn rolling_out(phase: Phase) -> ModuleRecord {
    let rollout = Rollout {
        id: "r".into(),
        digest: "c".repeat(64),
        by: "bob@desk".into(),
        how: "deploy".into(),
        phase,
        started_at: at(120),
        expires_at: at(180),
        canary: None,
    };
    ModuleRecord {
        rollout: Some(rollout),
        ..record()
    }
}

fn on_trial() -> ModuleRecord {
    let canary = Canary {
        id: "c".into(),
        digest: "c".repeat(64),
        by: "bob@desk".into(),
        since: at(121),
        terms: CanaryTerms::default(),
    };
    ModuleRecord {
        canary: Some(canary),
        ..record()
    }
}

fn entry() -> AuditEntry {
    AuditEntry {
        at: at(120),
        by: "bob@desk".into(),
        action: "deploy".into(),
        module: "resize".into(),
        digest: "c".repeat(64),
        detail: "1.2.0\u{1b}[31m".into(),
    }
}

#[test]
fn modules_are_listed_with_what_is_under_way() {
    let mut fresh = ModuleRecord::new("fresh");
    fresh.versions = vec![version("d", "0.1.0", 0)];
    let records = [
        fresh,
        record(),
        on_trial(),
        rolling_out(Phase::Preparing),
        rolling_out(Phase::Switching),
    ];
    let mut rows: Vec<_> = records.map(|record| ModuleRow::new(record, at(150))).into();
    rows.push(ModuleRow::new(rolling_out(Phase::Preparing), at(200)));
    insta::assert_snapshot!("list", list::human(&rows));
    insta::assert_snapshot!("list_json", serde_json::to_string_pretty(&rows[1]).unwrap());
}

#[test]
fn a_module_is_shown_with_its_roll_out() {
    let report = |worker: &str, progress| WorkerReport {
        worker_id: worker.into(),
        progress,
    };
    let detail = ModuleDetail {
        record: rolling_out(Phase::Preparing),
        reports: vec![
            report("one", Progress::Ready),
            report("two", Progress::Refused("it needs wasi:sockets".into())),
        ],
        canary_counts: None,
    };
    insta::assert_snapshot!("show_rollout", show::human(&detail, at(150)));
}

#[test]
fn a_module_is_shown_with_its_canary() {
    let counts = CanaryCounts {
        canary_ok: 11,
        canary_failed: 1,
        active_ok: 397,
        active_failed: 3,
    };
    let detail = ModuleDetail {
        record: on_trial(),
        reports: Vec::new(),
        canary_counts: Some(counts),
    };
    insta::assert_snapshot!("show_canary", show::human(&detail, at(150)));
}

#[test]
fn the_past_is_shown_newest_first() {
    insta::assert_snapshot!(
        "history",
        history::human("resize", &Activated::history(&record()))
    );
    insta::assert_snapshot!("audit", audit::human(&[entry()]));
}
