//! Case W6, and M4's conversion: large values cost little more than themselves.

use chicory_runtime::How;
use serde_json::json;

use crate::guests::{call, load, returned, sandbox};

/// `f(n)` returns the first `n` bytes of its memory; `len(bytes)` takes some.
const LARGE: &str = r#"(component (core module $m (memory (export "memory") 400)
    (func (export "f") (param $n i32) (result i32)
        (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (local.get $n)) (i32.const 0))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
    (func (export "len") (param i32 i32) (result i32) (local.get 1)))
  (core instance $i (instantiate $m))
  (func (export "f") (param "n" u32) (result (list u8)) (canon lift (core func $i "f") (memory (core memory $i "memory"))))
  (func (export "len") (param "v" (list u8)) (result u32)
    (canon lift (core func $i "len") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#;

/// Case W6: `result_bytes` and `args_bytes` are the limits that hold, by default 16 MiB of JSON each.
#[tokio::test]
async fn the_documented_limits_hold_by_default() {
    const MOST: usize = (16 << 20) / 4 * 3 - 6;
    let sandbox = sandbox();
    let module = load(&sandbox, LARGE, json!({})).await.unwrap();
    for bytes in [3_400_000, MOST] {
        let ended = call(&sandbox, &module, "f", json!([bytes]), json!({})).await;
        let base64 = returned(&ended);
        assert_eq!(base64.as_str().unwrap().len(), bytes.div_ceil(3) * 4);
        let ended = call(&sandbox, &module, "len", json!([base64]), json!({})).await;
        assert_eq!(returned(&ended), bytes);
    }
    let ended = call(&sandbox, &module, "f", json!([MOST + 6]), json!({})).await;
    let what = "result: larger than the limit of 16777216 bytes";
    assert_eq!(ended.how.message(), what);
    assert!(matches!(ended.how, How::TooLarge { .. }), "{ended:?}");
}
