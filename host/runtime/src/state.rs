//! What a store holds for one call: limits, log, context, and WASI where the guest imports it.
//!
//! Must not know the guest's types.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chicory_signature::CommandLine;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::http::Gate;
use crate::invocation::TaskContext;
use crate::journal::Stream;
use crate::limiter::Limiter;
use crate::settings::{Grants, ResolvedLimits};
use crate::stdio::Output;
use crate::watch::Watch;

/// Handles of host resources that one guest may hold at a time.
const MAX_RESOURCES: usize = 20_000;

/// Random bytes that a guest may ask for at a time.
const MAX_RANDOM: u64 = 4 << 20;

/// A store's data.
pub(crate) struct State {
    pub(crate) limiter: Limiter,
    pub(crate) watch: Arc<Watch>,
    pub(crate) context: TaskContext,
    pub(crate) deadline: Instant,
    pub(crate) cpu_time: Option<Duration>,
    table: ResourceTable,
    wasi: Option<Box<Wasi>>,
}

/// What only guests that import WASI need.
pub(crate) struct Wasi {
    ctx: WasiCtx,
    http: WasiHttpCtx,
    gate: Gate,
}

/// A program's arguments and input.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) argv: Vec<String>,
    pub(crate) stdin: Bytes,
}

impl Program {
    /// The program of this name with a command line.
    pub(crate) fn new(name: &str, line: CommandLine) -> Self {
        let name = std::iter::once(name.to_owned());
        Self {
            argv: name.chain(line.args).collect(),
            stdin: line.stdin.into(),
        }
    }
}

impl Wasi {
    /// A context with what is granted, and nothing else. The error is a directory that can't be opened.
    pub(crate) fn new(
        grants: &Grants,
        gate: Gate,
        watch: &Arc<Watch>,
        program: Program,
    ) -> Result<Self, String> {
        let mut builder = WasiCtx::builder();
        builder.max_random_size(MAX_RANDOM).args(&program.argv);
        builder
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        if !program.stdin.is_empty() {
            builder.stdin(MemoryInputPipe::new(program.stdin));
        }
        for (name, value) in &grants.env {
            builder.env(name, value);
        }
        builder
            .stdout(Output::new(Stream::Stdout, watch))
            .stderr(Output::new(Stream::Stderr, watch));
        for dir in &grants.dirs {
            let perms = if dir.writable {
                FsPerms::ReadWrite
            } else {
                FsPerms::ReadOnly
            };
            builder
                .preopened_dir(&dir.host, &dir.guest, perms)
                .map_err(|error| {
                    format!(
                        "can't open the granted directory {}: {error}",
                        dir.host.display()
                    )
                })?;
        }
        Ok(Wasi {
            ctx: builder.build(),
            http: WasiHttpCtx::new(),
            gate,
        })
    }
}

impl State {
    /// The data for a call that begins now.
    pub(crate) fn new(
        limits: &ResolvedLimits,
        watch: Arc<Watch>,
        context: TaskContext,
        wasi: Option<Wasi>,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        State {
            limiter: Limiter::new(limits.memory, limits.table_elements),
            deadline: watch.started() + limits.timeout,
            cpu_time: limits.cpu_time,
            watch,
            context,
            table,
            wasi: wasi.map(Box::new),
        }
    }

    fn wasi(&mut self) -> (&mut Wasi, &mut ResourceTable) {
        let wasi = self
            .wasi
            .as_mut()
            .expect("WASI is linked only where a context is built");
        (wasi, &mut self.table)
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (wasi, table) = self.wasi();
        WasiCtxView {
            ctx: &mut wasi.ctx,
            table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let (wasi, table) = self.wasi();
        WasiHttpCtxView {
            ctx: &mut wasi.http,
            table,
            hooks: &mut wasi.gate,
        }
    }
}
