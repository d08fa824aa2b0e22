//! Checks messages before anything is queued, against the signatures of the versions that a fleet runs.
//!
//! A mistake is thus reported to the one who can fix it. A worker checks again: the version may change in between, and
//! other producers check nothing. Must not know where messages go.

use std::collections::HashMap;

use chicory_signature::{LocalName, TaskName, UnknownTask, ValidationError, find_task};

use crate::{BrokerError, ModuleRecord, Registry, RegistryError, TaskMessage, Version};

/// What is checked before a message is queued, against the registry of deployed modules. The registry doesn't know the
/// modules that a worker loads from a folder of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ValidationMode {
    /// Nothing.
    None,
    /// The arguments of known tasks: they must fit the signature of the active version, or of the version that
    /// the message is pinned to. An unknown task passes.
    #[default]
    Inputs,
    /// The same, and an unknown task is refused.
    Strict,
}

/// Why a message was not queued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnqueueError {
    /// Its arguments don't fit the task.
    #[error("ValidationError: task `{task}`")]
    Arguments {
        /// The task.
        task: String,
        /// Which argument, what was expected, what was found.
        source: ValidationError,
    },
    /// Nobody has deployed the task, and [`ValidationMode::Strict`] requires that somebody has.
    #[error("TaskNotFound")]
    UnknownTask(#[from] UnknownTask),
    /// The version that it is pinned to is no longer kept.
    #[error("task `{task}`: the message is pinned to version {digest}, which is not kept")]
    UnknownVersion {
        /// The task.
        task: String,
        /// The version.
        digest: String,
    },
    /// The broker failed.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

impl From<RegistryError> for EnqueueError {
    fn from(error: RegistryError) -> Self {
        Self::Broker(error.into())
    }
}

/// The checks of one batch. Each module is looked up only once, so don't keep this for long.
#[derive(Debug)]
pub struct Checks<'a> {
    mode: ValidationMode,
    modules: Modules<'a>,
}

/// The modules that a batch's messages name.
#[derive(Debug)]
struct Modules<'a> {
    registry: &'a dyn Registry,
    /// By their names as spelled in messages; `None` for a name that no deployed module has.
    found: HashMap<String, Option<ModuleRecord>>,
    /// Whether only known tasks pass.
    strict: bool,
}

impl<'a> Checks<'a> {
    /// Checks against what is deployed now.
    pub fn new(registry: &'a dyn Registry, mode: ValidationMode) -> Self {
        let modules = Modules {
            registry,
            found: HashMap::new(),
            strict: mode == ValidationMode::Strict,
        };
        Self { mode, modules }
    }

    /// Checks a message, and notes in it the version that it was checked against. It can then run on that version even
    /// if another one has become active.
    ///
    /// # Errors
    /// Says what is wrong with the message, or that the registry can't be reached.
    pub async fn check(&mut self, message: &mut TaskMessage) -> Result<(), EnqueueError> {
        if self.mode == ValidationMode::None {
            return Ok(());
        }
        match self.fitting(message).await {
            Ok(Some(digest)) => message.checked_against = Some(digest),
            Ok(None) => {}
            Err(EnqueueError::UnknownTask(_)) if self.mode != ValidationMode::Strict => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The digest of the version whose signature the arguments fit; `None` while the module's first version is still on
    /// its way to the workers.
    async fn fitting(&mut self, message: &TaskMessage) -> Result<Option<String>, EnqueueError> {
        let (module, task) = self.modules.of(&message.name).await?;
        let version = match &message.pin {
            Some(digest) => pinned(module, digest).ok_or_else(|| EnqueueError::UnknownVersion {
                task: message.name.to_string(),
                digest: digest.clone(),
            })?,
            None => match module.active_version() {
                Some(active) => active,
                None => return Ok(None),
            },
        };
        let Some((_, signature)) = find_task(&version.tasks, task.as_str()) else {
            let tasks = version.tasks.keys().map(String::as_str);
            let unknown = UnknownTask::no_task(&module.name, task.as_str(), tasks);
            return Err(EnqueueError::UnknownTask(unknown));
        };
        match signature.check(&message.arguments) {
            Ok(()) => Ok(Some(version.digest.clone())),
            Err(source) => Err(EnqueueError::Arguments {
                task: message.name.to_string(),
                source,
            }),
        }
    }
}

impl Modules<'_> {
    /// The deployed module that a name belongs to, and the task's name inside it.
    async fn of<'n>(
        &mut self,
        name: &'n str,
    ) -> Result<(&ModuleRecord, LocalName<'n>), EnqueueError> {
        let parsed =
            TaskName::parse(name).map_err(|error| EnqueueError::UnknownTask(error.into()))?;
        let mut found = None;
        for reading in parsed.readings() {
            if self.is_deployed(reading.module).await? {
                found = Some(reading);
                break;
            }
        }
        let record = found
            .and_then(|reading| Some((self.found.get(reading.module)?.as_ref()?, reading.task)));
        match record {
            Some(found) => Ok(found),
            None => {
                // The names are for the reader of the error, so they are only asked for if there is an error.
                let names = if self.strict {
                    self.registry.names().await?
                } else {
                    Vec::new()
                };
                Err(UnknownTask::no_module(name, names).into())
            }
        }
    }

    async fn is_deployed(&mut self, module: &str) -> Result<bool, RegistryError> {
        if !self.found.contains_key(module) {
            let record = self.look_up(module).await?;
            self.found.insert(module.to_owned(), record);
        }
        Ok(matches!(self.found.get(module), Some(Some(_))))
    }

    /// The record of the deployed module with this name, in any spelling.
    async fn look_up(&self, module: &str) -> Result<Option<ModuleRecord>, RegistryError> {
        match self.registry.find_module(module).await {
            // Workers may still serve it: messages pass unchecked, like those for a module that nobody knows.
            Err(RegistryError::Record(_)) if !self.strict => Ok(None),
            found => Ok(found?.filter(ModuleRecord::is_deployed)),
        }
    }
}

/// A version that new messages may name.
fn pinned<'a>(module: &'a ModuleRecord, digest: &str) -> Option<&'a Version> {
    module.version(digest).filter(|version| !version.retiring)
}
