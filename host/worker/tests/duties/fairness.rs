//! A task that does not let others pass holds up only itself: case M10 with native tasks that block.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use chicory_queue::{Failure, TaskMessage, TaskState};
use chicory_worker::{Call, NativeTasks};

use crate::bench::Bench;

/// Tasks of which `fair.block` blocks its thread, and everything scheduled on it, until it is released.
struct Blocking {
    tasks: NativeTasks,
    at_work: tokio::sync::mpsc::UnboundedReceiver<()>,
    release: mpsc::Sender<()>,
}

fn blocking() -> Blocking {
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let (started, at_work) = tokio::sync::mpsc::unbounded_channel();
    let block = move |_: &Call| {
        let _ = started.send(());
        // If it ends without a release, the test has failed.
        let _ = released.lock().unwrap().recv();
    };
    let count = AtomicUsize::new(0);
    let tasks = NativeTasks::new()
        .add("fair.quick", |_: Call| async { Ok::<_, Failure>(1) })
        .add("fair.waits", |_: Call| async {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            Ok::<_, Failure>(2)
        })
        .add("fair.brief-six-times", move |call: Call| {
            let long = count.fetch_add(1, Ordering::SeqCst) == 6;
            if long {
                block(&call);
            }
            async { Ok::<_, Failure>(3) }
        });
    Blocking {
        tasks,
        at_work,
        release,
    }
}

/// Runs neighbours, some of which wait for a timer, and waits for their results.
async fn neighbours_run(bench: &Bench) {
    let names = [
        "fair.quick",
        "fair.waits",
        "fair.quick",
        "fair.waits",
        "fair.quick",
    ];
    let messages: Vec<_> = names.map(TaskMessage::new).into();
    let queued = bench.connected.broker.enqueue("default", &messages).await;
    queued.unwrap();
    for message in &messages {
        let result = bench.result(&message.id).await;
        assert_eq!(result.state, TaskState::Success);
    }
}

/// A task that was brief six times runs on the fetching thread. One that may block never does, so messages are still
/// fetched and leases renewed while it blocks, and the other thread runs everything else.
#[tokio::test]
async fn a_blocked_thread_of_two_holds_up_nobody() {
    let mut bench = Bench::new().await;
    bench.config.threads = 2;
    let mut blocking = blocking();
    let running = bench.start_with(Arc::new(blocking.tasks));
    for _ in 0..6 {
        let brief = TaskMessage::new("fair.brief-six-times");
        bench.send(&brief).await;
        bench.result(&brief.id).await;
    }
    let long = TaskMessage::new("fair.brief-six-times");
    bench.send(&long).await;
    blocking.at_work.recv().await.unwrap();
    // Longer than a lease lasts: another worker would take the message if its lease weren't renewed.
    let lease = bench.connected.broker.lease_duration();
    let begun = std::time::Instant::now();
    while begun.elapsed() < 3 * lease {
        neighbours_run(&bench).await;
    }
    assert_ne!(bench.state(&long.id).await, Some(TaskState::Success));
    blocking.release.send(()).unwrap();
    assert_eq!(bench.result(&long.id).await.result, Some(3.into()));
    assert_eq!(running.drain().await.released, 0);
}

/// What a thread did before it got stuck is not held back with it: neither the outcomes nor the deliveries that came in
/// the same batch.
#[tokio::test]
async fn a_blocked_thread_loses_its_stock_to_the_others() {
    let mut bench = Bench::new().await;
    bench.config.threads = 2;
    bench.config.concurrency = 64;
    let mut blocking = blocking();
    let names = (0..6).map(|_| "fair.brief-six-times");
    let quick = || std::iter::repeat_n("fair.quick", 20);
    let all = names
        .chain(quick())
        .chain(["fair.brief-six-times"])
        .chain(quick());
    let messages: Vec<_> = all.map(TaskMessage::new).collect();
    let queued = bench.connected.broker.enqueue("default", &messages).await;
    queued.unwrap();
    let running = bench.start_with(Arc::new(blocking.tasks));
    blocking.at_work.recv().await.unwrap();
    for message in messages
        .iter()
        .filter(|message| message.name == "fair.quick")
    {
        let result = bench.result(&message.id).await;
        assert_eq!(result.state, TaskState::Success);
    }
    blocking.release.send(()).unwrap();
    assert_eq!(running.drain().await.processed, messages.len() as u64);
}
