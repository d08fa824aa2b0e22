//! Modules that can't be deployed beside each other, since a name would mean a task of either.
//!
//! Must not know which of them came first.

use std::borrow::Cow;

use super::{TaskName, same_name};

/// A module with the names of its tasks.
#[derive(Clone, Debug)]
pub struct Offer<'a> {
    /// The module's name.
    pub module: &'a str,
    /// Its tasks' names inside the module, the short ones as well.
    pub tasks: Vec<Cow<'a, str>>,
}

/// Why two modules can't be deployed beside each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameConflict {
    /// Their names are the same.
    #[error(
        "modules {module:?} and {other:?} have the same name but for its spelling, so messages can't tell their tasks apart: use one spelling, or another name"
    )]
    Spelling {
        /// One module.
        module: String,
        /// The other one.
        other: String,
    },
    /// A task of one module has a name that belongs to the other.
    #[error(
        "the name {name:?} is ambiguous: module {module:?} has a task `{task}`, and what begins with \"{owner}.\" belongs to module {owner:?}; give one of them another name"
    )]
    Ambiguous {
        /// The task's full name.
        name: String,
        /// The module that has the task.
        module: String,
        /// The task's name inside it.
        task: String,
        /// The module that the name belongs to.
        owner: String,
    },
}

/// Why these modules can't be deployed beside each other; none where every name of a task is one task's.
pub fn conflict(one: &Offer<'_>, other: &Offer<'_>) -> Option<NameConflict> {
    if !same_name(one.module, other.module) {
        return taken(one, other.module).or_else(|| taken(other, one.module));
    }
    // A module beside itself: another version of it.
    (one.module != other.module).then(|| NameConflict::Spelling {
        module: one.module.to_owned(),
        other: other.module.to_owned(),
    })
}

/// The first task of the module whose name belongs to the module `owner`, since that is the longer one.
fn taken(offer: &Offer<'_>, owner: &str) -> Option<NameConflict> {
    if owner.len() <= offer.module.len() {
        return None;
    }
    let names = offer.tasks.iter();
    let mut names = names.map(|task| (task, format!("{}.{task}", offer.module)));
    let belongs = |name: &str| TaskName(name).inside(owner).is_some();
    let (task, name) = names.find(|(_, name)| belongs(name))?;
    Some(NameConflict::Ambiguous {
        name,
        module: offer.module.to_owned(),
        task: task.to_string(),
        owner: owner.to_owned(),
    })
}
