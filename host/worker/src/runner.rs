//! Who runs an invocation: the sandbox, or a closure in tests.
//!
//! Must not know queues.

use std::fmt;

use async_trait::async_trait;
use chicory_runtime::{Ended, Invocation, Sandbox};

/// Runs one invocation to its end.
#[async_trait]
pub trait Runner: Send + Sync + 'static {
    /// What the guest does is in the answer; this never fails.
    async fn run(&self, invocation: Invocation) -> Ended;
}

#[async_trait]
impl Runner for Sandbox {
    async fn run(&self, invocation: Invocation) -> Ended {
        Sandbox::run(self, invocation).await
    }
}

/// A closure as a runner.
pub struct FnRunner<F>(pub F);

impl<F> fmt::Debug for FnRunner<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FnRunner")
    }
}

#[async_trait]
impl<F, Fut> Runner for FnRunner<F>
where
    F: Fn(Invocation) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Ended> + Send,
{
    async fn run(&self, invocation: Invocation) -> Ended {
        (self.0)(invocation).await
    }
}
