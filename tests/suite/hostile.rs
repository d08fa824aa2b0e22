//! All hostile guests and messages at once, on one worker that serves a quick task beside them.
//!
//! `CHICORY_HOSTILE_SECONDS` says how long; `make hostile` takes a minute. Times are printed, not asserted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chicory_queue::{Client, TaskMessage, ValidationMode};
use chicory_testing::Site;
use chicory_testing::components::assemble;
use redis::Commands as _;
use serde_json::{Value, json};

use crate::error_texts::{SHOUTING, growing_name, trapping_in};
use crate::held_memory::HEADERS;

/// What the worker's memory must stay below.
const BOUND: u64 = 2 << 30;
/// How many hostile messages are kept queued.
const QUEUED: usize = 48;
/// How often the flood looks whether there is room for more.
const PACE: Duration = Duration::from_millis(5);
/// How long the flood lasts in the short form.
const SHORT: u64 = 4;

/// Guests with calls that misbehave, as JSON arguments.
fn hostile() -> Vec<(&'static str, Value)> {
    vec![
        ("infinite-loop.spin", json!([])),
        ("infinite-loop.fill", json!([])),
        ("memory-bomb.allocate", json!([1 << 20])),
        ("memory-bomb.grow", json!([100_000])),
        ("many-memories.grow-each", json!([320])),
        ("table-bomb.grow", json!([100_000])),
        ("deep-recursion.recurse", json!([100_000_000])),
        ("deep-recursion.recurse-with-frames", json!([100_000_000])),
        ("huge-result.text", json!([20_000_000])),
        ("huge-result.bytes", json!([15_000_000])),
        ("huge-result.lists", json!([4_000_000])),
        ("huge-result.error", json!([16_000_000])),
        ("log-flood.flood", json!([])),
        ("log-flood.write", json!([10_000, 10_000])),
        ("stdout-flood.run", json!([])),
        ("trap.unreachable", json!([])),
        ("trap.out-of-bounds", json!([])),
        ("host-call-storm.ask", json!([])),
        ("host-call-storm.report", json!([])),
        ("host-call-storm.hand-over", json!([1_000_000])),
        ("sleeping.sleep", json!([600_000])),
        ("sleeping.busy", json!([600_000])),
        ("exit-codes.run", json!(["abort"])),
        ("hostile-name.go", json!([])),
        ("shouting.shout", json!([])),
        ("headers.hoard", json!([19_900])),
        ("headers.copy", json!([19_900])),
    ]
}

const MODULES: [&str; 12] = [
    "infinite-loop",
    "memory-bomb",
    "many-memories",
    "table-bomb",
    "deep-recursion",
    "huge-result",
    "log-flood",
    "stdout-flood",
    "trap",
    "host-call-storm",
    "sleeping",
    "exit-codes",
];

/// Entries that are no messages, or hardly.
fn entries() -> Vec<String> {
    let large = "0,".repeat(2_000_000);
    vec![
        "not json".into(),
        "[".repeat(100_000),
        format!(r#"{{"id":"deep","name":"demo.add","args":[{}1]}}"#, "[".repeat(50_000)),
        format!(r#"{{"id":"large","name":"demo.add","args":[{large}0]}}"#),
        format!(r#"{{"id":"text","name":"demo.greet","args":["{}"]}}"#, "x".repeat(8 << 20)),
        r#"{"id":"many","name":"demo.add","args":[1,2],"retries":4294967295}"#.into(),
        r#"{"id":"soon","name":"trap.unreachable","retry":{"max_retries":4294967295,"retry_delay":1e308}}"#.into(),
        r#"{"id":"never","name":"trap.unreachable","retry":{"max_retries":3,"retry_delay":-1}}"#.into(),
    ]
}

/// A task that does next to nothing, run one at a time.
struct Quick {
    client: Client,
    runtime: tokio::runtime::Runtime,
}

impl Quick {
    fn new(site: &Site) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let url = format!("redis://127.0.0.1:{}", site.redis.port());
        let client = runtime.block_on(Client::open(&url)).unwrap();
        Self {
            client: client.validation(ValidationMode::None),
            runtime,
        }
    }

    /// Runs it once, and checks its result.
    fn once(&self, number: u32) -> Duration {
        let begun = Instant::now();
        let message = TaskMessage::new("demo.add").args([json!(number), json!(1)]);
        let patience = Some(Duration::from_mins(1));
        let result = self
            .runtime
            .block_on(self.client.run("quick", message, patience));
        let result = result.unwrap().expect("the quick task ends").result;
        assert_eq!(result, Some(json!(number + 1)));
        begun.elapsed()
    }

    /// Runs it until `done`, at least `least` times; the times it took, in order.
    fn times(&self, least: u32, done: impl Fn() -> bool) -> Vec<Duration> {
        let mut times = Vec::new();
        for number in 0.. {
            if number >= least && done() {
                break;
            }
            times.push(self.once(number));
        }
        times.sort_unstable();
        times
    }
}

fn median_and_p99(times: &[Duration]) -> String {
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
    format!(
        "median {:.2} ms, p99 {:.2} ms of {}",
        at(50),
        at(99),
        times.len()
    )
}

/// How long the server itself takes to answer until `done`, in order: no task can be faster beside large messages.
fn answers(site: &Site, done: &AtomicBool) -> Vec<Duration> {
    let mut redis = site.connection();
    let mut times = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let begun = Instant::now();
        redis.ping::<()>().unwrap();
        times.push(begun.elapsed());
        std::thread::sleep(PACE);
    }
    times.sort_unstable();
    times
}

/// Keeps the queue filled with hostile messages until `done`; how many there were.
fn flood(site: &Site, done: &AtomicBool) -> usize {
    let mut redis = site.connection();
    let (calls, entries) = (hostile(), entries());
    let mut sent = 0;
    while !done.load(Ordering::Relaxed) {
        let queued: usize = redis.xlen("chicory:stream:default").unwrap();
        if queued >= QUEUED {
            // Asking all the time would keep the server and a processor busy, which is no task's doing.
            std::thread::sleep(PACE);
            continue;
        }
        let data = match sent % 4 {
            3 => entries[sent / 4 % entries.len()].clone(),
            _ => {
                let (name, args) = &calls[sent % calls.len()];
                json!({ "id": format!("hostile-{sent}"), "name": name, "args": args, "ignore_result": sent % 8 == 0 }).to_string()
            }
        };
        let fields = [("data", data.as_str()), ("task_id", "hostile")];
        redis
            .xadd::<_, _, _, _, ()>("chicory:stream:default", "*", &fields)
            .unwrap();
        sent += 1;
    }
    sent
}

#[test]
fn all_hostile_guests_and_messages_at_once_harm_no_one() {
    let seconds =
        std::env::var("CHICORY_HOSTILE_SECONDS").map_or(SHORT, |text| text.parse().unwrap());
    let site = Site::new();
    for module in MODULES {
        site.deploy_with(module, "[limits]\ntimeout = 0.5\n");
    }
    for (name, wasm) in [
        ("hostile-name", trapping_in(&growing_name())),
        ("shouting", assemble(SHOUTING)),
        ("headers", assemble(HEADERS)),
    ] {
        let manifest = "[limits]\ntimeout = 0.5\n[grants]\nhttp = [\"host.example\"]\n";
        site.write(&format!("modules/{name}.toml"), manifest);
        site.write(&format!("modules/{name}.wasm"), wasm);
    }
    let worker = site.worker(&["--threads", "2", "-q", "default", "-q", "quick"]);
    let quick = Quick::new(&site);
    quick.times(50, || true);
    let alone = quick.times(500, || true);

    let done = AtomicBool::new(false);
    let until = Instant::now() + Duration::from_secs(seconds);
    let (sent, beside, answers) = std::thread::scope(|scope| {
        let flood = scope.spawn(|| flood(&site, &done));
        let answers = scope.spawn(|| answers(&site, &done));
        let beside = quick.times(20, || Instant::now() >= until);
        done.store(true, Ordering::Relaxed);
        (flood.join().unwrap(), beside, answers.join().unwrap())
    });
    let peak = worker.peak_memory();
    println!("alone: {}", median_and_p99(&alone));
    println!(
        "beside {sent} hostile messages in {seconds} s: {}",
        median_and_p99(&beside)
    );
    println!("the server's own answers: {}", median_and_p99(&answers));
    println!("the worker's memory: at most {} MiB", peak >> 20);
    assert!(sent > 20, "{sent} messages");
    assert!(peak < BOUND, "{} MiB", peak >> 20);
    assert_eq!(worker.count("reclaimed"), 0);
    // The same process still serves.
    assert!(std::path::Path::new(&format!("/proc/{}", worker.pid())).exists());
    assert_eq!(site.call(&["demo.add", "1", "2"])["result"], 3);
}
