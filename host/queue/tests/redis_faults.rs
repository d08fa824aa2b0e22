//! The Redis broker when the server loses what it knew, refuses requests, or goes away.

use std::time::Duration;

use chicory_queue::{BrokerError, Settled, Settlement};
use chicory_signature::with_causes;
use chicory_testing::{Queue, RedisServer, connect, message, messages, settle, success};

#[tokio::test]
async fn lost_scripts_are_loaded_again() {
    let server = RedisServer::start();
    let queue = Queue::open(&server.config()).await;
    queue.enqueue(&[message("a")]).await;
    server.query::<()>(&["SCRIPT", "FLUSH"]);
    queue.enqueue(&[message("b")]).await;
    let deliveries = queue.fetch(10).await;
    assert_eq!(deliveries.len(), 2);
    server.query::<()>(&["SCRIPT", "FLUSH"]);
    let answers = queue.settle(&deliveries, &Settlement::Complete).await;
    assert_eq!(answers, [Settled::Applied; 2]);
}

#[tokio::test]
async fn a_server_that_restarts_empty_is_used_again() {
    let mut server = RedisServer::start();
    let queue = Queue::open(&server.config()).await;
    queue.enqueue(&[message("lost")]).await;
    let lost = queue.fetch(1).await;
    server.stop();
    let error = queue
        .try_enqueue(&[message("a")])
        .await
        .expect_err("nobody is there");
    assert!(error.is_transient(), "{error}");
    let error = queue
        .try_fetch(1, Duration::ZERO)
        .await
        .expect_err("nobody is there");
    assert!(error.is_transient(), "{error}");

    server.start_again();
    queue.enqueue(&[message("b")]).await;
    assert_eq!(queue.fetch(10).await[0].task_id, "b");
    assert_eq!(
        queue.settle(&lost, &Settlement::Complete).await,
        [Settled::LeaseLost]
    );
    assert!(queue.reclaim(10).await.is_empty());
}

/// Case Q11: a server closes connections that have been idle for longer than its `timeout`.
#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_replaced_unnoticed() {
    let server = RedisServer::start_with(&["--timeout", "1"]);
    let queue = Queue::open(&server.config()).await;
    queue.enqueue(&messages("m", 3)).await;
    assert_eq!(queue.fetch(1).await.len(), 1);
    let others = || {
        let clients: String = server.query(&["CLIENT", "LIST"]);
        clients
            .lines()
            .filter(|line| !line.contains("cmd=client"))
            .count()
    };
    while others() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Fetching first: nothing has told this thread yet that the connection was closed.
    assert_eq!(queue.fetch(1).await.len(), 1);
    queue.enqueue(&[message("late")]).await;
    assert_eq!(queue.fetch(5).await.len(), 2);
}

#[tokio::test]
async fn a_blocked_fetch_ends_with_its_server() {
    let mut server = RedisServer::start();
    let queue = Queue::open(&server.config()).await;
    queue.fetch(1).await;
    let (ended, ()) = tokio::join!(queue.try_fetch(1, Duration::from_mins(1)), async {
        server.blocks_a_client().await;
        server.stop();
    });
    assert!(ended.expect_err("the server is gone").is_transient());
}

#[tokio::test]
async fn a_blocked_fetch_survives_a_flush() {
    let server = RedisServer::start();
    let queue = Queue::open(&server.config()).await;
    queue.fetch(1).await;
    let (fetched, ()) = tokio::join!(queue.try_fetch(1, Duration::from_mins(1)), async {
        server.blocks_a_client().await;
        server.query::<()>(&["FLUSHALL"]);
        queue.enqueue(&[message("a")]).await;
    });
    assert_eq!(fetched.expect("the group is made again")[0].task_id, "a");
}

#[tokio::test]
async fn a_replica_is_unavailable_until_it_is_a_master_again() {
    let server = RedisServer::start();
    let queue = Queue::open(&server.config()).await;
    queue.enqueue(&[message("a")]).await;
    let deliveries = queue.fetch(1).await;
    let replica_of = |host, port| server.query::<()>(&["REPLICAOF", host, port]);
    // There is no master there: it keeps its data and refuses writes.
    replica_of("127.0.0.1", "1");
    for _ in 0..2 {
        let error = queue
            .try_enqueue(&[message("b")])
            .await
            .expect_err("READONLY");
        assert!(
            error.is_transient() && with_causes(&error).contains("read only"),
            "{error}"
        );
    }
    let batch = [settle(&deliveries[0], &Settlement::Complete)];
    let error = queue
        .connected
        .broker
        .settle(&batch)
        .await
        .expect_err("READONLY");
    assert!(error.is_transient(), "{error}");
    replica_of("NO", "ONE");
    queue.enqueue(&[message("b")]).await;
    assert_eq!(
        queue.settle(&deliveries, &Settlement::Complete).await,
        [Settled::Applied]
    );
}

#[tokio::test]
async fn out_of_memory_changes_nothing_and_passes() {
    let server = RedisServer::start();
    let queue = Queue::open(&server.config()).await;
    queue.enqueue(&messages("m", 2)).await;
    let deliveries = queue.fetch(1).await;
    let max_memory = |bytes| server.query::<()>(&["CONFIG", "SET", "maxmemory", bytes]);
    max_memory("1");
    let error = queue
        .try_enqueue(&messages("n", 100))
        .await
        .expect_err("OOM");
    assert!(
        error.is_transient() && with_causes(&error).contains("OOM"),
        "{error}"
    );
    let batch = [settle(&deliveries[0], &Settlement::Release)];
    let error = queue
        .connected
        .broker
        .settle(&batch)
        .await
        .expect_err("OOM");
    assert!(error.is_transient(), "{error}");
    max_memory("0");
    assert_eq!(queue.stats().await.size, 2);
    assert_eq!(
        queue.settle(&deliveries, &Settlement::Release).await,
        [Settled::Applied]
    );
    assert_eq!(queue.stats().await.size, 2);
}

#[tokio::test]
async fn a_subscription_outlives_the_server() {
    let mut server = RedisServer::start();
    let queue = Queue::open(&server.config()).await;
    let mut wakes = queue
        .connected
        .broker
        .subscribe(std::slice::from_ref(&queue.name))
        .await
        .expect("subscribe");
    server.start_again();
    // The first one is for looking at what was missed.
    assert_eq!(wakes.recv().await.expect("it continues").queue, queue.name);
    let mut late = message("late");
    late.eta = Some(chicory_queue::Timestamp::now().after(Duration::from_mins(1)));
    // The connection broke with the server; the first request on it may fail.
    while let Err(error) = queue.try_enqueue(std::slice::from_ref(&late)).await {
        assert!(error.is_transient(), "{error}");
    }
    assert_eq!(
        Some(wakes.recv().await.expect("it continues").due),
        late.eta
    );
}

#[tokio::test]
async fn a_wait_outlives_the_server() {
    let mut server = RedisServer::start();
    let queue = Queue::open(&server.config()).await;
    let results = &queue.connected.results;
    // Opens the subscription, which then breaks.
    let none = results
        .wait("a", Some(Duration::from_millis(1)))
        .await
        .expect("wait");
    assert_eq!(none, None);
    server.start_again();
    let (result, ()) = tokio::join!(
        async {
            loop {
                match results.wait("a", Some(Duration::from_secs(20))).await {
                    Err(error) => assert!(error.is_transient(), "{error}"),
                    Ok(result) => return result,
                }
            }
        },
        async {
            let record = success("a");
            while let Err(error) = results.store(std::slice::from_ref(&record)).await {
                assert!(error.is_transient(), "{error}");
            }
        }
    );
    assert!(result.is_some());
}

#[tokio::test]
async fn connecting_to_nobody_fails_at_once() {
    let mut server = RedisServer::start();
    server.stop();
    let error = connect(&server.config())
        .await
        .expect_err("nobody is there");
    assert!(
        matches!(&error, BrokerError::Unavailable { place, .. } if *place == format!("127.0.0.1:{}", server.port())),
        "{error}"
    );
}

#[tokio::test]
async fn a_key_of_another_program_is_named() {
    let server = RedisServer::start();
    let queue = Queue::open(&server.config()).await;
    server.query::<()>(&["SET", "chicory:stream:default", "x"]);
    for error in [
        queue
            .try_enqueue(&[message("a")])
            .await
            .expect_err("WRONGTYPE"),
        queue
            .try_fetch(1, Duration::ZERO)
            .await
            .expect_err("WRONGTYPE"),
    ] {
        assert!(
            matches!(&error, BrokerError::Refused { advice: Some(advice), .. } if advice.contains("key_prefix")),
            "{error}"
        );
    }
}

/// The answer to an acknowledgement may be lost with its connection. Then the task had not begun, and nobody else had the message.
#[tokio::test]
async fn what_was_acknowledged_is_said_again_to_whom_asks_again() {
    let server = RedisServer::start();
    let queue = Queue::open(&server.config()).await;
    queue.enqueue(&messages("m", 4)).await;
    let deliveries = queue.fetch(4).await;
    let leases: Vec<_> = deliveries.iter().map(|one| one.lease.clone()).collect();
    let ask = |leases: Vec<chicory_queue::Lease>| {
        let broker = std::sync::Arc::clone(&queue.connected.broker);
        async move { broker.acknowledge(&leases).await.expect("an answer") }
    };
    let (applied, lost) = (Settled::Applied, Settled::LeaseLost);
    assert_eq!(ask(leases[..2].to_vec()).await, [applied; 2]);
    // Again, and with one that was not asked for before.
    assert_eq!(ask(leases[..3].to_vec()).await, [applied; 3]);
    assert_eq!(ask(leases[..3].to_vec()).await, [applied; 3]);
    // Another consumer never had them.
    let other = leases[..3].iter().map(|lease| chicory_queue::Lease {
        consumer: "other".into(),
        ..lease.clone()
    });
    assert_eq!(ask(other.collect()).await, [lost; 3]);
    // The next question about the queue says that the answer has arrived.
    assert_eq!(ask(leases[3..].to_vec()).await, [applied]);
    assert_eq!(ask(leases[..3].to_vec()).await, [lost; 3]);
}
