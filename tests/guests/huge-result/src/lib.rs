//! Returns as much as it is asked for. Must not import anything.

wit_bindgen::generate!({ path: "wit", world: "huge-result" });

struct HugeResult;

export!(HugeResult);

impl Guest for HugeResult {
    fn bytes(size: u32) -> Vec<u8> {
        vec![b'x'; size as usize]
    }

    fn text(size: u32) -> String {
        "x".repeat(size as usize)
    }

    fn lists(length: u32) -> Vec<Vec<u8>> {
        vec![Vec::new(); length as usize]
    }

    fn error(size: u32) -> Result<(), String> {
        Err("x".repeat(size as usize))
    }
}
