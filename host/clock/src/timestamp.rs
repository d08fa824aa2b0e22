//! Points in time as the wire has them: ISO 8601 in messages, seconds since 1970 as sorted-set scores.
//!
//! Must not know what a time is used for.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time, UTC, to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A text that is not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a time{reason}: give ISO 8601 in the years 1 to 9999, such as 2026-01-31T09:00:00Z or \
     2026-01-31T09:00:00[Europe/Berlin]"
)]
pub struct InvalidTime {
    text: String,
    /// What is wrong with it, where that is known, in parentheses.
    reason: String,
}

impl Timestamp {
    /// The earliest time that ISO 8601 writes with four digits for the year.
    pub const EARLIEST: Self = Self(-62_135_596_800_000_000);
    /// The latest one: the 30th of December 9999, so that it is a time in every zone.
    pub const LATEST: Self = Self(253_402_128_000_000_000);

    /// From microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// From seconds since 1970, as a sorted set's score has them. Not a number becomes 1970.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "float to integer saturates, as wanted"
    )]
    pub fn from_seconds(seconds: f64) -> Self {
        Self((seconds * 1e6).round() as i64)
    }

    /// Seconds since 1970.
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// What the system's clock shows.
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_microsecond())
    }

    /// This time plus `duration`, at most [`Timestamp::LATEST`].
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros)).min(Self::LATEST)
    }

    /// How long from `earlier` to this time; zero where it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This time without its fraction of a second, as people read it.
    #[must_use]
    pub const fn whole_seconds(self) -> Self {
        const SECOND: i64 = 1_000_000;
        Self(self.0.div_euclid(SECOND) * SECOND)
    }

    /// Reads ISO 8601 (RFC 3339), with `T` or a space; without an offset it is taken as UTC. A time zone may follow in
    /// brackets (RFC 9557): `2026-01-31T09:00:00[Europe/Berlin]`.
    ///
    /// # Errors
    /// Where the text is not a time in the years 1 to 9999, where the zone is not known, and where it never has the offset
    /// that is given beside it.
    pub fn parse(text: &str) -> Result<Self, InvalidTime> {
        let invalid = |reason: String| InvalidTime {
            text: text.to_owned(),
            reason,
        };
        let time = if text.contains('[') {
            let zoned = text.parse::<jiff::ZonedDateTime>();
            let time = zoned.map_err(|error| invalid(format!(" ({error})")))?;
            time.timestamp()
        } else {
            let instant = text.parse::<jiff::Timestamp>();
            let time = instant.or_else(|_| {
                let civil = text.parse::<jiff::civil::DateTime>()?;
                jiff::tz::TimeZone::UTC.to_timestamp(civil)
            });
            time.map_err(|_| invalid(String::new()))?
        };
        let time = Self(time.as_microsecond());
        if (Self::EARLIEST..=Self::LATEST).contains(&time) {
            return Ok(time);
        }
        Err(invalid(String::new()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => time.fmt(f),
            Err(_) => write!(f, "{}", self.as_seconds()),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimestampVisitor)
    }
}

struct TimestampVisitor;

impl de::Visitor<'_> for TimestampVisitor {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time: ISO 8601 text, or seconds since 1970")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
        Timestamp::parse(text).map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Timestamp, E> {
        Ok(Timestamp::from_seconds(seconds))
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Timestamp, E> {
        Ok(Timestamp::from_seconds(seconds as f64))
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Timestamp, E> {
        Ok(Timestamp::from_seconds(seconds as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_python_writes() {
        let utc = Timestamp::parse("2024-12-25T09:00:00Z").unwrap();
        assert_eq!(Timestamp::parse("2024-12-25T10:00:00+01:00").unwrap(), utc);
        assert_eq!(Timestamp::parse("2024-12-25 09:00:00").unwrap(), utc);
        assert_eq!(utc.to_string(), "2024-12-25T09:00:00Z");
        assert!(
            Timestamp::parse("tomorrow")
                .unwrap_err()
                .to_string()
                .contains("ISO 8601")
        );
    }

    /// Case Q20.
    #[test]
    fn a_zone_is_read_or_refused() {
        let parse = |text: &str| Timestamp::parse(text).map(|time| time.to_string());
        for (text, expected) in [
            ("2030-06-01T09:00:00[Europe/Berlin]", "2030-06-01T07:00:00Z"),
            ("2030-01-01 09:00:00[Europe/Berlin]", "2030-01-01T08:00:00Z"),
            (
                "2030-06-01T09:00:00+02:00[Europe/Berlin]",
                "2030-06-01T07:00:00Z",
            ),
            ("2030-06-01T09:00:00[+02:00]", "2030-06-01T07:00:00Z"),
            ("2030-06-01T09:00:00[UTC]", "2030-06-01T09:00:00Z"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(expected), "{text}");
        }
        for text in [
            "2030-06-01T09:00:00[Europe/Atlantis]",
            "2030-06-01T09:00:00+05:00[Europe/Berlin]",
            "2030-06-01T09:00:00[Europe/Berlin",
            "-000001-01-01T00:00:00Z",
        ] {
            let error = Timestamp::parse(text).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{text:?} is not a time")),
                "{error}"
            );
        }
    }

    /// Case Q20: a delay of any length gives a time that every reader understands.
    #[test]
    fn a_time_is_never_later_than_the_latest() {
        let far = Timestamp::now().after(Duration::MAX);
        assert_eq!(far, Timestamp::LATEST);
        assert_eq!(Timestamp::parse(&far.to_string()), Ok(far));
    }

    #[test]
    fn a_number_is_seconds() {
        let time: Timestamp = serde_json::from_str("1640433600.5").unwrap();
        assert_eq!(time.as_micros(), 1_640_433_600_500_000);
    }

    proptest::proptest! {
        #[test]
        fn text_and_score_keep_the_microsecond(micros in 0i64..4_000_000_000_000_000) {
            let time = Timestamp::from_micros(micros);
            proptest::prop_assert_eq!(Timestamp::parse(&time.to_string()).unwrap(), time);
            proptest::prop_assert_eq!(Timestamp::from_seconds(time.as_seconds()), time);
        }
    }
}
