//! Writes log lines without end. Must not import WASI.

use chicory::task::log::{self, Level};

wit_bindgen::generate!({
    path: ["../../../wit", "wit"],
    world: "guests:log-flood/log-flood",
    generate_all,
});

struct LogFlood;

export!(LogFlood);

impl Guest for LogFlood {
    fn write(lines: u32, length: u32) -> u32 {
        let line = "x".repeat(length as usize);
        for _ in 0..lines {
            log::write(Level::Info, &line);
        }
        lines
    }

    fn flood() {
        loop {
            log::write(Level::Warn, "the same again");
        }
    }

    fn control_characters() {
        log::write(
            Level::Info,
            "\x1b[31mred\x1b[0m \x07bell\x00nul\r\nsecond line",
        );
    }

    fn levels() {
        log::write(Level::Trace, "trace");
        log::write(Level::Debug, "debug");
        log::write(Level::Info, "info");
        log::write(Level::Warn, "warn");
        log::write(Level::Error, "error");
    }
}
