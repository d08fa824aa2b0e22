//! A name can be written in both.

#[chicory_sdk::tasks]
mod tasks {
    pub fn sha_256(text: String) -> String {
        text
    }
}

fn main() {}
