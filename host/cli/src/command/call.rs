//! A task's arguments on the command line.
//!
//! Must not know whether the task is enqueued or run at once.

use chicory_signature::{Arguments, RawJson};
use clap::Args;

use crate::config::parse;

/// A task's arguments.
#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// Positional arguments: each is parsed as JSON, and taken as a string if it is not JSON
    #[arg(value_name = "ARG", value_parser = argument, allow_negative_numbers = true)]
    args: Vec<RawJson>,
    /// Named arguments, as a JSON object
    #[arg(long, value_name = "JSON", value_parser = parse::object)]
    kwargs: Option<RawJson>,
}

impl CallArgs {
    /// The arguments as a call takes them.
    pub(crate) fn arguments(&self) -> anyhow::Result<Arguments> {
        let mut arguments = Arguments::default();
        for arg in &self.args {
            arguments.push(arg)?;
        }
        if let Some(kwargs) = &self.kwargs {
            arguments.set_kwargs(kwargs.clone())?;
        }
        Ok(arguments)
    }
}

#[allow(
    clippy::unnecessary_wraps,
    reason = "clap takes parsers that may fail; every text is an argument"
)]
fn argument(text: &str) -> Result<RawJson, String> {
    Ok(parse::argument(text))
}
