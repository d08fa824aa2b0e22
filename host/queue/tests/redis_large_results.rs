//! Large results on Redis: written ahead of the script that settles their tasks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use chicory_queue::Settled;
use chicory_testing::{Queue, RedisServer, completion, message};

/// A script would copy it while all others wait. Nothing of it is left elsewhere.
#[tokio::test]
async fn a_large_result_passes_through_no_script() {
    let server = RedisServer::start();
    let queue = Queue::open(&server.config()).await;
    let text = "x".repeat(1 << 20);
    let body =
        serde_json::json!({ "task_id": "a", "state": "SUCCESS", "result": text }).to_string();
    queue.enqueue(&[message("a")]).await;
    let delivery = queue.fetch(1).await.remove(0);
    let mut done = completion(&delivery);
    done.record.as_mut().expect("a result").body = Some(body.clone().into());
    server.query::<()>(&["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
    let late = done.clone();
    assert_eq!(queue.settle_each(&[done]).await, [Settled::Applied]);
    assert_eq!(queue.settle_each(&[late]).await, [Settled::LeaseLost]);
    let slow: Vec<(u64, u64, u64, Vec<String>, String, String)> =
        server.query(&["SLOWLOG", "GET", "100"]);
    let scripts = (slow.iter()).filter(|entry| entry.3[0] == "EVALSHA");
    let (count, large) = scripts.fold((0, 0), |(count, large), entry| {
        let has_text = entry.3.iter().any(|word| word.contains("xxxx"));
        (count + 1, large + usize::from(has_text))
    });
    assert!(count >= 2 && large == 0, "{slow:?}");
    let stored: String = server.query(&["GET", "chicory:result:a"]);
    assert_eq!(stored, body);
    let ttl: i64 = server.query(&["TTL", "chicory:result:a"]);
    assert!((3500..=3600).contains(&ttl), "{ttl}");
    let left: Vec<String> = server.query(&["KEYS", "chicory:ahead:*"]);
    assert!(left.is_empty(), "{left:?}");
}

/// A server may drop it for want of room, or restart without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_result_that_is_lost_before_its_script_comes_again() {
    let server = RedisServer::start();
    let queue = Queue::open(&server.config()).await;
    let text = "x".repeat(1 << 17);
    let lost = AtomicU64::new(0);
    let drop_them = |until: &AtomicBool| {
        let script = "local n = 0 for _, key in ipairs(redis.call('KEYS', 'chicory:ahead:*')) do \
                      n = n + redis.call('DEL', key) end return n";
        let mut connection = server.connection();
        while !until.load(Ordering::Relaxed) {
            let dropped: u64 = (redis::cmd("EVAL").arg(script).arg(0))
                .query(&mut connection)
                .expect("the server answers");
            lost.fetch_add(dropped, Ordering::Relaxed);
        }
    };
    let done = AtomicBool::new(false);
    let settle_until_some_were_lost = async {
        for number in 0.. {
            if lost.load(Ordering::Relaxed) > 0 {
                break;
            }
            let id = format!("m{number}");
            let body = serde_json::json!({ "task_id": id, "state": "SUCCESS", "result": text });
            queue.enqueue(&[message(&id)]).await;
            let delivery = queue.fetch(1).await.remove(0);
            let mut settled = completion(&delivery);
            settled.record.as_mut().expect("a result").body = Some(body.to_string().into());
            assert_eq!(queue.settle_each(&[settled]).await, [Settled::Applied]);
            let kept = queue.connected.results.result(&id).await.expect("result");
            assert_eq!(kept.and_then(|kept| kept.result), Some(text.clone().into()));
        }
        done.store(true, Ordering::Relaxed);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| drop_them(&done));
        let runtime = tokio::runtime::Handle::current();
        scope.spawn(move || runtime.block_on(settle_until_some_were_lost));
    });
}
