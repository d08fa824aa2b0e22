//! Tasks that are closures of the program that embeds the worker.
//!
//! Must not know sandboxes.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use chicory_queue::{Failure, Outcome, TaskMessage, TenantName};
use chicory_signature::canonical;
use futures::FutureExt as _;
use serde::Serialize;

use crate::Call;
use crate::attempt::runner::{Runnable, Runner, Running, TaskNotFound, TaskProfile};

/// Tasks by name, each an async closure. They run in this process, with all its rights: no sandbox, no limits.
///
/// ```
/// use chicory_queue::Failure;
/// use chicory_worker::{Call, NativeTasks};
///
/// let tasks = NativeTasks::new()
///     .add("math.sum", |call: Call| async move {
///         let (first, second): (i64, i64) = call.args()?;
///         Ok::<_, Failure>(first + second)
///     });
/// ```
///
/// A task that panics fails with the name `Panic`. One that computes for a long time should do so in
/// [`tokio::task::spawn_blocking`], since it would otherwise keep its thread from other tasks.
#[derive(Default)]
pub struct NativeTasks {
    tasks: BTreeMap<String, Arc<NativeTask>>,
}

struct NativeTask {
    profile: TaskProfile,
    run: Box<RunCall>,
}

type RunCall = dyn Fn(Call) -> Pin<Box<dyn Future<Output = Outcome> + Send>> + Send + Sync;

impl NativeTasks {
    /// No tasks yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a task that is not retried, replacing one with the same name.
    #[must_use]
    pub fn add<F, Fut, T>(self, name: &str, run: F) -> Self
    where
        F: Fn(Call) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, Failure>> + Send + 'static,
        T: Serialize,
    {
        self.add_with(name, TaskProfile::default(), run)
    }

    /// Adds a task that is delivered and retried as its profile says, replacing one with the same name.
    #[must_use]
    pub fn add_with<F, Fut, T>(mut self, name: &str, profile: TaskProfile, run: F) -> Self
    where
        F: Fn(Call) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, Failure>> + Send + 'static,
        T: Serialize,
    {
        let run = move |call: Call| -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
            let running = run(call);
            Box::pin(async move {
                match running.await.and_then(|returned| json(&returned)) {
                    Ok(result) => Outcome::Completed { result },
                    Err(failure) => Outcome::Failed(failure),
                }
            })
        };
        let task = NativeTask {
            profile,
            run: Box::new(run),
        };
        self.tasks
            .insert(canonical(name).into_owned(), Arc::new(task));
        self
    }
}

fn json(returned: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(returned).map_err(|error| {
        Failure::new(
            "TaskError",
            format!("its result can't be written as JSON: {error}"),
        )
    })
}

impl Runner for NativeTasks {
    /// The tasks are the program's own: those of all tenants' messages.
    fn resolve(
        &self,
        _: &TenantName,
        message: &TaskMessage,
    ) -> Result<Arc<dyn Runnable>, TaskNotFound> {
        let found = self.tasks.get(&*message.name);
        let found = found.or_else(|| self.tasks.get(&*canonical(&message.name)));
        match found {
            Some(task) => Ok(Arc::clone(task) as Arc<dyn Runnable>),
            None => {
                let names: Vec<_> = self.tasks.keys().map(String::as_str).collect();
                Err(TaskNotFound::new(format!(
                    "this worker has no task {:?}; it has {}",
                    message.name,
                    if names.is_empty() {
                        "none".into()
                    } else {
                        names.join(", ")
                    }
                )))
            }
        }
    }
}

impl Runnable for NativeTask {
    fn profile(&self) -> &TaskProfile {
        &self.profile
    }

    fn run(self: Arc<Self>, call: Call) -> Running {
        Box::pin(async move {
            // The closure is called in here, so a panic before its first await is caught as well.
            let running = AssertUnwindSafe(async { (self.run)(call).await });
            match running.catch_unwind().await {
                Ok(outcome) => outcome.into(),
                Err(panic) => Outcome::Failed(Failure::new("Panic", panic_message(&*panic))).into(),
            }
        })
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "the task panicked".into())
}

impl fmt::Debug for NativeTasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.tasks.keys()).finish()
    }
}
