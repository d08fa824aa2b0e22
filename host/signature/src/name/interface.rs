//! Tasks of exported interfaces: their full names, their short names, and which task of a module a name means.
//!
//! WIT tells interfaces apart by package and version: `acme:store/api@1.0.0.get` is the function `get` of that
//! interface. Where a module exports only one interface `api` with a function `get`, `api.get` is enough. Must not know
//! modules.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{is_letter, is_part, same_name};

/// Which task of a module a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning<'a> {
    /// This one, by the name that the module has it under.
    Task(&'a str),
    /// One of several, which only their full names tell apart.
    Ambiguous(Vec<&'a str>),
    /// None of them.
    Nothing,
}

/// Which of a module's tasks, given by their full names, a name means in whatever spelling: a full name, or a short
/// name if only one task has it.
pub fn meaning<'a>(tasks: impl IntoIterator<Item = &'a str>, name: &str) -> Meaning<'a> {
    let mut short = Vec::new();
    for task in tasks {
        if same_name(task, name) {
            return Meaning::Task(task);
        }
        if short_name(task).is_some_and(|found| same_name(&found, name)) {
            short.push(task);
        }
    }
    match short[..] {
        [] => Meaning::Nothing,
        [only] => Meaning::Task(only),
        _ => Meaning::Ambiguous(short),
    }
}

/// The entry of the task that a name means, with its full name.
pub fn find_task<'a, V>(tasks: &'a BTreeMap<String, V>, name: &str) -> Option<(&'a str, &'a V)> {
    // Most names are spelled as WIT does.
    if let Some((task, value)) = tasks.get_key_value(name) {
        return Some((task, value));
    }
    match meaning(tasks.keys().map(String::as_str), name) {
        Meaning::Task(task) => Some((task, tasks.get(task)?)),
        Meaning::Ambiguous(_) | Meaning::Nothing => None,
    }
}

/// The short name of a function of an interface that has a package, `interface.function`; none for all others.
pub fn short_name(task: &str) -> Option<String> {
    let (interface, function) = of_interface(task)?;
    Some(format!("{}.{function}", short_interface(interface)))
}

/// What a module's tasks, given by their full names, are best called, in their order: by their short names where
/// nothing else in the module has them.
pub fn shown_names<'a>(tasks: impl IntoIterator<Item = &'a str>) -> Vec<Cow<'a, str>> {
    let tasks: Vec<&str> = tasks.into_iter().collect();
    let mut counts = BTreeMap::new();
    for task in &tasks {
        let short = short_name(task).map_or(Cow::Borrowed(*task), Cow::Owned);
        *counts
            .entry(super::canonical(&short).into_owned())
            .or_insert(0) += 1;
    }
    let shown = |task: &'a str| match short_name(task) {
        Some(short) if counts.get(&*super::canonical(&short)) == Some(&1) => Cow::Owned(short),
        _ => Cow::Borrowed(task),
    };
    tasks.into_iter().map(shown).collect()
}

/// The interface of a full name, and the function.
fn of_interface(task: &str) -> Option<(&str, &str)> {
    if !task.contains(':') {
        return None;
    }
    task.rsplit_once('.')
}

/// An interface's name without its package and version.
fn short_interface(interface: &str) -> &str {
    let path = interface.split('@').next().unwrap_or(interface);
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether this is the full name of a function in an interface that has a package, such as
/// `acme:store/api@1.0.0.get`.
pub(super) fn is_qualified(text: &str) -> bool {
    let Some((interface, function)) = of_interface(text) else {
        return false;
    };
    let (path, version) = match interface.split_once('@') {
        Some((path, version)) => (path, Some(version)),
        None => (interface, None),
    };
    let Some((package, name)) = path.split_once('/') else {
        return false;
    };
    let Some((namespace, package)) = package.split_once(':') else {
        return false;
    };
    [namespace, package, name, function]
        .into_iter()
        .all(is_part)
        && function.starts_with(|first: char| first.is_ascii_alphabetic())
        && version.is_none_or(is_version)
}

/// Numbers with dots between them, and whatever a version may have after them.
fn is_version(version: &str) -> bool {
    version.starts_with(|first: char| first.is_ascii_digit())
        && version
            .split(['.', '+'])
            .all(|part| !part.is_empty() && part.bytes().all(is_letter))
}

/// Where the module's name ends in a full name that has the full name of an interface; none for all others.
pub(super) fn end_of_module(text: &str) -> Option<usize> {
    text[..text.find(':')?].rfind('.')
}
