//! What a guest makes the host hold for it: it counts against the call, as the guest's own memory does.

use chicory_runtime::{Ended, How};
use serde_json::{Value, json};

use crate::guests::{call, load, returned, sandbox};

/// Tasks that fill `wasi:http`'s sets of headers with 110 KB each.
pub(crate) const HEADERS: &str = include_str!("headers.wat");

/// With 1 MiB of memory, and HTTP.
pub(crate) fn small() -> Value {
    json!({"limits": {"memory": "1MiB"}, "grants": {"http": ["host.example"]}})
}

async fn headers(task: &str, count: u32) -> Ended {
    let sandbox = sandbox();
    let module = load(&sandbox, HEADERS, small()).await.unwrap();
    call(&sandbox, &module, task, json!([count]), json!({})).await
}

/// Case M6: 19,900 of them took 2.4 GB.
#[tokio::test]
async fn headers_count_against_the_calls_memory() {
    for task in ["hoard", "copy"] {
        let ended = headers(task, 19_900).await;
        let How::OutOfMemory { message } = &ended.how else {
            panic!("{task}: {ended:?}")
        };
        assert!(
            message.starts_with("out of memory: asked for 131072 bytes for the guest and "),
            "{message}"
        );
        let held = ended.usage.host_memory;
        assert!(held > 16 << 20 && held <= 17 << 20, "{task}: {held}");
    }
}

#[tokio::test]
async fn headers_that_were_dropped_do_not_count() {
    let ended = headers("tidy", 2_000).await;
    assert_eq!(returned(&ended), json!(1), "{ended:?}");
    let held = ended.usage.host_memory;
    assert!(held > 110_000 && held < 1 << 20, "{held}");
    assert_eq!(returned(&headers("hoard", 100).await), json!(1));
}
