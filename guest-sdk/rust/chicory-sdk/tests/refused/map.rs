//! A map is a list of pairs.

#[chicory_sdk::tasks]
mod tasks {
    use std::collections::HashMap;

    pub fn f(counts: HashMap<String, u32>) -> u32 {
        counts.len() as u32
    }
}

fn main() {}
