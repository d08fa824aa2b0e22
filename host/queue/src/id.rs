//! Unique ids, all made in the same way.
//!
//! Must not know what an id is for.

/// A new id. Ids are ordered by the time they were made, so a store that sorts by id keeps those made at about the same
/// time next to each other.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
