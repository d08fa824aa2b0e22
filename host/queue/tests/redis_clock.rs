//! Whose clock decides: the server's, whatever the clocks of producers and workers say.

use std::sync::Arc;
use std::time::Duration;

use chicory_queue::{Clock, Connected, Settlement, TaskMessage, Timestamp, connect};
use chicory_testing::{Queue, RedisServer, completion};

const HOUR: i64 = 3_600_000_000;

/// The machine's clock, set forward or back by some microseconds.
#[derive(Debug)]
struct Skewed(i64);

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(Timestamp::now().as_micros() + self.0)
    }
}

async fn with_clock(server: &RedisServer, skew: i64) -> Connected {
    let connected = connect(&server.config(), Arc::new(Skewed(skew))).await;
    connected.expect("the server is there")
}

fn message(id: &str) -> TaskMessage {
    TaskMessage {
        id: id.into(),
        ..TaskMessage::new("suite.task")
    }
}

/// Case Q13: a worker whose clock is ahead promotes nothing early, and one whose clock is behind promotes nothing late.
#[tokio::test]
async fn q13_the_servers_clock_says_what_is_due() {
    let server = RedisServer::start();
    let queue = Queue::open(&server.config()).await;
    let now = Timestamp::now();
    let mut late = message("late");
    late.eta = Some(now.after(Duration::from_mins(30)));
    queue.enqueue(&[late]).await;
    let due = now.as_seconds() - 1.0;
    let data = message("due").encode();
    let _: u64 = server.query(&["ZADD", "chicory:delayed:default", &due.to_string(), &data]);
    for (skew, moved) in [(-HOUR, 1), (HOUR, 0)] {
        let broker = with_clock(&server, skew).await.broker;
        let promoted = broker.promote(&["default".into()], 10).await;
        let promoted = promoted.expect("promote");
        assert_eq!(promoted.moved, moved, "{skew}");
        let next = promoted.next.expect("one is delayed").since(promoted.now);
        let expected = Duration::from_mins(30);
        assert!(
            next <= expected && next + Duration::from_mins(1) > expected,
            "{next:?}"
        );
    }
}

/// Case Q13: delays count from when the server gets the message.
#[tokio::test]
async fn q13_a_delay_is_by_the_servers_clock() {
    let server = RedisServer::start();
    for skew in [-HOUR, HOUR] {
        let connected = with_clock(&server, skew).await;
        let before = Timestamp::now();
        let mut delayed = message("delayed").after(Duration::from_mins(10));
        // As a producer's wrong clock computes it.
        delayed.eta = delayed
            .eta
            .map(|eta| Timestamp::from_micros(eta.as_micros() + skew));
        let added = connected.broker.enqueue("default", &[delayed]).await;
        added.expect("enqueue");
        let after = Timestamp::now();
        let listed = connected.inspect.delayed("default", 10).await;
        let due = listed.expect("delayed")[0].due;
        let (least, most) = (
            before.after(Duration::from_mins(10)),
            after.after(Duration::from_mins(10)),
        );
        assert!(least <= due && due <= most, "{skew}: {least} {due} {most}");
        connected.inspect.purge("default").await.expect("purge");
    }
}

/// Case Q13: so do the delays of retries, which the worker computes by its own clock.
#[tokio::test]
async fn q13_a_retry_is_due_by_the_servers_clock() {
    let server = RedisServer::start();
    for skew in [-HOUR, HOUR] {
        let queue = Queue::open(&server.config()).await;
        queue.enqueue(&[message("m")]).await;
        let delivery = queue.fetch(1).await.remove(0);
        let connected = with_clock(&server, skew).await;
        let at = Skewed(skew).now().after(Duration::from_mins(10));
        let mut retry = completion(&delivery);
        retry.record = None;
        retry.settlement = std::borrow::Cow::Owned(Settlement::Retry {
            at,
            message: Box::new(message("m")),
        });
        connected.broker.settle(&[retry]).await.expect("settle");
        let listed = connected.inspect.delayed("default", 10).await;
        let due = listed.expect("delayed")[0].due;
        let wait = due.since(Timestamp::now());
        let expected = Duration::from_mins(10);
        assert!(
            wait <= expected && wait + Duration::from_mins(1) > expected,
            "{skew}: {wait:?}"
        );
        connected.inspect.purge("default").await.expect("purge");
    }
}

/// Case Q13: an explicit time is kept as it is, also by the server's clock.
#[tokio::test]
async fn q13_a_given_time_is_not_moved() {
    let server = RedisServer::start();
    let connected = with_clock(&server, HOUR).await;
    let mut given = message("m");
    let at = Timestamp::from_micros(Timestamp::now().as_micros() + HOUR / 2);
    given.eta = Some(at);
    let added = connected.broker.enqueue("default", &[given]).await;
    added.expect("enqueue");
    let listed = connected.inspect.delayed("default", 10).await;
    assert_eq!(listed.expect("delayed")[0].due, at);
}
