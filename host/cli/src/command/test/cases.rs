//! The file of test cases, `cases.toml`.
//!
//! Must not know the module that they are for.

use std::path::Path;

use anyhow::Context as _;
use chicory_runtime::Limits;
use chicory_signature::{Arguments, RawJson};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::exit::CommandError;

/// All of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cases {
    /// How much more than recorded a case may use: 0.1 is a tenth.
    #[serde(default = "tenth")]
    pub(super) tolerance: f64,
    /// For cases that have none of their own.
    pub(super) max_fuel: Option<u64>,
    /// In the order of the file.
    #[serde(rename = "case", default)]
    pub(super) all: Vec<Case>,
}

fn tenth() -> f64 {
    0.1
}

/// A call, and its expected end.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Case {
    /// For people; the task's name unless given.
    pub(super) name: String,
    /// Inside the module.
    pub(super) task: String,
    args: Vec<Value>,
    kwargs: Map<String, Value>,
    args_json: Option<String>,
    kwargs_json: Option<String>,
    result: Option<Value>,
    result_json: Option<String>,
    /// The expected error's name.
    pub(super) error: Option<String>,
    /// A part of the expected error's message.
    pub(super) message: Option<String>,
    /// In place of the manifest's.
    pub(super) limits: Limits,
    /// The most fuel that is right.
    pub(super) max_fuel: Option<u64>,
    /// What it used when it was last recorded.
    pub(super) usage: Option<Usage>,
}

/// What a call used that is the same on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Usage {
    /// Units, about one per instruction.
    pub(super) fuel: u64,
    /// Bytes.
    pub(super) peak_memory: u64,
}

impl Cases {
    /// Reads and checks the file.
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("can't read the test cases {}", file.display()))?;
        let cases = Self::parse(&text);
        cases.map_err(|reason| {
            CommandError::Usage(format!("the test cases {}: {reason}", file.display())).into()
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut cases: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        if cases.all.is_empty() {
            return Err("there is no [[case]] in it".into());
        }
        if !(cases.tolerance >= 0.0 && cases.tolerance.is_finite()) {
            return Err("tolerance: give a number such as 0.1, for a tenth".into());
        }
        for (number, case) in cases.all.iter_mut().enumerate() {
            case.check()
                .map_err(|reason| format!("case {}: {reason}", number + 1))?;
        }
        Ok(cases)
    }
}

impl Case {
    fn check(&mut self) -> Result<(), String> {
        if self.task.is_empty() {
            return Err("it has no `task`".into());
        }
        if self.name.is_empty() {
            self.name.clone_from(&self.task);
        }
        let fails = self.error.is_some() || self.message.is_some();
        let returns = self.result.is_some() || self.result_json.is_some();
        match (fails, returns) {
            (true, true) => Err("it expects a result and an error: give one of them".into()),
            (false, false) => Err("it expects nothing: give `result`, `error` or `message`".into()),
            _ => Ok(()),
        }
    }

    /// The expected result; none where an error is expected.
    pub(super) fn result(&self) -> Result<Option<Value>, String> {
        match &self.result_json {
            Some(text) => parsed("result_json", text).map(Some),
            None => Ok(self.result.clone()),
        }
    }

    /// Positional and named arguments. TOML has no null: what needs it is written as JSON.
    pub(super) fn arguments(&self) -> Result<Arguments, String> {
        let mut arguments = Arguments::new(&self.args, &self.kwargs);
        if let Some(text) = &self.args_json {
            let args = arguments.set_args(json("args_json", text)?);
            args.map_err(|error| error.to_string())?;
        }
        if let Some(text) = &self.kwargs_json {
            let kwargs = arguments.set_kwargs(json("kwargs_json", text)?);
            kwargs.map_err(|error| error.to_string())?;
        }
        Ok(arguments)
    }
}

fn json(key: &str, text: &str) -> Result<RawJson, String> {
    RawJson::parse(text.to_owned()).map_err(|error| format!("{key}: {error}"))
}

fn parsed<T: serde::de::DeserializeOwned>(key: &str, text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("{key}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_with_its_defaults() {
        let cases = Cases::parse(
            "[[case]]\ntask = \"f\"\nargs = [1, \"a\"]\nresult_json = 'null'\n\
             usage = { fuel = 7, peak_memory = 0 }\nlimits = { timeout = 1.0 }",
        )
        .unwrap();
        let case = &cases.all[0];
        assert_eq!((case.name.as_str(), cases.tolerance), ("f", 0.1));
        assert_eq!(case.result().unwrap(), Some(Value::Null));
        let arguments = case.arguments().unwrap();
        assert_eq!(arguments.args().as_str(), r#"[1,"a"]"#);
    }

    #[test]
    fn wrong_files_are_named_with_the_reason() {
        for (text, expected) in [
            ("", "no [[case]]"),
            ("[[case]]\nresult = 1", "no `task`"),
            ("[[case]]\ntask = \"f\"", "expects nothing"),
            (
                "[[case]]\ntask = \"f\"\nresult = 1\nerror = \"E\"",
                "one of them",
            ),
            ("[[case]]\ntask = \"f\"\nresutl = 1", "resutl"),
            (
                "tolerance = -1\n[[case]]\ntask = \"f\"\nresult = 1",
                "tolerance",
            ),
        ] {
            let error = Cases::parse(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
