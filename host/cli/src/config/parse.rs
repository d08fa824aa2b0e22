//! From text to values: numbers, switches, durations, names. Each returns `None` for what is not allowed.
//!
//! Must not know settings.

use std::time::Duration;

use chicory_runtime::Bytes;
use chicory_signature::{Arguments, Bounded, Range, RawJson, Unit};

/// `true`, `1`, `yes`, `on`, and their opposites, in any case.
pub(crate) fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// What a range allows, as an error says it.
pub(super) fn allowed(range: Range) -> String {
    match range.unit {
        Unit::Seconds | Unit::Milliseconds => {
            format!("{range}, or a duration such as 500ms, 30s, 5m")
        }
        Unit::Bytes => format!("{range}, in bytes or such as 256MiB"),
        _ => range.to_string(),
    }
}

/// A duration within a range: a number in the range's unit, or with units of its own (`500ms`, `30s`, `1m 30s`, `2h`).
pub(crate) fn duration(text: &str, range: Range) -> Option<Duration> {
    let text = text.trim();
    let unit = match range.unit {
        Unit::Milliseconds => 1e-3,
        _ => 1.0,
    };
    let (number, duration) = if let Ok(number) = text.parse::<f64>() {
        (number, Duration::try_from_secs_f64(number * unit).ok()?)
    } else {
        let duration = humantime::parse_duration(text).ok()?;
        (duration.as_secs_f64() / unit, duration)
    };
    range.contains(number).then_some(duration)
}

/// A whole number within a range.
pub(crate) fn whole(text: &str, range: Range) -> Option<u64> {
    let number: u64 = text.trim().parse().ok()?;
    range.contains(number as f64).then_some(number)
}

/// A size within a range, in bytes or with a unit.
pub(crate) fn size(text: &str, range: Range) -> Option<u64> {
    let bytes = text.parse::<Bytes>().ok()?.into();
    range.contains(bytes as f64).then_some(bytes)
}

/// A number, or no limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) Option<u64>);

/// A limit: a number within a range, or `none`.
pub(crate) fn limit(text: &str, range: Range) -> Option<Limit> {
    if text.eq_ignore_ascii_case("none") {
        return Some(Limit(None));
    }
    whole(text, range).map(|number| Limit(Some(number)))
}

/// How long a flag may tell to wait, from no time to ten years.
const WAIT: Range = Range::new(0.0, 315_360_000.0, Unit::Seconds);
/// The same where no time makes no sense, up to 30 days.
const SOME_TIME: Range = Range::new(0.001, 2_592_000.0, Unit::Seconds);

/// How many entries a flag may ask to list.
pub(crate) const LISTED: Bounded = Bounded::new("count", 0.0, 1e6, Unit::Count);

/// A duration, for flags: in seconds where it has no unit.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    duration(text, WAIT).ok_or_else(|| refused(text, WAIT))
}

/// The same where no time makes no sense.
pub(crate) fn some_seconds(text: &str) -> Result<Duration, String> {
    duration(text, SOME_TIME).ok_or_else(|| refused(text, SOME_TIME))
}

/// Reads a number of this range, for a flag.
pub(crate) fn number(
    field: Bounded,
) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.trim().parse().ok();
        let number = number.filter(|number| field.range.contains(*number));
        number.ok_or_else(|| refused(text, field.range))
    }
}

/// The same for a whole number.
pub(crate) fn whole_number<N: TryFrom<u64>>(
    field: Bounded,
) -> impl Fn(&str) -> Result<N, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = whole(text, field.range).and_then(|number| N::try_from(number).ok());
        number.ok_or_else(|| refused(text, field.range))
    }
}

fn refused(text: &str, range: Range) -> String {
    format!("{text:?} is not allowed; give {}", allowed(range))
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

    const MS: Range = Range::new(0.0, 1e9, Unit::Milliseconds);

    #[test]
    fn durations_with_and_without_a_unit() {
        for (text, expected) in [
            ("250", 250),
            ("1.5", 2),
            ("2s", 2_000),
            ("1m 30s", 90_000),
            ("1h", 3_600_000),
            ("0", 0),
        ] {
            let got = duration(text, MS).unwrap().as_micros().div_ceil(1_000);
            assert_eq!(got, expected, "{text}");
        }
        for text in [
            "",
            "-1",
            "soon",
            "1 parsec",
            "NaN",
            "inf",
            "1e400",
            "1e10",
            "999999999999999999y",
            "100000000h",
        ] {
            assert_eq!(duration(text, MS), None, "{text}");
        }
        let error = seconds("100000000h").unwrap_err();
        assert_eq!(
            error,
            "\"100000000h\" is not allowed; give seconds from 0 to 315360000, or a duration such as 500ms, 30s, 5m"
        );
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
        let range = Range::new(1.0, 9.0, Unit::Count);
        assert_eq!(limit("None", range), Some(Limit(None)));
        assert_eq!(limit("5", range), Some(Limit(Some(5))));
        for text in ["0", "10", "-1", "x", "18446744073709551616"] {
            assert_eq!(limit(text, range), None, "{text}");
        }
        assert_eq!(names("a, b").unwrap(), ["a", "b"]);
        assert_eq!(
            (names(""), names("a,,b"), names("a b"), names("{a}")),
            (None, None, None, None)
        );
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".*") {
            let _ = (switch(&text), seconds(&text), limit(&text, WAIT), names(&text), object(&text));
            argument(&text);
        }
    }
}
