//! A type does not contain itself.

#[chicory_sdk::tasks]
mod tasks {
    pub struct Tree {
        pub branches: Vec<Tree>,
    }

    pub fn f(tree: Tree) -> u32 {
        tree.branches.len() as u32
    }
}

fn main() {}
