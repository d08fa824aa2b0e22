//! What each limit may be, in one table, by which limits are read and checked.
//!
//! Must not know which limits are in force.

use std::fmt;

use chicory_signature::{Bounded, Given, Unit};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use super::Limits;
use crate::size::Bytes;

/// A limit: its name and range, and where it is in [`Limits`].
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Its name in a manifest, and its range. Whole numbers are below 2^53.
    pub bounded: Bounded,
    get: fn(&Limits) -> Option<f64>,
    set: fn(&mut Limits, f64),
}

/// 30 days.
const LONGEST: f64 = 2_592_000.0;
const GIB: f64 = 1_073_741_824.0;

/// All limits.
pub static LIMITS: [Limit; 11] = [
    Limit {
        bounded: Bounded::new("timeout", 0.001, LONGEST, Unit::Seconds),
        get: |limits| limits.timeout,
        set: |limits, value| limits.timeout = Some(value),
    },
    Limit {
        bounded: Bounded::new("cpu_time", 0.001, LONGEST, Unit::Seconds),
        get: |limits| limits.cpu_time,
        set: |limits, value| limits.cpu_time = Some(value),
    },
    Limit {
        bounded: Bounded::new("memory", 0.0, 256.0 * GIB, Unit::Bytes),
        get: |limits| bytes(limits.memory),
        set: |limits, value| limits.memory = Some(whole(value).into()),
    },
    Limit {
        bounded: Bounded::new("table_elements", 0.0, 1e7, Unit::Count),
        get: |limits| limits.table_elements.map(|elements| elements as f64),
        set: |limits, value| limits.table_elements = Some(whole(value)),
    },
    Limit {
        bounded: Bounded::new("fuel", 1.0, 1e15, Unit::Count),
        get: |limits| limits.fuel.map(|fuel| fuel as f64),
        set: |limits, value| limits.fuel = Some(whole(value)),
    },
    Limit {
        bounded: Bounded::new("output_bytes", 0.0, 4.0 * GIB, Unit::Bytes),
        get: |limits| bytes(limits.output_bytes),
        set: |limits, value| limits.output_bytes = Some(whole(value).into()),
    },
    Limit {
        bounded: Bounded::new("log_bytes", 0.0, 4.0 * GIB, Unit::Bytes),
        get: |limits| bytes(limits.log_bytes),
        set: |limits, value| limits.log_bytes = Some(whole(value).into()),
    },
    Limit {
        bounded: Bounded::new("args_bytes", 0.0, 4.0 * GIB, Unit::Bytes),
        get: |limits| bytes(limits.args_bytes),
        set: |limits, value| limits.args_bytes = Some(whole(value).into()),
    },
    Limit {
        bounded: Bounded::new("result_bytes", 0.0, 4.0 * GIB, Unit::Bytes),
        get: |limits| bytes(limits.result_bytes),
        set: |limits, value| limits.result_bytes = Some(whole(value).into()),
    },
    Limit {
        bounded: Bounded::new("host_call_bytes", 0.0, 4.0 * GIB, Unit::Bytes),
        get: |limits| bytes(limits.host_call_bytes),
        set: |limits, value| limits.host_call_bytes = Some(whole(value).into()),
    },
    Limit {
        bounded: Bounded::new("write_bytes", 0.0, 1024.0 * GIB, Unit::Bytes),
        get: |limits| bytes(limits.write_bytes),
        set: |limits, value| limits.write_bytes = Some(whole(value).into()),
    },
];

/// The names in [`LIMITS`].
pub const LIMIT_NAMES: [&str; 11] = {
    let mut names = [""; LIMITS.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = LIMITS[index].bounded.name;
        index += 1;
    }
    names
};

impl Limit {
    /// The limit of this name.
    pub fn named(name: &str) -> Option<&'static Limit> {
        LIMITS.iter().find(|limit| limit.bounded.name == name)
    }

    /// Its value, if it is set.
    pub fn of(&self, limits: &Limits) -> Option<f64> {
        (self.get)(limits)
    }

    /// Sets its value, which must be in range.
    pub fn set(&self, limits: &mut Limits, value: f64) {
        (self.set)(limits, value);
    }
}

fn bytes(given: Option<Bytes>) -> Option<f64> {
    given.map(|bytes| u64::from(bytes) as f64)
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "its range has been checked"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

/// Reads one limit: a size may have a unit.
impl<'de> DeserializeSeed<'de> for &'static Limit {
    type Value = Option<f64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<f64>, D::Error> {
        let mut given: Given = serde::Deserialize::deserialize(deserializer)?;
        if let (Unit::Bytes, Given::Other(text)) = (self.bounded.range.unit, &given)
            && let Ok(size) = text.parse::<Bytes>()
        {
            given = Given::Whole(size.into());
        }
        let read = match self.bounded.range.unit {
            Unit::Seconds => self.bounded.read(&given),
            _ => self
                .bounded
                .read_whole(&given)
                .map(|whole| whole.map(|whole| whole as f64)),
        };
        read.map_err(D::Error::custom)
    }
}

/// Finds the limit of a name.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = &'static Limit;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let name: String = serde::Deserialize::deserialize(deserializer)?;
        Limit::named(&name).ok_or_else(|| D::Error::unknown_field(&name, &LIMIT_NAMES))
    }
}

impl<'de> serde::Deserialize<'de> for Limits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LimitsVisitor)
    }
}

struct LimitsVisitor;

impl<'de> Visitor<'de> for LimitsVisitor {
    type Value = Limits;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("limits")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Limits, A::Error> {
        let mut limits = Limits::default();
        while let Some(limit) = entries.next_key_seed(Name)? {
            if let Some(value) = entries.next_value_seed(limit)? {
                limit.set(&mut limits, value);
            }
        }
        Ok(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use crate::limits::ResolvedLimits;

    #[test]
    fn the_table_has_every_limit_under_its_own_name() {
        for limit in &LIMITS {
            let most = limit.bounded.range.most;
            let mut limits = Limits::default();
            limit.set(&mut limits, most);
            assert_eq!(limit.of(&limits), Some(most));
            let json = serde_json::to_value(&limits).unwrap();
            let only: Vec<_> = json.as_object().unwrap().keys().collect();
            assert_eq!(only, [limit.bounded.name]);
            assert_eq!(serde_json::from_value::<Limits>(json).unwrap(), limits);
        }
    }

    /// Case M5, whatever a manifest has as a limit.
    fn hostile() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            prop::sample::select(vec![
                json!(1e19),
                json!(1e308),
                json!(-1),
                json!(-0.0),
                json!(u64::MAX),
                json!("nan"),
                json!("64GiB"),
                json!("18446744073709551615GiB"),
                json!("-1MiB"),
                json!(true),
                json!([1]),
                json!({"a": 1}),
            ]),
            ".*".prop_map(Value::from),
        ]
    }

    proptest! {
        #[test]
        fn a_limit_is_in_range_or_an_error_names_it(index in 0..LIMITS.len(), value in hostile()) {
            let limit = &LIMITS[index];
            let name = limit.bounded.name;
            match serde_json::from_value::<Limits>(json!({name: value})) {
                Ok(limits) => {
                    if let Some(read) = limit.of(&limits) {
                        prop_assert!(limit.bounded.range.contains(read));
                    }
                    prop_assert!(ResolvedLimits::resolve(&limits, u64::MAX).is_ok());
                }
                Err(error) => {
                    let error = error.to_string();
                    prop_assert!(error.starts_with(name) && error.contains("is not allowed; give"), "{error}");
                }
            }
        }
    }
}
