//! One call: a fresh store and instance, driven until it returns, fails, or is stopped.
//!
//! This is the hot path: what can be known before the first call is not looked up here. Must not
//! know how many calls there may be at a time.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use chicory_signature::{Arguments, Kind, Shape, bind_command};
use tokio::time::{Sleep, sleep_until};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use wasmtime::{InstancePre, ModuleExport, Store, UpdateDeadline};

use crate::call_log::CallLog;
use crate::context::TaskContext;
use crate::discover::Entry;
use crate::ended::{Ended, How, Usage};
use crate::engine::MEMORY_KEPT;
use crate::invocation::Invocation;
use crate::lift::{self, Lifted, Room, TooLong};
use crate::limits::ResolvedLimits;
use crate::lower::misfit;
use crate::memory::OutOfMemory;
use crate::module::{Linked, Task};
use crate::monitor::Monitor;
use crate::pressure;
use crate::refusal::refused;
use crate::state::{CallSetup, CallState, MAX_RESOURCES, Prepared, Program};
use crate::trap::{self, Stop};
use crate::typed::{self, Given};

/// Runs one call.
pub(crate) async fn run(invocation: Invocation) -> Ended {
    let Invocation {
        task,
        arguments,
        context,
        observer,
        cancel,
    } = invocation;
    let limits = &task.limits;
    let log = CallLog::new(limits, observer, task.signature.kind == Kind::Command);
    let monitor = Arc::new(Monitor::start(log, limits));
    let program = match program(&task, &arguments, &monitor) {
        Ok(program) => program,
        Err(how) => return ended(how, &monitor, Usage::default()),
    };
    let prepared = match prepare(&task, &monitor, &context, program) {
        Ok(prepared) => prepared,
        Err(how) => return ended(how, &monitor, Usage::default()),
    };
    let state = CallState::new(limits, Arc::clone(&monitor), context, prepared);
    let mut store = match open(&task, state) {
        Ok(store) => store,
        Err(error) => {
            return ended(
                How::HostFailed(trap::cause(&error)),
                &monitor,
                Usage::default(),
            );
        }
    };
    let deadline = store.data().deadline;
    let residency = &task.loaded.residency;
    let faults = residency.before();
    let called = {
        // Pinned where it is made: it is large, and each move of it is a copy.
        let calling = pin!(call(&mut store, &task, &arguments));
        let calling = pin!(task.loaded.ticker.count(calling));
        drive(&monitor, limits, deadline, cancel.as_ref(), calling).await
    };
    let how = match called {
        Ok(called) => conclude(&task, called, &store),
        Err(Halt::Deadline) => How::TimedOut {
            limit: limits.timeout,
            backtrace: None,
        },
        Err(Halt::Cancelled) => How::Cancelled,
    };
    residency.after(faults, monitor.memory().guest(), MEMORY_KEPT);
    ended(how, &monitor, usage(&task, &monitor, &store))
}

/// What the call used, except for the wall clock, which is still running.
fn usage(task: &Task, monitor: &Monitor, store: &Store<CallState>) -> Usage {
    let left = |limit: u64| Some(limit.saturating_sub(store.get_fuel().ok()?));
    Usage {
        wall: Duration::ZERO,
        cpu: monitor.cpu(),
        peak_memory: monitor.memory().guest(),
        host_memory: monitor.memory().host_peak(),
        fuel: task.limits.fuel.and_then(left),
    }
}

fn ended(how: How, monitor: &Monitor, usage: Usage) -> Ended {
    Ended {
        how: how.cut(),
        usage: Usage {
            wall: monitor.started().elapsed(),
            ..usage
        },
        log: monitor.log().finish(),
    }
}

/// What a command is given by its environment. A function's arguments are converted when it is called.
fn program(task: &Task, arguments: &Arguments, monitor: &Monitor) -> Result<Program, How> {
    if arguments.size() > task.limits.args_bytes {
        return Err(How::TooLarge {
            what: "arguments",
            limit: task.limits.args_bytes,
        });
    }
    monitor.memory().charge(arguments.size()).map_err(beyond)?;
    match task.signature.kind {
        Kind::Function => Ok(Program::default()),
        Kind::Command => {
            let line = bind_command(arguments).map_err(How::Invalid)?;
            Ok(Program::new(&task.loaded.name, line))
        }
    }
}

/// What the module's capabilities need for this call.
fn prepare(
    task: &Task,
    monitor: &Arc<Monitor>,
    context: &TaskContext,
    program: Program,
) -> Result<Prepared, How> {
    let mut call = CallSetup::new(monitor, context, program);
    for setup in &task.loaded.setups {
        setup(&mut call).map_err(How::HostFailed)?;
    }
    Ok(match task.loaded.linked {
        Linked::Component(_) => call.finish(),
        Linked::Program(_) => call.finish_preview1(),
    })
}

/// A store with its limits set.
fn open(task: &Task, state: CallState) -> wasmtime::Result<Store<CallState>> {
    let limits = &task.limits;
    let mut store = Store::new(task.loaded.linked.engine(), state);
    store.limiter(|state| &mut state.limiter);
    store.epoch_deadline_callback(|store| tick(store.data()));
    store.set_epoch_deadline(1);
    store.set_max_component_handles(MAX_RESOURCES);
    store.set_hostcall_fuel(usize::try_from(limits.host_call_bytes).unwrap_or(usize::MAX));
    if task.loaded.needs.fuel {
        store.set_fuel(limits.fuel.unwrap_or(u64::MAX))?;
    }
    Ok(store)
}

/// Called at every tick while a guest computes: stops it, or lets others use the thread.
fn tick(state: &CallState) -> wasmtime::Result<UpdateDeadline> {
    if Instant::now() >= state.deadline {
        return Err(Stop::Timeout.into());
    }
    if state
        .cpu_time
        .is_some_and(|limit| state.monitor.cpu() >= limit)
    {
        return Err(Stop::Cpu.into());
    }
    pressure::check(state.monitor.memory().held())?;
    Ok(UpdateDeadline::Yield(1))
}

/// Makes the instance and calls the function.
async fn call(
    store: &mut Store<CallState>,
    task: &Task,
    arguments: &Arguments,
) -> wasmtime::Result<Lifted> {
    let (pre, export) = match (&task.loaded.linked, task.entry) {
        (Linked::Component(pre), Entry::Export(export)) => (pre, export),
        (Linked::Program(pre), Entry::Start(start)) => {
            // Boxed: it is not what most calls are, and must not make their future larger.
            return Box::pin(start_program(store, pre, start)).await;
        }
        _ => unreachable!("a task's entry is of its module's form"),
    };
    let instance = pre.instantiate_async(&mut *store).await?;
    let func = instance
        .get_func(&mut *store, export)
        .expect("the export was found at load");
    let given = Given {
        params: &task.signature.params,
        arguments: (task.signature.kind == Kind::Function).then_some(arguments),
    };
    typed::call(store, func, task.core_values, given).await
}

/// Makes the instance of a program and runs it.
async fn start_program(
    store: &mut Store<CallState>,
    pre: &InstancePre<CallState>,
    start: ModuleExport,
) -> wasmtime::Result<Lifted> {
    let instance = pre.instantiate_async(&mut *store).await?;
    let start = instance.get_module_export(&mut *store, &start);
    let start = start.and_then(wasmtime::Extern::into_func);
    let start = start.expect("the export was found at load");
    let start = start.typed::<(), ()>(&*store)?;
    start.call_async(store, ()).await?;
    Ok(Lifted::nothing())
}

/// Why a call was given up.
enum Halt {
    Deadline,
    Cancelled,
}

/// What wakes a waiting call, besides what it waits for. Most calls never wait.
struct Alarms {
    deadline: Pin<Box<Sleep>>,
    cancelled: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Alarms {
    fn set(deadline: Instant, cancel: Option<&CancellationToken>) -> Self {
        Alarms {
            deadline: Box::pin(sleep_until(deadline.into())),
            cancelled: cancel.map(|token| Box::pin(token.clone().cancelled_owned())),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Halt> {
        if let Some(cancelled) = &mut self.cancelled
            && cancelled.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Halt::Cancelled);
        }
        self.deadline.as_mut().poll(cx).map(|()| Halt::Deadline)
    }
}

/// Polls the call until it is done, the deadline has passed, or it is cancelled.
async fn drive<T>(
    monitor: &Monitor,
    limits: &ResolvedLimits,
    deadline: Instant,
    cancel: Option<&CancellationToken>,
    mut call: Pin<&mut impl Future<Output = T>>,
) -> Result<T, Halt> {
    if cancel.is_some_and(CancellationToken::is_cancelled) {
        return Err(Halt::Cancelled);
    }
    let mut alarms = None;
    std::future::poll_fn(|cx| {
        let go_on = || call.as_mut().poll(cx);
        let room = Room {
            text: limits.result_bytes,
            memory: monitor.memory().left(),
        };
        match monitor.timed(|| lift::with_room(room, go_on)) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => alarms
                .get_or_insert_with(|| Alarms::set(deadline, cancel))
                .poll(cx)
                .map(Err),
        }
    })
    .await
}

/// The ending of a call that was not stopped from outside.
fn conclude(task: &Task, called: wasmtime::Result<Lifted>, store: &Store<CallState>) -> How {
    let state = store.data();
    let how = match (task.signature.kind, called) {
        (Kind::Function, Ok(lifted)) => returned(task, lifted, &state.monitor),
        (Kind::Command, Ok(lifted)) => exited(lifted.failed.into(), task, &state.monitor),
        (kind, Err(error)) => match (kind, trap::exit_code(&error)) {
            (Kind::Command, Some(code)) => exited(code, task, &state.monitor),
            (Kind::Function, Some(code)) => How::Trapped {
                message: format!("the guest called exit with code {code}"),
            },
            (_, None) if let Some(misfit) = misfit(&error) => How::Invalid(misfit.clone()),
            (_, None) if trap::is_panic(&error) => with_last_words(&error, task, state),
            (_, None) => trap::ending(&error, &task.limits),
        },
    };
    blame(how, state)
}

/// A panic's trap doesn't carry its message, which the guest has logged before.
fn with_last_words(error: &wasmtime::Error, task: &Task, state: &CallState) -> How {
    let how = trap::ending(error, &task.limits);
    match (how, state.monitor.log().last_words()) {
        (How::Trapped { message }, Some(words)) => How::Trapped {
            message: format!("{words}\n{message}"),
        },
        (how, _) => how,
    }
}

/// An ending caused by a refusal is reported as that refusal.
fn blame(how: How, state: &CallState) -> How {
    if !matches!(
        how,
        How::Refused { .. } | How::Exited { .. } | How::Trapped { .. }
    ) {
        return how;
    }
    if let Some(denied) = state.monitor.log().denied() {
        return How::Denied {
            message: format!("{denied}\n{how}"),
        };
    }
    match state.limiter.refusal() {
        Some(refusal) if !matches!(how, How::Refused { .. }) => How::OutOfMemory {
            message: format!("{refusal}\n{how}"),
        },
        _ => how,
    }
}

/// The ending of a function that returned.
fn returned(task: &Task, lifted: Lifted, monitor: &Monitor) -> How {
    let limits = &task.limits;
    if let (true, Some(Shape::Result(outcome))) = (lifted.failed, &task.signature.result) {
        return refused(outcome.err.as_ref(), lifted.json.ok());
    }
    match lifted.json {
        Ok(json) => match monitor.memory().charge(json.get().len() as u64) {
            Ok(()) => How::Returned(json),
            Err(refused) => beyond(refused),
        },
        Err(TooLong { most }) if most < limits.result_bytes => How::OutOfMemory {
            message: format!(
                "out of memory: a result of more than {most} bytes as JSON beside the guest's memory, the limit is {}",
                limits.memory
            ),
        },
        Err(TooLong { .. }) => How::TooLarge {
            what: "result",
            limit: limits.result_bytes,
        },
    }
}

/// The ending of a call for which the host would hold too much.
fn beyond(refused: OutOfMemory) -> How {
    How::OutOfMemory {
        message: refused.to_string(),
    }
}

/// The ending of a command-line program.
fn exited(code: i32, task: &Task, monitor: &Monitor) -> How {
    let mut log = monitor.log();
    if code != 0 {
        let (stdout, stderr) = log.tails();
        return How::Exited {
            code,
            stdout,
            stderr,
        };
    }
    let limit = task.limits.result_bytes;
    match log.result() {
        Some(json) => How::Returned(json),
        None => How::TooLarge {
            what: "result",
            limit,
        },
    }
}
