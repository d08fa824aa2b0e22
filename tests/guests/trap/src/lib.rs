//! Breaks in each way there is. Must not import anything.

// Lints check guests on the host, which has no such instruction.
#![cfg(target_arch = "wasm32")]

use std::hint::black_box;

wit_bindgen::generate!({ path: "wit", world: "trap" });

struct Trap;

export!(Trap);

impl Guest for Trap {
    fn panics(message: String) {
        panic!("{message}");
    }

    fn unreachable() {
        core::arch::wasm32::unreachable();
    }

    fn divide(a: i32, b: i32) -> i32 {
        // SAFETY: none, on purpose: this leaves out the compiler's own checks, so the engine has to
        // catch a zero, and i32::MIN by -1.
        unsafe { a.checked_div(b).unwrap_unchecked() }
    }

    fn out_of_bounds() -> u8 {
        let address = black_box(usize::MAX - 7) as *const u8;
        // SAFETY: none, on purpose: the engine has to catch it.
        unsafe { address.read_volatile() }
    }

    fn bad_call() {
        let index = black_box(0x00ff_ffff_usize);
        // SAFETY: none, on purpose: the engine has to catch it.
        let function: extern "C" fn() = unsafe { std::mem::transmute(index) };
        function();
    }
}
