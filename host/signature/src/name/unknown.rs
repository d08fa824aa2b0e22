//! Why a name means no task, with the names that there are.
//!
//! Must not know where tasks were looked for.

use super::{Meaning, NameError, meaning, shown_names};

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
    /// Its module has several such tasks.
    #[error(
        "{task:?} means several tasks of module {module:?}: give the full name, one of {}",
        listed(tasks)
    )]
    Ambiguous {
        /// The module.
        module: String,
        /// The task's name inside it.
        task: String,
        /// The full names of the tasks that it could mean.
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

    /// The module that a name belongs to has only these tasks, given by their full names: the name means none of them,
    /// or several.
    pub fn no_task<'a>(
        module: &str,
        task: &str,
        tasks: impl IntoIterator<Item = &'a str, IntoIter: Clone>,
    ) -> Self {
        let tasks = tasks.into_iter();
        let (module, task) = (module.to_owned(), task.to_owned());
        match meaning(tasks.clone(), &task) {
            Meaning::Ambiguous(several) => Self::Ambiguous {
                module,
                task,
                tasks: several.into_iter().map(str::to_owned).collect(),
            },
            _ => Self::NoTask {
                module,
                task,
                tasks: shown_names(tasks).into_iter().map(Into::into).collect(),
            },
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
