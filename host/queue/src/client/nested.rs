//! An option in an option, in the wire format.
//!
//! Must not know messages.

use serde::{Deserialize, Serialize};

/// The `some` of an option around another option: `{"some": …}` in JSON, which tells it from `none`.
///
/// ```
/// use chicory_queue::Nested;
///
/// let forms: [Option<Nested<Option<u8>>>; 3] =
///     [None, Some(Nested { some: None }), Some(Nested { some: Some(7) })];
/// let json = serde_json::to_string(&forms)?;
/// assert_eq!(json, r#"[null,{"some":null},{"some":7}]"#);
/// assert_eq!(serde_json::from_str::<[Option<Nested<Option<u8>>>; 3]>(&json)?, forms);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nested<T> {
    /// The inner option.
    pub some: T,
}
