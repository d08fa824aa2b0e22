//! A task's type.
//!
//! Must not know the task's name.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::arguments::Arguments;
use crate::bind::bind;
use crate::command::bind_command;
use crate::error::ValidationError;
use crate::shape::{Field, Shape, listed};
use crate::target::Check;

/// What a task takes, and what it returns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signature {
    /// How it takes its arguments.
    pub kind: Kind,
    /// Its parameters in order; none for a command.
    #[serde(default)]
    pub params: Box<[Field]>,
    /// What it returns, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Shape>,
}

/// How a task takes its arguments and gives its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// By its WIT types.
    Function,
    /// As a command-line program: argv, stdin, stdout, exit code.
    Command,
}

impl Signature {
    /// Checks whether these arguments fit, as a worker does before a call.
    ///
    /// # Errors
    /// Which argument doesn't fit, and why.
    pub fn check(&self, arguments: &Arguments) -> Result<(), ValidationError> {
        match self.kind {
            Kind::Function => Ok(bind(&self.params, arguments, &mut Check, &mut ())?),
            Kind::Command => bind_command(arguments).map(drop),
        }
    }
}

impl fmt::Display for Signature {
    /// As WIT text, such as `func(a: u32, b: u32) -> result<u32, string>`; a command's as a shell's usage line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Function => {
                listed(f, "func(", &self.params, ")")?;
                (self.result.as_ref()).map_or(Ok(()), |result| write!(f, " -> {result}"))
            }
            Kind::Command => f.write_str("command(argv...; stdin: string) -> stdout"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_signature_is_json_that_people_can_read() {
        let signature = Signature {
            kind: Kind::Function,
            params: [Field {
                name: "max-width".into(),
                shape: Shape::Option(Box::new(Shape::U32)),
            }]
            .into(),
            result: Some(Shape::Bytes),
        };
        let written = serde_json::to_value(&signature).unwrap();
        assert_eq!(
            written,
            json!({
                "kind": "function",
                "params": [{ "name": "max-width", "type": { "option": "u32" } }],
                "result": "bytes",
            })
        );
        assert_eq!(
            serde_json::from_value::<Signature>(written).unwrap(),
            signature
        );
        assert_eq!(
            signature.to_string(),
            "func(max-width: option<u32>) -> list<u8>"
        );
    }

    #[test]
    fn an_unknown_type_is_named() {
        let error =
            serde_json::from_value::<Signature>(json!({ "kind": "function", "result": "u99" }));
        assert!(error.unwrap_err().to_string().contains("u99"));
    }
}
