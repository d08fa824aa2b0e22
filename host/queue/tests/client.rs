//! A client's checks: what is refused before anything is queued, and what passes.
//!
//! Modules are records that the test stores. Must not know how arguments are compared with types.

use chicory_queue::{
    AuditEntry, Call, CallError, Client, EnqueueError, ModuleRecord, TaskMessage, Timestamp,
    ValidationMode,
};
use chicory_signature::with_causes;
use chicory_testing::SqliteFile;
use serde_json::{Value, json};

const QUEUE: &str = "default";

/// A broker in a file, and a client for it.
struct Setup {
    client: Client,
    _file: SqliteFile,
}

impl Setup {
    async fn new() -> Self {
        let file = SqliteFile::new();
        Self {
            client: Client::open(&file.url()).await.unwrap(),
            _file: file,
        }
    }

    /// Stores a module whose versions have the task `resize` with a parameter of these types; the last
    /// one is active.
    async fn deploy(&self, module: &str, types: &[&str]) {
        let now = Timestamp::now();
        let version = |ty: &&str| {
            json!({
                "digest": format!("{ty}digest"), "size": 1, "deployed_by": "me", "deployed_at": now,
                "retiring": *ty == "retiring",
                "tasks": { "re-size": { "kind": "function", "params": [{
                    "name": "max-width", "type": if *ty == "retiring" { "u8" } else { ty },
                }] } },
            })
        };
        let versions: Vec<_> = types.iter().map(version).collect();
        let active = types.last().map(|ty| format!("{ty}digest"));
        let record = json!({ "name": module, "versions": versions, "active": active });
        let record: ModuleRecord = serde_json::from_value(record).unwrap();
        let entry = AuditEntry {
            at: now,
            by: "me".into(),
            action: "deploy".into(),
            module: module.into(),
            digest: String::new(),
            detail: String::new(),
        };
        let registry = &self.client.connected().registry;
        assert!(registry.replace(&record, &entry).await.unwrap().is_some());
    }

    async fn queued(&self) -> u64 {
        let stats = self.client.connected().inspect.stats(QUEUE).await.unwrap();
        stats.ready()
    }

    /// The refusal's text; nothing was queued.
    async fn refusal(&self, mode: ValidationMode, message: TaskMessage) -> String {
        let before = self.queued().await;
        let fitting = TaskMessage::new("images.re-size").args([json!(1)]);
        let client = self.client.clone().validation(mode);
        let refused = client.enqueue_many(QUEUE, vec![fitting, message]).await;
        assert_eq!(self.queued().await, before);
        with_causes(&refused.unwrap_err())
    }

    async fn passes(&self, mode: ValidationMode, message: TaskMessage) {
        let client = self.client.clone().validation(mode);
        client.enqueue(QUEUE, message).await.unwrap();
    }
}

fn resize(task: &str, width: &Value) -> TaskMessage {
    TaskMessage::new(task).args([width.clone()])
}

#[tokio::test]
async fn arguments_must_fit_the_active_version() {
    let place = Setup::new().await;
    place.deploy("images", &["string", "u8"]).await;
    let wrong = resize("images.re_size", &json!("wide"));
    let said = place.refusal(ValidationMode::Inputs, wrong.clone()).await;
    assert_eq!(
        said,
        "ValidationError: task `images.re_size`: args[0]: expected u8, got string"
    );
    let missing = TaskMessage::new("images.re-size");
    let said = place.refusal(ValidationMode::Strict, missing).await;
    assert!(
        said.ends_with("kwargs: missing argument `max-width: u8`"),
        "{said}"
    );
    let named = TaskMessage::new("images.re-size").kwarg("max_width", 7);
    place.passes(ValidationMode::Strict, named).await;
    place.passes(ValidationMode::None, wrong).await;
}

#[tokio::test]
async fn a_pinned_message_is_checked_against_its_version() {
    let place = Setup::new().await;
    place.deploy("images", &["retiring", "string", "u8"]).await;
    let pinned = |width: Value, digest: &str| TaskMessage {
        pin: Some(digest.into()),
        ..resize("images.re-size", &width)
    };
    let text = pinned(json!("wide"), "stringdigest");
    place.passes(ValidationMode::Strict, text).await;
    for digest in ["gone", "retiringdigest"] {
        let said = place
            .refusal(ValidationMode::Inputs, pinned(json!(1), digest))
            .await;
        assert!(
            said.contains(&format!("pinned to version {digest}, which is not kept")),
            "{said}"
        );
    }
}

#[tokio::test]
async fn only_a_strict_client_refuses_what_is_not_known() {
    let place = Setup::new().await;
    place.deploy("images", &["u8"]).await;
    place.deploy("images.more", &["string"]).await;
    for (task, said) in [
        (
            "images.crop",
            "TaskNotFound: module \"images\" has no task \"crop\"; it has re-size",
        ),
        (
            "sounds.re-size",
            "TaskNotFound: no module for \"sounds.re-size\" is deployed; there is images, images.more",
        ),
    ] {
        let message = resize(task, &json!(1));
        place.passes(ValidationMode::Inputs, message.clone()).await;
        assert_eq!(place.refusal(ValidationMode::Strict, message).await, said);
    }
    // The longest name wins.
    let text = resize("images.more.re-size", &json!("wide"));
    place.passes(ValidationMode::Strict, text).await;
}

#[tokio::test]
async fn a_message_names_the_version_that_it_was_checked_against() {
    let place = Setup::new().await;
    place.deploy("images", &["string", "u8"]).await;
    for (task, checked) in [
        ("images.re-size", json!("u8digest")),
        ("other.task", Value::Null),
    ] {
        let id = place
            .client
            .enqueue(QUEUE, resize(task, &json!(1)))
            .await
            .unwrap();
        let inspect = &place.client.connected().inspect;
        let message = scanned(inspect.as_ref(), &id).await;
        assert_eq!(json!(message.checked_against), checked, "{task}");
    }
}

/// The queued message with this id.
async fn scanned(inspect: &dyn chicory_queue::Inspect, id: &str) -> TaskMessage {
    let mut cursor = chicory_queue::ScanCursor::default();
    loop {
        let page = inspect.scan(QUEUE, cursor).await.unwrap();
        if let Some(message) = page.messages.into_iter().find(|message| message.id == id) {
            return message;
        }
        cursor = page.next.expect("the message is queued");
    }
}

#[tokio::test]
async fn a_typed_call_says_how_it_ended() {
    let place = Setup::new().await;
    place.deploy("images", &["u8"]).await;
    let client = &place.client;
    let call = || Call::<u32>::new("images.re-size").arg(9);
    let timeout = Some(std::time::Duration::from_millis(1));
    let late = client.call(QUEUE, call(), timeout).await.unwrap_err();
    assert!(matches!(late, CallError::NotEnded { .. }), "{late}");
    let wrong = client
        .start(QUEUE, Call::<u32>::new("images.re-size").arg("9"))
        .await;
    assert!(matches!(wrong, Err(EnqueueError::Arguments { .. })));

    for (state, result, error, said) in [
        ("SUCCESS", json!(7), None, "Ok(7)"),
        (
            "SUCCESS",
            json!("7"),
            None,
            "has another type: invalid type: string \"7\", expected u32",
        ),
        (
            "FAILURE",
            Value::Null,
            Some("Trap: unreachable"),
            "failed: Trap: unreachable",
        ),
    ] {
        let started = client.start(QUEUE, call()).await.unwrap();
        let body =
            json!({ "task_id": started.id, "state": state, "result": result, "error": error });
        let record = chicory_queue::ResultRecord {
            tenant: chicory_queue::TenantName::default(),
            task_id: started.id.clone().into(),
            state: chicory_queue::TaskState::parse(state).unwrap(),
            body: Some(body.to_string().into()),
            reply_to: None,
        };
        client.connected().results.store(&[record]).await.unwrap();
        let ended = match client.outcome(&started, None).await {
            Ok(value) => format!("Ok({value})"),
            Err(error) => with_causes(&error),
        };
        assert!(ended.ends_with(said), "{ended}");
    }
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_without_showing_it() {
    for url in ["sqlite:", "user:hunter2@host"] {
        let error = Client::open(url).await.unwrap_err().to_string();
        assert!(
            error.contains("give sqlite:PATH") && !error.contains("hunter2"),
            "{error}"
        );
    }
}
