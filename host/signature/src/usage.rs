//! What one call used, as results and the program show it.
//!
//! Must not know how it is measured.

use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// What one call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// From the start of the call to its end.
    pub wall: Duration,
    /// The part of `wall` that the sandbox spent on a thread, without waiting.
    pub cpu: Duration,
    /// The peak of the guest's memories together, in bytes.
    pub peak_memory: u64,
    /// The peak of what the host held for the call, in bytes: arguments and result as the sandbox takes them, handles,
    /// headers, buffers, its log.
    pub host_memory: u64,
    /// Fuel used, where the task has a fuel limit.
    pub fuel: Option<u64>,
}

/// As `wall_ms`, `cpu_ms`, `peak_memory_bytes`, `host_memory_bytes`, and `fuel` if it was counted.
impl Serialize for Usage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = if self.fuel.is_some() { 5 } else { 4 };
        let mut out = serializer.serialize_struct("Usage", fields)?;
        out.serialize_field("wall_ms", &milliseconds(self.wall))?;
        out.serialize_field("cpu_ms", &milliseconds(self.cpu))?;
        out.serialize_field("peak_memory_bytes", &self.peak_memory)?;
        out.serialize_field("host_memory_bytes", &self.host_memory)?;
        match self.fuel {
            Some(fuel) => out.serialize_field("fuel", &fuel)?,
            None => out.skip_field("fuel")?,
        }
        out.end()
    }
}

/// Milliseconds with three decimal places.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_written_in_milliseconds_and_bytes() {
        let usage = Usage {
            wall: Duration::from_micros(12_345),
            cpu: Duration::from_micros(1500),
            peak_memory: 65_536,
            host_memory: 120,
            fuel: None,
        };
        let json = serde_json::to_string(&usage).unwrap();
        assert_eq!(
            json,
            r#"{"wall_ms":12.345,"cpu_ms":1.5,"peak_memory_bytes":65536,"host_memory_bytes":120}"#
        );
    }
}
