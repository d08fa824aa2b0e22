//! Calls itself. Must not import anything.

use std::hint::black_box;

wit_bindgen::generate!({ path: "wit", world: "deep-recursion" });

struct DeepRecursion;

export!(DeepRecursion);

impl Guest for DeepRecursion {
    fn recurse(depth: u64) -> u64 {
        descend(depth)
    }

    fn recurse_with_frames(depth: u64) -> u64 {
        descend_with_frames(depth)
    }
}

/// Not a loop: what follows the call depends on its result in a way that can't be turned around.
#[inline(never)]
fn descend(depth: u64) -> u64 {
    if depth == 0 {
        return 1;
    }
    descend(depth - 1).rotate_left(7) ^ depth
}

#[inline(never)]
fn descend_with_frames(depth: u64) -> u64 {
    let mut frame = [depth; 64];
    black_box(&mut frame);
    if depth == 0 {
        return 1;
    }
    descend_with_frames(depth - 1).rotate_left(7) ^ frame[7]
}
