//! Messages, as anyone who can write to the broker makes them.

use std::sync::LazyLock;

use bytes::Bytes;
use chicory_queue::TaskMessage;

use super::Target;
use crate::edited::Edited;
use crate::input;
use crate::seeds::seeds;

/// What is read as a message is written and read again without a change, and its retries are within bounds.
pub(super) const TARGET: Target = Target {
    name: "messages",
    check_seeds,
    run,
};

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| seeds("messages"));

fn check_seeds() {
    for seed in &*SEEDS {
        TaskMessage::decode(&Bytes::from(seed.clone())).expect("a seed is a message");
    }
}

fn run(bytes: &[u8]) {
    if let Some(edited) = input::<Edited>(bytes) {
        check(edited.bytes(&SEEDS));
    }
}

fn check(bytes: Vec<u8>) {
    let Ok(message) = TaskMessage::decode(&Bytes::from(bytes)) else {
        return;
    };
    let written = Bytes::from(message.encode());
    let again = TaskMessage::decode(&written).expect("what was written can be read");
    assert_eq!(again, message);
    if let Some(policy) = &message.retry {
        let longest = policy.max_delay * 1.25;
        for retry in [1, 2, message.retries.max(1), u32::MAX] {
            let delay = policy.delay(retry, &message.id).as_secs_f64();
            assert!(
                delay <= longest,
                "{delay} s after retry {retry}: {policy:?}"
            );
        }
    }
}
