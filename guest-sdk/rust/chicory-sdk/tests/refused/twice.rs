//! A setting is given once.

#[chicory_sdk::tasks(timeout = 1.0, timeout = 2.0)]
mod tasks {
    pub fn f() {}
}

fn main() {}
