//! A task's arguments on the command line.
//!
//! Must not know whether the task is enqueued or run at once.

use clap::Args;
use serde_json::{Map, Value};

use crate::config::parse;

/// A task's arguments.
#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// Positional arguments: each is parsed as JSON, and taken as a string if it is not JSON
    #[arg(value_name = "ARG", value_parser = argument, allow_negative_numbers = true)]
    pub(crate) args: Vec<Value>,
    /// Named arguments, as a JSON object
    #[arg(long, value_name = "JSON", value_parser = parse::object)]
    pub(crate) kwargs: Option<Kwargs>,
}

/// Arguments by name.
pub(crate) type Kwargs = Map<String, Value>;

#[allow(
    clippy::unnecessary_wraps,
    reason = "clap takes parsers that may fail; every text is an argument"
)]
fn argument(text: &str) -> Result<Value, String> {
    Ok(parse::argument(text))
}
