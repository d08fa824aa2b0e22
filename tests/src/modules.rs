//! A crate's modules, and where they import each other in a cycle.
//!
//! Sibling modules are compared: one imports the other if a path in its files, or in those of the modules inside it, leads
//! there. A re-exported name (`pub use`) leads to the module that defines it. What doesn't count: `mod` and `use` between a
//! module and its parent, since the two are read as one; and tests. Must not know what the modules do.

use std::collections::{BTreeMap, BTreeSet};

use crate::Source;
use crate::paths::{Paths, paths};

/// A module's place in its crate: its names from the outside in, none for the crate itself.
type Place = Vec<String>;

/// The modules of one crate.
#[derive(Debug)]
pub struct Modules {
    files: BTreeMap<Place, Paths>,
}

/// Sibling modules that import each other in a cycle.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cycle {
    /// Their parent: empty for the crate itself.
    pub inside: String,
    /// Their names.
    pub modules: Vec<String>,
    /// One import for each pair: what closes the cycle.
    pub uses: Vec<String>,
}

impl Modules {
    /// Reads the sources of the crate in `folder` (`host/queue`).
    pub fn read(folder: &str) -> Modules {
        let root = format!("{folder}/src/");
        let files = crate::sources(&format!("{folder}/src"), ".rs");
        Modules::of(files.into_iter().map(|file| Source {
            path: file.path[root.len()..].to_owned(),
            text: file.text,
        }))
    }

    /// Takes sources whose paths start inside `src`.
    fn of(sources: impl IntoIterator<Item = Source>) -> Modules {
        let mut files: BTreeMap<Place, Paths> = sources
            .into_iter()
            .map(|source| (place(&source.path), paths(&source.text)))
            .collect();
        let tests: Vec<Place> = files
            .iter()
            .flat_map(|(place, file)| file.tests.iter().map(|name| inside(place, name)))
            .collect();
        files.retain(|place, _| !tests.iter().any(|test| place.starts_with(test)));
        Modules { files }
    }

    /// All cycles.
    pub fn cycles(&self) -> Vec<Cycle> {
        let parents: BTreeSet<&[String]> = self
            .files
            .keys()
            .flat_map(|place| (0..place.len()).map(|depth| &place[..depth]))
            .collect();
        let found = parents.into_iter().flat_map(|parent| self.among(parent));
        found.collect()
    }

    /// Cycles among the children of `parent`.
    fn among(&self, parent: &[String]) -> Vec<Cycle> {
        let mut uses: BTreeMap<&str, BTreeMap<&str, String>> = BTreeMap::new();
        let depth = parent.len();
        for (place, file) in &self.files {
            let Some(own) = child(place, parent) else {
                continue;
            };
            uses.entry(own).or_default();
            for path in &file.used {
                let target = self.leads(place, path);
                let other = target.and_then(|target| self.files.get_key_value(&target));
                let other = other.and_then(|(target, _)| child(target, parent));
                if let Some(other) = other.filter(|other| *other != own) {
                    let written =
                        || format!("{} imports {}", place[depth..].join("::"), path.join("::"));
                    let known = uses.entry(own).or_default();
                    known.entry(other).or_insert_with(written);
                }
            }
        }
        cycles_of(&uses)
            .into_iter()
            .map(|cycle| Cycle {
                inside: parent.join("::"),
                uses: cycle
                    .iter()
                    .flat_map(|from| uses[from].iter())
                    .filter(|(to, _)| cycle.contains(**to))
                    .map(|(_, written)| written.clone())
                    .collect(),
                modules: cycle.into_iter().map(str::to_owned).collect(),
            })
            .collect()
    }

    /// The module where what `path` names, written in the module at `place`, is defined.
    fn leads(&self, place: &[String], path: &[String]) -> Option<Place> {
        self.follow(&self.absolute(place, path)?, 0)
    }

    /// The same path from the crate's root; none if it leads out of the crate.
    fn absolute(&self, place: &[String], path: &[String]) -> Option<Place> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([place, rest].concat()),
            "super" => {
                let up = path.iter().take_while(|name| *name == "super").count();
                Some([&place[..place.len().checked_sub(up)?], &path[up..]].concat())
            }
            name if self.files.contains_key(&inside(place, name)) => Some([place, path].concat()),
            _ => None,
        }
    }

    /// Follows re-exports.
    fn follow(&self, path: &[String], steps: usize) -> Option<Place> {
        const MOST_STEPS: usize = 16;
        let length = (1..=path.len())
            .take_while(|length| self.files.contains_key(&path[..*length]))
            .last()
            .unwrap_or(0);
        let (module, rest) = path.split_at(length);
        let re_exported = rest.split_first().and_then(|(name, rest)| {
            let origin = self.files.get(module)?.imported.get(name)?;
            let origin = self.absolute(module, origin)?;
            Some([origin.as_slice(), rest].concat())
        });
        match re_exported {
            Some(origin) if steps < MOST_STEPS && origin != path => self.follow(&origin, steps + 1),
            _ => Some(module.to_vec()),
        }
    }
}

/// `queue/lease.rs` is the module `queue::lease`.
fn place(path: &str) -> Place {
    let mut names: Place = path
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect();
    if names
        .last()
        .is_some_and(|name| ["lib", "main", "mod"].contains(&name.as_str()))
    {
        names.pop();
    }
    names
}

fn inside(place: &[String], name: &str) -> Place {
    [place, &[name.to_owned()]].concat()
}

/// The child of `parent` that `place` belongs to.
fn child<'a>(place: &'a [String], parent: &[String]) -> Option<&'a str> {
    let rest = place.strip_prefix(parent)?;
    rest.first().map(String::as_str)
}

/// Groups of nodes of which each can be reached from each other one.
fn cycles_of<'a>(
    edges: &BTreeMap<&'a str, BTreeMap<&'a str, String>>,
) -> BTreeSet<BTreeSet<&'a str>> {
    let reached = |from: &'a str| {
        let mut seen = BTreeSet::new();
        let mut next = vec![from];
        while let Some(node) = next.pop() {
            let more = edges.get(node).into_iter().flat_map(BTreeMap::keys);
            next.extend(more.filter(|node| seen.insert(**node)));
        }
        seen
    };
    let all: BTreeMap<_, _> = edges.keys().map(|node| (*node, reached(node))).collect();
    let cycle = |node: &&'a str| {
        let others = all[*node]
            .iter()
            .filter(|other| all[*other].contains(*node));
        others.copied().collect::<BTreeSet<_>>()
    };
    let found = edges.keys().map(cycle);
    found.filter(|cycle| cycle.len() > 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycles(files: &[(&str, &str)]) -> Vec<(String, Vec<String>)> {
        let sources = files.iter().map(|(path, text)| Source {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        });
        let found = Modules::of(sources).cycles().into_iter();
        found.map(|cycle| (cycle.inside, cycle.modules)).collect()
    }

    #[test]
    fn no_modules_import_each_other_in_a_cycle() {
        let mut found = Vec::new();
        for folder in crates() {
            for cycle in Modules::read(&folder).cycles() {
                let Cycle {
                    inside,
                    modules,
                    uses,
                } = cycle;
                let modules = modules.join(" ");
                let uses = uses.join("\n    ");
                found.push(format!("{folder}, in `{inside}`: {modules}\n    {uses}"));
            }
        }
        assert!(found.is_empty(), "\n  {}", found.join("\n  "));
    }

    fn crates() -> Vec<String> {
        let host = crate::root().join("host");
        let folders = std::fs::read_dir(&host).unwrap_or_else(|error| panic!("host: {error}"));
        let names = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap());
        let mut found: Vec<_> = names.map(|name| format!("host/{name}")).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn a_cycle_is_found_through_re_exports() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use b::{inner::Thing, Other};"),
            ("a.rs", "use crate::{Thing as Renamed};"),
            ("b/mod.rs", "mod inner; pub struct Other;"),
            ("b/inner.rs", "fn f() { crate::a::call(); }"),
        ];
        assert_eq!(
            cycles(&files),
            [(String::new(), vec!["a".to_owned(), "b".to_owned()])]
        );
        let inside = [
            ("lib.rs", "mod x;"),
            ("x.rs", "mod a; mod b; mod c;"),
            ("x/a.rs", "use super::b;"),
            ("x/b.rs", "use super::c::Thing;"),
            ("x/c.rs", "use super::super::x::a::Other;"),
        ];
        let all = ["a", "b", "c"].map(str::to_owned).to_vec();
        assert_eq!(cycles(&inside), [("x".to_owned(), all)]);
    }

    #[test]
    fn parents_and_tests_make_no_cycle() {
        let files = [
            ("lib.rs", "mod a; mod b; mod fake; pub use a::A;"),
            (
                "a.rs",
                "mod inner; use inner::call; #[cfg(test)] mod tests { use crate::b::B; }",
            ),
            ("a/inner.rs", "use super::A;"),
            (
                "b.rs",
                "use crate::A; #[cfg(test)] pub(crate) mod fake; #[cfg(test)] use crate::c::C;",
            ),
            ("b/fake.rs", "use crate::c::C;"),
            ("c.rs", "use crate::b::B;"),
        ];
        assert_eq!(cycles(&files), []);
    }
}
