//! What helps with a library's error, in the program's own commands, flags and variables.
//!
//! Libraries don't know them. Must not repeat what the error says.

use chicory_project::ProjectError;

/// What to do about an error; none where the error says it all.
pub(crate) fn of(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(of_cause)
}

fn of_cause(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    error
        .downcast_ref::<ProjectError>()
        .and_then(of_project)
        .map(str::to_owned)
}

fn of_project(error: &ProjectError) -> Option<&'static str> {
    Some(match error {
        ProjectError::NotAProject { .. } => "`chicory new NAME --lang LANGUAGE` writes one",
        ProjectError::Occupied { .. } => "choose another folder with --dir",
        ProjectError::NoCache => "set HOME or XDG_CACHE_HOME",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn a_hint_is_found_whatever_was_said_about_the_error() {
        let error = ProjectError::NotAProject { dir: "x".into() };
        let error = Err::<(), _>(error).context("can't deploy").unwrap_err();
        assert!(of(&error).unwrap().contains("chicory new"));
        assert_eq!(of(&anyhow::anyhow!("anything else")), None);
    }
}
