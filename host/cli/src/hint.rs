//! What helps with a library's error, in the program's own commands, flags and variables.
//!
//! Libraries don't know them. Must not repeat what the error says.

use chicory_admin::{AdminError, UploadError};
use chicory_project::ProjectError;
use chicory_queue::{DeployRefused, EnqueueError, RegistryError, UnreadableRecord};

/// What to do about an error; none where the error says it all.
pub(crate) fn of(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(of_cause)
}

fn of_cause(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<ProjectError>() {
        return of_project(error).map(str::to_owned);
    }
    if let Some(error) = error.downcast_ref::<UploadError>() {
        return of_upload(error);
    }
    if let Some(error) = error.downcast_ref::<EnqueueError>() {
        return of_enqueue(error);
    }
    if let Some(RegistryError::Record(error)) = error.downcast_ref() {
        return of_unreadable(error);
    }
    of_admin(error.downcast_ref()?)
}

fn of_unreadable(error: &UnreadableRecord) -> Option<String> {
    if error.source.is_newer() {
        return None;
    }
    let module = &error.module;
    Some(format!(
        "deploy the module again, or replace the record with an empty one: `chicory modules reset {module}`"
    ))
}

fn of_upload(error: &UploadError) -> Option<String> {
    Some(match error {
        UploadError::SignatureWithoutManifest { shown } => format!(
            "run `chicory bundle {shown}`, sign the file that it writes, and deploy that with --bundled"
        ),
        UploadError::ManifestInside { shown } => format!(
            "look at it with `chicory inspect {shown}`, and deploy it with --bundled if that is what you want"
        ),
        UploadError::NoManifestInside { .. } => {
            "`chicory bundle` writes a module with its manifest inside".into()
        }
        UploadError::NotWebAssembly {
            shown,
            is_text: true,
        } => format!("`wasm-tools parse {shown} -o FILE.wasm` converts it"),
        UploadError::NameInside { .. } => "leave out --name and --version".into(),
        _ => return None,
    })
}

fn of_admin(error: &AdminError) -> Option<String> {
    Some(match error {
        AdminError::NoDeadLetter { queue, .. } => {
            format!("`chicory dlq list --queue {queue}` lists those that exist")
        }
        AdminError::NoModule { known, .. } if known.is_empty() => {
            "`chicory deploy PATH` deploys one".into()
        }
        AdminError::Refused(refused) => return of_refused(refused),
        AdminError::Registry(RegistryError::Record(error)) => return of_unreadable(error),
        _ => return None,
    })
}

fn of_refused(refused: &DeployRefused) -> Option<String> {
    Some(match refused {
        DeployRefused::CanaryServes { module, .. } => {
            format!("`chicory rollback {module}` ends the canary")
        }
        DeployRefused::Breaking { .. } => "keep these as they are, or deploy with --allow-breaking: then messages that were checked against the active version still run on it".into(),
        DeployRefused::BreakingCanary { .. } | DeployRefused::NothingActive { .. } => {
            "deploy it without --canary".into()
        }
        DeployRefused::NoVersion { module, .. } => {
            format!("`chicory modules show {module}` lists the versions that are kept")
        }
        DeployRefused::Names(_) => "--name deploys a module under another name".into(),
        _ => return None,
    })
}

fn of_enqueue(error: &EnqueueError) -> Option<String> {
    match error {
        EnqueueError::UnknownVersion { .. } => {
            Some("`chicory modules show` lists the versions that are kept".into())
        }
        _ => None,
    }
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
