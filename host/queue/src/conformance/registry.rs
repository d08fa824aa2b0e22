//! Promises of the registry: nothing is overwritten unnoticed, and all readers see the same.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chicory_signature::{Kind, Shape, Signature};
use serde_json::json;
use tokio::sync::mpsc::Receiver;

use super::fixture::{Fixture, Settings, message, soon};
use crate::{
    Activation, AuditEntry, CanaryCounts, CanaryTerms, Clock, ModuleRecord, Progress, Registry,
    RolloutRequest, Timestamp, Version, WorkerReport,
};

fn entry(detail: &str) -> AuditEntry {
    AuditEntry {
        at: Timestamp::from_micros(1_900_000_000_000_000),
        by: "suite@here".into(),
        action: "deploy".into(),
        module: "mail".into(),
        digest: "ab".repeat(32),
        detail: detail.into(),
    }
}

/// A record in which every part is filled.
fn full(fixture: &Fixture) -> ModuleRecord {
    let now = fixture.clock.now();
    let version = |digest: &str| Version {
        digest: digest.into(),
        size: 102_400,
        version: Some("1.2.0".into()),
        tasks: [(
            "mail.send".into(),
            Signature {
                kind: Kind::Function,
                params: Box::default(),
                result: Some(Shape::List(Box::new(Shape::F32))),
            },
        )]
        .into(),
        manifest: json!({"retry": {"retry_delay": 0.1}}),
        deployed_by: "me@hère".into(),
        deployed_at: now,
        signature: Some("untrusted comment: x\nRU\n".into()),
        source: None,
        retiring: false,
    };
    let mut record = ModuleRecord::new("mail");
    record.versions = vec![version("one")];
    record.active = Some("one".into());
    record.history = vec![Activation {
        digest: "one".into(),
        at: now,
        by: "me".into(),
        how: "deploy".into(),
    }];
    let request = RolloutRequest {
        id: "r".into(),
        by: "me".into(),
        now,
        expires_at: fixture.ahead(60),
        canary: Some(CanaryTerms::default()),
        allow_breaking: false,
    };
    let begun = record.begin(version("two"), Vec::new(), &request);
    begun.expect("nothing else is under way")
}

async fn stored(registry: &dyn Registry, record: &ModuleRecord) -> u64 {
    let revision = registry.replace(record, &entry("")).await;
    let revision = revision.expect("replace");
    revision.expect("nobody else changed the module")
}

/// By this connection and by any other.
pub async fn a_record_is_read_as_it_was_stored(fixture: &Fixture) {
    let registry = &fixture.connected.registry;
    assert_eq!(registry.module("mail").await.expect("module"), None);
    let mut record = full(fixture);
    record.revision = stored(&**registry, &record).await;
    let other = fixture.again(Settings::default()).await.registry;
    for registry in [registry, &other] {
        let read = registry.module("mail").await.expect("module");
        assert_eq!(read.as_ref(), Some(&record));
    }
    // Empty lists and missing values survive as well.
    let mut bare = ModuleRecord::new("bare");
    bare.revision = stored(&*other, &bare).await;
    assert_eq!(registry.module("bare").await.expect("module"), Some(bare));
}

/// A module's name has several spellings.
pub async fn a_module_is_found_in_any_spelling(fixture: &Fixture) {
    let registry = &fixture.connected.registry;
    let mut record = ModuleRecord::new("My_mail.v2");
    record.revision = stored(&**registry, &record).await;
    for name in ["My_mail.v2", "my-mail.v2", "MY_MAIL.V2"] {
        let found = registry.find_module(name).await.expect("find");
        assert_eq!(found.as_ref(), Some(&record), "{name}");
    }
    for name in ["my-mail.v", "my-mail", ""] {
        assert_eq!(registry.find_module(name).await.expect("find"), None);
    }
    let exact = registry.module("my-mail.v2").await.expect("module");
    assert_eq!(exact, None, "the name that it was deployed by has capitals");
}

/// What readers would refuse is not written; whoever tries is told what is wrong.
pub async fn a_record_that_nobody_could_read_is_not_stored(fixture: &Fixture) {
    let registry = &fixture.connected.registry;
    let mut large = full(fixture);
    large.versions = vec![large.versions[0].clone(); 40];
    for version in &mut large.versions {
        version.manifest = serde_json::json!({ "name": "x".repeat(30_000) });
    }
    let error = registry.replace(&large, &entry("")).await;
    let text = error.expect_err("more than 1 MiB").to_string();
    assert!(text.contains("mail") && text.contains("1048576"), "{text}");
    let mut odd = full(fixture);
    odd.versions[0].digest = "../../x".into();
    let error = registry.replace(&odd, &entry("")).await;
    let text = error.expect_err("a digest is a file's name").to_string();
    assert!(text.contains("mail"), "{text}");
    assert_eq!(registry.names().await.expect("names"), [""; 0]);
}

/// The other is told, and leaves no trace.
pub async fn of_two_who_change_a_module_one_wins(fixture: &Fixture) {
    let registry = &fixture.connected.registry;
    let other = fixture.again(Settings::default()).await.registry;
    let mut record = ModuleRecord::new("mail");
    for round in 1..=20_u64 {
        let (mut mine, mut theirs) = (record.clone(), record.clone());
        mine.active = Some(format!("mine{round}"));
        theirs.active = Some(format!("theirs{round}"));
        let (mine_line, theirs_line) = (entry("mine"), entry("theirs"));
        let (first, second) = tokio::join!(
            registry.replace(&mine, &mine_line),
            other.replace(&theirs, &theirs_line)
        );
        let (winner, mut kept) = match (first.expect("replace"), second.expect("replace")) {
            (Some(revision), None) => ("mine", ModuleRecord { revision, ..mine }),
            (None, Some(revision)) => ("theirs", ModuleRecord { revision, ..theirs }),
            both => panic!("not one of two won: {both:?}"),
        };
        let lines = registry.audit(1_000).await.expect("audit");
        assert_eq!(lines.len() as u64, round, "one line for each change");
        assert_eq!(lines[0].detail, winner);
        record = registry
            .module("mail")
            .await
            .expect("module")
            .expect("it is there");
        kept.name = "mail".into();
        assert_eq!(record, kept);
    }
    let late = ModuleRecord::new("mail");
    let answer = registry.replace(&late, &entry("")).await;
    assert_eq!(answer.expect("replace"), None, "it is there already");
}

/// One number for all modules: a reader that knows it asks only for what came after.
pub async fn changes_are_listed_by_revision(fixture: &Fixture) {
    let registry = &fixture.connected.registry;
    let none = registry.changed(0).await.expect("changed");
    assert_eq!((none.revision, none.records), (0, Vec::new()));
    let names = |records: &[ModuleRecord]| -> Vec<String> {
        records.iter().map(|record| record.name.clone()).collect()
    };
    let mut mail = ModuleRecord::new("mail");
    mail.revision = stored(&**registry, &mail).await;
    let first = mail.revision;
    stored(&**registry, &ModuleRecord::new("pdf")).await;
    mail.revision = stored(&**registry, &mail).await;

    let all = registry.changed(0).await.expect("changed");
    let revision = all.revision;
    assert_eq!(names(&all.records), ["pdf", "mail"]);
    let mut all = registry.names().await.expect("names");
    all.sort_unstable();
    assert_eq!(all, ["mail", "pdf"]);
    assert_eq!(revision, mail.revision);
    let later = registry.changed(first).await.expect("changed");
    assert_eq!(names(&later.records), ["pdf", "mail"]);
    let last = registry.changed(first + 1).await.expect("changed");
    assert_eq!(last.records, [mail]);
    let nothing = registry.changed(revision).await.expect("changed");
    assert_eq!((nothing.revision, nothing.records), (revision, Vec::new()));
}

/// Its revisions are behind the one that a worker knows.
pub async fn a_registry_that_was_replaced_is_read_anew(fixture: &Fixture) {
    let registry = &fixture.connected.registry;
    let mut mail = ModuleRecord::new("mail");
    mail.revision = stored(&**registry, &mail).await;
    let answer = registry.changed(1_000_000).await.expect("changed");
    assert_eq!(
        (answer.revision, answer.records),
        (mail.revision, vec![mail])
    );
}

/// The second attempt changes nothing.
pub async fn bytes_are_kept_once(fixture: &Fixture) {
    let registry = &fixture.connected.registry;
    let other = fixture.again(Settings::default()).await.registry;
    assert_eq!(registry.blob("d").await.expect("blob"), None);
    let bytes: Bytes = (0..=255).cycle().take(300_000).collect::<Vec<u8>>().into();
    registry.put_blob("d", bytes.clone()).await.expect("put");
    let again = other.put_blob("d", Bytes::from_static(b"other")).await;
    again.expect("put");
    for registry in [registry, &other] {
        assert_eq!(
            registry.blob("d").await.expect("blob").as_ref(),
            Some(&bytes)
        );
        assert_eq!(registry.blob("e").await.expect("blob"), None);
    }
    for _ in 0..2 {
        other.delete_blob("d").await.expect("delete");
        assert_eq!(registry.blob("d").await.expect("blob"), None);
    }
}

/// Each rollout has its own reports.
pub async fn a_workers_last_word_holds(fixture: &Fixture) {
    let registry = &fixture.connected.registry;
    let other = fixture.again(Settings::default()).await.registry;
    let says = |worker: &str, progress: Progress| WorkerReport {
        worker_id: worker.into(),
        progress,
    };
    let refused = Progress::Refused("imports wasi:sockets, which is not granted".into());
    for (registry, report) in [
        (registry, says("a", Progress::Ready)),
        (&other, says("b", refused.clone())),
        (registry, says("a", Progress::Switched)),
    ] {
        registry.report("r", &report).await.expect("report");
    }
    let mut reports = other.reports("r").await.expect("reports");
    reports.sort_by(|one, two| one.worker_id.cmp(&two.worker_id));
    assert_eq!(reports, [says("a", Progress::Switched), says("b", refused)]);
    assert!(registry.reports("s").await.expect("reports").is_empty());
}

/// Whoever adds, even at the same time.
pub async fn counts_add_up(fixture: &Fixture) {
    let registry = &fixture.connected.registry;
    let other = fixture.again(Settings::default()).await.registry;
    let none = CanaryCounts::default();
    assert_eq!(registry.count("c", none).await.expect("count"), none);
    let added = CanaryCounts {
        canary_ok: 1,
        canary_failed: 2,
        active_ok: 30,
        active_failed: 0,
    };
    let mut adding = tokio::task::JoinSet::new();
    for registry in [registry, &other] {
        for _ in 0..25 {
            let registry = Arc::clone(registry);
            adding.spawn(async move { registry.count("c", added).await });
        }
    }
    let most = adding.join_all().await.into_iter();
    let most = most.map(|counts| counts.expect("count").active_ok).max();
    let sum = CanaryCounts {
        canary_ok: 50,
        canary_failed: 100,
        active_ok: 1_500,
        active_failed: 0,
    };
    assert_eq!(most, Some(sum.active_ok), "the last one saw all");
    assert_eq!(other.count("c", none).await.expect("count"), sum);
    assert_eq!(other.count("d", none).await.expect("count"), none);
}

/// As many as were asked for.
pub async fn the_newest_line_of_the_log_comes_first(fixture: &Fixture) {
    let registry = &fixture.connected.registry;
    assert!(registry.audit(10).await.expect("audit").is_empty());
    let mut mail = ModuleRecord::new("mail");
    for detail in ["one", "two", "three"] {
        let revision = registry.replace(&mail, &entry(detail)).await;
        mail.revision = revision.expect("replace").expect("nobody else changes it");
    }
    let other = fixture.again(Settings::default()).await.registry;
    let all = other.audit(10).await.expect("audit");
    assert_eq!(all, [entry("three"), entry("two"), entry("one")]);
    assert_eq!(other.audit(1).await.expect("audit"), [entry("three")]);
    assert!(other.audit(0).await.expect("audit").is_empty());
}

/// Not by each worker that starts.
pub async fn a_policy_is_noted_when_it_changes(fixture: &Fixture) {
    let registry = &fixture.connected.registry;
    let other = fixture.again(Settings::default()).await.registry;
    for (registry, policy, changed) in [
        (registry, "required = true", true),
        (&other, "required = true", false),
        (&other, "required = false", true),
        (registry, "required = true", true),
    ] {
        let noted = registry.note_policy(policy, &entry(policy)).await;
        assert_eq!(noted.expect("note"), changed, "{policy}");
    }
    let lines = registry.audit(10).await.expect("audit");
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1], entry("required = false"));
}

/// A wake-up may be lost, so the cause is repeated.
async fn woken(wakes: &mut Receiver<()>, registry: &dyn Registry, record: &mut ModuleRecord) {
    for _ in 0..50 {
        record.revision = stored(registry, record).await;
        let told = tokio::time::timeout(Duration::from_millis(400), wakes.recv()).await;
        if let Ok(wake) = told {
            wake.expect("the watch lasts");
            return;
        }
    }
    panic!("broken promise: those who watch are woken");
}

/// By this process or another; not by something that changes nothing.
pub async fn those_who_watch_are_woken(fixture: &Fixture) {
    let registry = &fixture.connected.registry;
    let other = fixture.again(Settings::default()).await.registry;
    let mut record = ModuleRecord::new("mail");
    for listener in [registry, &other] {
        let mut wakes = listener.watch().await.expect("watch");
        for _ in 0..2 {
            woken(&mut wakes, &**registry, &mut record).await;
        }
    }
    let mut wakes = other.watch().await.expect("watch");
    let many = async {
        while wakes.recv().await.is_some() {
            let changes = other.changed(0).await.expect("changed");
            if changes.revision == record.revision + 20 {
                return;
            }
        }
    };
    let changing = async {
        for number in 0..20 {
            stored(&**registry, &ModuleRecord::new(format!("m{number}"))).await;
        }
    };
    // One wake-up may stand for many changes, and the last change has one.
    soon("the last change is heard of", async {
        tokio::join!(many, changing)
    })
    .await;
}

/// Operators' actions on queues leave the registry alone.
pub async fn no_queue_is_made_of_it(fixture: &Fixture) {
    let registry = &fixture.connected.registry;
    let inspect = &fixture.connected.inspect;
    let mut mail = full(fixture);
    mail.revision = stored(&**registry, &mail).await;
    registry
        .put_blob("d", Bytes::from_static(b"x"))
        .await
        .expect("put");
    assert!(inspect.queues().await.expect("queues").is_empty());
    fixture.enqueue(&[message("m")]).await;
    assert_eq!(inspect.queues().await.expect("queues"), ["default"]);
    for queue in ["default", "registry", "mail"] {
        inspect.purge(queue).await.expect("purge");
        inspect.purge_dead_letters(queue).await.expect("purge");
    }
    assert_eq!(registry.module("mail").await.expect("module"), Some(mail));
    assert!(registry.blob("d").await.expect("blob").is_some());
}
