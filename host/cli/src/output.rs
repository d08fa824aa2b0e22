//! What commands print: tables and lines for people, JSON for programs. The only place that writes to a terminal.
//!
//! Guests, producers, records and servers have a part in most of it, so all of it is cleaned here, whatever it is: text
//! loses what could control a terminal, and JSON has it escaped. Must not know what is printed. A reader that goes away
//! (`| head`) is not an error.

use std::io::{self, IsTerminal, Write};

use chicory_signature::printable_json;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::Value;

/// Where and how output goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    /// Output as JSON, or for people.
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether output is JSON.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// One value: as JSON, or what `human` makes of it.
    pub(crate) fn value<T: Serialize>(
        self,
        value: &T,
        human: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        if self.json {
            return write_exact(&printable_json(&serde_json::to_string_pretty(value)?));
        }
        write_line(&human(value))
    }
}

/// Writes a task's result for people: a string as it is, anything else as JSON.
pub(crate) fn write_result(result: &Value) -> anyhow::Result<()> {
    match result {
        Value::String(text) if io::stdout().is_terminal() => write_line(text),
        Value::String(text) => write_exact(text),
        other => write_exact(&printable_json(&serde_json::to_string_pretty(other)?)),
    }
}

/// Writes a line for people to standard output, without what could control a terminal.
pub(crate) fn write_line(text: &str) -> anyhow::Result<()> {
    write_exact(&printable(text))
}

/// Writes a value as one line of JSON to standard output.
pub(crate) fn write_json(value: &Value) -> anyhow::Result<()> {
    write_exact(&printable_json(&value.to_string()))
}

/// Writes a line for people to standard error. That nobody reads it is not an error.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(text));
}

/// Writes a value as one line of JSON to standard error.
pub(crate) fn tell_json(value: &Value) {
    let _ = writeln!(io::stderr(), "{}", printable_json(&value.to_string()));
}

/// Whether standard error is a terminal.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Writes a line to standard output as it is. Ends the program without an error if nobody reads it.
fn write_exact(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{newline}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => Ok(written?),
    }
}

/// A table with a header line.
pub(crate) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    for row in rows {
        table.add_row(row.map(|cell| printable(&cell)));
    }
    table.to_string()
}

/// Text that can't control the terminal; whatever guests and servers say goes through here.
pub(crate) fn printable(text: &str) -> String {
    chicory_signature::printable(text).into_owned()
}

/// At most `most` characters of the first line, with an ellipsis if anything was left out.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    let cut = line.chars().count() > most;
    let mut short: String = line
        .chars()
        .take(if cut { most - 1 } else { most })
        .collect();
    if cut || text.trim_end().contains('\n') {
        short.push('…');
    }
    short
}

/// Asks on the terminal, and reads whether the answer is yes. `None` where there is no terminal to ask on.
pub(crate) fn ask(question: &str) -> io::Result<Option<bool>> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    eprint!("{} [y/N] ", printable(question));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    let answer = answer.trim().to_ascii_lowercase();
    Ok(Some(matches!(answer.as_str(), "y" | "yes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_can_not_steer_the_terminal() {
        assert_eq!(printable("a\x1b[31mb\u{202e}c\n\td\r"), "abc\n\td");
        let shown = table(["x"], [["\x1b]0;title\x07".to_owned()]]);
        assert!(!shown.contains('\x1b') && !shown.contains('\x07'));
    }

    #[test]
    fn long_texts_are_cut_and_marked() {
        assert_eq!(shorten("short", 10), "short");
        assert_eq!(shorten("a\nb", 10), "a…");
        assert_eq!(shorten("äöüäöü", 4), "äöü…");
        assert_eq!(shorten("", 4), "");
    }
}
