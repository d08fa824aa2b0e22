//! Tells what it knows about its message. Must not import WASI.

use chicory::task::{context, progress};

wit_bindgen::generate!({
    path: ["../../../wit", "wit"],
    world: "guests:context/context",
    generate_all,
});

struct Context;

export!(Context);

impl Guest for Context {
    fn show() -> Seen {
        Seen {
            id: context::id(),
            name: context::name(),
            retries: context::retries(),
            max_retries: context::max_retries(),
            remaining_retries: context::remaining_retries(),
            is_last_retry: context::is_last_retry(),
            deadline: context::deadline(),
            last_error: context::last_error(),
            tenant: context::tenant(),
        }
    }

    fn show_after(failures: u32) -> Result<Seen, String> {
        let retries = context::retries();
        if retries < failures {
            return Err(format!("failure {} of {failures}", retries + 1));
        }
        Ok(Self::show())
    }

    fn report(percents: Vec<f64>) {
        for percent in percents {
            progress::report(percent, Some(&format!("at {percent}")));
        }
    }
}
