//! Integers have a size.

#[chicory_sdk::tasks]
mod tasks {
    pub fn f(size: usize) -> u32 {
        size as u32
    }
}

fn main() {}
