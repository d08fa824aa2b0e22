//! Asks for ever more memory. Must not import anything.

// Lints check guests on the host, which has no such instructions.
#![cfg(target_arch = "wasm32")]

use core::arch::wasm32::{memory_grow, memory_size};
use std::hint::black_box;

wit_bindgen::generate!({ path: "wit", world: "memory-bomb" });

struct MemoryBomb;

export!(MemoryBomb);

impl Guest for MemoryBomb {
    fn allocate(step: u32) {
        let mut hoard = Vec::new();
        loop {
            hoard.push(black_box(vec![1u8; step as usize]));
        }
    }

    fn grow(pages: u32) -> Result<u64, String> {
        if memory_grow::<0>(pages as usize) == usize::MAX {
            return Err(format!("{pages} more pages were refused"));
        }
        Ok(memory_size::<0>() as u64)
    }
}
