//! Calls its host without end. Must not import WASI.

use chicory::task::log::{self, Level};
use chicory::task::{context, progress};

wit_bindgen::generate!({
    path: ["../../../wit", "wit"],
    world: "guests:host-call-storm/host-call-storm",
    generate_all,
});

struct HostCallStorm;

export!(HostCallStorm);

impl Guest for HostCallStorm {
    fn ask() {
        loop {
            context::id();
        }
    }

    fn report() {
        loop {
            progress::report(f64::NAN, Some("nearly there"));
        }
    }

    fn hand_over(size: u32) {
        let line = "x".repeat(size as usize);
        loop {
            log::write(Level::Info, &line);
        }
    }

    fn ask_times(times: u32) -> u64 {
        (0..times).map(|_| context::id().len() as u64).sum()
    }
}
