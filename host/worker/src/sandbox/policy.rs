//! The most that the operator allows modules: grants and limits, by module name and by trust.
//!
//! A module is given what its manifest asks for, within the ceilings. If it asks for more, it is refused with the names
//! of what is too much; what it has by default is cut to the ceiling. Applies in the worker, wherever a module comes
//! from. Must not know manifests' files, nor who has signed a module ([`super::trust`]).

mod ceiling;
mod excess;
mod within;

use std::path::PathBuf;

use chicory_runtime::ModuleSettings;
use chicory_signature::{ModulePattern, NameError};

pub use self::ceiling::{BadCeiling, POLICY_KEYS};
use self::ceiling::{Ceiling, Most};
pub use self::excess::{Cut, Excess, PolicyError};
use super::trust::Standing;

/// The most that modules may be given. The default suits strangers' code: no folder of the host, no address of its own
/// network, and limits with which one call can't harm others.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Later ones take precedence over earlier ones, key by key.
    rules: Vec<Rule>,
}

/// A ceiling for some modules.
#[derive(Clone, Debug)]
pub struct Rule {
    modules: ModulePattern,
    pattern: String,
    signed: bool,
    place: String,
    ceiling: Ceiling,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        (&self.pattern, self.signed, &self.ceiling)
            == (&other.pattern, other.signed, &other.ceiling)
    }
}

/// What a module is given, and what it would have without the policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Allowed {
    /// What is in force.
    pub settings: ModuleSettings,
    /// What it has by default, but is not given.
    pub cuts: Vec<Cut>,
}

impl Allowed {
    /// Everything that is asked for.
    pub fn all(settings: ModuleSettings) -> Self {
        let cuts = Vec::new();
        Self { settings, cuts }
    }
}

impl Default for Policy {
    fn default() -> Self {
        let mut rule = Rule::for_all();
        for (key, text) in ceiling::DEFAULTS {
            let set = rule.set(key, text);
            debug_assert!(set.is_ok(), "{set:?}");
        }
        Self { rules: vec![rule] }
    }
}

impl Policy {
    /// No ceiling: for one's own code.
    pub fn open() -> Self {
        Self { rules: Vec::new() }
    }

    /// A policy made of these rules. If several set the same key for a module, the rule for exactly its name takes
    /// precedence over one for a prefix, a longer prefix over a shorter one, and one for signed modules over others.
    pub fn of(mut rules: Vec<Rule>) -> Self {
        rules.sort_by_key(|rule| {
            let exact = !rule.pattern.ends_with('*');
            (exact, rule.pattern.len(), rule.signed)
        });
        Self { rules }
    }

    /// What a module is given of what it asks for.
    ///
    /// # Errors
    /// Names everything that is above a ceiling.
    pub fn apply(
        &self,
        module: &str,
        standing: Standing,
        asked: &ModuleSettings,
    ) -> Result<Allowed, PolicyError> {
        let (allowed, excesses) = self.weigh(module, standing, asked);
        if excesses.is_empty() {
            return Ok(allowed);
        }
        Err(PolicyError {
            module: module.to_owned(),
            excesses,
        })
    }

    /// What a module is given of what it asks for, and what is refused.
    pub fn weigh(
        &self,
        module: &str,
        standing: Standing,
        asked: &ModuleSettings,
    ) -> (Allowed, Vec<Excess>) {
        let mut ceiling = Ceiling::default();
        for rule in self
            .rules
            .iter()
            .filter(|rule| rule.is_for(module, standing))
        {
            ceiling.lay_over(&rule.ceiling, &rule.place);
        }
        let mut allowed = Allowed::all(asked.clone());
        // One level, the operator's. Another, such as a tenant's, is applied to what this one allows.
        let excesses = within::apply(&ceiling, &mut allowed);
        (allowed, excesses)
    }

    /// The folders that some module may be granted: those for reading, and those for writing as well.
    pub fn folders(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let all = |key| {
            let sets = self.rules.iter().filter_map(|rule| rule.ceiling.get(key));
            let folders = sets.filter_map(|set| match &set.most {
                Most::Folders(folders) => Some(folders.clone()),
                _ => None,
            });
            folders.flatten().collect()
        };
        (all("dirs"), all("writable_dirs"))
    }

    /// The policy in one line, for the audit log.
    pub fn describe(&self) -> String {
        let rules = self
            .rules
            .iter()
            .map(|rule| format!("{}: {}", rule.place, rule.ceiling));
        rules.collect::<Vec<_>>().join("; ")
    }
}

impl Rule {
    /// A rule for all modules.
    pub fn for_all() -> Self {
        Self::new("*", false, "[policy]").unwrap_or_else(|_| unreachable!("`*` is a pattern"))
    }

    /// A rule for the modules with these names, or only for those of them that a trusted key has signed. `place` is
    /// where an operator finds it.
    ///
    /// # Errors
    /// If no module can have such a name.
    pub fn new(pattern: &str, signed: bool, place: &str) -> Result<Self, NameError> {
        Ok(Self {
            modules: ModulePattern::parse(pattern)?,
            pattern: pattern.to_owned(),
            signed,
            place: place.to_owned(),
            ceiling: Ceiling::default(),
        })
    }

    /// Sets one of [`POLICY_KEYS`], as text: a list with commas, `true` or `false`, a number, or `none` for no limit.
    ///
    /// # Errors
    /// Says what is allowed.
    pub fn set(&mut self, key: &str, text: &str) -> Result<(), BadCeiling> {
        self.ceiling.set(key, text, &self.place)
    }

    fn is_for(&self, module: &str, standing: Standing) -> bool {
        (!self.signed || standing == Standing::Signed) && self.modules.matches(module)
    }
}

#[cfg(test)]
mod tests;
