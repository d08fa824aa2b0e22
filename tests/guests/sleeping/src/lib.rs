//! Waits: in a host call, or on the processor. Must not know queues.

use wasi::clocks::monotonic_clock;

wit_bindgen::generate!({ path: "wit", world: "sleeping", generate_all });

const NANOSECONDS: u64 = 1_000_000;

struct Sleeping;

export!(Sleeping);

impl Guest for Sleeping {
    fn sleep(ms: u64) -> u64 {
        let start = monotonic_clock::now();
        monotonic_clock::subscribe_duration(ms * NANOSECONDS).block();
        (monotonic_clock::now() - start) / NANOSECONDS
    }

    fn busy(ms: u64) -> u64 {
        let start = monotonic_clock::now();
        let end = start + ms * NANOSECONDS;
        while monotonic_clock::now() < end {}
        (monotonic_clock::now() - start) / NANOSECONDS
    }
}
