//! The manifest inside a module: its custom section `chicory-manifest`, written by the tool that built it.
//!
//! JSON objects, one per line, each laid over those before it. Must not know files, nor let a module give itself a name
//! or a grant.

use chicory_signature::canonical;
use serde_json::{Map, Value};

/// The custom section's name.
pub(crate) const SECTION: &str = "chicory-manifest";

/// The maximum number of bytes that a module may say about itself.
const MAX_BYTES: usize = 1 << 20;

/// The keys that a module may set.
const KEYS: [&str; 7] = [
    "version",
    "description",
    "retry",
    "delivery_mode",
    "ignore_result",
    "limits",
    "tasks",
];

/// What the module says about itself in its sections, with all their lines merged. The error is a sentence that names
/// the line and the key.
pub(crate) fn read(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    if bytes.len() > MAX_BYTES {
        return Err(format!(
            "it has {} bytes, but at most {MAX_BYTES} are allowed",
            bytes.len()
        ));
    }
    let mut whole = Map::new();
    for object in serde_json::Deserializer::from_slice(bytes).into_iter::<Map<String, Value>>() {
        let object = object.map_err(|error| {
            format!("it must be JSON objects, one per line, but is not: {error}")
        })?;
        check_keys(&object)?;
        lay_over(&mut whole, object);
    }
    Ok(whole)
}

fn check_keys(object: &Map<String, Value>) -> Result<(), String> {
    let Some(key) = object.keys().find(|key| !KEYS.contains(&key.as_str())) else {
        return Ok(());
    };
    Err(match key.as_str() {
        "grants" => "a module can't grant itself anything: remove `grants` from it, and put [grants] into the manifest beside the module".into(),
        "name" => "a module can't name itself: remove `name` from it, and put it into the manifest beside the module".into(),
        _ => format!("unknown key `{key}`; allowed are {}", KEYS.join(", ")),
    })
}

/// Lays a manifest over another, key by key: tables are merged, anything else is replaced. Tasks are the same in all
/// spellings.
pub(crate) fn lay_over(below: &mut Map<String, Value>, mut above: Map<String, Value>) {
    for layer in [&mut *below, &mut above] {
        if let Some(Value::Object(tasks)) = layer.get_mut("tasks") {
            *tasks = std::mem::take(tasks)
                .into_iter()
                .map(|(name, settings)| (canonical(&name).into_owned(), settings))
                .collect();
        }
    }
    merge(below, above);
}

fn merge(below: &mut Map<String, Value>, above: Map<String, Value>) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => merge(below, above),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn section(lines: &str) -> Result<Value, String> {
        read(lines.as_bytes()).map(Value::Object)
    }

    #[test]
    fn later_lines_go_before_earlier_ones_key_by_key() {
        let lines = "{\"retry\": {\"max_retries\": 1, \"jitter\": false}, \"tasks\": {\"to_web\": {\"ignore_result\": true}}}\n\
            {\"retry\": {\"max_retries\": 2}}{\"tasks\": {\"to-web\": {\"limits\": {\"timeout\": 1.5}}}}\n";
        assert_eq!(
            section(lines).unwrap(),
            json!({
                "retry": {"max_retries": 2, "jitter": false},
                "tasks": {"to-web": {"ignore_result": true, "limits": {"timeout": 1.5}}},
            })
        );
        assert_eq!(section("").unwrap(), json!({}));
    }

    #[test]
    fn a_module_grants_itself_nothing() {
        let error = section("{\"grants\": {\"http\": [\"*\"]}}").unwrap_err();
        assert!(
            error.starts_with("a module can't grant itself anything: "),
            "{error}"
        );
        assert!(
            section("{\"name\": \"other\"}")
                .unwrap_err()
                .contains("`name`")
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = section("{\"retries\": 3}").unwrap_err();
        assert!(
            error.contains("`retries`") && error.contains("retry, "),
            "{error}"
        );
        for broken in ["{\"retry\": }", "[1]", "retry = 1", "{\"retry\""] {
            let error = section(broken).unwrap_err();
            assert!(error.contains("JSON objects, one per line"), "{error}");
        }
    }
}
