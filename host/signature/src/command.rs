//! A command-line program's part of the arguments: its command line, its input, and how its output is given back.
//!
//! Must not know how a program is run.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::{RawValue, to_raw_value};

use crate::arguments::Arguments;
use crate::error::{Lowered, ValidationError, at, wrong};
use crate::reader::Reader;

/// The key of an object that stands for bytes.
const BASE64: &str = "base64";

/// A command-line program's arguments and its standard input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// The arguments after the program's name.
    pub args: Vec<String>,
    /// What it reads.
    pub stdin: Vec<u8>,
    /// What its output becomes.
    pub stdout: CommandOutput,
}

/// What the bytes that a program writes to its standard output become as JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommandOutput {
    /// A string where they are UTF-8, and otherwise `{"base64": …}`.
    #[default]
    Auto,
    /// A string, in which what is not UTF-8 is replaced by U+FFFD.
    Text,
    /// `{"base64": …}`.
    Base64,
}

impl CommandOutput {
    /// The output as JSON.
    pub fn json(self, bytes: &[u8]) -> Box<RawValue> {
        let text = match self {
            CommandOutput::Auto => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            CommandOutput::Text => Some(String::from_utf8_lossy(bytes)),
            CommandOutput::Base64 => None,
        };
        let json = match text {
            Some(text) => to_raw_value(&text),
            None => {
                RawValue::from_string(format!("{{\"{BASE64}\":\"{}\"}}", STANDARD.encode(bytes)))
            }
        };
        json.expect("a string is JSON, and so is an object with one")
    }
}

/// Makes a command line of the arguments by position, and its input of `kwargs.stdin`: a string, or
/// `{"base64": …}`. `kwargs.stdout` says what its output becomes: `auto`, `text` or `base64`. An argument that
/// is not a string is passed as the JSON that was written.
///
/// # Errors
/// Says which argument can't be one of a command.
pub fn bind_command(arguments: &Arguments) -> Result<CommandLine, ValidationError> {
    let mut line = CommandLine {
        args: argv(arguments)?,
        ..CommandLine::default()
    };
    let mut kwargs = Reader::new(arguments.kwargs());
    kwargs.open(b'{');
    while kwargs.more() {
        let key = kwargs.key().map_err(|error| at(error, "kwargs"))?;
        let read = match &*key {
            _ if kwargs.is_null() => Ok(()),
            "stdin" => input(&mut kwargs).map(|stdin| line.stdin = stdin),
            "stdout" => output(&mut kwargs).map(|stdout| line.stdout = stdout),
            _ => {
                let message = format!(
                    "unknown argument `{key}`; a command takes arguments by position, `stdin` and `stdout`"
                );
                return Err(at(wrong(message), "kwargs"));
            }
        };
        read.map_err(|error| at(error, &format!("kwargs.{key}")))?;
    }
    Ok(line)
}

fn input(json: &mut Reader<'_>) -> Lowered<Vec<u8>> {
    let expected = || wrong("expected a string, or an object with one key, `base64`");
    if let Some(text) = json.string() {
        return text.map(|text| text.into_owned().into_bytes());
    }
    let mut bytes = None;
    if json.open(b'{') {
        while json.more() {
            if json.key()? != BASE64 || bytes.is_some() {
                return Err(expected());
            }
            let text = json.string().unwrap_or_else(|| Err(expected()))?;
            let decoded = STANDARD.decode(text.as_bytes());
            bytes = Some(decoded.map_err(|error| wrong(format!("it is not base64: {error}")))?);
        }
    }
    bytes.ok_or_else(expected)
}

fn output(json: &mut Reader<'_>) -> Lowered<CommandOutput> {
    let text = json.string().transpose()?;
    match text.as_deref() {
        Some("auto") => Ok(CommandOutput::Auto),
        Some("text") => Ok(CommandOutput::Text),
        Some(BASE64) => Ok(CommandOutput::Base64),
        _ => Err(wrong("expected \"auto\", \"text\" or \"base64\"")),
    }
}

fn argv(arguments: &Arguments) -> Lowered<Vec<String>> {
    let mut argv = Vec::new();
    let mut given = Reader::new(arguments.args());
    given.open(b'[');
    while given.more() {
        let text = match given.string() {
            Some(text) => text,
            None => Ok(Cow::Borrowed(given.skip())),
        };
        let whole = text.and_then(|text| {
            if text.contains('\0') {
                return Err(wrong("an argument can't have a NUL character"));
            }
            Ok(text.into_owned())
        });
        argv.push(whole.map_err(|error| at(error, &format!("args[{}]", argv.len())))?);
    }
    Ok(argv)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn arguments(args: &Value, kwargs: &Value) -> Arguments {
        let mut arguments = Arguments::default();
        arguments.set_args(args.clone().into()).unwrap();
        arguments.set_kwargs(kwargs.clone().into()).unwrap();
        arguments
    }

    fn bound(kwargs: &Value) -> Result<CommandLine, String> {
        bind_command(&arguments(&json!([]), kwargs)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_command_gets_an_argv() {
        let given = arguments(&json!(["-n", 5, {"b": 1, "a": 2}, "é"]), &json!({}));
        let line = bind_command(&given).unwrap();
        assert_eq!(line.args, ["-n", "5", r#"{"b":1,"a":2}"#, "é"]);
        let nul = bind_command(&arguments(&json!(["a", "b\0c"]), &json!({})));
        assert!(nul.unwrap_err().to_string().starts_with("args[1]: "));
    }

    #[test]
    fn input_is_text_or_bytes() {
        for (stdin, bytes) in [
            (json!("é"), "é".as_bytes()),
            (json!(null), b""),
            (json!({"base64": "iVBORwD//g=="}), b"\x89PNG\0\xff\xfe"),
            (json!({"base64": ""}), b""),
        ] {
            assert_eq!(bound(&json!({ "stdin": stdin })).unwrap().stdin, bytes);
        }
        for stdin in [
            json!(5),
            json!([1]),
            json!({}),
            json!({"base64": 5}),
            json!({"base64": "?"}),
            json!({"hex": "00"}),
            json!({"base64": "", "more": 1}),
        ] {
            let refused = bound(&json!({ "stdin": stdin })).unwrap_err();
            assert!(refused.starts_with("kwargs.stdin: "), "{refused}");
        }
    }

    #[test]
    fn output_is_what_the_caller_chooses() {
        let chosen = |stdout: Value| bound(&json!({ "stdout": stdout })).map(|line| line.stdout);
        let bytes = b"\x89PNG";
        for (name, text, other) in [
            (json!(null), "\"a\"", r#"{"base64":"iVBORw=="}"#),
            (json!("auto"), "\"a\"", r#"{"base64":"iVBORw=="}"#),
            (json!("text"), "\"a\"", "\"\u{fffd}PNG\""),
            (
                json!("base64"),
                r#"{"base64":"YQ=="}"#,
                r#"{"base64":"iVBORw=="}"#,
            ),
        ] {
            let output = chosen(name).unwrap();
            assert_eq!(output.json(b"a").get(), text);
            assert_eq!(output.json(bytes).get(), other);
        }
        for wrong in [json!("hex"), json!(1)] {
            assert!(
                chosen(wrong)
                    .unwrap_err()
                    .starts_with("kwargs.stdout: expected \"auto\"")
            );
        }
    }

    #[test]
    fn other_arguments_are_unknown() {
        let refused = bound(&json!({ "env": {} })).unwrap_err();
        assert_eq!(
            refused,
            "kwargs: unknown argument `env`; a command takes arguments by position, `stdin` and `stdout`"
        );
    }
}
