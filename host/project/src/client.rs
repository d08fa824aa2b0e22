//! A Rust module with the types and tasks of a Chicory module, with a function for each task that makes its call.
//!
//! Signatures carry no names of types, so types are named after where they are used; equal ones become one type.
//! They may come from a registry that others can write to, so only what is a name by WIT's rule becomes code. Must not
//! know where signatures come from.

mod names;
mod types;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chicory_signature::{
    Kind, LocalName, NameError, Shape, Signature, TypeBudget, TypeLimitError, check_module_name,
    short_digest, shown_names,
};

use self::names::{Names, pascal, snake};
use self::types::Types;

/// Why no source is written for a module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The name of the module or of a task is not one.
    #[error("no code is written for it")]
    Name(#[from] NameError),
    /// A task has a type that tasks can't have.
    #[error("no code is written for task {task}")]
    Types {
        /// The task.
        task: String,
        /// What is wrong with its type.
        source: TypeLimitError,
    },
    /// The digest is not one.
    #[error(
        "no code is written for it: its digest {digest:?} has other characters than letters and digits"
    )]
    Digest {
        /// The digest.
        digest: String,
    },
}

/// The source of a Rust module for the tasks of `module`, whose version has this digest.
///
/// ```
/// let source = chicory_project::client("demo", "3fa94c", &Default::default())?;
/// assert!(source.starts_with("//! Calls of the module `demo`"));
/// # Ok::<(), chicory_project::ClientError>(())
/// ```
///
/// # Errors
/// When a name is not one by WIT's rule: it would become code.
pub fn client(
    module: &str,
    digest: &str,
    tasks: &BTreeMap<String, Signature>,
) -> Result<String, ClientError> {
    check(module, digest, tasks)?;
    Ok(written(module, digest, tasks))
}

/// Whether all that becomes code has the form of a name.
fn check(
    module: &str,
    digest: &str,
    tasks: &BTreeMap<String, Signature>,
) -> Result<(), ClientError> {
    check_module_name(module)?;
    if !digest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let digest = digest.to_owned();
        return Err(ClientError::Digest { digest });
    }
    let mut budget = TypeBudget::default();
    for (task, signature) in tasks {
        LocalName::parse(task)?;
        let size = signature.check_size(&mut budget);
        size.map_err(|source| ClientError::Types {
            task: task.clone(),
            source,
        })?;
    }
    Ok(())
}

fn written(module: &str, digest: &str, tasks: &BTreeMap<String, Signature>) -> String {
    let mut types = Types::default();
    let mut functions = Names::default();
    let mut body = String::new();
    let shown = shown_names(tasks.keys().map(String::as_str));
    for (task, signature) in shown.iter().zip(tasks.values()) {
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
    if types.has_nested() {
        uses.push("Nested");
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
                { "name": "maybe", "type": { "option": { "option": "u8" } } },
                { "name": "nested", "type": { "tuple": ["char", { "result": { "ok": "u8" } }, { "fixed-list": ["bool", 2] }] } },
            ], "result": { "result": { "ok": { "list": { "record": [{ "name": "id", "type": "u64" }] } }, "err": "string" } } },
            "shapes.echo_all": { "kind": "function", "params": [], "result": { "result": {} } },
        }));
        insta::assert_snapshot!(client("acme.shapes", &"ab".repeat(32), &tasks).unwrap());
    }

    /// Case M12: what a registry says becomes code only where it has the form of a name.
    #[test]
    fn m12_what_is_no_name_is_refused() {
        let hostile = "a`\n}\nconst X: &str = include_str!(\"/etc/passwd\");\n/// `";
        let signature = |field: &str| json!({ "kind": "function", "params": [], "result": { "record": [{ "name": field, "type": "u8" }] } });
        let good = tasks(&json!({ "f": signature("x") }));
        let none = BTreeMap::new();
        assert!(client("m", "ab", &good).is_ok());
        assert!(client(hostile, "ab", &none).is_err());
        assert!(client("m", hostile, &none).is_err());
        assert!(client("m", "ab", &tasks(&json!({ hostile: signature("x") }))).is_err());
        let enumeration = json!({ "kind": "function", "params": [{ "name": "e", "type": { "enum": [hostile] } }] });
        let param = json!({ "kind": "function", "params": [{ "name": hostile, "type": "u8" }] });
        for signature in [signature(hostile), enumeration, param] {
            let refused = client("m", "ab", &tasks(&json!({ "f": signature })));
            assert!(
                matches!(refused, Err(ClientError::Types { .. })),
                "{refused:?}"
            );
        }
    }
}
