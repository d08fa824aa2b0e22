//! A network that loses the answer to one request: what the server did must not be undone, repeated or forgotten.
//!
//! Must not know how a worker asks again.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use chicory_testing::{Site, until};

/// Found only in the script that acknowledges, which is sent along when the server sees it for the first time.
const ACKNOWLEDGES: &[u8] = b"before their tasks run";

/// A proxy that loses one answer.
struct Proxy {
    port: u16,
    has_lost: Arc<AtomicBool>,
}

impl Proxy {
    /// Before this port of 127.0.0.1. Its threads end with the connections, and the last with the tests.
    fn start(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let has_lost = Arc::new(AtomicBool::new(false));
        let lost = Arc::clone(&has_lost);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else {
                    continue;
                };
                let loses = Arc::new(AtomicBool::new(false));
                let ways = [(&client, &server), (&server, &client)];
                for (place, (from, to)) in ways.into_iter().enumerate() {
                    let from = from.try_clone().expect("a socket can be shared");
                    let to = to.try_clone().expect("a socket can be shared");
                    let (lost, loses) = (Arc::clone(&lost), Arc::clone(&loses));
                    thread::spawn(move || pass(from, to, place == 0, &lost, &loses));
                }
            }
        });
        Self { port, has_lost }
    }
}

/// Passes bytes on. Once the request has been seen, its connection is cut in place of the answer.
fn pass(mut from: TcpStream, mut to: TcpStream, asks: bool, lost: &AtomicBool, loses: &AtomicBool) {
    let mut bytes = vec![0; 1 << 20];
    while let Ok(count) = from.read(&mut bytes) {
        let passed = &bytes[..count];
        let is_request = asks
            && passed
                .windows(ACKNOWLEDGES.len())
                .any(|part| part == ACKNOWLEDGES);
        if is_request && !lost.swap(true, Ordering::SeqCst) {
            loses.store(true, Ordering::SeqCst);
        }
        if count == 0 || (!asks && loses.load(Ordering::SeqCst)) || to.write_all(passed).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// At most once, the acknowledgement of a message was lost with its answer, and the message with it: its task had not begun.
#[test]
fn a_task_that_runs_at_most_once_runs_although_the_answer_to_its_acknowledgement_is_lost() {
    let site = Site::new();
    let proxy = Proxy::start(site.redis.port());
    let site = site
        .set("CHICORY_DELIVERY_MODE", "at_most_once")
        .set("CHICORY_BROKER_REDIS_PORT", &proxy.port.to_string())
        .set("CHICORY_WORKER_LOG_LEVEL", "DEBUG");
    let worker = site.worker(&[]);
    let id = site.enqueue(&["demo.add", "1", "2"]);
    until("a lost answer", || proxy.has_lost.load(Ordering::SeqCst));
    assert_eq!(site.wait_for(&id)["result"], 3);
    assert_eq!(worker.count("acknowledged, and started"), 1);
    let next = site.enqueue(&["demo.add", "2", "3"]);
    assert_eq!(site.wait_for(&next)["result"], 5);
}
