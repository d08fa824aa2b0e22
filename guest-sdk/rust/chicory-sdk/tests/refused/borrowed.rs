//! A task owns what it is given.

#[chicory_sdk::tasks]
mod tasks {
    pub fn f(text: &str) -> u32 {
        text.len() as u32
    }
}

fn main() {}
