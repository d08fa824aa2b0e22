//! Turns WebAssembly's text format into the binary one: `assemble IN.wat OUT.wasm`. Runs on the
//! machine that builds; must not know anything about guests.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let done = match files.as_slice() {
        [text, binary] => assemble(Path::new(text), Path::new(binary)),
        _ => Err("usage: assemble IN.wat OUT.wasm".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("assemble: {message}");
            ExitCode::FAILURE
        }
    }
}

fn assemble(text: &Path, binary: &Path) -> Result<(), String> {
    let bytes = wat::parse_file(text).map_err(|error| error.to_string())?;
    std::fs::write(binary, bytes).map_err(|error| format!("{}: {error}", binary.display()))
}
