//! What a store holds for one call: limits, log, context, and what its capabilities keep for it.
//!
//! Must not know the guest's types, nor which capabilities there are.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chicory_signature::{CommandLine, CommandOutput};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::context::TaskContext;
use crate::ended::Level;
use crate::limiter::Limiter;
use crate::limits::ResolvedLimits;
use crate::monitor::Monitor;

/// Handles of host resources that one guest may hold at a time.
pub(crate) const MAX_RESOURCES: usize = 20_000;

/// Files that a program of preview 1 may have open; nearly all its handles are files.
const MAX_FILES: usize = 512;

/// What the host knows about a running call: the data of its store, which the functions of a
/// [`HostInterface`](crate::HostInterface) are given.
pub struct CallState {
    pub(crate) limiter: Limiter,
    pub(crate) monitor: Arc<Monitor>,
    pub(crate) context: TaskContext,
    pub(crate) deadline: Instant,
    pub(crate) cpu_time: Option<Duration>,
    wasi: Wasi,
    preview1: Option<Box<WasiP1Ctx>>,
    kept: Kept,
}

/// WASI's part, for guests that import it.
pub(crate) struct Wasi {
    ctx: Option<Box<WasiCtx>>,
    table: ResourceTable,
}

/// What capabilities keep for the call: one value of each type.
#[derive(Default)]
struct Kept(Vec<Box<dyn Any + Send>>);

/// A program's arguments and input.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) argv: Vec<String>,
    pub(crate) stdin: Bytes,
    /// What its output becomes.
    pub(crate) stdout: CommandOutput,
}

/// A call's state while capabilities add to it.
pub(crate) struct CallSetup<'a> {
    pub(crate) monitor: &'a Arc<Monitor>,
    pub(crate) context: &'a TaskContext,
    pub(crate) program: Program,
    wasi: Option<WasiCtxBuilder>,
    kept: Kept,
}

impl Program {
    /// The program of this name with a command line.
    pub(crate) fn new(name: &str, line: CommandLine) -> Self {
        let name = std::iter::once(name.to_owned());
        Self {
            argv: name.chain(line.args).collect(),
            stdin: line.stdin.into(),
            stdout: line.stdout,
        }
    }
}

impl<'a> CallSetup<'a> {
    /// Nothing yet.
    pub(crate) fn new(
        monitor: &'a Arc<Monitor>,
        context: &'a TaskContext,
        program: Program,
    ) -> Self {
        CallSetup {
            monitor,
            context,
            program,
            wasi: None,
            kept: Kept::default(),
        }
    }

    /// The WASI context that the call will have; without this, it has none.
    pub(crate) fn wasi(&mut self) -> &mut WasiCtxBuilder {
        self.wasi.get_or_insert_default()
    }

    /// Keeps a value for the call.
    pub(crate) fn keep<T: Any + Send>(&mut self, value: T) {
        self.kept.0.push(Box::new(value));
    }

    /// What was prepared.
    pub(crate) fn finish(self) -> Prepared {
        let wasi = self.wasi.map(|mut builder| Box::new(builder.build()));
        Prepared {
            wasi,
            preview1: None,
            kept: self.kept,
        }
    }

    /// The same, for a program that imports WASI preview 1.
    pub(crate) fn finish_preview1(self) -> Prepared {
        let mut wasi = self.wasi.unwrap_or_default().build_p1();
        wasi.ctx().table.set_max_capacity(MAX_FILES);
        Prepared {
            wasi: None,
            preview1: Some(Box::new(wasi)),
            kept: self.kept,
        }
    }
}

/// What capabilities have prepared for a call.
pub(crate) struct Prepared {
    wasi: Option<Box<WasiCtx>>,
    preview1: Option<Box<WasiP1Ctx>>,
    kept: Kept,
}

impl Kept {
    fn get<T: Any>(&self) -> Option<&T> {
        self.0.iter().find_map(|value| value.downcast_ref())
    }

    fn get_mut<T: Any>(&mut self) -> Option<&mut T> {
        self.0.iter_mut().find_map(|value| value.downcast_mut())
    }
}

impl CallState {
    /// The data for a call that begins now.
    pub(crate) fn new(
        limits: &ResolvedLimits,
        monitor: Arc<Monitor>,
        context: TaskContext,
        prepared: Prepared,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        CallState {
            limiter: Limiter::new(Arc::clone(&monitor), limits.table_elements),
            deadline: monitor.started() + limits.timeout,
            cpu_time: limits.cpu_time,
            monitor,
            context,
            wasi: Wasi {
                ctx: prepared.wasi,
                table,
            },
            preview1: prepared.preview1,
            kept: prepared.kept,
        }
    }

    /// The task that is running: its id, its name, its tenant.
    pub fn task(&self) -> &TaskContext {
        &self.context
    }

    /// When the call will be stopped.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Adds a line to the task's log, as the host's.
    pub fn log(&self, level: Level, message: &str) {
        self.monitor.log().say_as_host(level, message);
    }

    /// Notes that the guest was refused something: if it then fails, the call ends as
    /// [`How::Denied`](crate::How::Denied) with the first such message.
    pub fn deny(&self, message: impl Into<String>) {
        self.monitor.log().deny(message.into());
    }

    /// The value that [`HostInterface::with_state`](crate::HostInterface::with_state) made for this call.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.kept.get()
    }

    /// The same, to change it.
    pub fn get_mut<T: Any>(&mut self) -> Option<&mut T> {
        self.kept.get_mut()
    }

    pub(crate) fn wasi(&mut self) -> &mut Wasi {
        &mut self.wasi
    }

    pub(crate) fn preview1(&mut self) -> &mut WasiP1Ctx {
        self.preview1
            .as_mut()
            .expect("preview 1 is linked only for programs, each of which has a context")
    }

    pub(crate) fn table(&mut self) -> &mut ResourceTable {
        &mut self.wasi.table
    }

    /// A value that a linked capability keeps for each call, and the table of resources.
    pub(crate) fn kept_and_table<T: Any>(&mut self) -> (&mut T, &mut ResourceTable) {
        let (kept, wasi) = self.kept_and_wasi();
        (kept, &mut wasi.table)
    }

    /// The same with a program's WASI.
    pub(crate) fn kept_and_preview1<T: Any>(&mut self) -> (&mut T, &mut WasiP1Ctx) {
        let kept = self.kept.get_mut().zip(self.preview1.as_deref_mut());
        kept.expect("a program's capabilities are prepared for each call")
    }

    /// The same with all of WASI.
    pub(crate) fn kept_and_wasi<T: Any>(&mut self) -> (&mut T, &mut Wasi) {
        let kept = self.kept.get_mut();
        let kept = kept.expect("a capability is linked only where it is prepared for each call");
        (kept, &mut self.wasi)
    }
}

impl WasiView for Wasi {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let ctx = self.ctx.as_mut();
        WasiCtxView {
            ctx: ctx.expect("WASI is linked only where a context is built"),
            table: &mut self.table,
        }
    }
}
