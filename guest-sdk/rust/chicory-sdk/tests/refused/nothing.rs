//! There is a task.

#[chicory_sdk::tasks]
mod tasks {
    fn f() {}
}

fn main() {}
