//! Tools of other people: found or named with the command that installs them, and run.
//!
//! Must not know which project they work on.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::exit::CommandError;

/// A program on the PATH.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// A program on the PATH, or an error that says how to get it.
pub(super) fn need(name: &str, install: &str) -> anyhow::Result<PathBuf> {
    find(name).ok_or_else(|| missing(&format!("the program `{name}`"), install))
}

/// The error for something that is not installed.
pub(super) fn missing(what: &str, install: &str) -> anyhow::Error {
    CommandError::Failed(format!(
        "{what} is needed and is not here; to install it: {install}"
    ))
    .into()
}

/// Runs a command whose words are for the user: all of them go to stderr, since stdout is the report's.
pub(super) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("can't start {}", shown(command)))?;
    if status.success() {
        return Ok(());
    }
    let message = format!("the build failed: `{}` ended with {status}", shown(command));
    Err(CommandError::Failed(message).into())
}

/// What a command says on stdout, or nothing where it fails.
pub(super) fn ask(command: &mut Command) -> Option<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The program and its first arguments, for errors.
pub(super) fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name();
    let words: Vec<_> = name
        .into_iter()
        .chain(command.get_args().take(3))
        .map(OsStr::to_string_lossy)
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_is_named_with_its_remedy() {
        let error = need("no-such-tool-at-all", "apt-get install it").unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("no-such-tool-at-all") && text.contains("apt-get install it"),
            "{text}"
        );
        assert!(find("sh").is_some());
    }

    #[test]
    fn a_command_that_fails_is_named() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert!(
            error.to_string().contains("`sh -c exit 3` ended with"),
            "{error}"
        );
        assert_eq!(ask(Command::new("echo").arg("hi")).as_deref(), Some("hi"));
        assert_eq!(ask(&mut Command::new("false")), None);
    }
}
