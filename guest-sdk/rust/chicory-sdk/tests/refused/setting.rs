//! A setting is known.

#[chicory_sdk::tasks]
mod tasks {
    #[task(max_retry = 3)]
    pub fn f() {}
}

fn main() {}
