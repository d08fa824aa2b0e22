//! A master, two replicas and three Sentinels: their credentials, a planned failover, and writes that replicas confirm.

use std::time::{Duration, Instant};

use chicory_queue::{BrokerConfig, BrokerError, Settled, Settlement};
use chicory_testing::{Queue, RedisSentinels, RedisServer, connect, message, messages};

/// Case Q6: `NOAUTH`, and no way to give a password.
#[tokio::test]
async fn sentinels_have_a_password_of_their_own() {
    let sentinels = RedisSentinels::start_with(Some("geheim"));
    let BrokerConfig::Redis(mut redis, results) = sentinels.config() else {
        unreachable!("Sentinels are of Redis");
    };
    let by_setting = BrokerConfig::Redis(redis.clone(), results.clone());
    Queue::open(&by_setting)
        .await
        .enqueue(&messages("a", 1))
        .await;

    redis.server.sentinel_password = None;
    let without = BrokerConfig::Redis(redis.clone(), results.clone());
    let error = connect(&without).await.expect_err("no password");
    assert!(matches!(error, BrokerError::Refused { .. }), "{error:?}");

    let url = format!("{}?sentinel_password=geh%65im", sentinels.url());
    redis.server.url = Some(chicory_queue::Secret(url));
    let by_url = BrokerConfig::Redis(redis, results);
    Queue::open(&by_url).await.enqueue(&messages("b", 1)).await;
}

/// Case Q7: producers wrote to the old master until +6 s, workers until +11 s.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_failover_is_followed_within_a_second() {
    let sentinels = RedisSentinels::start();
    let producer = Queue::open(&sentinels.config()).await;
    let worker = Queue::open(&sentinels.config()).await;
    let old = sentinels.master();
    assert!(worker.fetch(1).await.is_empty());
    let fetching = async {
        // Blocked on the old master when the new one takes over.
        let block = Duration::from_mins(1);
        loop {
            let got = worker.try_fetch(10, block).await;
            if let Ok(got) = got
                && let Some(last) = got.iter().find(|one| one.task_id == "last")
            {
                return last.clone();
            }
        }
    };
    let enqueueing = async {
        sentinels.fail_over();
        let begun = Instant::now();
        let mut master = old;
        while master == old {
            assert!(begun.elapsed() < chicory_testing::PATIENCE, "no failover");
            tokio::time::sleep(Duration::from_millis(10)).await;
            master = sentinels.master();
        }
        let promoted = Instant::now();
        let new = sentinels.servers.iter().find(|one| one.port() == master);
        let new = new.expect("one of the servers");
        // What is written to the old master until then never gets there.
        let mut number = 0;
        loop {
            number += 1;
            let id = format!("after{number}");
            let _ = producer.try_enqueue(&[message(&id)]).await;
            let length: u64 = new.query(&["XLEN", "chicory:stream:default"]);
            if length > 0 {
                break;
            }
        }
        let followed = promoted.elapsed();
        while producer.try_enqueue(&[message("last")]).await.is_err() {}
        followed
    };
    let (last, followed) = tokio::join!(fetching, enqueueing);
    assert!(followed < Duration::from_millis(1500), "{followed:?}");
    let answers = worker.settle(&[last], &Settlement::Complete).await;
    assert_eq!(answers, [Settled::Applied]);
}

/// A replica that is not promoted confirms what the old master takes until it is told to follow the new one; 346 to 1,313 of
/// 10,000 messages that were acknowledged went with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_during_a_planned_failover_is_on_the_new_master() {
    let sentinels = RedisSentinels::start();
    let BrokerConfig::Redis(mut redis, results) = sentinels.config() else {
        unreachable!("Sentinels are of Redis");
    };
    redis.wait_replicas = 1;
    let producer = Queue::open(&BrokerConfig::Redis(redis, results)).await;
    let old = sentinels.master();
    sentinels.fail_over();
    let begun = Instant::now();
    let mut acknowledged = Vec::new();
    let mut after = 0;
    // Some more on the new one, so that the enqueues of the whole failover are looked at.
    for number in 0.. {
        assert!(begun.elapsed() < chicory_testing::PATIENCE, "no failover");
        let id = format!("m{number}");
        let answer = producer.try_enqueue(&[message(&id)]).await;
        if answer.is_ok() {
            acknowledged.push(id);
            after += usize::from(sentinels.master() != old);
        }
        if after == 10 {
            break;
        }
    }
    let new = sentinels.master();
    let new = sentinels.servers.iter().find(|one| one.port() == new);
    let entries: Vec<(String, Vec<String>)> =
        new.expect("one of the servers")
            .query(&["XRANGE", "chicory:stream:default", "-", "+"]);
    let there: std::collections::HashSet<&String> =
        entries.iter().flat_map(|(_, fields)| fields).collect();
    let lost: Vec<_> = (acknowledged.iter())
        .filter(|id| !there.contains(id))
        .collect();
    assert!(lost.is_empty(), "{lost:?} of {}", acknowledged.len());
}

fn waiting_for(replicas: u32, server: &RedisServer) -> BrokerConfig {
    let mut redis = server.redis_config();
    redis.wait_replicas = replicas;
    redis.wait_timeout = Duration::from_millis(200);
    BrokerConfig::Redis(redis, chicory_queue::ResultsConfig::default())
}

#[tokio::test]
async fn writes_wait_for_as_many_replicas_as_wanted() {
    let sentinels = RedisSentinels::start();
    let master = &sentinels.servers[0];
    let queue = Queue::open(&waiting_for(2, master)).await;
    queue.enqueue(&messages("a", 1)).await;
    queue.enqueue(&messages("b", 5)).await;
    let mut late = message("late");
    late.eta = Some(chicory_queue::Timestamp::now().after(Duration::from_mins(1)));
    queue.enqueue(&[late]).await;
    // The replicas have them already.
    for replica in &sentinels.servers[1..] {
        let length: u64 = replica.query(&["XLEN", "chicory:stream:default"]);
        assert_eq!(length, 6);
        assert_eq!(
            replica.query::<u64>(&["ZCARD", "chicory:delayed:default"]),
            1
        );
    }
    let deliveries = queue.fetch(10).await;
    let settled = queue.settle(&deliveries, &Settlement::Complete).await;
    assert_eq!(settled, [Settled::Applied; 6]);

    // Lost scripts are sent along with what waits.
    master.query::<()>(&["SCRIPT", "FLUSH"]);
    queue.enqueue(&messages("c", 2)).await;
    let deliveries = queue.fetch(10).await;
    let settled = queue.settle(&deliveries, &Settlement::Complete).await;
    assert_eq!(settled, [Settled::Applied; 2]);

    let demanding = Queue::open(&waiting_for(3, master)).await;
    let error = demanding
        .try_enqueue(&messages("d", 1))
        .await
        .expect_err("two replicas");
    assert!(
        matches!(
            error,
            BrokerError::NotReplicated {
                wanted: 3,
                confirmed: 2,
                ..
            }
        ),
        "{error}"
    );
    // It is there; and a settlement stands.
    let deliveries = demanding.fetch(10).await;
    let settled = demanding.settle(&deliveries, &Settlement::Complete).await;
    assert_eq!(settled, [Settled::Applied]);
}
