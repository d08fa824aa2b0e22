//! Whether a worker gives up what it doesn't need on its machine.
//!
//! Must not know how.

/// Whether a worker gives up what it doesn't need on its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Confine {
    Off,
    /// As far as the kernel can.
    On,
    /// Or it doesn't start.
    Required,
}

impl Confine {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "off" => Self::Off,
            "on" => Self::On,
            "required" => Self::Required,
            _ => return None,
        })
    }
}
