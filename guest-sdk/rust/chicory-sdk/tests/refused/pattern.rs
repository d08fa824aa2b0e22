//! An argument has a name.

#[chicory_sdk::tasks]
mod tasks {
    pub fn f((a, b): (u32, u32)) -> u32 {
        a + b
    }
}

fn main() {}
