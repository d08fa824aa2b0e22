//! Who runs an invocation: the sandbox, or a closure in tests.
//!
//! Must not know queues.

use std::fmt;
use std::pin::Pin;

use chicory_runtime::{Ended, Invocation, Sandbox};

/// A call that goes on whenever it is polled.
pub type Running = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// Runs one invocation to its end.
pub trait Runner: Send + Sync + 'static {
    /// What the guest does is in the answer; this never fails.
    fn run(&self, invocation: Invocation) -> Running;
}

impl Runner for Sandbox {
    fn run(&self, invocation: Invocation) -> Running {
        let sandbox = self.clone();
        Box::pin(async move { sandbox.run(invocation).await })
    }
}

/// A closure as a runner.
pub struct FnRunner<F>(pub F);

impl<F> fmt::Debug for FnRunner<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FnRunner")
    }
}

impl<F, Fut> Runner for FnRunner<F>
where
    F: Fn(Invocation) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Ended> + Send + 'static,
{
    fn run(&self, invocation: Invocation) -> Running {
        Box::pin((self.0)(invocation))
    }
}
