//! The clock that stops guests: a thread that ticks while guests run, and sleeps while none does.
//!
//! Must not know what a tick does to a guest.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

/// How often it ticks.
pub(crate) const TICK: Duration = Duration::from_millis(2);
/// It continues for this many ticks after the last guest, so that guests in a row need not wake it each time.
const LINGER: u32 = 50;
/// Threads are counted apart, so that they don't write to one cache line.
const SEATS: usize = 16;

/// Counts the guests that are running.
#[derive(Default)]
pub(crate) struct Ticker {
    seats: [Seat; SEATS],
    asleep: AtomicBool,
    stopped: AtomicBool,
    thread: OnceLock<Thread>,
}

#[derive(Default)]
#[repr(align(128))]
struct Seat(AtomicUsize);

/// A guest runs until this is dropped.
struct Running<'a>(&'a Seat);

impl Ticker {
    /// Calls `tick` while guests run, until it is stopped.
    pub(crate) fn start(tick: impl FnMut() + Send + 'static) -> io::Result<Arc<Ticker>> {
        let ticker = Arc::new(Ticker::default());
        let shared = Arc::clone(&ticker);
        thread::Builder::new()
            .name("chicory-epoch".into())
            .spawn(move || shared.run(tick))?;
        Ok(ticker)
    }

    /// It ticks no more.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Counts a guest as running while `call` is polled.
    pub(crate) async fn count<T>(&self, mut call: Pin<&mut impl Future<Output = T>>) -> T {
        poll_fn(|cx| {
            let _running = self.running();
            call.as_mut().poll(cx)
        })
        .await
    }

    /// A guest runs on this thread.
    fn running(&self) -> Running<'_> {
        let seat = &self.seats[own_seat()];
        seat.0.fetch_add(1, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) {
            self.wake();
        }
        Running(seat)
    }

    fn wake(&self) {
        self.asleep.store(false, Ordering::SeqCst);
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    fn run(&self, mut tick: impl FnMut()) {
        let _ = self.thread.set(thread::current());
        let mut idle = 0;
        while !self.stopped() {
            thread::sleep(TICK);
            tick();
            idle = if self.any() { 0 } else { idle + 1 };
            if idle < LINGER {
                continue;
            }
            self.asleep.store(true, Ordering::SeqCst);
            // Either this sees the guest, or the guest sees that it has to wake this.
            while self.asleep.load(Ordering::SeqCst) && !self.any() && !self.stopped() {
                thread::park();
            }
            self.asleep.store(false, Ordering::SeqCst);
            idle = 0;
        }
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn any(&self) -> bool {
        let mut seats = self.seats.iter();
        seats.any(|seat| seat.0.load(Ordering::SeqCst) > 0)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Release);
    }
}

fn own_seat() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SEATS;
    }
    OWN.with(|own| *own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Case Q24: nothing ticks while no guest runs; and each guest is ticked, however long the clock has slept.
    #[test]
    fn it_ticks_while_guests_run_and_sleeps_after() {
        let (sender, ticks) = mpsc::channel();
        let tick = move || {
            // Nobody listens any more once the test has ended.
            let _ = sender.send(());
        };
        let ticker = Ticker::start(tick).unwrap();
        for _ in 0..2 {
            while !ticker.asleep.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            while ticks.try_recv().is_ok() {}
            let running = ticker.running();
            for _ in 0..=LINGER {
                ticks.recv().unwrap();
            }
            drop(running);
        }
        ticker.stop();
        // The thread is gone when its end of the channel is.
        while ticks.recv().is_ok() {}
    }
}
