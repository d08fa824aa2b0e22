//! Matches positional and named arguments with a task's parameters.
//!
//! Must not know where they come from.

use serde_json::{Map, Value};

use crate::error::ValidationError;
use crate::lower::{Lowered, Target, at, by_name, lower, wrong};
use crate::name::same_name;
use crate::shape::Field;

/// A command-line program's arguments and its standard input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// The arguments after the program's name.
    pub args: Vec<String>,
    /// What it reads.
    pub stdin: String,
}

/// Converts `args` by position and `kwargs` by name; a parameter of an option type may be absent.
///
/// # Errors
/// Says which argument does not fit, is missing, or is not known.
pub fn bind<T: Target>(
    params: &[Field],
    args: &[Value],
    kwargs: &Map<String, Value>,
) -> Lowered<Vec<T::Value>> {
    if args.len() > params.len() {
        return Err(given(
            params,
            &format!("{} positional arguments are too many", args.len()),
        ));
    }
    let (by_position, named) = params.split_at(args.len());
    let mut vals = Vec::with_capacity(params.len());
    for (index, (param, value)) in by_position.iter().zip(args).enumerate() {
        vals.push(
            lower::<T>(&param.shape, value)
                .map_err(|error| at(error, &format!("args[{index}]")))?,
        );
    }
    for param in named {
        vals.push(by_name::<T>(param, kwargs, "argument").map_err(|error| at(error, "kwargs"))?);
    }
    match kwargs
        .keys()
        .find(|key| !named.iter().any(|param| same_name(&param.name, key)))
    {
        None => Ok(vals),
        Some(key) if by_position.iter().any(|param| same_name(&param.name, key)) => Err(at(
            wrong("is given by position as well"),
            &format!("kwargs.{key}"),
        )),
        Some(key) => Err(given(params, &format!("unknown argument `{key}`"))),
    }
}

/// Makes a command line of `args`, and its input of `kwargs.stdin`. What is no string becomes JSON.
///
/// # Errors
/// Says which argument can't be one of a command.
pub fn bind_command(args: &[Value], kwargs: &Map<String, Value>) -> Lowered<CommandLine> {
    if let Some(key) = kwargs.keys().find(|key| *key != "stdin") {
        let message =
            format!("unknown argument `{key}`; a command takes arguments by position, and `stdin`");
        return Err(at(wrong(message), "kwargs"));
    }
    let stdin = match kwargs.get("stdin") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(_) => return Err(at(wrong("expected a string"), "kwargs.stdin")),
    };
    let mut line = Vec::with_capacity(args.len());
    for (index, arg) in args.iter().enumerate() {
        let text = arg.as_str().map_or_else(|| arg.to_string(), str::to_owned);
        if text.contains('\0') {
            return Err(at(
                wrong("an argument can't have a NUL character"),
                &format!("args[{index}]"),
            ));
        }
        line.push(text);
    }
    Ok(CommandLine { args: line, stdin })
}

/// An error about the arguments as a whole.
fn given(params: &[Field], problem: &str) -> ValidationError {
    let list: Vec<_> = params.iter().map(ToString::to_string).collect();
    let takes = if list.is_empty() {
        "no arguments".into()
    } else {
        format!("({})", list.join(", "))
    };
    at(
        wrong(format!("{problem}; the task takes {takes}")),
        "arguments",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::lower::Check;
    use crate::shape::Shape;

    fn params() -> [Field; 3] {
        let field = |name: &str, shape| Field {
            name: name.into(),
            shape,
        };
        [
            field("path", Shape::String),
            field("max-width", Shape::U32),
            field("label", Shape::Option(Box::new(Shape::String))),
        ]
    }

    fn bound(args: &Value, kwargs: &Value) -> Result<usize, String> {
        let (args, kwargs) = (args.as_array().unwrap(), kwargs.as_object().unwrap());
        let bound = bind::<Check>(&params(), args, kwargs);
        bound
            .map(|values| values.len())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn positions_and_names_mix() {
        assert_eq!(bound(&json!(["a", 5]), &json!({})), Ok(3));
        assert_eq!(bound(&json!(["a"]), &json!({"max_width": 5})), Ok(3));
        assert_eq!(
            bound(
                &json!([]),
                &json!({"max-width": 5, "path": "a", "label": null})
            ),
            Ok(3)
        );
    }

    #[test]
    fn what_is_missing_unknown_or_too_many_is_named() {
        let takes = "the task takes (path: string, max-width: u32, label: option<string>)";
        for (args, kwargs, error) in [
            (
                json!(["a"]),
                json!({}),
                "kwargs: missing argument `max-width: u32`".to_owned(),
            ),
            (
                json!(["a", 1, null, 2]),
                json!({}),
                format!("arguments: 4 positional arguments are too many; {takes}"),
            ),
            (
                json!(["a", 1]),
                json!({"size": 2}),
                format!("arguments: unknown argument `size`; {takes}"),
            ),
            (
                json!(["a", 1]),
                json!({"path": "b"}),
                "kwargs.path: is given by position as well".to_owned(),
            ),
            (
                json!(["a", "1"]),
                json!({}),
                "args[1]: expected u32, got string".to_owned(),
            ),
            (
                json!(["a"]),
                json!({"max_width": -1}),
                "kwargs.max_width: expected u32, got -1, which is out of range".to_owned(),
            ),
            (
                json!(["a"]),
                json!({"max_width": 1, "max-width": 1}),
                "kwargs: argument `max-width` is given twice".to_owned(),
            ),
        ] {
            assert_eq!(bound(&args, &kwargs), Err(error));
        }
    }

    #[test]
    fn a_command_gets_an_argv_and_its_input() {
        let kwargs = json!({"stdin": "in"});
        let program =
            bind_command(&[json!("-l"), json!({"a": 1})], kwargs.as_object().unwrap()).unwrap();
        assert_eq!(program.args, ["-l", "{\"a\":1}"]);
        assert_eq!(program.stdin, "in");
        for (kwargs, error) in [
            (json!({"stdin": 1}), "kwargs.stdin: expected a string"),
            (
                json!({"env": 1}),
                "kwargs: unknown argument `env`; a command takes arguments by position, and `stdin`",
            ),
        ] {
            let refused = bind_command(&[], kwargs.as_object().unwrap()).unwrap_err();
            assert_eq!(refused.to_string(), error);
        }
    }
}
