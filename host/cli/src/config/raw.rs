//! Settings as text, layer over layer, each with its source.
//!
//! Knows names and precedence. Must not know what a value means: `valid` gives it a type.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use chicory_signature::Range;

use super::ConfigError;
use super::parse::{self, Limit};
use super::settings::{DEFAULTS, SETTINGS, Setting, at_path, nearest};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// `chicory.default.toml`.
    Default,
    /// A settings file.
    File(String),
    /// The environment.
    Environment,
    /// A `.env` file.
    DotEnv,
    /// A flag, with its name.
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(name) => f.write_str(name),
            Self::Environment => f.write_str("environment"),
            Self::DotEnv => f.write_str(".env"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// A setting's value before it is checked.
#[derive(Clone)]
pub(crate) struct RawValue {
    pub(crate) setting: &'static Setting,
    pub(crate) text: String,
    pub(crate) source: Source,
}

impl fmt::Debug for RawValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.setting.shown(&self.text);
        write!(f, "{} = {shown:?} ({})", self.name(), self.source)
    }
}

impl RawValue {
    /// The setting, by the name that was used where the value was set.
    pub(crate) fn name(&self) -> String {
        match &self.source {
            Source::Default | Source::File(_) => {
                format!("{} in {}", self.setting.in_file(), self.source)
            }
            Source::Environment => self.setting.variable(),
            Source::DotEnv => format!("{} in .env", self.setting.variable()),
            Source::Flag(flag) => (*flag).to_owned(),
        }
    }

    /// The error for a value that is not allowed.
    pub(crate) fn refuse(&self, allowed: impl Into<String>) -> ConfigError {
        ConfigError::BadValue {
            name: self.name(),
            value: self.setting.shown(&self.text),
            allowed: allowed.into(),
        }
    }
}

/// All values that are set. Later layers replace earlier ones.
#[derive(Debug, Clone)]
pub(crate) struct Raw(BTreeMap<&'static str, RawValue>);

impl Raw {
    /// The documented defaults.
    pub(crate) fn defaults() -> Result<Self, ConfigError> {
        let mut raw = Self(BTreeMap::new());
        raw.read_toml(DEFAULTS, "chicory.default.toml", &Source::Default)?;
        Ok(raw)
    }

    /// The value of a setting, if it has one.
    pub(crate) fn get(&self, path: &str) -> Option<&RawValue> {
        self.0.get(path)
    }

    /// Whether it was set, rather than left at its default.
    pub(super) fn is_named(&self, path: &str) -> bool {
        self.get(path)
            .is_some_and(|value| value.source != Source::Default)
    }

    /// A setting's value, or an error that says what is allowed.
    pub(super) fn optional<T>(
        &self,
        path: &str,
        allowed: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        self.get(path)
            .map(|value| read(&value.text).ok_or_else(|| value.refuse(allowed)))
            .transpose()
    }

    /// The value of a setting that has a default.
    pub(super) fn required<T>(
        &self,
        path: &str,
        allowed: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        self.optional(path, allowed, read)
            .map(|value| value.unwrap_or_else(|| unreachable!("{path} has a default")))
    }

    /// The number of a setting that has one, within the setting's range.
    fn number<T>(
        &self,
        path: &str,
        read: impl FnOnce(&str, Range) -> Option<T>,
        or_none: &str,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.get(path) else {
            return Ok(None);
        };
        let Some(range) = value.setting.range else {
            unreachable!("{path} has no range in the table of settings")
        };
        let allowed = || format!("{}{or_none}", parse::allowed(range));
        let read = read(&value.text, range);
        read.map(Some).ok_or_else(|| value.refuse(allowed()))
    }

    /// A whole number, if the setting has one.
    pub(super) fn whole<N: TryFrom<u64>>(&self, path: &str) -> Result<Option<N>, ConfigError> {
        let read = |text: &str, range| parse::whole(text, range)?.try_into().ok();
        self.number(path, read, "")
    }

    /// A duration, if the setting has one.
    pub(super) fn duration(&self, path: &str) -> Result<Option<Duration>, ConfigError> {
        self.number(path, parse::duration, "")
    }

    /// A size in bytes, if the setting has one.
    pub(super) fn size(&self, path: &str) -> Result<Option<u64>, ConfigError> {
        self.number(path, parse::size, "")
    }

    /// A number or `none`, of a setting that has a default.
    pub(super) fn limit(&self, path: &str) -> Result<Option<u64>, ConfigError> {
        let limit = self.number(path, parse::limit, ", or none")?;
        Ok(limit.and_then(|Limit(limit)| limit))
    }

    /// Sets a value, replacing that of earlier layers.
    pub(crate) fn set(&mut self, setting: &'static Setting, text: String, source: Source) {
        let value = RawValue {
            setting,
            text,
            source,
        };
        self.0.insert(setting.path, value);
    }

    /// Every setting with its value, in the documented order.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static Setting, Option<&RawValue>)> {
        SETTINGS
            .iter()
            .map(|setting| (setting, self.get(setting.path)))
    }

    /// Sets the values of a settings file.
    pub(crate) fn read_toml(
        &mut self,
        text: &str,
        file: &str,
        source: &Source,
    ) -> Result<(), ConfigError> {
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| syntax(text, file, &error))?;
        self.read_table("", table, file, source)
    }

    fn read_table(
        &mut self,
        section: &str,
        table: toml::Table,
        file: &str,
        source: &Source,
    ) -> Result<(), ConfigError> {
        for (key, value) in table {
            let path = if section.is_empty() {
                key
            } else {
                format!("{section}.{key}")
            };
            match (at_path(&path), value) {
                (Some(setting), value) if setting.table => {
                    self.set(setting, json(&value), source.clone());
                }
                (Some(setting), value) => self.set(setting, scalar(value), source.clone()),
                (None, toml::Value::Table(inner)) if is_section(&path) => {
                    self.read_table(&path, inner, file, source)?;
                }
                (None, _) => return Err(unknown(&path, file)),
            }
        }
        Ok(())
    }
}

/// The value of a setting that has a default.
pub(super) fn always<T>(value: Option<T>) -> T {
    value.unwrap_or_else(|| unreachable!("the setting has a default"))
}

fn is_section(path: &str) -> bool {
    SETTINGS.iter().any(|setting| {
        setting
            .path
            .strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

/// A value as a variable would have it. A list is joined by commas, and so is a table, as `key=value` pairs, one for
/// each of several values.
fn scalar(value: toml::Value) -> String {
    match value {
        toml::Value::String(text) => text,
        toml::Value::Array(items) => items.into_iter().map(scalar).collect::<Vec<_>>().join(","),
        toml::Value::Table(table) => {
            let pairs = table.into_iter().flat_map(|(key, value)| {
                let values = match value {
                    toml::Value::Array(items) => items,
                    one => vec![one],
                };
                let pair = move |value| format!("{key}={}", scalar(value));
                values.into_iter().map(pair).collect::<Vec<_>>()
            });
            pairs.collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

/// A table as a variable would have it.
fn json(value: &toml::Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The parser's own text would show the line, which may contain a password.
fn syntax(text: &str, file: &str, error: &toml::de::Error) -> ConfigError {
    let line = error
        .span()
        .map_or(1, |span| text[..span.start].matches('\n').count() + 1);
    ConfigError::Syntax {
        file: file.to_owned(),
        line,
        message: error.message().to_owned(),
    }
}

fn unknown(path: &str, file: &str) -> ConfigError {
    let near = nearest(path, SETTINGS.iter().map(|setting| setting.path.to_owned()));
    let hint = match near.as_deref().and_then(at_path) {
        Some(setting) => format!("did you mean {}?", setting.in_file()),
        None => "`chicory config default` prints all settings".to_owned(),
    };
    let (section, key) = path.rsplit_once('.').unwrap_or(("", path));
    let shown = if section.is_empty() {
        key.to_owned()
    } else {
        format!("[{section}] {key}")
    };
    ConfigError::Unknown {
        name: format!("{shown} in {file}"),
        hint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Raw, ConfigError> {
        let mut raw = Raw::defaults()?;
        let source = Source::File("chicory.toml".into());
        raw.read_toml(text, "chicory.toml", &source)?;
        Ok(raw)
    }

    #[test]
    fn a_file_lies_over_the_defaults() {
        let raw = read("[worker]\nqueue = [\"a\", \"b\"]\nconcurrency = 3").unwrap();
        assert_eq!(raw.get("worker.queue").unwrap().text, "a,b");
        assert_eq!(raw.get("worker.concurrency").unwrap().text, "3");
        assert_eq!(raw.get("worker.threads").map(|value| &value.text), None);
        assert_eq!(
            raw.get("worker.heartbeat_ttl").unwrap().source,
            Source::Default
        );
    }

    #[test]
    fn a_table_is_read_as_pairs() {
        let raw = read("[trust.keys]\n\"acme.*\" = [\"RWa\", \"RWb\"]\nshop = \"RWc\"").unwrap();
        let keys = &raw.get("trust.keys").unwrap().text;
        assert_eq!(keys, "acme.*=RWa,acme.*=RWb,shop=RWc");
    }

    #[test]
    fn an_unknown_key_gets_the_nearest_name() {
        let error = read("[broker.redis]\nhots = \"h\"").unwrap_err();
        insta::assert_snapshot!(error, @"[broker.redis] hots in chicory.toml is not a setting; did you mean [broker.redis] host?");
        let error = read("[brokers]\nx = 1").unwrap_err();
        insta::assert_snapshot!(error, @"brokers in chicory.toml is not a setting; `chicory config default` prints all settings");
    }

    #[test]
    fn a_syntax_error_names_the_line_and_shows_no_value() {
        let error = read("[broker.redis]\npassword = \"hunter2\nhost=1").unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("chicory.toml, line 2:"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
