//! Numbers that come from outside: what each may be, and the error that says so.
//!
//! Whoever reads a number names it with its range in one table, and checks it there. Must not know where a number
//! comes from.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::text::printable_up_to;

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Things: whole numbers.
    Count,
    /// A share or a difference: any number.
    Ratio,
    /// Time, in seconds.
    Seconds,
    /// Time, in milliseconds.
    Milliseconds,
    /// Memory or data, in bytes: whole numbers.
    Bytes,
}

/// What a number may be, both ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
    /// What it counts.
    pub unit: Unit,
}

impl Range {
    /// A range of numbers that count `unit`.
    pub const fn new(least: f64, most: f64, unit: Unit) -> Self {
        Self { least, most, unit }
    }

    /// Whether a number is in it. A number that is none never is.
    pub fn contains(&self, number: f64) -> bool {
        let whole = matches!(self.unit, Unit::Count | Unit::Bytes);
        number >= self.least && number <= self.most && (!whole || number.fract() == 0.0)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { least, most, unit } = *self;
        match unit {
            Unit::Count => write!(f, "a whole number from {least} to {most}"),
            Unit::Ratio => write!(f, "a number from {least} to {most}"),
            Unit::Seconds => write!(f, "seconds from {least} to {most}"),
            Unit::Milliseconds => write!(f, "milliseconds from {least} to {most}"),
            Unit::Bytes => write!(f, "a size from {} to {}", Size(least), Size(most)),
        }
    }
}

/// A number of bytes as people write it.
struct Size(f64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut number, mut unit) = (self.0, "");
        for larger in ["KiB", "MiB", "GiB"] {
            if number < 1024.0 || number % 1024.0 != 0.0 {
                break;
            }
            (number, unit) = (number / 1024.0, larger);
        }
        write!(f, "{number}{unit}")
    }
}

/// A number that comes from outside: its name and its range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounded {
    /// Its name, as the reader of an error knows it.
    pub name: &'static str,
    /// What it may be.
    pub range: Range,
}

/// A number that is not allowed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{name} = {value} is not allowed; give {range}")]
pub struct OutOfRange {
    /// The number's name.
    pub name: &'static str,
    /// What was given.
    pub value: String,
    /// What is allowed.
    pub range: Range,
}

impl Bounded {
    /// A number with its name and range.
    pub const fn new(name: &'static str, least: f64, most: f64, unit: Unit) -> Self {
        let range = Range::new(least, most, unit);
        Self { name, range }
    }

    /// The number, if it is in range.
    ///
    /// # Errors
    /// Names the number, its value and what is allowed.
    pub fn check(&self, number: f64) -> Result<f64, OutOfRange> {
        if self.range.contains(number) {
            return Ok(number);
        }
        Err(self.refuse(shown(number)))
    }

    /// The same for a whole number.
    ///
    /// # Errors
    /// The same.
    pub fn check_whole(&self, number: u64) -> Result<u64, OutOfRange> {
        if self.range.contains(number as f64) {
            return Ok(number);
        }
        Err(self.refuse(number))
    }

    /// A number as a file or a message has it; none where it has nothing.
    ///
    /// # Errors
    /// Names the number, its value and what is allowed.
    pub fn read(&self, given: &Given) -> Result<Option<f64>, OutOfRange> {
        match *given {
            Given::Nothing => Ok(None),
            Given::Whole(number) => self.check(number as f64).map(Some),
            Given::Number(number) => self.check(number).map(Some),
            Given::Other(ref text) => Err(self.refuse(text)),
        }
    }

    /// The same for a whole number.
    ///
    /// # Errors
    /// The same.
    pub fn read_whole(&self, given: &Given) -> Result<Option<u64>, OutOfRange> {
        match *given {
            Given::Nothing => Ok(None),
            Given::Whole(number) => self.check_whole(number).map(Some),
            // Some languages write every number with a fraction: 0.0.
            Given::Number(number) if number.fract() == 0.0 => {
                let number = self.check(number)?;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "whole and in a range of numbers from 0"
                )]
                Ok(Some(number as u64))
            }
            Given::Number(number) => Err(self.refuse(shown(number))),
            Given::Other(ref text) => Err(self.refuse(text)),
        }
    }

    /// The error for a value that is not allowed.
    pub fn refuse(&self, value: impl fmt::Display) -> OutOfRange {
        OutOfRange {
            name: self.name,
            value: printable_up_to(&value.to_string(), SHOWN).into_owned(),
            range: self.range,
        }
    }
}

/// Bytes of a value that an error shows.
const SHOWN: usize = 64;

/// A number without a row of zeros.
fn shown(number: f64) -> String {
    if number.abs() < 1e16 {
        number.to_string()
    } else {
        format!("{number:?}")
    }
}

/// What stands where a number is expected. Reading it never fails because of what it is, so that whoever checks it
/// can name it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Given {
    /// Nothing.
    Nothing,
    /// A whole number from 0.
    Whole(u64),
    /// Any other number.
    Number(f64),
    /// A text or anything else, as people would write it.
    Other(String),
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(GivenVisitor)
    }
}

struct GivenVisitor;

impl<'de> Visitor<'de> for GivenVisitor {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Given, E> {
        Ok(Given::Nothing)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Given, E> {
        Ok(Given::Other(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Given, E> {
        Ok(Given::Whole(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Given, E> {
        Ok(u64::try_from(value).map_or(Given::Number(value as f64), Given::Whole))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Given, E> {
        Ok(Given::Number(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Given, E> {
        Ok(Given::Other(value.to_owned()))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Given, A::Error> {
        while items.next_element::<de::IgnoredAny>()?.is_some() {}
        Ok(Given::Other("[…]".to_owned()))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<Given, A::Error> {
        while entries
            .next_entry::<de::IgnoredAny, de::IgnoredAny>()?
            .is_some()
        {}
        Ok(Given::Other("{…}".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TIME: Bounded = Bounded::new("timeout", 0.001, 60.0, Unit::Seconds);
    const SIZE: Bounded = Bounded::new("memory", 65_536.0, 1_073_741_824.0, Unit::Bytes);

    fn given(json: &str) -> Given {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_is_not_allowed_is_named_with_its_range() {
        for (json, shown) in [
            ("1e19", "1e19"),
            ("-1", "-1"),
            ("18446744073709551616", "1.8446744073709552e19"),
            ("\"1e\\u001b[1m\"", "1e"),
            ("true", "true"),
            ("[1]", "[…]"),
            ("{\"a\": 1}", "{…}"),
        ] {
            let error = TIME.read(&given(json)).unwrap_err().to_string();
            let wanted = format!("timeout = {shown} is not allowed; give seconds from 0.001 to 60");
            assert_eq!(error, wanted);
        }
        let error = SIZE.read_whole(&given("1.5")).unwrap_err().to_string();
        assert_eq!(
            error,
            "memory = 1.5 is not allowed; give a size from 64KiB to 1GiB"
        );
        assert_eq!(TIME.read(&given("null")), Ok(None));
        assert_eq!(SIZE.read_whole(&given("65536.0")), Ok(Some(65_536)));
        assert!(SIZE.read_whole(&given("-65536.0")).is_err());
        assert!(TIME.check(f64::NAN).is_err());
    }

    proptest! {
        #[test]
        fn a_number_is_in_range_or_an_error_names_it(number: f64, whole: u64) {
            for field in [TIME, SIZE] {
                let Range { least, most, .. } = field.range;
                match field.check(number) {
                    Ok(number) => prop_assert!(number >= least && number <= most),
                    Err(error) => prop_assert!(error.to_string().starts_with(field.name)),
                }
                match field.check_whole(whole) {
                    Ok(whole) => prop_assert!(whole as f64 >= least && whole as f64 <= most),
                    Err(error) => prop_assert!(error.to_string().contains(&whole.to_string())),
                }
            }
        }
    }
}
