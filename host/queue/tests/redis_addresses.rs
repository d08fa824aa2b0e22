//! The ways to reach a Redis: users and passwords, Unix sockets, databases, a Cluster, Sentinels.

use std::sync::Arc;
use std::time::Duration;

use chicory_queue::{
    AuditEntry, BrokerConfig, BrokerError, Enqueued, ModuleRecord, OnDuplicate, RedisConfig,
    RedisServer as Address, ResultsConfig, Secret, Settled, Settlement, TaskMessage,
};
use chicory_signature::with_causes;
use chicory_testing::{Queue, RedisServer, completion, connect, message, messages};

fn config(address: Address) -> BrokerConfig {
    let redis = RedisConfig {
        server: address,
        ..RedisConfig::default()
    };
    BrokerConfig::Redis(redis, ResultsConfig::default())
}

fn url(url: String) -> BrokerConfig {
    config(Address {
        url: Some(Secret(url)),
        ..Address::default()
    })
}

/// A message's whole life, and its result.
async fn works(config: &BrokerConfig) {
    let queue = Queue::open(config).await;
    queue.enqueue(&messages("m", 5)).await;
    let deliveries = queue
        .try_fetch(10, Duration::from_secs(20))
        .await
        .expect("fetch");
    assert_eq!(deliveries.len(), 5);
    let results = &queue.connected.results;
    let batch: Vec<_> = deliveries.iter().map(completion).collect();
    let (waited, settled) = tokio::join!(
        results.wait("m0", Some(Duration::from_secs(20))),
        queue.settle_each(&batch)
    );
    assert_eq!(settled, [Settled::Applied; 5]);
    assert!(waited.expect("wait").is_some());
    assert_eq!(queue.stats().await.size, 0);
    assert_eq!(
        queue.connected.inspect.queues().await.expect("queues"),
        ["default"]
    );
}

#[tokio::test]
async fn a_user_and_a_password() {
    let server = RedisServer::start();
    server.query::<()>(&[
        "ACL",
        "SETUSER",
        "app",
        "on",
        ">geheim/@1",
        "~chicory:*",
        "&chicory:*",
        "+@all",
        "-@admin",
    ]);
    let with = |password: &str| {
        config(Address {
            username: Some("app".into()),
            password: Some(Secret(password.into())),
            ..server.address()
        })
    };
    works(&with("geheim/@1")).await;
    works(&url(format!(
        "redis://app:geheim%2F%401@127.0.0.1:{}/0",
        server.port()
    )))
    .await;

    let wrong = with("verraten");
    assert!(!format!("{wrong:?}").contains("verraten"));
    let error = connect(&wrong).await.expect_err("a wrong password");
    assert!(
        matches!(&error, BrokerError::Refused { advice: Some(advice), .. } if advice.contains("password")),
        "{error}"
    );
    let said = with_causes(&error);
    assert!(!said.contains("verraten"), "{said}");
}

#[tokio::test]
async fn a_missing_password_and_a_missing_right() {
    let server = RedisServer::start_with(&["--requirepass", "geheim"]);
    let error = connect(&server.config()).await.expect_err("no password");
    assert!(
        matches!(&error, BrokerError::Refused { advice: Some(advice), .. } if advice.contains("password")),
        "{error}"
    );
    let admin = url(format!("redis://:geheim@127.0.0.1:{}", server.port()));
    works(&admin).await;

    let mut connection =
        redis::Client::open(format!("redis://:geheim@127.0.0.1:{}", server.port()))
            .and_then(|client| client.get_connection())
            .expect("a connection");
    redis::cmd("ACL")
        .arg(&["SETUSER", "other", "on", ">pw", "~else:*", "&*", "+@all"])
        .exec(&mut connection)
        .expect("a user");
    let queue = Queue::open(&url(format!(
        "redis://other:pw@127.0.0.1:{}",
        server.port()
    )))
    .await;
    let error = queue
        .try_enqueue(&[message("a")])
        .await
        .expect_err("no right");
    assert!(
        matches!(&error, BrokerError::Refused { advice: Some(advice), .. } if advice.contains("ACL")),
        "{error}"
    );
}

#[tokio::test]
async fn a_unix_socket() {
    let server = RedisServer::start();
    works(&url(format!("unix://{}", server.socket().display()))).await;
    works(&url(format!(
        "redis+unix://{}?db=2",
        server.socket().display()
    )))
    .await;
}

#[tokio::test]
async fn a_database_by_number() {
    let server = RedisServer::start();
    let in_third = config(Address {
        db: 3,
        ..server.address()
    });
    works(&in_third).await;
    let first: usize = server.query(&["DBSIZE"]);
    assert_eq!(first, 0);
}

/// One node that has all slots: keys of several slots in one script would be refused all the same.
#[tokio::test]
async fn a_cluster() {
    let server = RedisServer::start_with(&[
        "--cluster-enabled",
        "yes",
        "--cluster-announce-ip",
        "127.0.0.1",
    ]);
    server.query::<()>(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    while !server
        .query::<String>(&["CLUSTER", "INFO"])
        .contains("cluster_state:ok")
    {
        tokio::task::yield_now().await;
    }
    let config = url(format!("redis-cluster://127.0.0.1:{}", server.port()));
    works(&config).await;
    let stream: bool = server.query(&["EXISTS", "chicory:stream:{default}"]);
    assert!(stream);
    let queue = Queue::open(&config).await;
    several_keys_of_a_queue(&queue).await;
    queues_of_several_slots(&queue).await;
    several_keys_of_the_registry(&queue).await;
    noted_ids(&queue).await;
}

/// They are kept beside their queue; results may be elsewhere.
async fn noted_ids(queue: &Queue) {
    let (broker, inspect) = (&queue.connected.broker, &queue.connected.inspect);
    let batch = [
        TaskMessage::new("suite.task").with_id("given"),
        TaskMessage::new("suite.task").with_id("m0"),
    ];
    for expected in [[Enqueued::Added, Enqueued::Present], [Enqueued::Present; 2]] {
        let answers = broker
            .enqueue_noted("noted", &batch, OnDuplicate::Return)
            .await;
        assert_eq!(answers.expect("enqueue"), expected, "m0 has a result");
    }
    let listed = async || {
        inspect
            .queues()
            .await
            .expect("queues")
            .contains(&"noted".to_owned())
    };
    assert!(listed().await);
    assert_eq!(inspect.purge("noted").await.expect("purge"), 1);
    assert!(!listed().await);
    let answers = broker
        .enqueue_noted("noted", &batch, OnDuplicate::Return)
        .await;
    assert_eq!(answers.expect("enqueue")[0], Enqueued::Added);
}

async fn several_keys_of_a_queue(queue: &Queue) {
    let mut late = message("late");
    late.eta = Some(chicory_queue::Timestamp::now().after(Duration::from_mins(10)));
    queue.enqueue(&[message("dead"), late]).await;
    let deliveries = queue.fetch(1).await;
    let failed_at = chicory_queue::Timestamp::now();
    let error = "Broken: it is".to_owned();
    let answers = queue
        .settle(&deliveries, &Settlement::DeadLetter { error, failed_at })
        .await;
    assert_eq!(answers, [Settled::Applied]);
    assert_eq!(
        queue
            .connected
            .broker
            .promote(&["default".into()], 10)
            .await
            .expect("promote")
            .moved,
        0
    );
    let options = chicory_queue::ReplayOptions {
        reset_retries: true,
    };
    assert!(
        queue
            .connected
            .inspect
            .replay("default", "dead", options)
            .await
            .expect("replay")
    );
    assert_eq!(
        queue
            .connected
            .inspect
            .purge("default")
            .await
            .expect("purge"),
        2
    );
}

/// They are read one after another.
async fn queues_of_several_slots(queue: &Queue) {
    let several: [Arc<str>; 3] = ["a".into(), "b".into(), "c".into()];
    let request = chicory_queue::FetchRequest {
        queues: &several,
        consumer: &queue.consumer,
        limit: 3,
        bytes: usize::MAX,
        block: Duration::ZERO,
        interrupt: &tokio_util::sync::CancellationToken::new(),
    };
    assert!(
        queue
            .connected
            .broker
            .fetch(request)
            .await
            .expect("fetch")
            .is_empty()
    );
}

async fn several_keys_of_the_registry(queue: &Queue) {
    let registry = &queue.connected.registry;
    let mut wakes = registry.watch().await.expect("watch");
    let record = ModuleRecord::new("mail");
    let entry = AuditEntry {
        at: chicory_queue::Timestamp::now(),
        by: "me".into(),
        action: "deploy".into(),
        module: "mail".into(),
        digest: "d".into(),
        detail: String::new(),
    };
    let revision = registry.replace(&record, &entry).await.expect("replace");
    assert_eq!(revision, Some(1));
    wakes.recv().await.expect("the watch lasts");
    let changes = registry.changed(0).await.expect("changed");
    assert_eq!(
        (changes.revision, changes.records[0].name.as_str()),
        (1, "mail")
    );
    assert!(registry.note_policy("p", &entry).await.expect("note"));
    let blob = bytes::Bytes::from_static(b"x");
    registry.put_blob("d", blob.clone()).await.expect("put");
    assert_eq!(registry.blob("d").await.expect("blob"), Some(blob));
}

#[tokio::test]
async fn the_master_that_sentinels_name() {
    let server = RedisServer::start();
    let sentinel = RedisServer::start_sentinel("mymaster", server.port());
    works(&url(format!(
        "redis-sentinel://127.0.0.1:{}/mymaster/1",
        sentinel.port()
    )))
    .await;
    let unknown = url(format!(
        "redis-sentinel://127.0.0.1:{}/nobody",
        sentinel.port()
    ));
    assert!(connect(&unknown).await.is_err());
}
