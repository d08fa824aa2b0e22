//! What the Redis broker writes and reads, field by field: the keys and formats of Chicory for Python.

use std::collections::HashMap;
use std::time::Duration;

use chicory_queue::{
    BrokerConfig, BrokerError, Payload, RedisConfig, ResultsConfig, Settlement, Timestamp,
    UnreadableMessage,
};
use chicory_testing::{Queue, RedisServer, completion, message, messages, success};

type Fields = HashMap<String, String>;

fn entries(server: &RedisServer, key: &str) -> Vec<(String, Fields)> {
    server.query(&["XRANGE", key, "-", "+"])
}

#[tokio::test]
async fn a_message_is_an_entry_with_data_and_task_id() {
    let server = RedisServer::start();
    let queue = Queue::open(&server.config()).await;
    let ready = message("a");
    let mut late = message("b");
    late.eta = Some(Timestamp::from_micros(4_000_000_000_250_000));
    queue.enqueue(&[ready.clone(), late.clone()]).await;

    let stream = entries(&server, "chicory:stream:default");
    assert_eq!(stream.len(), 1);
    let expected = Fields::from([
        ("data".into(), ready.encode()),
        ("task_id".into(), "a".into()),
    ]);
    assert_eq!(stream[0].1, expected);
    let delayed: Vec<(String, f64)> =
        server.query(&["ZRANGE", "chicory:delayed:default", "0", "-1", "WITHSCORES"]);
    assert_eq!(delayed, [(late.encode(), 4_000_000_000.25)]);
}

#[tokio::test]
async fn a_prefix_and_a_group_of_ones_own_are_used() {
    let server = RedisServer::start();
    let redis = RedisConfig {
        key_prefix: "app".into(),
        consumer_group: "crew".into(),
        ..server.redis_config()
    };
    let results = ResultsConfig {
        key_prefix: "answers".into(),
        ttl: Duration::ZERO,
        ..ResultsConfig::default()
    };
    let queue = Queue::open(&BrokerConfig::Redis(redis, results)).await;
    queue.enqueue(&[message("a")]).await;
    let delivery = queue.fetch(1).await.remove(0);
    let done = completion(&delivery);
    queue.settle_each(&[done]).await;
    let mut keys: Vec<String> = server.query(&["KEYS", "*"]);
    keys.sort();
    assert_eq!(
        keys,
        [
            "answers:result:a",
            "answers:state:a",
            "app:admitted:default",
            "app:queues",
            "app:stream:default"
        ]
    );
    let groups: Vec<Fields> = server
        .query::<Vec<HashMap<String, redis::Value>>>(&["XINFO", "GROUPS", "app:stream:default"])
        .into_iter()
        .map(|mut group| {
            Fields::from([(
                "name".into(),
                redis::from_redis_value(group.remove("name").expect("a name")).expect("text"),
            )])
        })
        .collect();
    assert_eq!(groups[0]["name"], "crew");
    let ttl: i64 = server.query(&["TTL", "answers:state:a"]);
    assert_eq!(ttl, -1, "never expires");
}

#[tokio::test]
async fn a_result_is_a_state_and_a_body_with_a_time_to_live() {
    let server = RedisServer::start();
    let queue = Queue::open(&server.config()).await;
    queue.enqueue(&[message("a")]).await;
    let delivery = queue.fetch(1).await.remove(0);
    let done = completion(&delivery);
    queue.settle_each(&[done]).await;
    queue
        .connected
        .results
        .store(&[success("b")])
        .await
        .expect("store");
    for id in ["a", "b"] {
        let mut pipe = redis::pipe();
        pipe.get(format!("chicory:state:{id}"))
            .get(format!("chicory:result:{id}"))
            .ttl(format!("chicory:result:{id}"));
        let (state, body, ttl): (String, String, i64) =
            pipe.query(&mut server.connection()).expect("a result");
        let body = Some(body.into());
        assert_eq!((state.as_str(), body), ("SUCCESS", success(id).body));
        assert!((3500..=3600).contains(&ttl), "{ttl}");
    }
}

#[tokio::test]
async fn results_on_a_server_of_their_own() {
    let (server, other) = (RedisServer::start(), RedisServer::start());
    let results = ResultsConfig {
        server: Some(other.address()),
        ..ResultsConfig::default()
    };
    let queue = Queue::open(&BrokerConfig::Redis(server.redis_config(), results)).await;
    queue.enqueue(&[message("a")]).await;
    let delivery = queue.fetch(1).await.remove(0);
    let done = completion(&delivery);
    let settling = queue.settle_each(std::slice::from_ref(&done));
    let waiting = queue
        .connected
        .results
        .wait("a", Some(Duration::from_secs(20)));
    let (waited, _) = tokio::join!(waiting, settling);
    assert!(waited.expect("wait").is_some());
    let keys: usize = other.query(&["DBSIZE"]);
    assert_eq!(keys, 2);
    assert_eq!(queue.stats().await.size, 0);
}

/// By the inbox alone: nobody asks for the result here, as a wait would.
#[tokio::test]
async fn an_inbox_hears_of_the_tasks_that_are_expected() {
    let server = RedisServer::start();
    let queue = Queue::open(&server.config()).await;
    let results = &queue.connected.results;
    let mut replies = Vec::new();
    for id in ["a", "b"] {
        replies.push(results.inbox(id).await.expect("a subscription"));
    }
    let answer = |id: &str| chicory_queue::ResultRecord {
        tenant: chicory_queue::TenantName::default(),
        reply_to: Some(replies[0].inbox().to_owned().into()),
        ..success(id)
    };
    let stored = [answer("nobody's"), answer("b"), answer("a")];
    results.store(&stored).await.expect("store");
    for (reply, id) in replies.into_iter().zip(["a", "b"]) {
        let told = tokio::time::timeout(Duration::from_secs(20), reply.ended());
        assert_eq!(
            told.await.expect("news in time").expect("a result").task_id,
            id
        );
    }
}

#[tokio::test]
async fn a_dead_letter_has_the_python_systems_fields() {
    let server = RedisServer::start();
    let queue = Queue::open(&server.config()).await;
    queue.enqueue(&[message("a")]).await;
    let delivery = queue.fetch(1).await.remove(0);
    let failed_at = Timestamp::parse("2024-01-24T10:30:00Z").expect("a time");
    let given_up = Settlement::DeadLetter {
        error: "ConnectionError: timeout".into(),
        failed_at,
    };
    queue
        .settle(std::slice::from_ref(&delivery), &given_up)
        .await;
    let dead = entries(&server, "chicory:dlq:default");
    let expected: Fields = [
        ("data", message("a").encode().as_str()),
        ("failed_at", "2024-01-24T10:30:00Z"),
        ("error", "ConnectionError: timeout"),
        ("retry_count", "2"),
        ("original_stream_id", &*delivery.lease.entry),
        ("task_id", "a"),
        ("task_name", "suite.task"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    assert_eq!(dead[0].1, expected);
}

#[tokio::test]
async fn what_others_wrote_is_delivered() {
    let server = RedisServer::start();
    let queue = Queue::open(&server.config()).await;
    let mut connection = server.connection();
    let mut add = |fields: &[(&str, &[u8])]| {
        let mut command = redis::cmd("XADD");
        command.arg("chicory:stream:default").arg("*");
        for (name, value) in fields {
            command.arg(name).arg(*value);
        }
        command.exec(&mut connection).expect("xadd");
    };
    // One as Chicory for Python writes it when it is due, one by hand, a pickle, and one without data.
    add(&[(
        "data",
        br#"{"id":"due","name":"m.f","args":[],"kwargs":{},"eta":null}"#,
    )]);
    add(&[("data", b"\x80\x05\x95\x10\x00"), ("task_id", b"pickled")]);
    add(&[("task_id", b"bare"), ("other", b"x")]);
    let mut deliveries = queue.fetch(10).await;
    assert_eq!(deliveries.len(), 3);
    assert!(matches!(&deliveries[0].payload, Payload::Message(message) if message.name == "m.f"));
    assert_eq!(deliveries[0].task_id, "due");
    assert_eq!(
        deliveries[1].payload,
        Payload::Unreadable(UnreadableMessage::Pickle)
    );
    assert_eq!(
        (&deliveries[1].raw[..2], deliveries[1].task_id.as_str()),
        (&b"\x80\x05"[..], "pickled")
    );
    assert!(matches!(
        &deliveries[2].payload,
        Payload::Unreadable(UnreadableMessage::Json(_))
    ));
    assert_eq!(deliveries[2].task_id, "bare");

    // A pickle is kept byte for byte, and can't be replayed.
    let failed_at = Timestamp::now();
    let error = "UnreadableMessage: a pickle".to_owned();
    queue
        .settle(
            &deliveries.split_off(1)[..1],
            &Settlement::DeadLetter { error, failed_at },
        )
        .await;
    let dead: Vec<(String, HashMap<String, Vec<u8>>)> =
        server.query(&["XRANGE", "chicory:dlq:default", "-", "+"]);
    assert_eq!(dead[0].1["data"], b"\x80\x05\x95\x10\x00");
}

#[tokio::test]
async fn delayed_messages_of_others_become_due() {
    let server = RedisServer::start();
    let queue = Queue::open(&server.config()).await;
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    for (score, member) in [
        ("1", r#"{"name":"m.f","id":"later-field"}"#),
        ("2", "no JSON"),
        ("3", r#"{"id": "spaced", "name":"m.f"}"#),
        ("4", r#"{"id":"quo\"ted","name":"m.f"}"#),
        ("5", deep.as_str()),
    ] {
        server.query::<()>(&["ZADD", "chicory:delayed:default", score, member]);
    }
    let queues = ["default".into()];
    let promoting = queue.connected.broker.promote(&queues, 100);
    let promoted = promoting.await.expect("promote");
    assert_eq!((promoted.moved, promoted.next), (5, None));
    let ids: Vec<String> = queue
        .fetch(10)
        .await
        .into_iter()
        .map(|one| one.task_id.to_string())
        .collect();
    assert_eq!(ids, ["later-field", "", "spaced", "quo\"ted", ""]);
}

#[tokio::test]
async fn a_full_stream_refuses_all() {
    let server = RedisServer::start();
    let redis = RedisConfig {
        max_stream_length: Some(3),
        ..server.redis_config()
    };
    let queue = Queue::open(&BrokerConfig::Redis(redis, ResultsConfig::default())).await;
    queue.enqueue(&messages("m", 2)).await;
    let error = queue
        .try_enqueue(&messages("n", 2))
        .await
        .expect_err("full");
    assert!(
        matches!(
            error,
            BrokerError::QueueFull {
                length: 2,
                limit: 3,
                ..
            }
        ),
        "{error}"
    );
    queue.enqueue(&messages("n", 1)).await;
    assert_eq!(queue.stats().await.size, 3);
    // There is room again once a message is settled.
    let deliveries = queue.fetch(1).await;
    queue.settle(&deliveries, &Settlement::Complete).await;
    queue.enqueue(&messages("o", 1)).await;
}

#[tokio::test]
async fn a_live_workers_heartbeat_is_the_python_systems() {
    let server = RedisServer::start();
    let queue = Queue::open(&server.config()).await;
    let results = &queue.connected.results;
    let written = r#"{"worker_id":"w","hostname":"h","pid":7,"queue":"default","concurrency":4,"tasks_processed":9,"tasks_failed":1,"active_tasks":2,"started_at":"2024-01-24T10:30:00Z","last_heartbeat":"2024-01-24T10:31:00Z","is_running":true}"#;
    let worker = serde_json::from_str(written).expect("a heartbeat");
    results
        .heartbeat(&worker, Duration::from_secs(30))
        .await
        .expect("heartbeat");
    let body: String = server.query(&["GET", "chicory:heartbeat:w"]);
    assert_eq!(body, written);
    assert_eq!(results.workers().await.expect("workers"), [worker]);
    server.query::<()>(&["DEL", "chicory:heartbeat:w"]);
    assert_eq!(results.remove_stale_workers().await.expect("remove"), 1);
    let members: Vec<String> = server.query(&["SMEMBERS", "chicory:workers"]);
    assert!(members.is_empty());
}

/// A purge of the dead letters of a queue that nobody serves left the ids of its ended messages for ever.
#[tokio::test]
async fn the_ids_of_a_queue_that_nobody_serves_go_with_the_last_that_is_remembered() {
    let server = RedisServer::start();
    let queue = Queue::open(&server.config()).await;
    let given = || vec![chicory_queue::TaskMessage::new("suite.task").with_id("m")];
    let add = || async {
        let broker = &queue.connected.broker;
        let on_duplicate = chicory_queue::OnDuplicate::Return;
        (broker
            .enqueue_noted("default", &given(), on_duplicate)
            .await)
            .expect("enqueue")
    };
    add().await;
    let leased = queue.fetch(1).await;
    let dead = Settlement::DeadLetter {
        error: "no".into(),
        failed_at: Timestamp::now(),
    };
    queue.settle(&leased, &dead).await;
    let left = || server.query::<i64>(&["TTL", "chicory:ids:default"]);
    assert_eq!(left(), -1, "no end");
    let inspect = &queue.connected.inspect;
    (inspect
        .remove_consumers("default", &["consumer".into()])
        .await)
        .expect("no consumer");
    server.query::<i64>(&[
        "XGROUP",
        "DESTROY",
        "chicory:stream:default",
        "chicory-workers",
    ]);
    assert_eq!(
        inspect.purge_dead_letters("default").await.expect("purge"),
        1
    );
    assert!((1..=86_400).contains(&left()), "{}", left());
    // Still remembered; and one that is added stays.
    assert_eq!(add().await, [chicory_queue::Enqueued::Present]);
    let other = vec![chicory_queue::TaskMessage::new("suite.task").with_id("n")];
    let broker = &queue.connected.broker;
    let on_duplicate = chicory_queue::OnDuplicate::Return;
    let added = broker.enqueue_noted("default", &other, on_duplicate).await;
    assert_eq!(added.expect("enqueue"), [chicory_queue::Enqueued::Added]);
    assert_eq!(left(), -1, "no end");
}
