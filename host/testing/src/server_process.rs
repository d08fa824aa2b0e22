//! A server of a test: a process on a free port of 127.0.0.1, ready when it says so, killed in `Drop`.
//!
//! Must not know which server it is.

use std::io::{BufRead, BufReader, pipe};
use std::net::TcpListener;
use std::process::{Child, Command};

/// A running server.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    port: u16,
}

impl ServerProcess {
    /// Starts the command that `on` makes for a port, and waits until the server prints `ready`.
    pub fn start(ready: &str, mut on: impl FnMut(u16) -> Command) -> Self {
        // Another process may take the port before the server binds it: then try another.
        for _ in 0..20 {
            let port = free_port();
            if let Some(server) = Self::start_on(port, ready, on(port)) {
                return server;
            }
        }
        panic!("{} does not start", on(0).get_program().display());
    }

    /// The same on a port that must be free; `None` if the server ends before it is ready.
    pub fn start_on(port: u16, ready: &str, mut command: Command) -> Option<Self> {
        let (output, input) = pipe().expect("a pipe");
        let program = command.get_program().to_owned();
        let child = command
            .stdout(input.try_clone().expect("a pipe can be shared"))
            .stderr(input)
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{}: {error}; `scripts/setup redis registry` installs servers",
                    program.display()
                )
            });
        // Only the server writes to the pipe from now on, so it ends with the server.
        drop(command);
        let server = Self { child, port };
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let is_ready = lines.by_ref().any(|line| line.contains(ready));
        is_ready.then(|| {
            // Keep reading, or the server would block once the pipe is full.
            std::thread::spawn(move || lines.for_each(drop));
            server
        })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Fails if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}
