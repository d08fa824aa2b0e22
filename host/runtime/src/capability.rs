//! Which grant each interface needs, and the linking of those that are granted.
//!
//! What is not granted is not linked: there is no code behind it that could be wrong. Must not know
//! what a guest does with an interface.

use std::fmt;

use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::WasiView as _;
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView as _};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, io, random, sockets};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView as _};
use wasmtime_wasi_http::p2::bindings as web;
use wasmtime_wasi_http::{WasiHttp, WasiHttpView as _};

use crate::guest_api;
use crate::settings::Grants;
use crate::state::State;

/// What an interface needs before it is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    /// Nothing: it gives the guest nothing that was not put there by other grants. The environment
    /// is empty without `env`, and there are no directories without `dirs`.
    Inert,
    Clocks,
    Random,
    Stdio,
    Http,
    /// Linked, since language runtimes import them whether a task uses them or not; but each one
    /// answers `access-denied`, and nothing opens them. See [`link_sockets`].
    Closed,
}

/// An import that was not granted, and the manifest's lines that would grant it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The interface, such as `wasi:http/outgoing-handler`.
    pub interface: String,
    /// Lines for the manifest.
    pub lines: &'static str,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not granted; add to the manifest: {}",
            self.interface, self.lines
        )
    }
}

/// What a component's imports mean for its sandbox.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    /// Interfaces that need a WASI context.
    pub(crate) wasi: bool,
    /// What must be granted: by default, or by the manifest.
    pub(crate) needs: Vec<Need>,
    /// The part of `needs` that the manifest doesn't grant.
    pub(crate) missing: Vec<Need>,
    /// Interfaces that are there and refuse every use.
    pub(crate) closed: Vec<String>,
    /// Imports that this host hasn't got at all.
    pub(crate) unknown: Vec<String>,
}

impl Imports {
    /// Sorts a component's imports by what they need.
    pub(crate) fn sort<'a>(imports: impl Iterator<Item = &'a str>, grants: &Grants) -> Imports {
        let mut sorted = Imports::default();
        for import in imports {
            let Some(interface) = interface(import) else {
                sorted.unknown.push(import.to_owned());
                continue;
            };
            if interface.starts_with("chicory:") {
                continue;
            }
            sorted.wasi = true;
            let (lines, granted) = match key(interface).expect("known interfaces have a key") {
                Key::Inert => continue,
                Key::Closed => {
                    sorted.closed.push(interface.to_owned());
                    continue;
                }
                Key::Clocks => ("[grants] clocks = true", grants.clocks),
                Key::Random => ("[grants] random = true", grants.random),
                Key::Stdio => ("[grants] stdio = true", grants.stdio),
                Key::Http => (
                    "[grants] http = [\"host.example\"]",
                    !grants.http.is_empty(),
                ),
            };
            let need = Need {
                interface: interface.to_owned(),
                lines,
            };
            if !granted {
                sorted.missing.push(need.clone());
            }
            sorted.needs.push(need);
        }
        sorted
    }
}

/// The name without its version, if this host has the interface in that version.
fn interface(import: &str) -> Option<&str> {
    let (name, version) = import.split_once('@')?;
    let ours = name.starts_with("chicory:task/") && version.starts_with("0.1.");
    let known = if ours {
        matches!(
            &name["chicory:task/".len()..],
            "context" | "log" | "progress" | "types"
        )
    } else {
        version.starts_with("0.2.") && key(name).is_some()
    };
    known.then_some(name)
}

fn key(interface: &str) -> Option<Key> {
    Some(match interface {
        "wasi:io/error"
        | "wasi:io/poll"
        | "wasi:io/streams"
        | "wasi:cli/environment"
        | "wasi:cli/exit"
        | "wasi:filesystem/types"
        | "wasi:filesystem/preopens" => Key::Inert,
        "wasi:clocks/wall-clock" | "wasi:clocks/monotonic-clock" => Key::Clocks,
        "wasi:random/random" | "wasi:random/insecure" | "wasi:random/insecure-seed" => Key::Random,
        "wasi:cli/stdin"
        | "wasi:cli/stdout"
        | "wasi:cli/stderr"
        | "wasi:cli/terminal-input"
        | "wasi:cli/terminal-output"
        | "wasi:cli/terminal-stdin"
        | "wasi:cli/terminal-stdout"
        | "wasi:cli/terminal-stderr" => Key::Stdio,
        "wasi:http/types" | "wasi:http/outgoing-handler" => Key::Http,
        "wasi:sockets/network"
        | "wasi:sockets/instance-network"
        | "wasi:sockets/tcp"
        | "wasi:sockets/tcp-create-socket"
        | "wasi:sockets/udp"
        | "wasi:sockets/udp-create-socket"
        | "wasi:sockets/ip-name-lookup" => Key::Closed,
        _ => return None,
    })
}

/// Links the imports, which must have been found granted.
pub(crate) fn link<'a>(
    linker: &mut Linker<State>,
    imports: impl Iterator<Item = &'a str>,
) -> wasmtime::Result<()> {
    for interface in imports.filter_map(interface) {
        if !guest_api::link(linker, interface)? {
            link_base(linker, interface)?;
            link_cli(linker, interface)?;
            link_outside(linker, interface)?;
            link_sockets(linker, interface)?;
        }
    }
    Ok(())
}

struct Table;

impl HasData for Table {
    type Data<'a> = &'a mut ResourceTable;
}

fn link_base(l: &mut Linker<State>, interface: &str) -> wasmtime::Result<()> {
    match interface {
        "wasi:io/error" => io::error::add_to_linker::<State, Table>(l, |state| state.ctx().table),
        "wasi:io/poll" => io::poll::add_to_linker::<State, Table>(l, |state| state.ctx().table),
        "wasi:io/streams" => {
            io::streams::add_to_linker::<State, Table>(l, |state| state.ctx().table)
        }
        "wasi:clocks/wall-clock" => {
            clocks::wall_clock::add_to_linker::<State, WasiClocks>(l, State::clocks)
        }
        "wasi:clocks/monotonic-clock" => {
            clocks::monotonic_clock::add_to_linker::<State, WasiClocks>(l, State::clocks)
        }
        "wasi:random/random" => {
            random::random::add_to_linker::<State, WasiRandom>(l, |state| state.ctx().ctx.random())
        }
        "wasi:random/insecure" => {
            random::insecure::add_to_linker::<State, WasiRandom>(l, |state| {
                state.ctx().ctx.random()
            })
        }
        "wasi:random/insecure-seed" => {
            random::insecure_seed::add_to_linker::<State, WasiRandom>(l, |state| {
                state.ctx().ctx.random()
            })
        }
        _ => Ok(()),
    }
}

fn link_cli(l: &mut Linker<State>, interface: &str) -> wasmtime::Result<()> {
    match interface {
        "wasi:cli/environment" => cli::environment::add_to_linker::<State, WasiCli>(l, State::cli),
        "wasi:cli/exit" => cli::exit::add_to_linker::<State, WasiCli>(l, State::cli),
        "wasi:cli/stdin" => cli::stdin::add_to_linker::<State, WasiCli>(l, State::cli),
        "wasi:cli/stdout" => cli::stdout::add_to_linker::<State, WasiCli>(l, State::cli),
        "wasi:cli/stderr" => cli::stderr::add_to_linker::<State, WasiCli>(l, State::cli),
        "wasi:cli/terminal-input" => {
            cli::terminal_input::add_to_linker::<State, WasiCli>(l, State::cli)
        }
        "wasi:cli/terminal-output" => {
            cli::terminal_output::add_to_linker::<State, WasiCli>(l, State::cli)
        }
        "wasi:cli/terminal-stdin" => {
            cli::terminal_stdin::add_to_linker::<State, WasiCli>(l, State::cli)
        }
        "wasi:cli/terminal-stdout" => {
            cli::terminal_stdout::add_to_linker::<State, WasiCli>(l, State::cli)
        }
        "wasi:cli/terminal-stderr" => {
            cli::terminal_stderr::add_to_linker::<State, WasiCli>(l, State::cli)
        }
        _ => Ok(()),
    }
}

fn link_outside(l: &mut Linker<State>, interface: &str) -> wasmtime::Result<()> {
    match interface {
        "wasi:filesystem/types" => {
            filesystem::types::add_to_linker::<State, WasiFilesystem>(l, State::filesystem)
        }
        "wasi:filesystem/preopens" => {
            filesystem::preopens::add_to_linker::<State, WasiFilesystem>(l, State::filesystem)
        }
        "wasi:http/types" => web::http::types::add_to_linker::<State, WasiHttp>(
            l,
            &(&web::LinkOptions::default()).into(),
            State::http,
        ),
        "wasi:http/outgoing-handler" => {
            web::http::outgoing_handler::add_to_linker::<State, WasiHttp>(l, State::http)
        }
        _ => Ok(()),
    }
}

/// Sockets that can't be made: the WASI context of a task has TCP, UDP and the lookup of names turned
/// off (see `state.rs`), so a socket is refused before the operating system is asked for one.
fn link_sockets(l: &mut Linker<State>, interface: &str) -> wasmtime::Result<()> {
    match interface {
        "wasi:sockets/network" => sockets::network::add_to_linker::<State, WasiSockets>(
            l,
            &sockets::network::LinkOptions::default(),
            State::sockets,
        ),
        "wasi:sockets/instance-network" => {
            sockets::instance_network::add_to_linker::<State, WasiSockets>(l, State::sockets)
        }
        "wasi:sockets/tcp" => sockets::tcp::add_to_linker::<State, WasiSockets>(l, State::sockets),
        "wasi:sockets/tcp-create-socket" => {
            sockets::tcp_create_socket::add_to_linker::<State, WasiSockets>(l, State::sockets)
        }
        "wasi:sockets/udp" => sockets::udp::add_to_linker::<State, WasiSockets>(l, State::sockets),
        "wasi:sockets/udp-create-socket" => {
            sockets::udp_create_socket::add_to_linker::<State, WasiSockets>(l, State::sockets)
        }
        "wasi:sockets/ip-name-lookup" => {
            sockets::ip_name_lookup::add_to_linker::<State, WasiSockets>(l, State::sockets)
        }
        _ => Ok(()),
    }
}
