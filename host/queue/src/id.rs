//! Ids that nobody else has, made in one way.
//!
//! Must not know what is named.

/// A new id. Ids are ordered by the time they were made at: a store that sorts by id writes those of one
/// time next to each other.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
