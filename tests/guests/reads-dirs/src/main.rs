//! Reads and writes directories: `list DIR`, `read FILE`, `write FILE TEXT`. Must not know Chicory.

use std::process::ExitCode;
use std::{fs, io};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["list", dir] => list(dir),
        ["read", file] => fs::read_to_string(file).map(|text| print!("{text}")),
        ["write", file, text] => fs::write(file, text),
        _ => Err(io::Error::other(
            "usage: list DIR, read FILE or write FILE TEXT",
        )),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the names in a directory, by the alphabet.
fn list(dir: &str) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    for name in names {
        println!("{name}");
    }
    Ok(())
}
