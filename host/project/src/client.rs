//! A Rust module with the types and tasks of a Chicory module, with a function for each task that makes its call.
//!
//! Signatures carry no names of types, so types are named after where they are used; equal ones become one type.
//! Must not know where signatures come from.

mod names;
mod types;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chicory_signature::{Kind, Shape, Signature, short_digest};

use self::names::{Names, pascal, snake};
use self::types::Types;

/// The source of a Rust module for the tasks of `module`, whose version has this digest.
///
/// ```
/// let source = chicory_project::client("demo", "3fa94c", &Default::default());
/// assert!(source.starts_with("//! Calls of the module `demo`"));
/// ```
pub fn client(module: &str, digest: &str, tasks: &BTreeMap<String, Signature>) -> String {
    let mut types = Types::default();
    let mut functions = Names::default();
    let mut body = String::new();
    for (task, signature) in tasks {
        let name = functions.free(&snake(task));
        body.push('\n');
        match signature.kind {
            Kind::Command => command(&mut body, &name, module, task),
            Kind::Function => function(&mut body, &name, (module, task), signature, &mut types),
        }
    }
    let mut uses = vec!["Call"];
    if types.has_bytes() {
        uses.insert(0, "Base64");
    }
    let uses = match uses[..] {
        [one] => one.to_owned(),
        _ => format!("{{{}}}", uses.join(", ")),
    };
    let serde = if types.definitions().is_empty() {
        ""
    } else {
        "use serde::{Deserialize, Serialize};\n"
    };
    format!(
        "//! Calls of the module `{module}` with their types, version {}.\n\
         //!\n\
         //! Written by `chicory client`; needs the crates `chicory-queue` and `serde` (with `derive`). A float\n\
         //! that is not a number can't be sent, and a result with one can't be read.\n\n\
         use chicory_queue::{uses};\n{serde}{body}{}",
        short_digest(digest),
        types.definitions()
    )
}

fn command(out: &mut String, name: &str, module: &str, task: &str) {
    let full = format!("{module}.{task}");
    let _ = write!(
        out,
        "/// A command: `args` are its arguments, `stdin` what it reads, the result what it prints.\n\
         pub fn {name}(args: &[&str], stdin: &str) -> Call<String> {{\n    \
             let call = Call::new({full:?}).kwarg(\"stdin\", stdin);\n    \
             args.iter().fold(call, |call, arg| call.arg(arg))\n}}\n",
    );
}

fn function(
    out: &mut String,
    name: &str,
    (module, task): (&str, &str),
    signature: &Signature,
    types: &mut Types,
) {
    let of_task = pascal(task);
    let mut params = Names::default();
    let (mut taken, mut given) = (Vec::new(), Vec::new());
    for param in &signature.params {
        let variable = params.free(&snake(&param.name));
        let (ty, value) = match &param.shape {
            Shape::String => ("&str".to_owned(), variable.clone()),
            Shape::Bytes => {
                types.uses_bytes();
                ("&[u8]".to_owned(), format!("Base64::from({variable})"))
            }
            shape => {
                let hint = format!("{of_task}{}", pascal(&param.name));
                (types.name(shape, &hint), variable.clone())
            }
        };
        taken.push(format!("{variable}: {ty}"));
        given.push(format!(".arg({value})"));
    }
    let stored = match &signature.result {
        Some(Shape::Result(outcome)) => outcome.ok.as_ref(),
        result => result.as_ref(),
    };
    let result = stored.map_or("()".to_owned(), |shape| {
        types.name(shape, &format!("{of_task}Result"))
    });
    let mut head = format!("pub fn {name}({}) -> Call<{result}> {{", taken.join(", "));
    let full = format!("{module}.{task}");
    let mut call = format!("    Call::new({full:?})");
    if head.len() > WIDTH {
        let lines = taken.join(",\n    ");
        head = format!("pub fn {name}(\n    {lines},\n) -> Call<{result}> {{");
    }
    let length = call.len() + given.iter().map(String::len).sum::<usize>();
    let between = if length > WIDTH { "\n        " } else { "" };
    for arg in given {
        call = format!("{call}{between}{arg}");
    }
    let _ = write!(out, "/// `{signature}`\n{head}\n{call}\n}}\n");
}

/// Lines are broken where they would be longer.
const WIDTH: usize = 80;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tasks(tasks: &serde_json::Value) -> BTreeMap<String, Signature> {
        serde_json::from_value(tasks.clone()).unwrap()
    }

    #[test]
    fn every_kind_of_type_has_its_rust() {
        let point = json!({ "record": [
            { "name": "type", "type": "s32" },
            { "name": "max-HTTP", "type": { "option": "f64" } },
        ]});
        let tasks = tasks(&json!({
            "run": { "kind": "command" },
            "shapes.echo-all": { "kind": "function", "params": [
                { "name": "points", "type": { "list": point } },
                { "name": "self", "type": { "variant": [
                    { "name": "none" }, { "name": "some-point", "type": point }, { "name": "Self", "type": "bytes" },
                ]}},
                { "name": "text", "type": "string" },
                { "name": "image", "type": "bytes" },
                { "name": "mode", "type": { "enum": ["fast", "very-slow"] } },
                { "name": "set", "type": { "flags": ["a", "b-c"] } },
                { "name": "nested", "type": { "tuple": ["char", { "result": { "ok": "u8" } }, { "fixed-list": ["bool", 2] }] } },
            ], "result": { "result": { "ok": { "list": { "record": [{ "name": "id", "type": "u64" }] } }, "err": "string" } } },
            "shapes.echo_all": { "kind": "function", "params": [], "result": { "result": {} } },
        }));
        insta::assert_snapshot!(client("acme.shapes", &"ab".repeat(32), &tasks));
    }
}
