//! The ranges of a message's numbers and times.
//!
//! Must not know what they are for.

use chicory_signature::{Bounded, Given, OutOfRange, Unit, printable_up_to};

use super::FORMAT;
use crate::{RetryPolicy, Timestamp};

/// How often a message may have been retried.
pub(super) const RETRIES: Bounded =
    Bounded::new("retries", 0.0, RetryPolicy::RETRIES.range.most, Unit::Count);
pub(super) const PRIORITY: Bounded = Bounded::new("priority", 0.0, 255.0, Unit::Count);
pub(super) const ETA: Bounded = time("eta");
pub(super) const FIRST_FAILURE_AT: Bounded = time("first_failure_at");
/// Formats that this build reads.
pub(super) const FORMATS: Bounded = Bounded::new("format", 1.0, FORMAT as f64, Unit::Count);

/// A time in the years 1 to 9999, which ISO 8601 can write.
const fn time(name: &'static str) -> Bounded {
    Bounded::new(name, -62_135_596_800.0, 253_402_128_000.0, Unit::Seconds)
}

/// Why a time can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnreadableTime {
    #[error(transparent)]
    Range(#[from] OutOfRange),
    #[error("{0}: expected a time, ISO 8601 or seconds since 1970, got {1:?}")]
    Text(&'static str, String),
}

/// A time, as text or in seconds; `None` if there is none.
pub(super) fn read_time(
    field: Bounded,
    given: &Given,
) -> Result<Option<Timestamp>, UnreadableTime> {
    let Given::Other(text) = given else {
        return Ok(field.read(given)?.map(Timestamp::from_seconds));
    };
    let time = Timestamp::parse(text).map_err(|_| {
        let text = printable_up_to(text, SHOWN).into_owned();
        UnreadableTime::Text(field.name, text)
    })?;
    field.check(time.as_seconds())?;
    Ok(Some(time))
}

/// Maximum number of bytes of a text that an error shows.
const SHOWN: usize = 64;
