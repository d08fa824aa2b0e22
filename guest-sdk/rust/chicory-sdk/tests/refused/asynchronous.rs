//! A task is no async fn.

#[chicory_sdk::tasks]
mod tasks {
    pub async fn f() {}
}

fn main() {}
