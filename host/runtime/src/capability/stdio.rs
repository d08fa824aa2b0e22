//! `wasi:cli`'s standard streams, granted by default: input from the call, output into its log, which never
//! blocks and is never full.
//!
//! Must not know what the log does with the output.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime::component::{Component, Linker};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream, WasiCli, WasiCliCtxView, WasiCliView as _};
use wasmtime_wasi::p2::bindings::cli;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use super::contract::{Access, Capability, Setup};
use super::import::Import;
use crate::call_log::Stream;
use crate::monitor::Monitor;
use crate::settings::{GrantError, Grants};
use crate::state::CallState;

/// Standard input, output and error.
pub(super) struct Stdio;

const INTERFACES: [&str; 8] = [
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
];

/// The most bytes that a guest may write at a time.
const CHUNK: usize = 1 << 20;

impl Capability for Stdio {
    fn offers(&self, import: Import<'_>) -> bool {
        import.is_of(&INTERFACES, "0.2")
    }

    fn access(&self, _: &str, grants: &Grants) -> Access {
        Access::by("[grants] stdio = true", grants.stdio)
    }

    fn link(
        &self,
        l: &mut Linker<CallState>,
        interface: &str,
        _: &Component,
    ) -> wasmtime::Result<()> {
        match interface {
            "wasi:cli/stdin" => cli::stdin::add_to_linker::<_, WasiCli>(l, view),
            "wasi:cli/stdout" => cli::stdout::add_to_linker::<_, WasiCli>(l, view),
            "wasi:cli/stderr" => cli::stderr::add_to_linker::<_, WasiCli>(l, view),
            "wasi:cli/terminal-input" => cli::terminal_input::add_to_linker::<_, WasiCli>(l, view),
            "wasi:cli/terminal-output" => {
                cli::terminal_output::add_to_linker::<_, WasiCli>(l, view)
            }
            "wasi:cli/terminal-stdin" => cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, view),
            "wasi:cli/terminal-stdout" => {
                cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, view)
            }
            "wasi:cli/terminal-stderr" => {
                cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, view)
            }
            _ => Ok(()),
        }
    }

    fn prepare(&self, _: &Grants) -> Result<Option<Setup>, GrantError> {
        Ok(Some(Box::new(|call| {
            let input = std::mem::take(&mut call.program.stdin);
            call.monitor.log().collect_as(call.program.stdout);
            let [stdout, stderr] =
                [Stream::Stdout, Stream::Stderr].map(|stream| Output::new(stream, call.monitor));
            let wasi = call.wasi();
            wasi.stdout(stdout).stderr(stderr);
            if !input.is_empty() {
                wasi.stdin(MemoryInputPipe::new(input));
            }
            Ok(())
        })))
    }
}

fn view(call: &mut CallState) -> WasiCliCtxView<'_> {
    call.wasi().cli()
}

/// One standard stream of one call.
#[derive(Clone)]
struct Output {
    stream: Stream,
    monitor: Arc<Monitor>,
}

impl Output {
    /// The stream that writes into this call's log.
    fn new(stream: Stream, monitor: &Arc<Monitor>) -> Self {
        Output {
            stream,
            monitor: Arc::clone(monitor),
        }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

#[async_trait::async_trait]
impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.monitor.log().write(self.stream, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(CHUNK)
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.monitor.log().write(self.stream, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
