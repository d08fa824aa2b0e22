//! One redis-server, and a proxy before it.
//!
//! Must not know workers or tasks.

use nix::sys::signal::Signal;
use tokio::runtime::Runtime;

use super::Ground;
use crate::fault::Fault;
use crate::proxy::{Mode, Proxy};
use crate::schedule::Planned;
use crate::server::Server;
use crate::task::QUEUES;

pub(super) const FAULTS: &[Fault] = &[
    Fault::ServerKilled,
    Fault::ServerFrozen,
    Fault::ServerRestarted,
    Fault::DiskFull,
    Fault::SavingFails,
    Fault::MemoryFull,
    Fault::ReadOnly,
    Fault::ScriptsLost,
    Fault::GroupLost,
    Fault::ServerClockAhead,
    Fault::ServerClockBehind,
    Fault::ConnectionsCut,
    Fault::BlackHole,
    Fault::Stalled,
    Fault::Slowed,
];

/// The group of the settings' default.
const GROUP: &str = "chicory-workers";

#[derive(Debug)]
pub(super) struct Plain {
    server: Server,
    proxy: Proxy,
}

impl Plain {
    pub(super) fn start(runtime: &Runtime, schedule: &[Planned]) -> Self {
        let clocks = [Fault::ServerClockAhead, Fault::ServerClockBehind];
        let clock = schedule.iter().any(|one| clocks.contains(&one.fault));
        let server = Server::start(&[], clock);
        let proxy = Proxy::start(runtime, server.port()).expect("a free port");
        Self { server, proxy }
    }
}

impl Ground for Plain {
    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.proxy.port)
    }

    fn direct_url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.server.port())
    }

    fn begin(&mut self, fault: Fault) {
        let server = &mut self.server;
        match fault {
            Fault::ServerKilled => server.kill(),
            Fault::ServerFrozen => server.signal(Signal::SIGSTOP),
            Fault::ServerRestarted => server.signal(Signal::SIGTERM),
            Fault::DiskFull => server.fill_disk(),
            Fault::SavingFails => server.fail_to_save(),
            Fault::MemoryFull => server.must(&["CONFIG", "SET", "maxmemory", "1"]),
            // Nobody listens there, so its data stays as it is.
            Fault::ReadOnly => server.must(&["REPLICAOF", "127.0.0.1", "1"]),
            Fault::ScriptsLost => server.must(&["SCRIPT", "FLUSH"]),
            Fault::GroupLost => {
                let stream = format!("chicory:stream:{}", QUEUES[0]);
                server.must(&["XGROUP", "DESTROY", &stream, GROUP]);
            }
            Fault::ConnectionsCut => self.proxy.set(Mode::Cuts),
            Fault::BlackHole => self.proxy.set(Mode::Swallows),
            Fault::Stalled => self.proxy.set(Mode::Stalls),
            Fault::Slowed => self.proxy.set(Mode::Slows),
            _ => server.move_clock(fault.moved_by()),
        }
    }

    fn end(&mut self, fault: Fault) {
        let server = &mut self.server;
        match fault {
            Fault::ServerKilled | Fault::DiskFull | Fault::ServerRestarted => server.start_again(),
            Fault::ServerFrozen => server.signal(Signal::SIGCONT),
            Fault::SavingFails => server.save_again(),
            Fault::MemoryFull => server.must(&["CONFIG", "SET", "maxmemory", "0"]),
            Fault::ReadOnly => server.must(&["REPLICAOF", "NO", "ONE"]),
            Fault::ConnectionsCut | Fault::BlackHole | Fault::Stalled | Fault::Slowed => {
                self.proxy.set(Mode::Passes);
            }
            _ => server.move_clock(0),
        }
    }
}
