//! Case M10: quick tasks keep running beside long ones, on both threads of a worker.
//!
//! The bounds on time are many times what is measured (docs/performance.md), and far below what a queue without an order
//! takes.

use std::time::{Duration, Instant};

use chicory_queue::{Client, TaskMessage, TaskState};
use chicory_testing::Site;
use chicory_testing::components::assemble;
use serde_json::json;

const PATIENCE: Option<Duration> = Some(Duration::from_secs(30));

/// A module whose task `spin` never ends if its argument isn't 0.
const SPINNER: &str = r#"(component
  (core module $m (func (export "spin") (param i32) (loop $again (br_if $again (local.get 0)))))
  (core instance $i (instantiate $m))
  (func (export "spin") (param "on" u32) (canon lift (core func $i "spin"))))"#;

fn site() -> Site {
    let site = Site::new();
    site.write("modules/spinner.toml", "[limits]\ntimeout = 600.0\n");
    site.write("modules/spinner.wasm", assemble(SPINNER));
    site
}

fn spin(on: u32) -> TaskMessage {
    TaskMessage::new("spinner.spin").args([json!(on)])
}

async fn client(site: &Site) -> Client {
    let url = format!("redis://127.0.0.1:{}", site.redis.port());
    Client::open(&url).await.expect("the server is there")
}

/// Runs a quick task, and answers how long that took.
async fn quick(client: &Client) -> Duration {
    let begun = Instant::now();
    let message = TaskMessage::new("demo.add").args([json!(1), json!(2)]);
    let result = client.run("default", message, PATIENCE).await.unwrap();
    assert_eq!(result.expect("a result in time").result, Some(3.into()));
    begun.elapsed()
}

/// Case M10: 30 endless loops on two threads, and four quick tasks enqueued at once, again and again.
#[tokio::test]
async fn new_calls_start_before_long_ones_resume() {
    let site = site();
    let worker = site.worker(&["--threads", "2", "--concurrency", "64"]);
    let client = client(&site).await;
    quick(&client).await;
    let loops = client
        .enqueue_many("default", (0..30).map(|_| spin(1)).collect())
        .await
        .unwrap();
    // All of them have begun, since they were fetched in order.
    quick(&client).await;
    let mut times = Vec::new();
    for _ in 0..50 {
        let four = tokio::join!(
            quick(&client),
            quick(&client),
            quick(&client),
            quick(&client)
        );
        times.extend(<[Duration; 4]>::from(four));
    }
    times.sort_unstable();
    let (median, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("beside 30 loops: median {median:?}, p99 {p99:?}");
    // A few milliseconds; some hundred where loops went on first. The order itself is tested in work/turns.
    assert!(median < Duration::from_millis(150), "{median:?}");
    for id in loops {
        assert!(client.result(&id).await.unwrap().is_none(), "it never ends");
    }
    drop(worker);
}

/// Case M10: a task that was brief six times runs on the thread that fetches. When it never ends, it is moved: messages are
/// fetched, leases renewed and results written as before.
#[tokio::test]
async fn a_task_that_is_brief_no_more_leaves_the_fetching_thread() {
    let site = site().set("CHICORY_BROKER_REDIS_CLAIM_MIN_IDLE_MS", "1000");
    let worker = site.worker(&["--threads", "2"]);
    let client = client(&site).await;
    for _ in 0..6 {
        let ended = client.run("default", spin(0), PATIENCE).await.unwrap();
        assert_eq!(ended.expect("a result in time").state, TaskState::Success);
    }
    let id = client.enqueue("default", spin(1)).await.unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        quick(&client).await;
    }
    site.until_started(&id);
    assert_eq!(worker.count("reclaimed a task"), 0, "its lease was renewed");
}
