//! A call's limits: as a manifest gives them, how they combine, and what is in force.
//!
//! What each may be is in [`mod@range`]. Must not know how a limit is kept.

mod range;

use std::time::Duration;

use chicory_signature::OutOfRange;
use serde::Serialize;

pub use self::range::{LIMIT_NAMES, LIMITS, Limit};
use crate::size::Bytes;

/// Limits as a manifest gives them. A missing one comes from the level above. What each may be is in [`LIMITS`];
/// reading one that is out of range fails with an error that names it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Limits {
    /// Wall clock, in seconds. Default 300.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
    /// CPU time in seconds, without waiting. Unlimited by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_time: Option<f64>,
    /// All memories together, in bytes or as `"64MiB"`, and with them what the host holds for the call above 16 MiB:
    /// arguments and result as the sandbox takes them, headers, buffers, log. Default: what the worker allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    /// All tables together, in elements. Default 100,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_elements: Option<u64>,
    /// Fuel, about one unit per instruction. Off by default, because counting it makes the guest slower.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Standard output and error together. Default 1 MiB; the rest is dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<Bytes>,
    /// Lines of `chicory:task/log`. Default 1 MiB; the rest is dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_bytes: Option<Bytes>,
    /// Arguments as JSON. Default 16 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args_bytes: Option<Bytes>,
    /// The result as JSON. Default 16 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_bytes: Option<Bytes>,
    /// How much memory of the host the values of one call from the guest to the host may take. Default 128 MiB.
    /// Arguments and results have limits of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_call_bytes: Option<Bytes>,
    /// What one call may write to its directories. Default 64 MiB; a write above that fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_bytes: Option<Bytes>,
}

impl Limits {
    /// What holds where nothing is said. Memory is what the worker allows, so it is not set.
    pub fn defaults() -> Limits {
        let defaults = ResolvedLimits::resolve(&Limits::default(), u64::MAX);
        Limits {
            memory: None,
            ..defaults.map(|held| held.as_limits()).unwrap_or_default()
        }
    }

    /// These limits, and those of `fallback` for what they don't set.
    #[must_use]
    pub fn or(&self, fallback: &Limits) -> Limits {
        let mut both = fallback.clone();
        for limit in &LIMITS {
            if let Some(own) = limit.of(self) {
                limit.set(&mut both, own);
            }
        }
        both
    }
}

/// The limits that apply to one task, resolved once when its module is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedLimits {
    /// Wall clock.
    pub timeout: Duration,
    /// CPU time.
    pub cpu_time: Option<Duration>,
    /// All memories together, in bytes.
    pub memory: u64,
    /// All tables together, in elements.
    pub table_elements: u64,
    /// Units of fuel.
    pub fuel: Option<u64>,
    /// Standard output and error, in bytes.
    pub output_bytes: u64,
    /// Log lines, in bytes.
    pub log_bytes: u64,
    /// Arguments as JSON, in bytes.
    pub args_bytes: u64,
    /// The result as JSON, in bytes.
    pub result_bytes: u64,
    /// What one host call may allocate, in bytes.
    pub host_call_bytes: u64,
    /// What one call may write to its directories, in bytes.
    pub write_bytes: u64,
}

/// A limit that can't be set.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// More memory than a task may have on this worker.
    #[error(
        "memory = {asked} bytes is above this worker's limit of {ceiling} bytes; lower it, or raise the worker's max_memory"
    )]
    Memory {
        /// What was asked for, in bytes.
        asked: u64,
        /// The worker's limit, in bytes.
        ceiling: u64,
    },
    /// A limit that is out of its range.
    #[error(transparent)]
    Range(#[from] OutOfRange),
    /// Fuel, in a module whose code doesn't count it.
    #[error("fuel is not counted: the module was loaded without a limit of fuel")]
    Uncounted,
}

const MIB: u64 = 1 << 20;

impl ResolvedLimits {
    /// These limits as a manifest would give them.
    pub(crate) fn as_limits(&self) -> Limits {
        Limits {
            timeout: Some(self.timeout.as_secs_f64()),
            cpu_time: self.cpu_time.map(|limit| limit.as_secs_f64()),
            memory: Some(self.memory.into()),
            table_elements: Some(self.table_elements),
            fuel: self.fuel,
            output_bytes: Some(self.output_bytes.into()),
            log_bytes: Some(self.log_bytes.into()),
            args_bytes: Some(self.args_bytes.into()),
            result_bytes: Some(self.result_bytes.into()),
            host_call_bytes: Some(self.host_call_bytes.into()),
            write_bytes: Some(self.write_bytes.into()),
        }
    }

    /// Fills in the defaults. `ceiling` is the maximum memory of a task on this worker.
    ///
    /// # Errors
    /// Names the limit that can't be set, and what is allowed.
    pub fn resolve(limits: &Limits, ceiling: u64) -> Result<ResolvedLimits, LimitError> {
        for limit in &LIMITS {
            if let Some(given) = limit.of(limits) {
                limit.bounded.check(given)?;
            }
        }
        let memory = limits.memory.map_or(ceiling, u64::from);
        if memory > ceiling {
            let asked = memory;
            return Err(LimitError::Memory { asked, ceiling });
        }
        let or = |given: Option<Bytes>, default: u64| given.map_or(default, u64::from);
        Ok(ResolvedLimits {
            timeout: seconds(limits.timeout).unwrap_or(Duration::from_mins(5)),
            cpu_time: seconds(limits.cpu_time),
            memory,
            table_elements: limits.table_elements.unwrap_or(100_000),
            fuel: limits.fuel,
            output_bytes: or(limits.output_bytes, MIB),
            log_bytes: or(limits.log_bytes, MIB),
            args_bytes: or(limits.args_bytes, 16 * MIB),
            result_bytes: or(limits.result_bytes, 16 * MIB),
            host_call_bytes: or(limits.host_call_bytes, 128 * MIB),
            write_bytes: or(limits.write_bytes, 64 * MIB),
        })
    }
}

/// A time in seconds, of which the range has been checked.
fn seconds(given: Option<f64>) -> Option<Duration> {
    given.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::ModuleSettings;

    #[test]
    fn the_task_goes_before_the_module_and_the_module_before_the_defaults() {
        let settings: ModuleSettings = serde_json::from_value(serde_json::json!({
            "limits": {"timeout": 10, "memory": "32MiB"},
            "task_limits": {"slow": {"timeout": 90.5}},
        }))
        .unwrap();
        let slow = settings.task_limits["slow"].or(&settings.limits);
        let slow = ResolvedLimits::resolve(&slow, 64 * MIB).unwrap();
        assert_eq!(slow.timeout, Duration::from_millis(90_500));
        assert_eq!(slow.memory, 32 * MIB);
        assert_eq!(slow.result_bytes, 16 * MIB);
    }

    #[test]
    fn limits_in_force_can_be_given_again() {
        let limits = Limits {
            timeout: Some(1.5),
            fuel: Some(7),
            ..Limits::default()
        };
        let held = ResolvedLimits::resolve(&limits, MIB).unwrap();
        assert_eq!(
            ResolvedLimits::resolve(&held.as_limits(), MIB).unwrap(),
            held
        );
    }

    #[test]
    fn impossible_limits_are_named() {
        let above = Limits {
            memory: Some(Bytes::from(2 * MIB)),
            ..Limits::default()
        };
        assert!(
            ResolvedLimits::resolve(&above, MIB)
                .unwrap_err()
                .to_string()
                .starts_with("memory = 2097152")
        );
        for (limits, named) in [
            (
                Limits {
                    timeout: Some(0.0),
                    ..Limits::default()
                },
                "timeout = 0 is not allowed; give seconds from ",
            ),
            (
                Limits {
                    cpu_time: Some(f64::NAN),
                    ..Limits::default()
                },
                "cpu_time = NaN is not allowed; give seconds from ",
            ),
            (
                Limits {
                    fuel: Some(u64::MAX),
                    ..Limits::default()
                },
                "fuel = ",
            ),
        ] {
            let error = ResolvedLimits::resolve(&limits, MIB).unwrap_err();
            assert!(error.to_string().starts_with(named), "{error}");
        }
    }
}
