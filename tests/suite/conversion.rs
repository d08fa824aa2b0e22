//! Values between JSON and guests: what docs/types.md says, exactness, and large values.
//!
//! Must not know how values are converted.

use std::fs;

use chicory_testing::components::assemble;
use chicory_testing::{Site, guest, root};
use serde_json::{Value, json};

/// A row of the table in docs/types.md.
struct Row {
    types: Vec<String>,
    given: Vec<Value>,
    returned: Vec<Value>,
}

/// The texts between backticks.
fn code(cell: &str) -> Vec<String> {
    let parts = cell.split('`').skip(1).step_by(2);
    parts.map(str::to_owned).collect()
}

fn rows() -> Vec<Row> {
    let page = fs::read_to_string(root().join("docs/types.md")).unwrap();
    let table = page.lines().filter(|line| line.starts_with("| `"));
    let values = |cell: &str| -> Vec<Value> {
        let parsed = |text: &String| serde_json::from_str(text);
        let values: Result<_, _> = code(cell).iter().map(parsed).collect();
        values.unwrap_or_else(|error| panic!("{cell}: {error}"))
    };
    let row = |line: &str| {
        let cells: Vec<_> = line.split('|').collect();
        Row {
            types: code(cells[1]),
            given: values(cells[2]),
            returned: values(cells[3]),
        }
    };
    table.map(row).collect()
}

/// Case U3: each row of the page is true, and no type of the guest that has one function for each lacks a row.
#[test]
fn each_row_of_the_page_is_what_the_program_does() {
    let file = guest("wrong-types");
    let file = file.to_str().unwrap();
    let site = Site::new();
    let inspected = site.run(&["inspect", file, "--json"]).json();
    let mut functions: Vec<(String, String)> = (inspected["tasks"].as_array().unwrap().iter())
        .map(|task| (task["name"].to_string(), task["signature"].to_string()))
        .map(|(name, signature)| {
            let unquoted = |text: String| text.trim_matches('"').to_owned();
            (unquoted(name), unquoted(signature))
        })
        .filter(|(name, signature)| {
            name.starts_with("echo.") && signature.starts_with("func(value: ")
        })
        .collect();
    for row in rows() {
        for ty in &row.types {
            let start = format!("func(value: {}", ty.trim_end_matches('…'));
            let is_it = |(_, signature): &(String, String)| {
                ty.ends_with('…') && signature.starts_with(&start)
                    || signature.starts_with(&format!("{start}) ->"))
            };
            let found = functions.iter().position(is_it);
            let (task, _) = functions.remove(found.unwrap_or_else(|| panic!("no task takes {ty}")));
            for (index, given) in row.given.iter().enumerate() {
                let ran = site.run(&["run", file, &task, &given.to_string(), "--json"]);
                let expected = row.returned.get(index).unwrap_or(&row.returned[0]);
                assert_eq!(&ran.json()["result"], expected, "{ty}: {given}");
            }
        }
    }
    // Made of the others.
    functions.retain(|(name, _)| name != "echo.of-nested");
    assert!(functions.is_empty(), "no row for {functions:?}");
}

/// Case M15: `oo.wat`, and integers of 64 bits.
#[test]
fn m15_integers_and_options_are_exact() {
    let site = Site::new();
    let wasm = assemble(
        r#"(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "some-none") (result i32) (i32.store8 (i32.const 16) (i32.const 1)) (i32.store8 (i32.const 17) (i32.const 0)) (i32.const 16))
    (func (export "none") (result i32) (i32.const 32))
    (func (export "which") (param i32 i32 i32) (result i32)
       (i32.add (i32.mul (local.get 0) (i32.const 10)) (local.get 1)))
    (func (export "same") (param i64) (result i64) (local.get 0)))
  (core instance $i (instantiate $m))
  (func (export "some-none") (result (option (option u8))) (canon lift (core func $i "some-none") (memory (core memory $i "memory"))))
  (func (export "none") (result (option (option u8))) (canon lift (core func $i "none") (memory (core memory $i "memory"))))
  (func (export "which") (param "v" (option (option u8))) (result u32) (canon lift (core func $i "which")))
  (func (export "signed") (param "v" s64) (result s64) (canon lift (core func $i "same")))
  (func (export "unsigned") (param "v" u64) (result u64) (canon lift (core func $i "same"))))"#,
    );
    site.write("modules/oo.wasm", wasm);
    let _worker = site.worker(&[]);
    let some = |inner: Value| json!({ "some": inner });
    assert_eq!(site.call(&["oo.none"])["result"], Value::Null);
    assert_eq!(site.call(&["oo.some-none"])["result"], some(Value::Null));
    for (given, seen) in [
        (Value::Null, 0),
        (some(Value::Null), 10),
        (some(json!(7)), 11),
    ] {
        let result = site.call(&["oo.which", &given.to_string()]);
        assert_eq!(result["result"], seen, "{given}");
    }
    let most = "\"18446744073709551615\"";
    assert_eq!(site.call(&["oo.unsigned", most])["result"], u64::MAX);
    let below = site.call(&["oo.signed", "--", "-9223372036854775809"]);
    let error = below["error"].as_str().unwrap();
    assert!(
        error.contains("-9223372036854775809, which is out of range"),
        "{error}"
    );
}

/// `f(n)` returns `n` bytes of its memory, `length(v)` takes some.
const LARGE: &str = r#"(component (core module $m (memory (export "memory") 400)
    (func (export "f") (param $n i32) (result i32)
      (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (local.get $n)) (i32.const 0))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
    (func (export "length") (param i32 i32) (result i32) (local.get 1)))
  (core instance $i (instantiate $m))
  (func (export "f") (param "n" u32) (result (list u8)) (canon lift (core func $i "f") (memory (core memory $i "memory"))))
  (func (export "length") (param "v" (list u8)) (result u32)
    (canon lift (core func $i "length") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#;

/// Case W6: `lu.wat`, by default.
#[test]
fn w6_a_result_of_megabytes_is_no_trap() {
    let site = Site::new();
    let file = site.write("lu.wasm", assemble(LARGE));
    let file = file.to_str().unwrap();
    for bytes in [3_400_000, 12_000_000] {
        let ran = site.run(&["run", file, "f", &bytes.to_string(), "--json"]);
        let result = &ran.json()["result"];
        assert_eq!(
            result.as_str().unwrap().len(),
            bytes / 3 * 4 + 4 * usize::from(bytes % 3 > 0)
        );
    }
    let ran = site.run(&["run", file, "f", "13000000"]);
    let said = ran.fails(1);
    assert!(
        said.contains("result: larger than the limit of 16777216 bytes"),
        "{said}"
    );
}

/// Case M4: an argument of 16 MB and a result of as much, of which each byte was 40 in the host.
#[test]
fn m4_large_arguments_and_results_cost_little_more_than_themselves() {
    let site = Site::new();
    site.write("modules/lu.wasm", assemble(LARGE));
    let worker = site.worker(&[]);
    assert_eq!(site.call(&["lu.length", "\"AAAA\""])["result"], 3);
    let before = worker.peak_memory();
    let base64 = "A".repeat(16_000_000);
    let message = json!({"id": "given", "name": "lu.length", "args": [base64]});
    redis::cmd("XADD")
        .arg(&["chicory:stream:default", "*", "task_id", "given", "data"])
        .arg(message.to_string())
        .exec(&mut site.connection())
        .unwrap();
    assert_eq!(site.wait_for("given")["result"], 12_000_000);
    let given = worker.peak_memory() - before;
    assert_eq!(
        site.call(&["lu.f", "12000000"])["result"]
            .as_str()
            .unwrap()
            .len(),
        16_000_000
    );
    let returned = worker.peak_memory() - before;
    // The message, its text while it is read, and the guest's 25 MiB; then the result, and what is sent.
    assert!(given < 128 << 20, "{given} bytes for the argument");
    assert!(returned < 256 << 20, "{returned} bytes for both");
}
