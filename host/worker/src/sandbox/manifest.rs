//! A module's manifest: `NAME.toml` next to `NAME.wasm`, laid over what the module says about itself.
//!
//! Says what the module may touch, what it may use up, and what its failures lead to. Must not know what a module
//! exports: the catalog checks the names of tasks against it.

mod embedded;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chicory_queue::{DeliveryMode, RetryPolicy};
use chicory_runtime::{DamagedModule, Grants, Limits, ModuleSettings, custom_section};
use chicory_signature::check_module_name;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The custom section that holds the manifest a module is deployed with.
pub(super) const DEPLOYMENT_SECTION: &str = "chicory-deployment";

/// What a module's author and its operator agree on. All of it is optional.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Manifest {
    /// The module's name, dots allowed; defaults to the file's name without `.wasm`.
    #[serde(skip_serializing_if = "unset")]
    pub name: Option<String>,
    /// For people; the digest is what identifies a module.
    #[serde(skip_serializing_if = "unset")]
    pub version: Option<String>,
    /// For people: what the module is for.
    #[serde(skip_serializing_if = "unset")]
    pub description: Option<String>,
    /// For all tasks of the module; `None` means no retries.
    #[serde(skip_serializing_if = "unset")]
    pub retry: Option<RetryPolicy>,
    /// For all tasks of the module; `None` means the worker's setting.
    #[serde(skip_serializing_if = "unset")]
    pub delivery_mode: Option<DeliveryMode>,
    /// Whether no states and results are kept, for all tasks of the module.
    #[serde(skip_serializing_if = "unset")]
    pub ignore_result: bool,
    /// Limits of one call.
    #[serde(skip_serializing_if = "unset")]
    pub limits: Limits,
    /// What the module may touch.
    #[serde(skip_serializing_if = "unset")]
    pub grants: Grants,
    /// Settings of single tasks, which take precedence over the module's.
    #[serde(skip_serializing_if = "unset")]
    pub tasks: BTreeMap<String, TaskSettings>,
}

/// Settings of one task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskSettings {
    /// For people: what the task does.
    #[serde(skip_serializing_if = "unset")]
    pub description: Option<String>,
    /// Replaces the module's.
    #[serde(skip_serializing_if = "unset")]
    pub retry: Option<RetryPolicy>,
    /// Replaces the module's.
    #[serde(skip_serializing_if = "unset")]
    pub delivery_mode: Option<DeliveryMode>,
    /// Replaces the module's.
    #[serde(skip_serializing_if = "unset")]
    pub ignore_result: Option<bool>,
    /// Each limit replaces the module's.
    #[serde(skip_serializing_if = "unset")]
    pub limits: Limits,
}

fn unset<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A manifest can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file can't be read.
    #[error("can't read the manifest {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a manifest.
    #[error("the manifest{} is not valid:\n{message}", after_space(path))]
    Invalid {
        /// The file; empty if there is none.
        path: PathBuf,
        /// What is wrong, with its line.
        message: String,
    },
    /// The module itself can't be read.
    #[error("the module can't be read")]
    Damaged(#[source] DamagedModule),
    /// The manifest that the module is deployed with is not valid.
    #[error("the module's section `{section}` is not valid: {message}", section = DEPLOYMENT_SECTION)]
    Deployment {
        /// What is wrong.
        message: String,
    },
    /// The module's own section is not valid.
    #[error("the module's section `{section}` is not valid: {message}", section = embedded::SECTION)]
    Embedded {
        /// What is wrong.
        message: String,
    },
}

fn after_space(path: &Path) -> String {
    if path.as_os_str().is_empty() {
        return String::new();
    }
    format!(" {}", path.display())
}

impl Manifest {
    /// The manifest of the module `wasm`, which was read from the file `path`. What is in the file beside it, if there
    /// is one, takes precedence over what the module says about itself.
    ///
    /// # Errors
    /// Names the file and the field that is wrong.
    pub fn beside(path: &Path, wasm: &[u8]) -> Result<Self, ManifestError> {
        let path = path.with_extension("toml");
        if !path.exists() {
            return Self::of(wasm, "").map_err(|error| error.at(&path));
        }
        let text = std::fs::read_to_string(&path).map_err(|source| ManifestError::Unreadable {
            path: path.clone(),
            source,
        })?;
        Self::of(wasm, &text).map_err(|error| error.at(&path))
    }

    /// The name that the manifest beside a module gives it, if that can be read.
    pub(crate) fn name_beside(path: &Path) -> Option<String> {
        let text = std::fs::read_to_string(path.with_extension("toml")).ok()?;
        Self::parse(&text).ok()?.name
    }

    /// The same from the manifest's text.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn of(wasm: &[u8], text: &str) -> Result<Self, ManifestError> {
        let beside = Self::parse(text).map_err(|message| ManifestError::Invalid {
            path: PathBuf::new(),
            message,
        })?;
        let inside = own_words(wasm)?;
        if inside.is_empty() {
            return Ok(beside);
        }
        let above: Map<String, Value> =
            toml::from_str(text).map_err(|error| ManifestError::Invalid {
                path: PathBuf::new(),
                message: error.to_string(),
            })?;
        lay_over(inside, above)
    }

    /// The same from the manifest as JSON.
    pub(crate) fn over(wasm: &[u8], above: Map<String, Value>) -> Result<Self, ManifestError> {
        let deployment = |message: String| ManifestError::Deployment { message };
        let beside = from_json(above.clone()).map_err(deployment)?;
        check_name(beside.name.as_deref()).map_err(deployment)?;
        lay_over(own_words(wasm)?, above)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let manifest: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        check_name(manifest.name.as_deref())?;
        Ok(manifest)
    }

    /// The settings for the sandbox.
    pub fn settings(&self) -> ModuleSettings {
        ModuleSettings {
            grants: self.grants.clone(),
            limits: self.limits.clone(),
            task_limits: (self.tasks.iter())
                .filter(|(_, task)| task.limits != Limits::default())
                .map(|(name, task)| (name.clone(), task.limits.clone()))
                .collect(),
        }
    }
}

impl ManifestError {
    /// The error, with the file that it concerns.
    fn at(self, file: &Path) -> Self {
        match self {
            Self::Invalid { message, .. } => Self::Invalid {
                path: file.to_owned(),
                message,
            },
            other => other,
        }
    }
}

/// What the module says about itself, which must be valid on its own.
fn own_words(wasm: &[u8]) -> Result<Map<String, Value>, ManifestError> {
    let embedded = |message: String| ManifestError::Embedded { message };
    let bytes = custom_section(wasm, embedded::SECTION).map_err(ManifestError::Damaged)?;
    let inside = embedded::read(&bytes).map_err(embedded)?;
    from_json(inside.clone()).map_err(embedded)?;
    Ok(inside)
}

fn lay_over(
    mut inside: Map<String, Value>,
    above: Map<String, Value>,
) -> Result<Manifest, ManifestError> {
    embedded::lay_over(&mut inside, above);
    from_json(inside).map_err(|message| ManifestError::Embedded { message })
}

/// Checks that a module may have the name that a manifest gives it.
fn check_name(name: Option<&str>) -> Result<(), String> {
    let checked = name.map_or(Ok(()), check_module_name);
    checked.map_err(|error| format!("name: {error}"))
}

fn from_json(manifest: Map<String, Value>) -> Result<Manifest, String> {
    serde_json::from_value(Value::Object(manifest)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chicory_queue::Backoff;

    #[test]
    fn reads_every_section() {
        let manifest = Manifest::parse(
            r#"
            name = "myapp.tasks"
            version = "1.2.0"
            delivery_mode = "at_most_once"
            [retry]
            max_retries = 2
            backoff = "fixed"
            [limits]
            timeout = 0.5
            memory = "32MiB"
            [grants]
            http = ["example.com"]
            [tasks.fetch]
            ignore_result = true
            retry = { max_retries = 9 }
            limits = { timeout = 2.0 }
            "#,
        )
        .unwrap();
        assert_eq!(manifest.name.as_deref(), Some("myapp.tasks"));
        assert_eq!(manifest.retry.as_ref().unwrap().max_retries, 2);
        assert_eq!(
            manifest.tasks["fetch"].retry.as_ref().unwrap().max_retries,
            9
        );
        assert!(manifest.settings().task_limits.contains_key("fetch"));
    }

    #[test]
    fn a_misspelt_key_names_the_line_and_what_is_allowed() {
        let error = Manifest::parse("[grants]\nhtpp = []\n").unwrap_err();
        assert!(
            error.contains("htpp") && error.contains("http") && error.contains("line 2"),
            "{error}"
        );
        let error = Manifest::parse("name = \"a..b\"").unwrap_err();
        assert!(error.contains("a..b"), "{error}");
    }

    /// Case M5, wherever a manifest is: in a file, in the module, in a record of the registry.
    #[test]
    fn a_number_out_of_range_is_named() {
        let number = r#"{"tasks": {"a": {"limits": {"timeout": 1e19}}}}"#;
        let named = "timeout = 1e19 is not allowed; give seconds from 0.001 to 2592000";
        let error = Manifest::of(&saying(number), "").unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
        let error = serde_json::from_str::<Manifest>(number).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
        let file = "[limits]\n\ntimeout = 1e19";
        let error = Manifest::parse(file).unwrap_err();
        assert!(error.contains(named) && error.contains("line 3"), "{error}");
    }

    fn saying(line: &str) -> Vec<u8> {
        let escaped = line.replace('"', "\\22");
        let text = format!("(module (@custom \"chicory-manifest\" \"{escaped}\"))");
        wat::parse_str(text).unwrap()
    }

    #[test]
    fn the_file_goes_before_the_module_key_by_key() {
        let wasm = saying(
            r#"{"version": "2", "retry": {"max_retries": 7, "backoff": "fixed"}, "tasks": {"to-web": {"limits": {"timeout": 2.0, "fuel": 9}}}}"#,
        );
        let text = "[retry]\nmax_retries = 1\n[tasks.to_web.limits]\ntimeout = 9.5\n[grants]\nclocks = false";
        let manifest = Manifest::of(&wasm, text).unwrap();
        let retry = manifest.retry.unwrap();
        assert_eq!((retry.max_retries, retry.backoff), (1, Backoff::Fixed));
        let limits = &manifest.tasks["to-web"].limits;
        assert_eq!((limits.timeout, limits.fuel), (Some(9.5), Some(9)));
        assert_eq!(manifest.version.as_deref(), Some("2"));
        assert!(!manifest.grants.clocks);
    }

    #[test]
    fn what_is_wrong_inside_the_module_names_the_section_and_the_key() {
        for (line, key) in [
            (r#"{"retry": {"max_retry": 7}}"#, "max_retry"),
            (
                r#"{"grants": {"http": ["*"]}}"#,
                "a module can't grant itself anything",
            ),
            (r#"{"tasks": {"a": {"grants": {}}}}"#, "grants"),
        ] {
            let error = Manifest::of(&saying(line), "").unwrap_err().to_string();
            assert!(
                error.contains("`chicory-manifest`") && error.contains(key),
                "{error}"
            );
        }
    }
}
