//! The retry policy: how many retries, how long between them, and after which errors.
//!
//! Only a formula. Must not know outcomes, messages or brokers.

use std::time::Duration;

use chicory_registry::stable_hash;
use chicory_signature::{Bounded, Given, OutOfRange, Unit};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// How the delay grows from retry to retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backoff {
    /// `retry_delay` each time.
    Fixed,
    /// `retry_delay * n` before the n-th retry.
    Linear,
    /// `retry_delay * 2^(n-1)` before the n-th retry.
    #[default]
    Exponential,
}

/// What happens when a task fails. Without a policy, [`RetryPolicy::none`] applies; a policy that omits fields takes
/// them from [`RetryPolicy::default`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryPolicy {
    /// Retries after the first attempt; 0 for none. In the range [`RetryPolicy::RETRIES`].
    #[serde(deserialize_with = "max_retries")]
    pub max_retries: u32,
    /// Base delay, seconds. In the range [`RetryPolicy::DELAY`].
    #[serde(deserialize_with = "retry_delay")]
    pub retry_delay: f64,
    /// How the delay grows.
    pub backoff: Backoff,
    /// Longest delay before jitter, seconds. In the range [`RetryPolicy::LONGEST_DELAY`].
    #[serde(deserialize_with = "max_delay")]
    pub max_delay: f64,
    /// Whether each delay is varied by up to 25 % either way.
    pub jitter: bool,
    /// Names of errors to retry; `None` means all.
    pub retry_on: Option<Vec<String>>,
    /// Names of errors that are never retried; takes precedence over `retry_on`.
    pub ignore_on: Option<Vec<String>>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 3,
            retry_delay: 1.0,
            backoff: Backoff::Exponential,
            max_delay: 3600.0,
            jitter: true,
            retry_on: None,
            ignore_on: None,
        }
    }
}

fn max_retries<'de, D: Deserializer<'de>>(number: D) -> Result<u32, D::Error> {
    let given = Given::deserialize(number)?;
    let read = RetryPolicy::RETRIES.read_whole(&given);
    let whole = read.and_then(|whole| whole.ok_or_else(|| RetryPolicy::RETRIES.refuse("null")));
    let whole = whole.map_err(D::Error::custom)?;
    u32::try_from(whole).map_err(D::Error::custom)
}

fn retry_delay<'de, D: Deserializer<'de>>(number: D) -> Result<f64, D::Error> {
    seconds(RetryPolicy::DELAY, number)
}

fn max_delay<'de, D: Deserializer<'de>>(number: D) -> Result<f64, D::Error> {
    seconds(RetryPolicy::LONGEST_DELAY, number)
}

fn seconds<'de, D: Deserializer<'de>>(field: Bounded, number: D) -> Result<f64, D::Error> {
    let given = Given::deserialize(number)?;
    let read = field.read(&given);
    let seconds = read.and_then(|seconds| seconds.ok_or_else(|| field.refuse("null")));
    seconds.map_err(D::Error::custom)
}

/// A year, in seconds.
const YEAR: f64 = 31_536_000.0;

impl RetryPolicy {
    /// The range of `max_retries`.
    pub const RETRIES: Bounded = Bounded::new("max_retries", 0.0, 1e6, Unit::Count);
    /// The range of `retry_delay`.
    pub const DELAY: Bounded = Bounded::new("retry_delay", 0.0, YEAR, Unit::Seconds);
    /// The range of `max_delay`.
    pub const LONGEST_DELAY: Bounded = Bounded::new("max_delay", 0.0, YEAR, Unit::Seconds);

    /// The longest delay that a task can ask for: the longest that a policy can have.
    pub(crate) const LONGEST: Duration = Duration::from_hours(365 * 24);

    /// Checks the numbers of a policy that was built in code. A policy that was read has already been checked.
    ///
    /// # Errors
    /// Names the number, its value and what is allowed.
    pub fn check(&self) -> Result<(), OutOfRange> {
        Self::RETRIES.check(self.max_retries.into())?;
        Self::DELAY.check(self.retry_delay)?;
        Self::LONGEST_DELAY.check(self.max_delay)?;
        Ok(())
    }

    /// No retries.
    pub fn none() -> Self {
        Self {
            max_retries: 0,
            ..Self::default()
        }
    }

    /// Whether a failure with this name may be retried. The last part of a name (`ConnectionError` of
    /// `myapp.errors.ConnectionError`) matches as well.
    pub fn covers(&self, error: &str) -> bool {
        let listed = |names: &[String]| names.iter().any(|name| same_error(name, error));
        if self.ignore_on.as_deref().is_some_and(listed) {
            return false;
        }
        self.retry_on.as_deref().is_none_or(listed)
    }

    /// The delay before the `retry`-th retry (from 1) of the message `id`.
    ///
    /// Jitter depends on the message and the retry, not on chance, so a decision can be computed again with the same
    /// result.
    pub fn delay(&self, retry: u32, id: &str) -> Duration {
        let number = f64::from(retry.max(1));
        let grown = match self.backoff {
            Backoff::Fixed => self.retry_delay,
            Backoff::Linear => self.retry_delay * number,
            Backoff::Exponential => self.retry_delay * (number - 1.0).exp2(),
        };
        let capped = grown.min(self.max_delay);
        let seconds = if self.jitter {
            capped * (0.75 + 0.5 * spread(id, retry))
        } else {
            capped
        };
        Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
    }
}

fn same_error(listed: &str, error: &str) -> bool {
    listed == error || listed.rsplit('.').next() == error.rsplit('.').next()
}

/// A number from 0 up to 1 that depends only on the message and the retry.
fn spread(id: &str, retry: u32) -> f64 {
    let hash = stable_hash(id.bytes().chain(retry.to_le_bytes()));
    (hash % 10_000) as f64 / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn grows_as_named() {
        let delays = |backoff| {
            let policy = RetryPolicy {
                backoff,
                jitter: false,
                max_delay: 5.0,
                ..RetryPolicy::default()
            };
            [1, 2, 3, 4].map(|n| policy.delay(n, "a").as_secs())
        };
        assert_eq!(delays(Backoff::Fixed), [1, 1, 1, 1]);
        assert_eq!(delays(Backoff::Linear), [1, 2, 3, 4]);
        assert_eq!(delays(Backoff::Exponential), [1, 2, 4, 5]);
    }

    #[test]
    fn ignore_goes_before_retry() {
        let policy = RetryPolicy {
            retry_on: Some(vec!["Timeout".into(), "myapp.NotYet".into()]),
            ignore_on: Some(vec!["Timeout".into()]),
            ..RetryPolicy::default()
        };
        assert!(!policy.covers("Timeout"));
        assert!(policy.covers("NotYet"));
        assert!(!policy.covers("Trap"));
    }

    #[test]
    fn a_misspelt_key_is_an_error() {
        let error = serde_json::from_str::<RetryPolicy>(r#"{"max_retry": 3}"#).unwrap_err();
        assert!(error.to_string().contains("max_retries"), "{error}");
    }

    #[test]
    fn jitter_spreads_messages_and_retries() {
        let policy = RetryPolicy::default();
        let ids = (0..100).map(|number| format!("0193-{number:08x}"));
        let mut delays: Vec<_> = ids.map(|id| policy.delay(1, &id)).collect();
        delays.sort();
        delays.dedup();
        assert!(delays.len() > 90, "{}", delays.len());
        let share =
            |retry| policy.delay(retry, "a").as_secs_f64() / policy.delay(1, "a").as_secs_f64();
        assert!(
            (share(2) - 2.0).abs() > f64::EPSILON,
            "the second delay has a jitter of its own"
        );
    }

    /// Case M5: delays that are negative, not numbers, or longer than any clock.
    #[test]
    fn a_number_out_of_range_is_named() {
        for (json, named) in [
            (
                r#"{"retry_delay": -1}"#,
                "retry_delay = -1 is not allowed; give seconds from 0 to 31536000",
            ),
            (r#"{"max_delay": -5}"#, "max_delay = -5 "),
            (r#"{"retry_delay": 1e308}"#, "retry_delay = 1e308 "),
            (r#"{"retry_delay": "inf"}"#, "retry_delay = inf "),
            (
                r#"{"max_retries": 4294967295}"#,
                "max_retries = 4294967295 ",
            ),
            (r#"{"max_retries": 1.5}"#, "max_retries = 1.5 "),
            (r#"{"max_retries": null}"#, "max_retries = null "),
        ] {
            let error = serde_json::from_str::<RetryPolicy>(json).unwrap_err();
            assert!(error.to_string().starts_with(named), "{error}");
        }
        let made = RetryPolicy {
            retry_delay: f64::NAN,
            ..RetryPolicy::default()
        };
        assert!(made.check().is_err() && RetryPolicy::default().check().is_ok());
        assert!(
            made.delay(3, "a") < Duration::from_hours(2),
            "and harms nobody"
        );
    }

    proptest! {
        #[test]
        fn a_policy_is_in_range_or_an_error_names_the_number(
            field in prop::sample::select(vec!["max_retries", "retry_delay", "max_delay"]),
            number: f64,
            retry: u32,
        ) {
            let json = serde_json::json!({ field: number });
            match serde_json::from_value::<RetryPolicy>(json) {
                Ok(policy) => {
                    prop_assert!(policy.check().is_ok());
                    prop_assert!(policy.delay(retry, "a") <= Duration::from_hours(11_000));
                }
                Err(error) => prop_assert!(error.to_string().starts_with(field), "{error}"),
            }
        }

        #[test]
        fn jitter_stays_within_a_quarter(retry in 1u32..2000, base in 0.0f64..1e6, id in ".*") {
            let plain = RetryPolicy { retry_delay: base, jitter: false, ..RetryPolicy::default() };
            let moved = RetryPolicy { jitter: true, ..plain.clone() };
            let (want, got) = (plain.delay(retry, &id).as_secs_f64(), moved.delay(retry, &id).as_secs_f64());
            prop_assert!(got >= want * 0.75 - 1e-6 && got <= want * 1.25 + 1e-6, "{got} for {want}");
        }
    }
}
