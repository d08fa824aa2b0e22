//! A case carries one value.

#[chicory_sdk::tasks]
mod tasks {
    pub enum Shape {
        Box(u32, u32),
    }

    pub fn f(shape: Shape) -> bool {
        matches!(shape, Shape::Box(0, 0))
    }
}

fn main() {}
