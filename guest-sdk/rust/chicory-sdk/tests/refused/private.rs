//! A task is pub.

#[chicory_sdk::tasks]
mod tasks {
    #[task(timeout = 1.0)]
    fn f() {}
}

fn main() {}
