//! Writes to standard output and error: for ever, or as many lines as the first argument says. Must
//! not know Chicory.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    let lines = std::env::args().nth(1).and_then(|lines| lines.parse().ok());
    let line = "x".repeat(99);
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    for _ in 0..lines.unwrap_or(u64::MAX) {
        writeln!(out, "{line}")?;
        writeln!(err, "{line}")?;
    }
    out.flush()
}
