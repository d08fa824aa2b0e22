//! Sizes in bytes, as people write them in a manifest: `65536`, `"64KiB"`, `"64 MiB"`, `"1GB"`.
//!
//! Must not know what is measured.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of bytes. Reads a number or a string with a unit; writes a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(u64);

/// Text that is not a size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size; write a number of bytes, or one with KiB, MiB, GiB, kB, MB or GB")]
pub struct SizeError(String);

impl From<u64> for Bytes {
    fn from(bytes: u64) -> Self {
        Bytes(bytes)
    }
}

impl From<Bytes> for u64 {
    fn from(bytes: Bytes) -> Self {
        bytes.0
    }
}

impl std::str::FromStr for Bytes {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || SizeError(text.to_owned());
        let text = text.trim();
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        number.checked_mul(factor).map(Bytes).ok_or_else(wrong)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of bytes, or a string such as \"64MiB\"")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Bytes, E> {
        Ok(Bytes(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Bytes, E> {
        let negative = || E::invalid_value(de::Unexpected::Signed(value), &self);
        u64::try_from(value).map(Bytes).map_err(|_| negative())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Bytes, E> {
        value.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_units() {
        for (text, bytes) in [
            ("0", 0),
            ("64KiB", 65_536),
            ("1 mib", 1 << 20),
            ("2GB", 2_000_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for text in ["", "MiB", "1.5MiB", "-1", "64 miles", "99999999999GiB"] {
            assert_eq!(text.parse::<Bytes>(), Err(SizeError(text.to_owned())));
        }
    }

    #[test]
    fn json_has_numbers_or_strings() {
        assert_eq!(serde_json::from_str::<Bytes>("7").unwrap(), Bytes(7));
        assert_eq!(
            serde_json::from_str::<Bytes>("\"7KiB\"").unwrap(),
            Bytes(7168)
        );
        assert!(serde_json::from_str::<Bytes>("-7").is_err());
        assert_eq!(serde_json::to_string(&Bytes(7)).unwrap(), "7");
    }
}
