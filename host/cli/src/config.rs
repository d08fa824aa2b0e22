//! Configuration: flags over environment over `.env` over `chicory.toml` over defaults.
//!
//! Raw settings become a valid [`Config`] once, here; nothing else reads the environment or the file.

mod broker;
mod confine;
mod env;
mod error;
mod modules;
pub(crate) mod parse;
mod policy;
mod raw;
mod settings;
mod valid;

use std::path::Path;

pub(crate) use confine::Confine;
pub(crate) use error::ConfigError;
pub(crate) use raw::{Raw, Source};
pub(crate) use settings::DEFAULTS;
use settings::Guard;
pub(crate) use valid::{Config, Level, WorkerSettings, user_cache};

/// The settings file that is read if it exists.
const FILE: &str = "chicory.toml";

/// A setting given by a flag: its path, the flag's name, the value.
pub(crate) type FlagValue = (&'static str, &'static str, String);

/// Where settings are looked for; values, so that tests need no environment. Not `Debug`: passwords are among them.
#[derive(Default)]
pub(crate) struct Layers {
    /// The settings file's name and text.
    pub(crate) file: Option<(String, String)>,
    /// Whether the settings file was only found in the working folder, rather than named by a flag.
    pub(crate) file_found: bool,
    /// The text of `.env`.
    pub(crate) dotenv: Option<String>,
    /// The environment.
    pub(crate) environment: Vec<(String, String)>,
    /// Flags.
    pub(crate) flags: Vec<FlagValue>,
}

impl Layers {
    /// Those of the process: `.env` and `chicory.toml` in the current folder, or the given settings file.
    pub(crate) fn of_process(
        file: Option<&Path>,
        flags: Vec<FlagValue>,
    ) -> Result<Self, ConfigError> {
        let named = match file {
            Some(path) => Some((path.display().to_string(), read(path)?)),
            None => {
                let found = Path::new(FILE);
                let text = found.is_file().then(|| read(found)).transpose()?;
                text.map(|text| (FILE.to_owned(), text))
            }
        };
        Ok(Self {
            file_found: file.is_none(),
            file: named,
            dotenv: dotenv()?,
            environment: environment()?,
            flags,
        })
    }

    /// One set of raw values.
    pub(crate) fn merge(self) -> Result<Raw, ConfigError> {
        let mut raw = Raw::defaults()?;
        if let Some((name, text)) = &self.file {
            raw.read_toml(text, name, &Source::File(name.clone()))?;
        }
        if let Some(text) = &self.dotenv {
            env::read_variables(&mut raw, env::read_dotenv(text)?, &Source::DotEnv)?;
        }
        env::read_variables(&mut raw, self.environment, &Source::Environment)?;
        for (path, flag, text) in self.flags {
            let setting = settings::at_path(path)
                .unwrap_or_else(|| unreachable!("{flag} sets {path}, which is not a setting"));
            raw.set(setting, text, Source::Flag(flag));
        }
        check_guards(&raw, self.file_found)?;
        Ok(raw)
    }
}

/// Refuses what the working folder's files must not set.
fn check_guards(raw: &Raw, file_found: bool) -> Result<(), ConfigError> {
    for value in raw.all().filter_map(|(_, value)| value) {
        let refused = match (value.setting.guard(), &value.source) {
            (Guard::Code, Source::File(_)) => file_found,
            (Guard::Code | Guard::Protection, Source::DotEnv) => true,
            _ => false,
        };
        if refused {
            return Err(ConfigError::Guarded {
                name: value.name(),
                variable: value.setting.variable(),
            });
        }
    }
    Ok(())
}

/// The variables whose names and values are text. One of ours must be.
fn environment() -> Result<Vec<(String, String)>, ConfigError> {
    let names =
        std::env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text)));
    let variables = names.filter_map(|(name, text)| match text.into_string() {
        Ok(text) => Some(Ok((name, text))),
        Err(_) if env::is_ours(&name) => Some(Err(ConfigError::Unreadable {
            file: name,
            reason: "its value is not UTF-8".into(),
        })),
        Err(_) => None,
    });
    variables.collect()
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// The text of a `.env` in the current folder. It may be other programs', so it need not be text as a whole.
fn dotenv() -> Result<Option<String>, ConfigError> {
    let path = Path::new(".env");
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn unreadable(path: &Path, error: &std::io::Error) -> ConfigError {
    ConfigError::Unreadable {
        file: path.display().to_string(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers() -> Layers {
        Layers {
            file: Some(("chicory.toml".into(), "[worker]\nconcurrency = 1\n".into())),
            file_found: true,
            dotenv: Some("CHICORY_WORKER_CONCURRENCY=2\n".into()),
            environment: vec![("CHICORY_WORKER_CONCURRENCY".into(), "3".into())],
            flags: vec![("worker.concurrency", "--concurrency", "4".into())],
        }
    }

    fn concurrency(layers: Layers) -> (String, Source) {
        let raw = layers.merge().unwrap();
        let value = raw.get("worker.concurrency").unwrap();
        (value.text.clone(), value.source.clone())
    }

    /// Case M9: the working folder may be anybody's.
    #[test]
    fn what_decides_which_code_is_run_is_not_for_the_working_folder_to_say() {
        let file = |text: &str, found| Layers {
            file: Some(("chicory.toml".into(), text.into())),
            file_found: found,
            ..Layers::default()
        };
        let dotenv = |text: &str| Layers {
            dotenv: Some(text.into()),
            ..Layers::default()
        };
        let cache = "[worker]\ncache_dir = \"./.build\"";
        for (layers, named) in [
            (file(cache, true), "[worker] cache_dir in chicory.toml: "),
            (
                dotenv("CHICORY_WORKER_CACHE_DIR=./.build"),
                "CHICORY_WORKER_CACHE_DIR in .env: ",
            ),
            (
                dotenv("CHICORY_TRUST_REQUIRED=false"),
                "CHICORY_TRUST_REQUIRED in .env: ",
            ),
            (
                dotenv("CHICORY_POLICY_DIRS=/"),
                "CHICORY_POLICY_DIRS in .env: ",
            ),
        ] {
            let error = layers.merge().unwrap_err().to_string();
            assert!(
                error.starts_with(named) && error.contains("--config"),
                "{error}"
            );
        }
        assert!(
            file(cache, false).merge().is_ok(),
            "the operator names the file"
        );
        let policy = "[policy]\ntimeout = 9\n[trust]\nrequired = true";
        assert!(
            file(policy, true).merge().is_ok(),
            "beside the folder's modules"
        );
        let mut overridden = file(cache, true);
        overridden.environment = vec![("CHICORY_WORKER_CACHE_DIR".into(), "/own".into())];
        assert!(
            overridden.merge().is_ok(),
            "the environment has the last word"
        );
    }

    #[test]
    fn flags_override_environment_overrides_dotenv_overrides_file_overrides_defaults() {
        let mut given = layers();
        assert_eq!(
            concurrency(layers()),
            ("4".into(), Source::Flag("--concurrency"))
        );
        given.flags.clear();
        assert_eq!(concurrency(given), ("3".into(), Source::Environment));
        let mut given = layers();
        given.flags.clear();
        given.environment.clear();
        assert_eq!(concurrency(given), ("2".into(), Source::DotEnv));
        let only_file = Layers {
            file: layers().file,
            ..Layers::default()
        };
        assert_eq!(
            concurrency(only_file),
            ("1".into(), Source::File("chicory.toml".into()))
        );
        assert_eq!(
            concurrency(Layers::default()),
            ("64".into(), Source::Default)
        );
    }
}
