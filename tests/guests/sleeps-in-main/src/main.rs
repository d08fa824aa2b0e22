//! Sleeps for as many milliseconds as its first argument says, between two lines of output. Must not
//! know Chicory.

use std::time::Duration;

fn main() {
    let milliseconds = std::env::args().nth(1).and_then(|ms| ms.parse().ok());
    println!("asleep");
    std::thread::sleep(Duration::from_millis(milliseconds.unwrap_or(u64::MAX / 2)));
    println!("awake");
}
