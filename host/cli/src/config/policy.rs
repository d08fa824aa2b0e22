//! The operator's policy from the settings: a ceiling for all modules, and others for signed ones and by name.
//!
//! Must not know how a policy is applied.

use chicory_runtime::Bytes;
use chicory_worker::{BadCeiling, POLICY_KEYS, Policy, PolicyRule};
use serde_json::{Map, Value};

use super::ConfigError;
use super::raw::{Raw, RawValue};

/// The policy that the settings describe. No module's ceiling for memory is above the worker's.
pub(super) fn read(raw: &Raw, max_memory: u64) -> Result<Policy, ConfigError> {
    let mut all = PolicyRule::for_all();
    for key in POLICY_KEYS {
        if let Some(value) = raw.get(&format!("policy.{key}")) {
            let set = all.set(key, &value.text);
            set.map_err(|error| value.refuse(error.allowed))?;
            if key == "memory" {
                check_memory(value, &value.text, max_memory)?;
            }
        }
    }
    let mut rules = vec![all];
    if let Some(value) = raw.get("policy.signed") {
        let keys = table(value, &value.text)?;
        rules.push(rule(
            value,
            max_memory,
            ("*", true, "[policy.signed]"),
            &keys,
        )?);
    }
    if let Some(value) = raw.get("policy.modules") {
        for (pattern, keys) in table(value, &value.text)? {
            let keys = table(value, &keys.to_string())?;
            let signed = match keys.get("signed") {
                None | Some(Value::Bool(false)) => false,
                Some(Value::Bool(true)) => true,
                Some(other) => {
                    return Err(conflict(
                        value,
                        &format!("{pattern:?}: signed = {other}: give true or false"),
                    ));
                }
            };
            let place = format!("[policy.modules.{pattern:?}]");
            rules.push(rule(value, max_memory, (&pattern, signed, &place), &keys)?);
        }
    }
    Ok(Policy::of(rules))
}

fn rule(
    value: &RawValue,
    max_memory: u64,
    (pattern, signed, place): (&str, bool, &str),
    keys: &Map<String, Value>,
) -> Result<PolicyRule, ConfigError> {
    let rule = PolicyRule::new(pattern, signed, place);
    let mut rule = rule.map_err(|error| conflict(value, &error.to_string()))?;
    for (key, given) in keys.iter().filter(|(key, _)| *key != "signed") {
        let text = text(given);
        rule.set(key, &text)
            .map_err(|error: BadCeiling| conflict(value, &format!("{place} {error}")))?;
        if key == "memory" {
            check_memory(value, &text, max_memory)?;
        }
    }
    Ok(rule)
}

/// A table, which a file has as such and a variable as JSON.
fn table(value: &RawValue, text: &str) -> Result<Map<String, Value>, ConfigError> {
    let allowed = "a table of ceilings; in a variable, a JSON object such as {\"timeout\": 600}";
    serde_json::from_str(text).map_err(|_| value.refuse(allowed))
}

/// A value as a variable would have it.
fn text(given: &Value) -> String {
    match given {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn conflict(value: &RawValue, what: &str) -> ConfigError {
    ConfigError::Conflict(format!("{}: {what}", value.name()))
}

fn check_memory(value: &RawValue, text: &str, max_memory: u64) -> Result<(), ConfigError> {
    let asked = text.parse::<Bytes>().map_or(0, u64::from);
    if asked <= max_memory {
        return Ok(());
    }
    Err(conflict(
        value,
        &format!(
            "memory = {text} is above [worker] max_memory, which is {max_memory} bytes and the most that any task has; lower the first or raise the second"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Layers, Source};
    use chicory_worker::Standing;

    fn policy(toml: &str, variables: &[(&str, &str)]) -> Result<Policy, ConfigError> {
        let environment = variables
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let layers = Layers {
            file: Some(("chicory.toml".to_owned(), toml.to_owned())),
            environment: environment.collect(),
            ..Layers::default()
        };
        read(&layers.merge()?, 256 << 20)
    }

    #[test]
    fn the_documented_defaults_are_the_workers_own() {
        assert_eq!(policy("", &[]).unwrap(), Policy::default());
    }

    #[test]
    fn a_file_and_a_variable_say_the_same() {
        let file = "[policy]\ntimeout = 60\nhttp = [\"*\", \"private\"]\n[policy.signed]\nmemory = \"64MiB\"\ndirs = [\"/a\", \"/b\"]\n[policy.modules.\"acme.*\"]\nsigned = true\nclocks = false\n";
        let variables = [
            ("CHICORY_POLICY_TIMEOUT", "60"),
            ("CHICORY_POLICY_HTTP", "*,private"),
            (
                "CHICORY_POLICY_SIGNED",
                r#"{"memory": "64MiB", "dirs": ["/a", "/b"]}"#,
            ),
            (
                "CHICORY_POLICY_MODULES",
                r#"{"acme.*": {"signed": true, "clocks": false}}"#,
            ),
        ];
        let read = policy(file, &[]).unwrap();
        assert_eq!(read, policy("", &variables).unwrap());
        let (allowed, _) = read.weigh(
            "acme.x",
            Standing::Signed,
            &chicory_runtime::ModuleSettings::default(),
        );
        let places: Vec<_> = allowed.cuts.iter().map(|cut| cut.place.as_str()).collect();
        assert_eq!(
            places,
            [
                "[policy.modules.\"acme.*\"] clocks",
                "[policy] timeout",
                "[policy.signed] memory"
            ]
        );
    }

    #[test]
    fn a_bad_ceiling_names_the_setting_and_what_is_allowed() {
        for (toml, parts) in [
            (
                "[policy]\ntimeout = 1e19",
                &[
                    "[policy] timeout in chicory.toml",
                    "10000000000000000000.0",
                    "seconds from 0.001 to 2592000, or none",
                ][..],
            ),
            (
                "[policy]\nhttp = \"http://x\"",
                &["[policy] http", "hosts as in a manifest"],
            ),
            (
                "[policy]\ntmeout = 1",
                &["tmeout", "did you mean [policy] timeout?"],
            ),
            (
                "[policy]\nmemory = \"1GiB\"",
                &["[policy] memory", "[worker] max_memory"],
            ),
            (
                "[policy]\nsigned = 1",
                &["[policy] signed", "a table of ceilings"],
            ),
            (
                "[policy.signed]\nfuel = -1",
                &["[policy.signed] fuel = \"-1\"", "a whole number from 1"],
            ),
            (
                "[policy.modules.acme]\nfuell = 1",
                &["[policy.modules.\"acme\"] fuell", "one of the keys"],
            ),
            ("[policy.modules.\"a..b\"]\nfuel = 1", &["a..b"]),
            (
                "[policy.modules]\nacme = 1",
                &["[policy] modules", "a table of ceilings"],
            ),
        ] {
            let error = policy(toml, &[]).unwrap_err().to_string();
            for part in parts {
                assert!(error.contains(part), "{part} is not in: {error}");
            }
        }
    }

    #[test]
    fn each_key_is_a_setting() {
        let raw = Layers::default().merge().unwrap();
        let names: Vec<_> = raw
            .all()
            .filter_map(|(setting, value)| {
                assert!(value.is_none_or(|value| value.source == Source::Default));
                setting.path.strip_prefix("policy.")
            })
            .collect();
        let others = ["signed", "modules"];
        let keys: Vec<_> = POLICY_KEYS.into_iter().chain(others).collect();
        assert_eq!(names, keys);
    }
}
