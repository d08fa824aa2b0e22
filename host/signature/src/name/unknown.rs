//! Why a name means no task, with the names that there are.
//!
//! Must not know where tasks were looked for.

use super::{LocalName, NameError};

/// Why a name means no task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnknownTask {
    /// No task can have this name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It belongs to no module that is deployed.
    #[error("no module for {name:?} is deployed; there is {}", listed(modules))]
    NoModule {
        /// The name.
        name: String,
        /// The modules that are deployed.
        modules: Vec<String>,
    },
    /// Its module has no such task.
    #[error("module {module:?} has no task {task:?}; it has {}", listed(tasks))]
    NoTask {
        /// The module.
        module: String,
        /// The task's name inside it.
        task: String,
        /// The tasks that it has.
        tasks: Vec<String>,
    },
}

impl UnknownTask {
    /// No module is deployed that a name could belong to.
    pub fn no_module(name: &str, modules: impl IntoIterator<Item = String>) -> Self {
        let mut modules: Vec<_> = modules.into_iter().collect();
        modules.sort_unstable();
        Self::NoModule {
            name: name.to_owned(),
            modules,
        }
    }

    /// The module that a name belongs to has only these tasks.
    pub fn no_task<'a>(
        module: &str,
        task: LocalName<'_>,
        tasks: impl IntoIterator<Item = &'a String>,
    ) -> Self {
        Self::NoTask {
            module: module.to_owned(),
            task: task.to_string(),
            tasks: tasks.into_iter().cloned().collect(),
        }
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}
