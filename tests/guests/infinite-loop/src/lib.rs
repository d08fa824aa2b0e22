//! Never ends, in two ways. Must not import anything.

use std::hint::black_box;

wit_bindgen::generate!({ path: "wit", world: "infinite-loop" });

struct InfiniteLoop;

export!(InfiniteLoop);

impl Guest for InfiniteLoop {
    fn spin() {
        let mut turns = 0u64;
        loop {
            turns = black_box(turns.wrapping_add(1));
        }
    }

    fn fill() {
        let mut buffer = vec![0u8; 32 << 20];
        let mut turn = 0u8;
        loop {
            turn = turn.wrapping_add(1);
            black_box(&mut buffer).fill(turn);
        }
    }
}
