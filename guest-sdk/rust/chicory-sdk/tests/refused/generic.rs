//! A task's types are concrete.

#[chicory_sdk::tasks]
mod tasks {
    pub fn f<T>(value: Vec<T>) -> u32 {
        value.len() as u32
    }
}

fn main() {}
