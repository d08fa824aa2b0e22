//! Names of modules and tasks: what they may be, when two are the same, and which module a name belongs to.
//!
//! A task's full name is `module.function` or `module.interface.function`, where the interface may have its package and
//! version: `acme.acme:store/api@1.0.0.get` ([`interface`]). WIT tells names apart without
//! regard to case, and many languages write `_` for its `-`. So all names are compared in one form,
//! in lower case with `-`: `demo.add-all`, `demo.add_all` and `Demo.ADD-ALL` are one task. A module's name
//! may have dots of its own: the longest deployed module wins. Must not know what is deployed.

mod conflict;
mod interface;
mod pattern;
mod unknown;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};

pub use self::conflict::{NameConflict, Offer, conflict};
pub use self::interface::{Meaning, find_task, meaning, short_name, shown_names};
pub use self::pattern::ModulePattern;
pub use self::unknown::UnknownTask;

/// The longest name of a module, in bytes. Names are keys of stores, columns of tables and parts of each
/// log line; and `NAME.wasm.minisig` must be a valid file name, which ends at 255 bytes.
pub const MAX_MODULE_NAME: usize = 128;

/// The longest name of a task inside its module, in bytes.
pub const MAX_LOCAL_NAME: usize = 127;

/// The longest full name of a task, in bytes: both of them, and a dot.
pub const MAX_TASK_NAME: usize = MAX_MODULE_NAME + 1 + MAX_LOCAL_NAME;

/// What a name is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Named {
    /// A module.
    Module,
    /// A task, by its full name or by its name inside its module.
    Task,
}

/// Why a text can't be a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// It is longer than names may be.
    #[error("{what} may have up to {allowed} bytes, and {shown:?}… has {length}")]
    TooLong {
        /// What it would be the name of.
        what: Named,
        /// How it begins.
        shown: String,
        /// Its length in bytes.
        length: usize,
        /// The longest that is allowed.
        allowed: usize,
    },
    /// A part of it is empty, or has other characters than names may have.
    #[error("{name:?} can't be {what}: use letters, digits, `-`, `_`, and dots between parts")]
    Malformed {
        /// What it would be the name of.
        what: Named,
        /// The text.
        name: String,
    },
    /// It has too few parts, or too many.
    #[error("{name:?} can't be {what}: give {expected}")]
    Parts {
        /// What it would be the name of.
        what: Named,
        /// The text.
        name: String,
        /// Which parts there must be.
        expected: &'static str,
    },
}

/// Whether two names are the same: `max-width`, `max_width` and `MAX-WIDTH` are.
pub fn same_name(one: &str, other: &str) -> bool {
    same_bytes(one.as_bytes(), other.as_bytes())
}

/// A name in the form in which names are compared: in lower case, with `-`.
pub fn canonical(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|byte| byte == canonical_byte(byte)) {
        return Cow::Borrowed(name);
    }
    let respelled = name.chars().map(|letter| match letter {
        '_' => '-',
        other => other.to_ascii_lowercase(),
    });
    Cow::Owned(respelled.collect())
}

/// The entry of this name, with the spelling that it has there.
pub fn find_name<'a, V>(named: &'a BTreeMap<String, V>, name: &str) -> Option<(&'a str, &'a V)> {
    // Most names are spelled as WIT does.
    let found = named.get_key_value(name);
    let found = found.or_else(|| named.iter().find(|(known, _)| same_name(known, name)));
    found.map(|(known, value)| (known.as_str(), value))
}

/// Whether this can be the name of a module: parts of letters, digits, `-` and `_`, with dots between them.
///
/// # Errors
/// What is wrong with it.
pub fn check_module_name(name: &str) -> Result<(), NameError> {
    check(Named::Module, name, MAX_MODULE_NAME)
}

/// A task's full name, as messages have it. Equal in all spellings.
#[derive(Clone, Copy, Debug)]
pub struct TaskName<'a>(&'a str);

/// A task's name inside its module: `function`, `interface.function`, or `package:name/interface@version.function`. Equal
/// in all spellings.
#[derive(Clone, Copy, Debug)]
pub struct LocalName<'a>(&'a str);

/// One way to read a full name. Which one is right depends on the modules that are deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading<'a> {
    /// The module.
    pub module: &'a str,
    /// The task's name inside it.
    pub task: LocalName<'a>,
}

impl<'a> TaskName<'a> {
    /// Reads a full name.
    ///
    /// # Errors
    /// Why no task can have this name.
    pub fn parse(text: &'a str) -> Result<Self, NameError> {
        if let Some(end) = interface::end_of_module(text)
            && text.len() <= MAX_TASK_NAME
            && interface::is_qualified(&text[end + 1..])
        {
            check(Named::Task, &text[..end], MAX_MODULE_NAME)?;
            return Ok(Self(text));
        }
        check(Named::Task, text, MAX_TASK_NAME)?;
        if text.contains('.') {
            return Ok(Self(text));
        }
        Err(NameError::Parts {
            what: Named::Task,
            name: text.to_owned(),
            expected: "`module.function` or `module.interface.function`",
        })
    }

    /// As it was written.
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// The ways to read it, two at most, the one with the longest module's name first. There is only one if the
    /// interface is named with its package: no module's name has a colon.
    pub fn readings(self) -> impl Iterator<Item = Reading<'a>> {
        let Self(text) = self;
        let ends = match interface::end_of_module(text) {
            Some(end) => [Some(end), None],
            None => {
                let mut dots = text.rmatch_indices('.').map(|(at, _)| at);
                [dots.next(), dots.next()]
            }
        };
        ends.into_iter().flatten().map(move |at| Reading {
            module: &text[..at],
            task: LocalName(&text[at + 1..]),
        })
    }

    /// Reads it where these modules are deployed: the longest one wins. None where it belongs to no module.
    pub fn among(self, mut is_deployed: impl FnMut(&str) -> bool) -> Option<Reading<'a>> {
        self.readings().find(|reading| is_deployed(reading.module))
    }

    /// The task's name inside this module, if the name can be read so.
    pub fn inside(self, module: &str) -> Option<LocalName<'a>> {
        self.among(|known| same_name(known, module))
            .map(|reading| reading.task)
    }
}

impl<'a> LocalName<'a> {
    /// Reads a task's name inside its module.
    ///
    /// # Errors
    /// Why no task can have this name.
    pub fn parse(text: &'a str) -> Result<Self, NameError> {
        if text.len() <= MAX_LOCAL_NAME && interface::is_qualified(text) {
            return Ok(Self(text));
        }
        check(Named::Task, text, MAX_LOCAL_NAME)?;
        if text.matches('.').count() < 2 {
            return Ok(Self(text));
        }
        Err(NameError::Parts {
            what: Named::Task,
            name: text.to_owned(),
            expected: "`function` or `interface.function`",
        })
    }

    /// As it was written.
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// The task's full name in a module of this name.
    pub fn in_module(self, module: &str) -> String {
        format!("{module}.{}", self.0)
    }

    /// The full names that most messages have: as WIT spells them, with `_` as many languages do, and the
    /// canonical form, for which [`canonical`] finds all others.
    pub fn usual_spellings(self, module: &str) -> [String; 3] {
        let full = self.in_module(module);
        let canonical = canonical(&full).into_owned();
        [
            full,
            format!("{module}.{}", self.0.replace('-', "_")),
            canonical,
        ]
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Module => "a module's name",
            Self::Task => "a task's name",
        })
    }
}

/// The same for both kinds of a task's name: they are what they were written as, and compared canonically.
macro_rules! compared_canonically {
    ($name:ident) => {
        impl fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0)
            }
        }

        impl PartialEq for $name<'_> {
            fn eq(&self, other: &Self) -> bool {
                same_name(self.0, other.0)
            }
        }

        impl Eq for $name<'_> {}

        impl Hash for $name<'_> {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0
                    .bytes()
                    .map(canonical_byte)
                    .for_each(|byte| state.write_u8(byte));
            }
        }
    };
}

compared_canonically!(TaskName);
compared_canonically!(LocalName);

fn canonical_byte(byte: u8) -> u8 {
    match byte {
        b'_' => b'-',
        other => other.to_ascii_lowercase(),
    }
}

fn same_bytes(one: &[u8], other: &[u8]) -> bool {
    let same = |(one, other): (&u8, &u8)| canonical_byte(*one) == canonical_byte(*other);
    one.len() == other.len() && one.iter().zip(other).all(same)
}

fn check(what: Named, text: &str, allowed: usize) -> Result<(), NameError> {
    if text.len() > allowed {
        return Err(NameError::TooLong {
            what,
            shown: text.chars().take(SHOWN).collect(),
            length: text.len(),
            allowed,
        });
    }
    if text.split('.').all(is_part) {
        return Ok(());
    }
    Err(NameError::Malformed {
        what,
        name: text.to_owned(),
    })
}

/// Characters of a long name that an error shows.
const SHOWN: usize = 40;

fn is_part(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(is_letter)
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}
