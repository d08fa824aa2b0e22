//! How a case's outcome compares with what was expected. Pure.
//!
//! Must not know how problems are shown.

use std::fmt;

use chicory_runtime::How;
use serde_json::{Number, Value};
use similar::TextDiff;

use super::{Case, CaseError, Usage};

/// Why a case failed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Problem {
    /// The outcome is not the expected one.
    Outcome {
        /// A sentence, or a difference over several lines.
        reason: String,
    },
    /// It used more fuel than is allowed.
    Fuel {
        /// What it used.
        used: u64,
        /// What is allowed.
        limit: u64,
    },
    /// It used more than was recorded, by more than the tolerance.
    Growth {
        /// The unit: fuel, or bytes of memory.
        unit: &'static str,
        /// What it used.
        used: u64,
        /// What was recorded.
        recorded: u64,
        /// A fraction.
        tolerance: f64,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outcome { reason } => f.write_str(reason),
            Self::Fuel { used, limit } => {
                write!(
                    f,
                    "it used {used} units of fuel, above the limit of {limit}"
                )
            }
            Self::Growth {
                unit,
                used,
                recorded,
                tolerance,
            } => {
                let more = (*used as f64 / f64::max(*recorded as f64, 1.0) - 1.0) * 100.0;
                let tolerance = tolerance * 100.0;
                write!(
                    f,
                    "it used {used} {unit}, {more:.0} % above the recorded {recorded} (tolerance {tolerance:.0} %)"
                )
            }
        }
    }
}

/// Compares the outcome. An error is for an expectation that can't be read.
pub(super) fn end(case: &Case, how: &How) -> Result<Option<Problem>, CaseError> {
    let expected = case.result()?;
    let reason = match (expected, how) {
        (Some(expected), How::Returned(result)) => {
            let result: Value = serde_json::from_str(result.get()).map_err(CaseError::Result)?;
            (!matches(&expected, &result)).then(|| difference(&expected, &result))
        }
        (Some(_), how) => Some(format!(
            "expected a result, but it failed with {}: {}",
            how.error_name().unwrap_or_default(),
            how.message()
        )),
        (None, How::Returned(result)) => Some(format!(
            "expected {}, but it returned {result}",
            wanted(case)
        )),
        (None, how) => failed_otherwise(case, how),
    };
    Ok(reason.map(|reason| Problem::Outcome { reason }))
}

/// What is wrong where a failure was expected, and another one found.
fn failed_otherwise(case: &Case, how: &How) -> Option<String> {
    let name = how.error_name().unwrap_or_default();
    let message = how.message();
    let named = case.error.as_deref().is_none_or(|error| error == name);
    let told = case
        .message
        .as_deref()
        .is_none_or(|part| message.contains(part));
    if named && told {
        return None;
    }
    Some(format!(
        "expected {}, but it failed with {name}: {message}",
        wanted(case)
    ))
}

fn wanted(case: &Case) -> String {
    match (&case.error, &case.message) {
        (Some(error), Some(message)) => {
            format!("the error {error} with {message:?} in its message")
        }
        (Some(error), None) => format!("the error {error}"),
        (None, message) => format!(
            "an error with {:?} in its message",
            message.as_deref().unwrap_or_default()
        ),
    }
}

/// Whether a result is the expected one. A field that is null may be left out, and 1 is 1.0.
fn matches(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            let null = Value::Null;
            let keys = expected.keys().chain(found.keys());
            keys.into_iter().all(|key| {
                matches(
                    expected.get(key).unwrap_or(&null),
                    found.get(key).unwrap_or(&null),
                )
            })
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len()
                && expected
                    .iter()
                    .zip(found)
                    .all(|(expected, found)| matches(expected, found))
        }
        (Value::Number(expected), Value::Number(found)) => {
            expected == found
                || (one_is_a_float(expected, found) && expected.as_f64() == found.as_f64())
        }
        _ => expected == found,
    }
}

fn one_is_a_float(a: &Number, b: &Number) -> bool {
    a.is_f64() || b.is_f64()
}

fn difference(expected: &Value, found: &Value) -> String {
    let text = |value| format!("{value:#}\n");
    let (expected, found) = (text(expected), text(found));
    let lines = TextDiff::from_lines(&expected, &found);
    format!(
        "the result differs (- expected, + found):\n{}",
        lines.unified_diff().context_radius(2)
    )
}

/// Compares with the most fuel that is allowed.
pub(super) fn fuel(most: Option<u64>, used: Usage) -> Option<Problem> {
    let limit = most.filter(|most| used.fuel > *most)?;
    Some(Problem::Fuel {
        used: used.fuel,
        limit,
    })
}

/// Compares with what was recorded.
pub(super) fn growth(recorded: Option<Usage>, used: Usage, tolerance: f64) -> Vec<Problem> {
    let Some(recorded) = recorded else {
        return Vec::new();
    };
    let parts = [
        ("units of fuel", recorded.fuel, used.fuel),
        (
            "bytes of memory at its peak",
            recorded.peak_memory,
            used.peak_memory,
        ),
    ];
    let above =
        |(_, before, now): &(&str, u64, u64)| *now as f64 > *before as f64 * (1.0 + tolerance);
    let problem = |(unit, recorded, used)| Problem::Growth {
        unit,
        used,
        recorded,
        tolerance,
    };
    parts.into_iter().filter(above).map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn results_match_as_people_mean_them() {
        for (expected, found, same) in [
            (json!({"a": 1}), json!({"a": 1, "b": null}), true),
            (json!({"a": 1}), json!({"a": 1, "b": 2}), false),
            (json!([1, 2.0]), json!([1.0, 2]), true),
            (json!([1]), json!([1, 2]), false),
            (
                json!(9_007_199_254_740_993u64),
                json!(9_007_199_254_740_992u64),
                false,
            ),
            (json!("1"), json!(1), false),
        ] {
            assert_eq!(matches(&expected, &found), same, "{expected} {found}");
        }
    }

    #[test]
    fn differences_are_shown_by_line() {
        let text = difference(&json!({"a": 1, "b": 2}), &json!({"a": 1, "b": 3}));
        assert!(
            text.contains("-  \"b\": 2") && text.contains("+  \"b\": 3"),
            "{text}"
        );
    }

    #[test]
    fn a_growing_cost_is_a_problem_beyond_the_tolerance() {
        let usage = |fuel| Usage {
            fuel,
            peak_memory: 65_536,
        };
        assert!(growth(None, usage(9), 0.1).is_empty());
        assert!(growth(Some(usage(100)), usage(110), 0.1).is_empty());
        let problems = growth(Some(usage(100)), usage(150), 0.1);
        let text = problems[0].to_string();
        assert!(text.contains("50 % above the recorded 100"), "{text}");
        assert!(fuel(Some(10), usage(11)).is_some() && fuel(Some(10), usage(10)).is_none());
    }
}
