//! Counts the words of its input: a plain command-line program, which Chicory runs as the task
//! `wordcount.run`.
//!
//! Must not know Chicory: there is no SDK and no WIT here.
//!
//! Usage: `wordcount [--top N] [WORD...]`; without words it reads them from standard input.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

/// What the arguments ask for.
struct Request {
    /// How many words to show.
    top: usize,
    text: Option<String>,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)).and_then(|request| count(request).map_err(text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("wordcount: {message}");
            ExitCode::from(2)
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Request, String> {
    let mut top = 10;
    let mut words = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == "--top" {
            let number = arguments.next().unwrap_or_default();
            top = number
                .parse()
                .map_err(|_| format!("--top needs a number, got {number:?}"))?;
        } else {
            words.push(argument);
        }
    }
    let text = (!words.is_empty()).then(|| words.join(" "));
    Ok(Request { top, text })
}

/// Prints `count word` lines, the most frequent words first, equal ones by the alphabet.
fn count(request: Request) -> io::Result<()> {
    let input = match request.text {
        Some(text) => text,
        None => read_input()?,
    };
    let mut counts: HashMap<String, usize> = HashMap::new();
    for word in input.split(|c: char| !c.is_alphanumeric() && c != '\'') {
        if !word.is_empty() {
            *counts.entry(word.to_lowercase()).or_default() += 1;
        }
    }
    let mut ranked: Vec<_> = counts.into_iter().collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut out = io::stdout().lock();
    for (word, count) in ranked.iter().take(request.top) {
        writeln!(out, "{count} {word}")?;
    }
    out.flush()
}

fn read_input() -> io::Result<String> {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn text(error: io::Error) -> String {
    error.to_string()
}
