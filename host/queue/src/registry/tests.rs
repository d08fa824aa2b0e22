//! Nothing is forgotten that a message needs, wherever the message is.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chicory_signature::{Field, Kind, Shape, Signature};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::{
    Activation, AuditEntry, BrokerConfig, Connected, FetchRequest, ForgetRequest, Forgotten,
    ModuleRecord, RetentionRule, SettleRequest, Settlement, SqliteConfig, SystemClock, TaskMessage,
    Timestamp, Version, connect,
};

const NOW: Timestamp = Timestamp::from_micros(1_900_000_000_000_000);
const RULE: RetentionRule = RetentionRule { count: 1, age: 0.0 };

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum MessageState {
    Ready,
    Leased,
    Delayed,
    Dead,
}

/// The properties of a message.
#[derive(Debug, Clone)]
struct Sent {
    place: MessageState,
    ours: bool,
    arg: usize,
    pin: Option<usize>,
    checked: Option<usize>,
}

/// The properties of a version: the type that its task takes, and whether it has been active.
#[derive(Debug, Clone, Copy)]
struct Made {
    takes: usize,
    served: bool,
}

fn digest(number: usize) -> String {
    format!("{number:064x}")
}

/// Each value fits the type with the same number, and no other.
fn arg(number: usize) -> Value {
    [json!(7), json!("text"), json!([true])][number].clone()
}

fn version(number: usize, made: Made) -> Version {
    let shape = match made.takes {
        0 => Shape::U32,
        1 => Shape::String,
        _ => Shape::List(Box::new(Shape::Bool)),
    };
    let signature = Signature {
        kind: Kind::Function,
        params: [Field {
            name: "x".into(),
            shape,
        }]
        .into(),
        result: None,
    };
    Version {
        digest: digest(number),
        size: 1,
        version: None,
        tasks: [("send-all".into(), signature)].into(),
        manifest: Value::Null,
        deployed_by: "me".into(),
        deployed_at: Timestamp::from_micros(0),
        signature: None,
        source: None,
        retiring: false,
    }
}

fn record(made: &[Made], active: usize) -> ModuleRecord {
    let mut record = ModuleRecord::new("mail");
    let versions = made.iter().enumerate();
    record.versions = versions
        .map(|(number, made)| version(number, *made))
        .collect();
    let served = (0..made.len()).filter(|number| made[*number].served && *number != active);
    let history = served.chain([active]).map(|number| Activation {
        digest: digest(number),
        at: NOW,
        by: "me".into(),
        how: "deploy".into(),
    });
    record.history = history.collect();
    record.active = Some(digest(active));
    record
}

fn message(sent: &Sent) -> TaskMessage {
    let name = if sent.ours {
        "mail.send_all"
    } else {
        "mailer.send_all"
    };
    let mut message = TaskMessage::new(name).args([arg(sent.arg)]);
    message.pin = sent.pin.map(digest);
    message.checked_against = sent.checked.map(digest);
    if sent.place == MessageState::Delayed {
        message.eta = Some(Timestamp::now().after(Duration::from_hours(1)));
    }
    message
}

/// A store with a module and its bytes, and messages in two queues.
async fn filled(record: &ModuleRecord, sent: &[Sent]) -> (TempDir, Connected) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let config = BrokerConfig::Sqlite(SqliteConfig::new(folder.path().join("queue.db")));
    let connected = connect(&config, Arc::new(SystemClock))
        .await
        .expect("connect");
    store(&connected, record).await;
    for version in &record.versions {
        let bytes = Bytes::from_static(b"\0asm");
        let put = connected.registry.put_blob(&version.digest, bytes);
        put.await.expect("put");
    }
    let queue = |number: usize| ["one", "two"][number % 2];
    for places in [
        [MessageState::Leased, MessageState::Dead],
        [MessageState::Ready, MessageState::Delayed],
    ] {
        for (number, sent) in sent.iter().enumerate() {
            if places.contains(&sent.place) {
                let messages = [message(sent)];
                let enqueued = connected.broker.enqueue(queue(number), &messages);
                enqueued.await.expect("enqueue");
                move_on(&connected, queue(number), sent.place).await;
            }
        }
    }
    (folder, connected)
}

async fn move_on(connected: &Connected, queue: &str, place: MessageState) {
    if !matches!(place, MessageState::Leased | MessageState::Dead) {
        return;
    }
    let request = FetchRequest {
        queues: &[queue.into()],
        consumer: &"w".into(),
        limit: 1,
        bytes: usize::MAX,
        block: Duration::ZERO,
        interrupt: &CancellationToken::new(),
    };
    let deliveries = connected.broker.fetch(request).await.expect("fetch");
    if place == MessageState::Dead {
        let settle = SettleRequest {
            lease: Cow::Borrowed(&deliveries[0].lease),
            raw: Cow::Borrowed(&deliveries[0].raw),
            task_id: deliveries[0].task_id.as_str().into(),
            task_name: "".into(),
            retries: 0,
            settlement: Cow::Owned(Settlement::DeadLetter {
                error: "Broken: it is".into(),
                failed_at: NOW,
            }),
            record: None,
        };
        connected.broker.settle(&[settle]).await.expect("settle");
    }
}

async fn store(connected: &Connected, record: &ModuleRecord) {
    let entry = AuditEntry {
        at: NOW,
        by: "me".into(),
        action: "deploy".into(),
        module: record.name.clone(),
        digest: String::new(),
        detail: String::new(),
    };
    let stored = connected.registry.replace(record, &entry).await;
    assert!(stored.expect("replace").is_some());
}

async fn run(connected: &Connected) -> Forgotten {
    let request = ForgetRequest {
        module: "mail",
        rule: RULE,
        by: "me",
        now: NOW,
    };
    connected.forget(&request).await.expect("forget")
}

/// What is left.
async fn left(connected: &Connected) -> ModuleRecord {
    let record = connected.registry.module("mail").await.expect("module");
    record.expect("a module stays whatever is forgotten")
}

fn takers(record: &ModuleRecord, made: &[Made], arg: usize) -> Vec<usize> {
    let kept = (0..made.len()).filter(|number| record.version(&digest(*number)).is_some());
    kept.filter(|number| {
        let active = record.active == Some(digest(*number));
        made[*number].takes == arg && (made[*number].served || active)
    })
    .collect()
}

async fn check(made: &[Made], active: usize, sent: &[Sent]) {
    let before = record(made, active);
    let (_folder, connected) = filled(&before, sent).await;
    let forgotten = run(&connected).await;
    let after = left(&connected).await;
    for message in sent {
        for named in [message.pin, message.checked].into_iter().flatten() {
            assert!(
                after.version(&digest(named)).is_some(),
                "{message:?} names it"
            );
        }
        let names_none = message.pin.is_none() && message.checked.is_none();
        if message.ours && names_none && !takers(&before, made, message.arg).is_empty() {
            assert!(
                !takers(&after, made, message.arg).is_empty(),
                "{message:?} fits none"
            );
        }
    }
    for version in &before.versions {
        let kept = after.version(&version.digest).is_some();
        assert_ne!(kept, forgotten.gone.contains(&version.digest));
        let blob = connected
            .registry
            .blob(&version.digest)
            .await
            .expect("blob");
        assert_eq!(
            blob.is_some(),
            kept,
            "bytes go with the last who names them"
        );
    }
    assert!(after.active_version().is_some());
    assert!(after.versions.iter().all(|version| !version.retiring));
    let again = run(&connected).await;
    assert_eq!((again.gone, again.needed), (Vec::new(), forgotten.needed));
}

fn sent(versions: usize) -> impl Strategy<Value = Sent> {
    let place = prop_oneof![
        Just(MessageState::Ready),
        Just(MessageState::Leased),
        Just(MessageState::Delayed),
        Just(MessageState::Dead)
    ];
    let named = || proptest::option::weighted(0.2, 0..versions);
    (place, any::<bool>(), 0..3_usize, named(), named()).prop_map(
        |(place, ours, arg, pin, checked)| Sent {
            place,
            ours,
            arg,
            pin,
            checked,
        },
    )
}

fn cases() -> impl Strategy<Value = (Vec<Made>, usize, Vec<Sent>)> {
    (2..7_usize).prop_flat_map(|versions| {
        let made = (0..3_usize, any::<bool>()).prop_map(|(takes, served)| Made { takes, served });
        (
            proptest::collection::vec(made, versions),
            0..versions,
            proptest::collection::vec(sent(versions), 0..4),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn nothing_goes_that_a_message_needs((made, active, sent) in cases()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(check(&made, active, &sent));
    }
}

const PLAIN: Made = Made {
    takes: 0,
    served: true,
};

#[tokio::test]
async fn what_no_message_needs_goes_with_a_line_in_the_log() {
    let (_folder, connected) = filled(&record(&[PLAIN; 4], 3), &[]).await;
    let forgotten = run(&connected).await;
    // The active version, and the way back.
    assert_eq!(forgotten.gone, [digest(0), digest(1)]);
    let lines = connected.registry.audit(10).await.expect("audit");
    let details: Vec<_> = lines.iter().map(|line| line.detail.as_str()).collect();
    assert_eq!(
        details,
        [
            "2 versions forgotten: 000000000000, 000000000000",
            "2 versions about to be forgotten: 000000000000, 000000000000",
            ""
        ]
    );
}

#[tokio::test]
async fn bytes_that_another_module_has_stay() {
    let (_folder, connected) = filled(&record(&[PLAIN; 3], 2), &[]).await;
    let mut other = ModuleRecord::new("copy");
    other.versions = vec![version(0, PLAIN)];
    store(&connected, &other).await;
    assert_eq!(run(&connected).await.gone, [digest(0)]);
    let blob = connected.registry.blob(&digest(0)).await.expect("blob");
    assert!(blob.is_some());
}

#[tokio::test]
async fn a_module_that_is_not_there_has_nothing_to_forget() {
    let (_folder, connected) = filled(&ModuleRecord::new("other"), &[]).await;
    assert_eq!(run(&connected).await, Forgotten::default());
}
