//! The benchmark's own task modules, in the text format, and how its workers get them.
//!
//! Must not know what is measured with them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use chicory_queue::TaskMessage;
use chicory_runtime::{How, Invocation, LoadRequest, ModuleSettings, Sandbox, SandboxConfig};
use serde_json::Value;

/// A module and the manifest next to it.
struct Guest {
    name: &'static str,
    text: &'static str,
    manifest: String,
}

/// The module with `add`, which `--module` replaces.
pub(super) const ADD: &str = "bench";
/// The time after which the endless loop is stopped.
pub(super) const LOOP_TIMEOUT: Duration = Duration::from_secs(4);

const ADD_TEXT: &str = include_str!("guests/add.wat");
const SPIN_TEXT: &str = include_str!("guests/spin.wat");

fn built_in() -> [Guest; 6] {
    let guest = |name, text| Guest {
        name,
        text,
        manifest: String::new(),
    };
    [
        guest(ADD, ADD_TEXT),
        guest("bench-echo", include_str!("guests/echo.wat")),
        guest("bench-spin", SPIN_TEXT),
        guest("bench-pause", include_str!("guests/pause.wat")),
        guest("bench-clock", include_str!("guests/clock.wat")),
        Guest {
            manifest: format!("[limits]\ntimeout = {}\n", LOOP_TIMEOUT.as_secs_f64()),
            ..guest("bench-loop", include_str!("guests/forever.wat"))
        },
    ]
}

/// Writes all modules to a folder; `add` is the given file's module, if there is one.
pub(super) fn write(folder: &Path, add: Option<&Path>) -> anyhow::Result<()> {
    for guest in built_in() {
        let target = folder.join(guest.name).with_extension("wasm");
        fs::write(&target, wat::parse_str(guest.text)?)
            .with_context(|| format!("can't write the module {}", target.display()))?;
        if !guest.manifest.is_empty() {
            fs::write(target.with_extension("toml"), guest.manifest)?;
        }
    }
    if let Some(file) = add {
        let target = folder.join(ADD).with_extension("wasm");
        fs::copy(file, &target)
            .with_context(|| format!("can't read the module {}", file.display()))?;
    }
    Ok(())
}

/// The name of the copy of `add` with this number.
pub(super) fn copy_name(number: usize) -> String {
    format!("bench-copy-{number}")
}

/// Writes this number of modules with `add`, no two of which have the same bytes.
pub(super) fn write_copies(folder: &Path, copies: usize) -> anyhow::Result<()> {
    for number in 0..copies {
        let text = ADD_TEXT.replace("chicory benchmark", &format!("chicory benchmark {number}"));
        let target = folder.join(copy_name(number)).with_extension("wasm");
        fs::write(target, wat::parse_str(text)?)?;
    }
    Ok(())
}

/// A message for `add(number, 1)` of a module.
pub(super) fn add(module: &str, number: usize) -> TaskMessage {
    message(module, "add", vec![number.into(), 1.into()])
}

/// A message for `echo(text)`.
pub(super) fn echo(text: &str) -> TaskMessage {
    message("bench-echo", "echo", vec![text.into()])
}

/// A message for `spin(rounds)`.
pub(super) fn spin(rounds: u64) -> TaskMessage {
    message("bench-spin", "spin", vec![rounds.into()])
}

/// A message for a wait in a host call.
pub(super) fn pause(time: Duration) -> TaskMessage {
    let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    message("bench-pause", "pause", vec![nanoseconds.into()])
}

/// A message whose result is the time at which it ran, in microseconds since 1970.
pub(super) fn clock() -> TaskMessage {
    message("bench-clock", "now", Vec::new())
}

/// A message for an endless loop.
pub(super) fn forever() -> TaskMessage {
    message("bench-loop", "forever", Vec::new())
}

fn message(module: &str, task: &str, args: Vec<Value>) -> TaskMessage {
    TaskMessage::new(format!("{module}.{task}")).args(args)
}

/// The number of rounds of `spin` that take a millisecond here.
pub(super) async fn rounds_per_millisecond() -> anyhow::Result<u64> {
    let sandbox = Sandbox::new(SandboxConfig {
        concurrency: 1,
        ..SandboxConfig::default()
    })?;
    let request = LoadRequest {
        name: "bench-spin".into(),
        wasm: wat::parse_str(SPIN_TEXT)?,
        settings: ModuleSettings::default(),
    };
    let module = sandbox.load(request).await?;
    let task = module.task("spin").context("the module has spin")?;
    let mut shortest = Duration::MAX;
    for _ in 0..TRIES {
        let invocation = Invocation::new(task.clone(), vec![TRIAL.into()].into());
        let ended = sandbox.run(invocation).await;
        ensure!(
            matches!(ended.how, How::Returned(_)),
            "the calibration task failed: {}",
            ended.how
        );
        shortest = shortest.min(ended.usage.wall);
    }
    let nanoseconds = u64::try_from(shortest.as_nanos())?.max(1);
    Ok((TRIAL * 1_000_000 / nanoseconds).max(1))
}

/// Enough for a few milliseconds.
const TRIAL: u64 = 5_000_000;
const TRIES: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_module_is_one_that_a_worker_takes() {
        let sandbox = Sandbox::new(SandboxConfig {
            concurrency: 1,
            ..SandboxConfig::default()
        })
        .unwrap();
        for guest in built_in() {
            let request = LoadRequest {
                name: guest.name.into(),
                wasm: wat::parse_str(guest.text).unwrap(),
                settings: ModuleSettings::default(),
            };
            let module = sandbox.load(request).await.unwrap();
            assert_eq!(module.tasks().count(), 1, "{}", guest.name);
        }
    }

    #[test]
    fn copies_differ() {
        let folder = tempfile::tempdir().unwrap();
        write_copies(folder.path(), 2).unwrap();
        let read = |number| fs::read(folder.path().join(copy_name(number)).with_extension("wasm"));
        assert_ne!(read(0).unwrap(), read(1).unwrap());
    }
}
