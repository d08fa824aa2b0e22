//! Types are defined in the module.

#[chicory_sdk::tasks]
mod tasks {
    pub fn f(place: std::path::PathBuf) -> bool {
        place.exists()
    }
}

fn main() {}
