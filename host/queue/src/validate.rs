//! Arguments checked before anything is queued, by the signatures of the versions that a fleet runs.
//!
//! So a mistake is seen where somebody can mend it. A worker checks again: the version may change in
//! between, and other producers check nothing. Must not know where messages go.

use std::collections::HashMap;

use chicory_signature::{ValidationError, names};

use crate::{BrokerError, ModuleRecord, Registry, TaskMessage, Version};

/// What is checked before a message is queued, by the registry of deployed modules. What a worker takes
/// from a folder of its own the registry does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ValidationMode {
    /// Nothing.
    None,
    /// Arguments, where the task is known: they must fit the signature of the active version, or of the
    /// version that the message is pinned to. A task that is not known passes.
    #[default]
    Inputs,
    /// The same, and a task that is not known is refused.
    Strict,
}

/// Why a message was not queued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnqueueError {
    /// Its arguments don't fit the task.
    #[error("ValidationError: task `{task}`: {error}")]
    Arguments {
        /// The task.
        task: String,
        /// Which argument, what was expected, what was found.
        error: ValidationError,
    },
    /// Nobody has deployed the task, which [`ValidationMode::Strict`] asks for.
    #[error("TaskNotFound: {0}")]
    UnknownTask(String),
    /// The version that it is pinned to is not kept.
    #[error(
        "task `{task}`: no version {digest} is kept, to which the message is pinned; `chicory modules show` lists those that are"
    )]
    UnknownVersion {
        /// The task.
        task: String,
        /// The version.
        digest: String,
    },
    /// The broker could not do its work.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

/// The checks of one batch. Each module is looked up once, so it must not be kept for long.
#[derive(Debug)]
pub struct Checks<'a> {
    registry: &'a dyn Registry,
    mode: ValidationMode,
    modules: HashMap<String, Option<ModuleRecord>>,
}

impl<'a> Checks<'a> {
    /// Checks against what is deployed now.
    pub fn new(registry: &'a dyn Registry, mode: ValidationMode) -> Self {
        Self {
            registry,
            mode,
            modules: HashMap::new(),
        }
    }

    /// Checks a message, and notes in it the version that it was checked against, on which it can run
    /// even if another one is active by then.
    ///
    /// # Errors
    /// Says what is wrong with the message, or that the registry can't be reached.
    pub async fn check(&mut self, message: &mut TaskMessage) -> Result<(), EnqueueError> {
        let mode = self.mode;
        if mode == ValidationMode::None {
            return Ok(());
        }
        let Some((module, task)) = self.module_of(&message.name).await? else {
            return match mode {
                ValidationMode::Strict => Err(self.no_module(&message.name).await?),
                _ => Ok(()),
            };
        };
        let version = match &message.pin {
            Some(digest) => pinned(module, digest).ok_or_else(|| EnqueueError::UnknownVersion {
                task: message.name.clone(),
                digest: digest.clone(),
            })?,
            None => match module.active_version() {
                Some(active) => active,
                // On its way to the workers for the first time.
                None => return Ok(()),
            },
        };
        let mut tasks = version.tasks.iter();
        let Some((_, signature)) = tasks.find(|(known, _)| names(known, task)) else {
            return match mode {
                ValidationMode::Strict => Err(no_task(module, version, task)),
                _ => Ok(()),
            };
        };
        let checked = signature.check(&message.arguments);
        checked.map_err(|error| EnqueueError::Arguments {
            task: message.name.clone(),
            error,
        })?;
        message.checked_against = Some(version.digest.clone());
        Ok(())
    }

    /// The module with the longest name that the task's begins with, and the task's name inside it.
    async fn module_of<'n>(
        &mut self,
        name: &'n str,
    ) -> Result<Option<(&ModuleRecord, &'n str)>, BrokerError> {
        for (at, _) in name.rmatch_indices('.') {
            let module = &name[..at];
            if !self.modules.contains_key(module) {
                let record = self.registry.module(module).await?;
                self.modules.insert(module.to_owned(), record);
            }
            // Looked up again: a borrow that is returned from a loop would last for all of it.
            if matches!(self.modules.get(module), Some(Some(_))) {
                let record = self.modules.get(module).and_then(Option::as_ref);
                return Ok(record.map(|record| (record, &name[at + 1..])));
            }
        }
        Ok(None)
    }

    async fn no_module(&self, name: &str) -> Result<EnqueueError, BrokerError> {
        let (_, records) = self.registry.changed(0).await?;
        let mut known: Vec<_> = records.into_iter().map(|record| record.name).collect();
        known.sort_unstable();
        Ok(EnqueueError::UnknownTask(format!(
            "no module for {name:?} is deployed; there is {}",
            listed(known.iter().map(String::as_str))
        )))
    }
}

/// A version that may be named by new messages.
fn pinned<'a>(module: &'a ModuleRecord, digest: &str) -> Option<&'a Version> {
    module.version(digest).filter(|version| !version.retiring)
}

fn no_task(module: &ModuleRecord, version: &Version, task: &str) -> EnqueueError {
    EnqueueError::UnknownTask(format!(
        "module {:?} has no task {task:?}; it has {}",
        module.name,
        listed(version.tasks.keys().map(String::as_str))
    ))
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}
