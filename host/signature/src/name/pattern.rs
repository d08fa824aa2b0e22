//! Patterns of modules' names, as settings have them: a name, or how names begin and `*`.
//!
//! Must not know what a pattern is for.

use super::{NameError, Named, is_letter, same_bytes};

/// The names of some modules: `acme`, `acme.*`, `acme*` or `*`. Compared as names are.
#[derive(Clone, Debug)]
pub struct ModulePattern {
    beginning: Box<str>,
    open: bool,
}

impl ModulePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When no module's name could match it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let (beginning, open) = match text.strip_suffix('*') {
            Some(beginning) => (beginning, true),
            None => (text, false),
        };
        let valid = if open {
            let empty_part = beginning.starts_with('.') || beginning.contains("..");
            !empty_part
                && beginning
                    .bytes()
                    .all(|byte| byte == b'.' || is_letter(byte))
        } else {
            super::check_module_name(beginning).is_ok()
        };
        if !valid {
            return Err(NameError::Parts {
                what: Named::Module,
                name: text.to_owned(),
                expected: "a module's name, or how names begin and `*`",
            });
        }
        Ok(Self {
            beginning: beginning.into(),
            open,
        })
    }

    /// Whether the module of this name is one of them.
    pub fn matches(&self, module: &str) -> bool {
        let (module, beginning) = (module.as_bytes(), self.beginning.as_bytes());
        match module.get(..beginning.len()) {
            Some(begins) if self.open => same_bytes(begins, beginning),
            _ => same_bytes(module, beginning),
        }
    }
}
