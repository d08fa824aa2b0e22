//! Whose modules are run: keys by module name, and signatures in minisign's format.
//!
//! The format is that of <https://jedisct1.github.io/minisign/>. Must not know where a module comes from.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use chicory_signature::{ModulePattern, NameError};
use minisign_verify::{PublicKey, Signature};

/// Where the signature of a module's file is: next to it, with `.minisig` appended.
pub fn signature_file(module: &Path) -> PathBuf {
    let mut name = module.as_os_str().to_owned();
    name.push(".minisig");
    name.into()
}

/// Which keys are trusted for which modules. If nothing is set, every module is run.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    keys: Vec<(ModulePattern, PublicKey)>,
    required: bool,
    fingerprint: String,
}

/// Whether a trusted key has signed a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A key that is trusted for it has signed it.
    Signed,
    /// No key is trusted for it, or none has signed it.
    Unsigned,
}

/// Why a module is not run, or a key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The key can't be used.
    #[error(
        "{key:?} for {pattern:?} is not a minisign public key: give the line that starts with RW, as `minisign -G` writes it to minisign.pub"
    )]
    Key {
        /// The modules that it is for.
        pattern: String,
        /// What was given.
        key: String,
    },
    /// No module can have a name like this.
    #[error("[trust] keys: {0}")]
    Pattern(#[from] NameError),
    /// It must be signed, but is not.
    #[error(
        "it is not signed, but module {module:?} must be signed by a trusted key: sign it with minisign, and deploy it with its signature"
    )]
    Unsigned {
        /// The module.
        module: String,
    },
    /// It must be signed, but no key is trusted for it.
    #[error("no key is trusted for module {module:?}, but every module must be signed")]
    NoKey {
        /// The module.
        module: String,
    },
    /// It is signed by someone else, or is not what was signed.
    #[error(
        "its signature was not made with a key that is trusted for module {module:?}: {reason}"
    )]
    Refused {
        /// The module.
        module: String,
        /// What the check said.
        reason: String,
    },
}

impl Trust {
    /// A policy: pairs of a pattern and a key in minisign's base64, and whether modules without a key of their own are
    /// refused.
    ///
    /// # Errors
    /// Names the pattern that can't match any module's name, or the text that is not a key.
    pub fn new<'a>(
        keys: impl IntoIterator<Item = (&'a str, &'a str)>,
        required: bool,
    ) -> Result<Self, TrustError> {
        let mut policy = Self {
            keys: Vec::new(),
            required,
            fingerprint: format!("required={required}"),
        };
        for (pattern, key) in keys {
            let names = ModulePattern::parse(pattern)?;
            let parsed = PublicKey::from_base64(key).map_err(|_| TrustError::Key {
                pattern: pattern.to_owned(),
                key: key.to_owned(),
            })?;
            let _ = write!(policy.fingerprint, " {pattern}={key}");
            policy.keys.push((names, parsed));
        }
        Ok(policy)
    }

    /// The policy in one line, for the audit log: keys are public.
    pub fn describe(&self) -> &str {
        &self.fingerprint
    }

    /// The standing of a module that claims to be signed, without checking its bytes.
    pub fn claimed(&self, module: &str, signature: Option<&str>) -> Standing {
        let has_key = self.keys.iter().any(|(pattern, _)| pattern.matches(module));
        if has_key && signature.is_some() {
            Standing::Signed
        } else {
            Standing::Unsigned
        }
    }

    /// Whether nothing is required of modules.
    pub fn is_open(&self) -> bool {
        self.keys.is_empty() && !self.required
    }

    /// Whether a module with this name may run, and whether a trusted key has signed it.
    ///
    /// # Errors
    /// Why not.
    pub fn check(
        &self,
        module: &str,
        bytes: &[u8],
        signature: Option<&str>,
    ) -> Result<Standing, TrustError> {
        let module_name = || module.to_owned();
        let keys: Vec<_> = self
            .keys
            .iter()
            .filter(|(pattern, _)| pattern.matches(module))
            .map(|(_, key)| key)
            .collect();
        if keys.is_empty() {
            return if self.required {
                Err(TrustError::NoKey {
                    module: module_name(),
                })
            } else {
                Ok(Standing::Unsigned)
            };
        }
        let Some(signature) = signature else {
            return Err(TrustError::Unsigned {
                module: module_name(),
            });
        };
        let refused = |reason: String| TrustError::Refused {
            module: module_name(),
            reason,
        };
        let signature = Signature::decode(signature).map_err(|error| refused(error.to_string()))?;
        let mut reason = String::new();
        for key in keys {
            match key.verify(bytes, &signature, false) {
                Ok(()) => return Ok(Standing::Signed),
                Err(error) => reason = error.to_string(),
            }
        }
        Err(refused(reason))
    }
}
