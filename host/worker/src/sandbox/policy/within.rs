//! Compares what a module asks for with a ceiling.
//!
//! Must not know where a ceiling comes from.

use std::path::{Component, Path, PathBuf};

use chicory_runtime::{DirGrant, HostGrant, LIMITS, Limits};

use super::Allowed;
use super::ceiling::{Ceiling, Most, Set};
use super::excess::{Cut, Excess};

/// Cuts what is allowed to the ceiling, and returns what was asked for above it.
pub(super) fn apply(ceiling: &Ceiling, allowed: &mut Allowed) -> Vec<Excess> {
    let mut excesses = Vec::new();
    switches(ceiling, allowed, &mut excesses);
    hosts(ceiling, allowed, &mut excesses);
    folders(ceiling, allowed, &mut excesses);
    interfaces(ceiling, allowed, &mut excesses);
    limits(ceiling, allowed, &mut excesses);
    excesses
}

fn excess(what: &str, asked: &str, set: &Set, key: &str) -> Excess {
    Excess {
        what: what.to_owned(),
        asked: asked.to_owned(),
        allowed: set.to_string(),
        place: format!("{} {key}", set.place),
    }
}

fn switches(ceiling: &Ceiling, allowed: &mut Allowed, excesses: &mut Vec<Excess>) {
    let closed = |key| {
        let set = ceiling.get(key)?;
        (set.most == Most::Switch(false)).then_some(set)
    };
    let grants = &mut allowed.settings.grants;
    if let Some(set) = closed("env").filter(|_| !grants.env.is_empty()) {
        let names: Vec<_> = grants.env.keys().map(String::as_str).collect();
        excesses.push(excess("[grants] env", &names.join(", "), set, "env"));
        grants.env.clear();
    }
    // These are granted by default, so asking for them can't be told from saying nothing.
    for (key, granted) in [
        ("clocks", &mut grants.clocks),
        ("random", &mut grants.random),
        ("stdio", &mut grants.stdio),
    ] {
        if let Some(set) = closed(key).filter(|_| *granted) {
            *granted = false;
            allowed.cuts.push(Cut {
                what: format!("[grants] {key}"),
                to: "false".to_owned(),
                place: format!("{} {key}", set.place),
            });
        }
    }
}

fn hosts(ceiling: &Ceiling, allowed: &mut Allowed, excesses: &mut Vec<Excess>) {
    let Some((set, Most::Hosts(most))) = ceiling.get("http").map(|set| (set, &set.most)) else {
        return;
    };
    allowed.settings.grants.http.retain(|text| {
        // What is not a host is refused by name when the module is loaded.
        let within = HostGrant::parse(text)
            .map_or(true, |asked| most.iter().any(|hosts| hosts.allow(&asked)));
        if !within {
            excesses.push(excess("[grants] http", text, set, "http"));
        }
        within
    });
}

fn folders(ceiling: &Ceiling, allowed: &mut Allowed, excesses: &mut Vec<Excess>) {
    let most = |key| match ceiling.get(key) {
        Some(Set {
            most: Most::Folders(folders),
            ..
        }) => Some(folders.as_slice()),
        _ => None,
    };
    let (readable, writable) = (most("dirs"), most("writable_dirs"));
    let below = |path: &Path, folders: Option<&[PathBuf]>| {
        folders.is_none_or(|folders| folders.iter().any(|folder| path.starts_with(real(folder))))
    };
    allowed
        .settings
        .grants
        .dirs
        .retain_mut(|dir: &mut DirGrant| {
            let path = real(&dir.host);
            let plain = !path.components().any(|part| part == Component::ParentDir);
            let may_write = plain && below(&path, writable);
            let may_read = plain && (below(&path, readable) || may_write);
            let (within, key) = if dir.writable {
                (may_write, "writable_dirs")
            } else {
                (may_read, "dirs")
            };
            if within {
                // The path that was checked is the path that is opened, whatever a link points to later.
                if readable.is_some() || writable.is_some() {
                    dir.host = path;
                }
            } else if let Some(set) = ceiling.get(key) {
                let how = if dir.writable { " (writable)" } else { "" };
                let asked = format!("{}{how}", dir.host.display());
                excesses.push(excess("[grants] dirs", &asked, set, key));
            }
            within
        });
}

/// A path without links; unchanged if it does not exist.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn interfaces(ceiling: &Ceiling, allowed: &mut Allowed, excesses: &mut Vec<Excess>) {
    let Some((set, Most::Names(most))) = ceiling.get("interfaces").map(|set| (set, &set.most))
    else {
        return;
    };
    allowed.settings.grants.interfaces.retain(|asked| {
        let plain = asked
            .split_once('@')
            .map_or(asked.as_str(), |(name, _)| name);
        let within = most
            .iter()
            .any(|name| name == "*" || name == asked || name == plain);
        if !within {
            excesses.push(excess("[grants] interfaces", asked, set, "interfaces"));
        }
        within
    });
}

fn limits(ceiling: &Ceiling, allowed: &mut Allowed, excesses: &mut Vec<Excess>) {
    let settings = &mut allowed.settings;
    let defaults = Limits::defaults();
    for limit in &LIMITS {
        let key = limit.bounded.name;
        let Some((set, most)) = ceiling.get(key).and_then(|set| match set.most {
            Most::Limit(Some(most)) => Some((set, most)),
            _ => None,
        }) else {
            continue;
        };
        let tasks = settings.task_limits.iter_mut();
        let tasks = tasks.map(|(task, own)| (format!("[tasks.{task}.limits] {key}"), own));
        let module = (format!("[limits] {key}"), &mut settings.limits);
        for (what, own) in std::iter::once(module).chain(tasks) {
            if let Some(asked) = limit.of(own).filter(|asked| *asked > most) {
                excesses.push(excess(&what, &asked.to_string(), set, key));
                limit.set(own, most);
            }
        }
        // If nothing is said about it, a module has the default, or no limit.
        let by_default = limit.of(&settings.limits).is_none();
        if by_default && limit.of(&defaults).is_none_or(|default| default > most) {
            limit.set(&mut settings.limits, most);
            allowed.cuts.push(Cut {
                what: format!("[limits] {key}"),
                to: set.to_string(),
                place: format!("{} {key}", set.place),
            });
        }
    }
}
