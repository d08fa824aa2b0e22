//! The registry when its Redis server goes away and comes back.

use chicory_queue::{AuditEntry, CanaryCounts, ModuleRecord, Progress, Timestamp, WorkerReport};
use chicory_testing::RedisServer;

fn entry() -> AuditEntry {
    AuditEntry {
        at: Timestamp::now(),
        by: "me".into(),
        action: "deploy".into(),
        module: "mail".into(),
        digest: "d".into(),
        detail: String::new(),
    }
}

#[tokio::test]
async fn all_is_there_after_a_restart_with_a_log_on_disk() {
    let mut server = RedisServer::start_durable();
    let registry = server.connect().await.registry;
    let mut mail = ModuleRecord::new("mail");
    let revision = registry.replace(&mail, &entry()).await.expect("replace");
    mail.revision = revision.expect("nobody else changes it");
    registry
        .put_blob("d", b"\0asm".as_slice().into())
        .await
        .expect("put");
    let report = WorkerReport {
        worker_id: "w".into(),
        progress: Progress::Ready,
    };
    registry.report("r", &report).await.expect("report");
    let counted = CanaryCounts {
        canary_ok: 7,
        ..CanaryCounts::default()
    };
    registry.count("c", counted).await.expect("count");
    assert!(registry.note_policy("p", &entry()).await.expect("note"));

    server.stop();
    let error = registry
        .replace(&mail, &entry())
        .await
        .expect_err("nobody is there");
    assert!(error.is_transient(), "{error}");
    server.start_again();

    let changes = registry.changed(0).await.expect("changed");
    assert_eq!(
        (changes.revision, changes.records),
        (mail.revision, vec![mail.clone()])
    );
    let bytes = registry
        .blob("d")
        .await
        .expect("blob")
        .expect("it is there");
    assert_eq!(&bytes[..], b"\0asm");
    assert_eq!(registry.reports("r").await.expect("reports"), [report]);
    let counts = registry.count("c", CanaryCounts::default()).await;
    assert_eq!(counts.expect("count"), counted);
    assert!(!registry.note_policy("p", &entry()).await.expect("note"));
    assert_eq!(registry.audit(10).await.expect("audit").len(), 2);
    let next = registry.replace(&mail, &entry()).await.expect("replace");
    assert_eq!(next, Some(mail.revision + 1), "revisions continue");
}

/// An empty server in place of the old one is a change, too.
#[tokio::test]
async fn a_watch_outlives_the_server() {
    let mut server = RedisServer::start();
    let registry = server.connect().await.registry;
    let mut mail = ModuleRecord::new("mail");
    for _ in 0..3 {
        let revision = registry.replace(&mail, &entry()).await.expect("replace");
        mail.revision = revision.expect("nobody else changes it");
    }
    let mut wakes = registry.watch().await.expect("watch");
    server.start_again();
    // The first one is for looking at what was missed.
    wakes.recv().await.expect("the watch continues");
    let changes = loop {
        match registry.changed(mail.revision).await {
            Ok(answer) => break answer,
            Err(error) => assert!(error.is_transient(), "{error}"),
        }
    };
    assert_eq!((changes.revision, changes.records.len()), (0, 0));
    let stored = registry.replace(&ModuleRecord::new("pdf"), &entry()).await;
    assert_eq!(stored.expect("replace"), Some(1));
    wakes.recv().await.expect("the watch continues");
    let changes = registry.changed(mail.revision).await.expect("changed");
    let (revision, records) = (changes.revision, changes.records);
    assert_eq!((revision, records[0].name.as_str()), (1, "pdf"));
}
