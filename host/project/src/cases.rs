//! A project's test cases, `cases.toml`: reading the file and running its cases on a built module.
//!
//! Must not know how the module was built, nor how reports are shown.

mod check;
mod error;
mod record;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chicory_runtime::{Arguments, Invocation, Limits, LogLine, Module, RawJson, Sandbox};
use chicory_signature::JsonError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::check::Problem;
pub use self::error::{CaseError, CaseFault, CasesError};
pub use self::record::record;

/// A file of test cases.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("cases.toml");
/// std::fs::write(&file, "[[case]]\ntask = \"add\"\nargs = [1, 2]\nresult = 3")?;
///
/// let cases = chicory_project::Cases::read(&file)?;
/// assert_eq!(cases.all[0].task, "add");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Cases {
    /// By how much a case may exceed its recorded usage: 0.1 is a tenth.
    #[serde(default = "tenth")]
    pub tolerance: f64,
    /// The most fuel for cases that have no limit of their own.
    pub max_fuel: Option<u64>,
    /// In the order of the file.
    #[serde(rename = "case", default)]
    pub all: Vec<Case>,
}

fn tenth() -> f64 {
    0.1
}

/// A call, and its expected outcome.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Case {
    /// For people; the task's name unless given.
    pub name: String,
    /// The task's name inside the module.
    pub task: String,
    args: Vec<Value>,
    kwargs: Map<String, Value>,
    args_json: Option<String>,
    kwargs_json: Option<String>,
    result: Option<Value>,
    result_json: Option<String>,
    /// The expected error's name.
    pub error: Option<String>,
    /// A part of the expected error's message.
    pub message: Option<String>,
    /// In place of the manifest's limits.
    pub limits: Limits,
    /// The most fuel that the case may use.
    pub max_fuel: Option<u64>,
    /// What the case used when its usage was last recorded.
    pub usage: Option<Usage>,
}

/// What a call used, in units that are the same on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Units of fuel, about one per instruction.
    pub fuel: u64,
    /// Bytes.
    pub peak_memory: u64,
}

/// How cases are run.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions {
    /// The most fuel for cases that have no limit of their own.
    pub max_fuel: Option<u64>,
    /// Whether to leave out the comparison with recorded usage, because it is about to be recorded anew.
    pub ignore_recorded: bool,
}

/// How a case ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct CaseReport {
    /// The case's name.
    pub name: String,
    /// Its task.
    pub task: String,
    /// What is wrong; empty where the case passed.
    pub problems: Vec<Problem>,
    /// What it used.
    pub usage: Usage,
    /// How long it took.
    pub wall: Duration,
    /// What the task logged.
    pub log: Vec<LogLine>,
}

impl CaseReport {
    /// Whether the case passed.
    pub fn passed(&self) -> bool {
        self.problems.is_empty()
    }
}

impl Cases {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// [`CasesError::Invalid`] says what is wrong with which case.
    pub fn read(file: &Path) -> Result<Self, CasesError> {
        let text = std::fs::read_to_string(file).map_err(|source| CasesError::File {
            action: "read",
            file: file.to_owned(),
            source,
        })?;
        Self::parse(&text).map_err(|source| CasesError::Invalid {
            file: file.to_owned(),
            source,
        })
    }

    /// Runs all cases in the order of the file. The module must have been loaded with a limit of fuel, without which
    /// none is counted.
    ///
    /// # Errors
    /// [`CasesError::Case`] where a case can't be run as it is written, for example because the module has no such
    /// task. A case that fails is no error.
    pub async fn run(
        &self,
        sandbox: &Sandbox,
        module: &Module,
        options: RunOptions,
    ) -> Result<Vec<CaseReport>, CasesError> {
        let mut reports = Vec::new();
        for case in &self.all {
            let report = self.run_one(case, sandbox, module, options).await;
            reports.push(report.map_err(|source| CasesError::Case {
                case: case.name.clone(),
                source,
            })?);
        }
        Ok(reports)
    }

    async fn run_one(
        &self,
        case: &Case,
        sandbox: &Sandbox,
        module: &Module,
        options: RunOptions,
    ) -> Result<CaseReport, CaseError> {
        let task = module.task(&case.task).ok_or_else(|| CaseError::NoTask {
            task: case.task.clone(),
            known: module.tasks().map(|task| task.name().to_owned()).collect(),
        })?;
        let task = task.limited(&case.limits)?;
        let mut invocation = Invocation::new(Arc::clone(&task), case.arguments()?);
        invocation.context.id = "test".into();
        let ended = sandbox.run(invocation).await;
        let usage = Usage {
            fuel: ended.usage.fuel.unwrap_or_default(),
            peak_memory: ended.usage.peak_memory,
        };
        let mut problems: Vec<_> = check::end(case, &ended.how)?.into_iter().collect();
        let most = case.max_fuel.or(options.max_fuel).or(self.max_fuel);
        problems.extend(check::fuel(most, usage));
        if !options.ignore_recorded {
            problems.extend(check::growth(case.usage, usage, self.tolerance));
        }
        Ok(CaseReport {
            name: case.name.clone(),
            task: case.task.clone(),
            problems,
            usage,
            wall: ended.usage.wall,
            log: ended.log,
        })
    }

    fn parse(text: &str) -> Result<Self, CaseFault> {
        let mut cases: Self = toml::from_str(text)?;
        if cases.all.is_empty() {
            return Err(CaseFault::NoCases);
        }
        if !(cases.tolerance >= 0.0 && cases.tolerance.is_finite()) {
            return Err(CaseFault::Tolerance);
        }
        for (number, case) in cases.all.iter_mut().enumerate() {
            case.check().map_err(|reason| CaseFault::Case {
                number: number + 1,
                reason,
            })?;
        }
        Ok(cases)
    }
}

impl Case {
    fn check(&mut self) -> Result<(), &'static str> {
        if self.task.is_empty() {
            return Err("it has no `task`");
        }
        if self.name.is_empty() {
            self.name.clone_from(&self.task);
        }
        let fails = self.error.is_some() || self.message.is_some();
        let returns = self.result.is_some() || self.result_json.is_some();
        match (fails, returns) {
            (true, true) => Err("it expects both a result and an error: give one of them"),
            (false, false) => Err("it expects nothing: give `result`, `error` or `message`"),
            _ => Ok(()),
        }
    }

    /// The expected result; none where an error is expected.
    fn result(&self) -> Result<Option<Value>, CaseError> {
        match &self.result_json {
            Some(text) => serde_json::from_str(text)
                .map(Some)
                .map_err(|error| not_json("result_json", error)),
            None => Ok(self.result.clone()),
        }
    }

    /// Positional and named arguments. TOML has no null: arguments that need one are written as JSON.
    fn arguments(&self) -> Result<Arguments, CaseError> {
        let mut arguments = Arguments::new(&self.args, &self.kwargs);
        if let Some(text) = &self.args_json {
            arguments.set_args(json("args_json", text)?)?;
        }
        if let Some(text) = &self.kwargs_json {
            arguments.set_kwargs(json("kwargs_json", text)?)?;
        }
        Ok(arguments)
    }
}

fn json(key: &'static str, text: &str) -> Result<RawJson, CaseError> {
    RawJson::parse(text.to_owned()).map_err(|error| not_json(key, error))
}

fn not_json(key: &'static str, error: impl Into<JsonError>) -> CaseError {
    let source = error.into();
    CaseError::Json { key, source }
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
            let error = Cases::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
