//! Fields have names.

#[chicory_sdk::tasks]
mod tasks {
    pub struct Point(pub i32, pub i32);

    pub fn f(point: Point) -> i32 {
        point.0
    }
}

fn main() {}
