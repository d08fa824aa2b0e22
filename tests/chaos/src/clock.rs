//! A clock that can be moved while a process runs, by libfaketime.
//!
//! Must not know whose clock it is. The monotonic clock stays true, as it does on real machines.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where distributions put it.
const LIBRARIES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// One process's clock.
#[derive(Debug, Clone)]
pub struct FakeClock(PathBuf);

/// The library, where it is installed.
pub fn library() -> Option<&'static str> {
    LIBRARIES.into_iter().find(|path| Path::new(path).is_file())
}

/// libfaketime, and the C library before anything else that allocates: libfaketime asks for memory while it reads the
/// clock, and jemalloc, with which Debian's redis-server comes, reads the clock while it gives memory out.
fn preloaded() -> String {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut mapped = maps.lines().filter_map(|line| line.split_once('/'));
    let libc = mapped.find(|(_, path)| path.ends_with("/libc.so.6"));
    let libc = libc.map_or(String::new(), |(_, path)| format!(" /{path}"));
    format!("{}{libc}", library().unwrap_or_default())
}

impl FakeClock {
    /// A clock that is right until it is moved. `file` is the clock's own.
    pub fn new(file: &Path) -> Self {
        let clock = Self(file.to_owned());
        clock.set(0);
        clock
    }

    /// Moves it to this many seconds from the true time. Processes see it within a second.
    pub fn set(&self, seconds: i64) {
        let partial = self.0.with_extension("part");
        fs::write(&partial, format!("{seconds:+}\n")).expect("the folder can be written to");
        fs::rename(&partial, &self.0).expect("a file can be renamed");
    }

    /// Lets a command go by this clock.
    pub fn wear(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", preloaded())
            .env("FAKETIME_TIMESTAMP_FILE", &self.0)
            .env("FAKETIME_CACHE_DURATION", "1")
            .env("FAKETIME_DONT_RESET", "1")
            .env("DONT_FAKE_MONOTONIC", "1");
    }
}
