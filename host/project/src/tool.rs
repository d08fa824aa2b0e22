//! Tools that others have made: finding them, or naming the command that installs them, and running them.
//!
//! Must not know which project they work on.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::ProjectError;

/// A program on the PATH.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// A program on the PATH, or an error that says how to get it.
pub(crate) fn need(name: &str, install: &'static str) -> Result<PathBuf, ProjectError> {
    find(name).ok_or_else(|| missing(&format!("the program `{name}`"), install))
}

/// The error for something that is not installed.
pub(crate) fn missing(what: &str, install: &'static str) -> ProjectError {
    ProjectError::ToolMissing {
        what: what.to_owned(),
        install,
    }
}

/// Runs a command whose output is for the user. All of it goes to standard error, since standard output is the
/// program's own.
pub(crate) fn run(command: &mut Command) -> Result<(), ProjectError> {
    let status = command
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .map_err(not_started(command))?;
    ended(command, status)
}

/// The error of a command that can't be started.
pub(crate) fn not_started(command: &Command) -> impl FnOnce(io::Error) -> ProjectError {
    let command = shown(command);
    move |source| ProjectError::ToolStart { command, source }
}

/// An error where a command has failed.
pub(crate) fn ended(command: &Command, status: ExitStatus) -> Result<(), ProjectError> {
    if status.success() {
        return Ok(());
    }
    Err(ProjectError::ToolFailed {
        command: shown(command),
        status,
    })
}

/// What a command writes to standard output; none where it fails.
pub(crate) fn ask(command: &mut Command) -> Option<String> {
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
fn shown(command: &Command) -> String {
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
