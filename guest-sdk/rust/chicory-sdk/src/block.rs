//! Runs a future to completion: a sandbox has one thread and one task, so there is nothing else to do meanwhile.
//!
//! Must not know what the future waits for, nor need WASI.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Runs a future to completion, as the SDK does for a task that is an `async fn`; call it in tests of such tasks.
///
/// # Panics
/// In a sandbox, if the future is pending and has not woken itself: nothing else runs there that
/// could wake it. Elsewhere this thread sleeps until another thread wakes it.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(Arc::clone(&alarm));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        while !alarm.rung.swap(false, Ordering::AcqRel) {
            wait();
        }
    }
}

/// Wakes the only future.
struct Alarm {
    rung: AtomicBool,
    #[cfg(not(target_arch = "wasm32"))]
    sleeper: std::thread::Thread,
}

impl Default for Alarm {
    fn default() -> Self {
        Self {
            rung: AtomicBool::new(false),
            #[cfg(not(target_arch = "wasm32"))]
            sleeper: std::thread::current(),
        }
    }
}

#[cfg(target_arch = "wasm32")]
fn wait() {
    panic!(
        "an async task waits for something that can't happen in a sandbox, where nothing else runs, such as a \
         channel or a runtime's timer: use calls that block, or the block_on of that runtime"
    );
}

#[cfg(not(target_arch = "wasm32"))]
fn wait() {
    std::thread::park();
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        #[cfg(not(target_arch = "wasm32"))]
        self.sleeper.unpark();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::thread;

    use super::*;

    #[test]
    fn a_future_that_wakes_itself_goes_on() {
        let mut left = 3;
        let counted = poll_fn(|context| {
            if left == 0 {
                return Poll::Ready("done");
            }
            left -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        });
        assert_eq!(block_on(counted), "done");
    }

    #[test]
    fn another_thread_may_wake_it() {
        let done = Arc::new(AtomicBool::new(false));
        let mut begun = false;
        let waits = poll_fn(|context| {
            if done.load(Ordering::Acquire) {
                return Poll::Ready(());
            }
            if !begun {
                begun = true;
                let (done, waker) = (Arc::clone(&done), context.waker().clone());
                thread::spawn(move || {
                    done.store(true, Ordering::Release);
                    waker.wake();
                });
            }
            Poll::Pending
        });
        block_on(waits);
        assert!(done.load(Ordering::Acquire));
    }
}
