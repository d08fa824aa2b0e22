//! Asking before something is removed.
//!
//! Must not know what.

use crate::exit::CommandError;
use crate::output::ask;

/// Asks on the terminal; without one, `--yes` is needed.
pub(crate) fn confirm(question: &str, yes: bool) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    match ask(question)? {
        Some(true) => Ok(()),
        Some(false) => Err(CommandError::Failed("nothing was done".into()).into()),
        None => {
            let message =
                format!("{question} There is no terminal to ask on: add --yes to confirm");
            Err(CommandError::Usage(message).into())
        }
    }
}
