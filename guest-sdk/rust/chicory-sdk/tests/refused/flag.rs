//! A flag is a bool.

#[chicory_sdk::tasks]
mod tasks {
    #[flags]
    pub struct Rights {
        pub read: u8,
    }

    pub fn f(rights: Rights) -> bool {
        rights.read == 1
    }
}

fn main() {}
