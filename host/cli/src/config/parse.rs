//! From text to values: numbers, switches, durations, names. Each returns `None` for what is not allowed.
//!
//! Must not know settings.

use std::time::Duration;

use chicory_signature::{Arguments, RawJson};

/// `true`, `1`, `yes`, `on`, and their opposites, in any case.
pub(crate) fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// A duration: a number of `unit`s, or with units of its own (`500ms`, `30s`, `1m 30s`, `2h`).
pub(crate) fn duration(text: &str, unit: Duration) -> Option<Duration> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(number * unit.as_secs_f64()).ok();
    }
    humantime::parse_duration(text).ok()
}

/// What [`in_seconds`] allows.
pub(super) const SECONDS: &str = "seconds, or a duration such as 500ms, 30s, 5m";

/// A duration, in seconds where it has no unit.
pub(super) fn in_seconds(text: &str) -> Option<Duration> {
    duration(text, Duration::from_secs(1))
}

/// The same for flags.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    in_seconds(text).ok_or_else(|| {
        format!("{text:?} is not a duration: give seconds, or a duration such as 500ms, 30s or 2h")
    })
}

/// A whole number within bounds.
pub(super) fn number<N: std::str::FromStr + PartialOrd + Copy>(
    text: &str,
    least: N,
    most: N,
) -> Option<N> {
    let number: N = text.trim().parse().ok()?;
    (number >= least && number <= most).then_some(number)
}

/// A number, or no limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) Option<u64>);

/// A limit: a number from 1, or `none`.
pub(crate) fn limit(text: &str) -> Option<Limit> {
    if text.eq_ignore_ascii_case("none") {
        return Some(Limit(None));
    }
    let number = text.parse().ok().filter(|number| *number > 0);
    number.map(|number| Limit(Some(number)))
}

/// Names separated by commas, each at least one character long, without spaces or braces (which have a meaning on
/// Redis Cluster).
pub(crate) fn names(text: &str) -> Option<Vec<String>> {
    text.split(',')
        .map(|name| queue_name(name.trim()))
        .collect()
}

/// Pairs `name=value` separated by commas.
pub(crate) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let pairs = text
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let (name, value) = (name.trim(), value.trim());
            (!name.is_empty() && !value.is_empty()).then(|| (name.to_owned(), value.to_owned()))
        })
        .collect()
}

fn queue_name(name: &str) -> Option<String> {
    let allowed = |c: char| !c.is_whitespace() && !c.is_control() && c != '{' && c != '}';
    (!name.is_empty() && name.chars().all(allowed)).then(|| name.to_owned())
}

/// A queue's name, for flags.
pub(crate) fn queue(text: &str) -> Result<String, String> {
    queue_name(text)
        .filter(|name| !name.contains(','))
        .ok_or_else(|| {
            format!(
                "{text:?} is not a queue name: use at least one character, and no spaces, commas or braces"
            )
        })
}

/// An argument of a task: parsed as JSON, or a string if it is not JSON.
pub(crate) fn argument(text: &str) -> RawJson {
    RawJson::parse(text.to_owned()).unwrap_or_else(|_| RawJson::from(&text.into()))
}

/// A task's arguments by name: a JSON object.
pub(crate) fn object(text: &str) -> Result<RawJson, String> {
    let hint = "give a JSON object, such as '{\"width\": 200}'";
    let json = RawJson::parse(text.to_owned()).map_err(|error| format!("{error}; {hint}"))?;
    let is_object = Arguments::default().set_kwargs(json.clone());
    is_object.map_err(|error| format!("{error}; {hint}"))?;
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_with_and_without_a_unit() {
        let ms = Duration::from_millis(1);
        for (text, expected) in [
            ("250", 250),
            ("1.5", 2),
            ("2s", 2_000),
            ("1m 30s", 90_000),
            ("1h", 3_600_000),
            ("0", 0),
        ] {
            let got = duration(text, ms).unwrap().as_micros().div_ceil(1_000);
            assert_eq!(got, expected, "{text}");
        }
        for text in ["", "-1", "soon", "1 parsec", "NaN", "inf", "1e400"] {
            assert_eq!(duration(text, ms), None, "{text}");
        }
    }

    #[test]
    fn arguments_are_json_or_text() {
        assert_eq!(argument("3").as_str(), "3");
        assert_eq!(argument("\"3\"").as_str(), "\"3\"");
        assert_eq!(argument("[1, null]").as_str(), "[1, null]");
        assert_eq!(argument("hello, world").as_str(), "\"hello, world\"");
        assert_eq!(argument("").as_str(), "\"\"");
        let large = "-9223372036854775809";
        assert_eq!(argument(large).as_str(), large);
    }

    #[test]
    fn limits_and_names() {
        assert_eq!(limit("None"), Some(Limit(None)));
        assert_eq!(limit("5"), Some(Limit(Some(5))));
        assert_eq!((limit("0"), limit("-1"), limit("x")), (None, None, None));
        assert_eq!(names("a, b").unwrap(), ["a", "b"]);
        assert_eq!(
            (names(""), names("a,,b"), names("a b"), names("{a}")),
            (None, None, None, None)
        );
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".*") {
            let _ = (switch(&text), duration(&text, Duration::from_secs(1)), limit(&text), names(&text), object(&text));
            argument(&text);
        }
    }
}
