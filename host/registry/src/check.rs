//! What a module's record may say: names that are names, numbers in their ranges, texts of bounded length.
//!
//! Records are read from a store that others can write to, and what they say becomes file names, source code and
//! arithmetic. Must not know how records are stored.

use chicory_signature::{LocalName, TypeBudget, check_module_name, owner, with_causes};

use crate::{Activation, CanaryTerms, ModuleRecord, RecordFault, Rollout, Version};

/// Maximum number of a module's versions that a record has, and of activations.
const MAX_LIST: usize = 1_000;
/// Maximum length of a name for people, in bytes.
const MAX_WORDS: usize = 1_024;
/// Maximum length of a signature or an address, in bytes.
const MAX_TEXT: usize = 8 << 10;
/// Maximum length of a digest, in bytes.
const MAX_DIGEST: usize = 128;
/// Maximum number of seconds that a canary is held: a year.
const MAX_HOLD: f64 = 365.0 * 86_400.0;

impl ModuleRecord {
    /// Whether a record may say this.
    ///
    /// # Errors
    /// Which part is not valid, and why.
    pub fn check(&self) -> Result<(), RecordFault> {
        check_module_name(owner(&self.name).1)
            .map_err(|error| invalid("name", error.to_string()))?;
        at_most("versions", self.versions.len(), MAX_LIST)?;
        at_most("history", self.history.len(), MAX_LIST)?;
        self.versions.iter().try_for_each(version)?;
        (self.active.iter()).try_for_each(|active| digest("active", active))?;
        self.history.iter().try_for_each(activation)?;
        self.rollout.iter().try_for_each(rollout)?;
        (self.canary.iter()).try_for_each(|canary| {
            digest("canary.digest", &canary.digest)?;
            words("canary.id", &canary.id)?;
            words("canary.by", &canary.by)?;
            terms("canary.terms", &canary.terms)
        })
    }
}

fn version(version: &Version) -> Result<(), RecordFault> {
    digest("digest of a version", &version.digest)?;
    let place = |part: &str| format!("{part} of version {}", version.digest);
    let mut budget = TypeBudget::default();
    for (task, signature) in &version.tasks {
        LocalName::parse(task).map_err(|error| invalid(place("a task"), error.to_string()))?;
        let size = signature.check_size(&mut budget);
        size.map_err(|error| invalid(place(&format!("task {task}")), with_causes(&error)))?;
    }
    words("deployed_by", &version.deployed_by)?;
    (version.version.iter()).try_for_each(|name| words("version", name))?;
    (version.signature.iter()).try_for_each(|signature| short("signature", signature, MAX_TEXT))?;
    (version.source.iter()).try_for_each(|source| short("source", source, MAX_TEXT))
}

fn activation(past: &Activation) -> Result<(), RecordFault> {
    digest("digest in history", &past.digest)?;
    words("by in history", &past.by)?;
    words("how in history", &past.how)
}

fn rollout(rollout: &Rollout) -> Result<(), RecordFault> {
    digest("rollout.digest", &rollout.digest)?;
    words("rollout.id", &rollout.id)?;
    words("rollout.by", &rollout.by)?;
    words("rollout.how", &rollout.how)?;
    (rollout.canary.iter()).try_for_each(|canary| terms("rollout.canary", canary))
}

fn terms(place: &str, terms: &CanaryTerms) -> Result<(), RecordFault> {
    for (part, value, most) in [
        ("percent", terms.percent, 100.0),
        ("margin", terms.margin, 100.0),
        ("hold", terms.hold, MAX_HOLD),
    ] {
        if !(0.0..=most).contains(&value) {
            let problem = format!("it is {value}, and a number from 0 to {most} is allowed");
            return Err(invalid(format!("{place}.{part}"), problem));
        }
    }
    Ok(())
}

/// Digests name files and keys.
fn digest(place: &str, digest: &str) -> Result<(), RecordFault> {
    let fits = (1..=MAX_DIGEST).contains(&digest.len());
    if fits && digest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(invalid(
        place,
        "it is not a digest: give letters and digits".into(),
    ))
}

fn words(place: &str, text: &str) -> Result<(), RecordFault> {
    short(place, text, MAX_WORDS)
}

fn short(place: &str, text: &str, allowed: usize) -> Result<(), RecordFault> {
    if text.len() <= allowed {
        return Ok(());
    }
    let problem = format!(
        "it has {} bytes, and up to {allowed} are allowed",
        text.len()
    );
    Err(invalid(place, problem))
}

fn at_most(place: &str, found: usize, allowed: usize) -> Result<(), RecordFault> {
    if found <= allowed {
        return Ok(());
    }
    let problem = format!("there are {found}, and up to {allowed} are allowed");
    Err(invalid(place, problem))
}

fn invalid(place: impl Into<String>, problem: String) -> RecordFault {
    RecordFault::Invalid {
        place: place.into(),
        problem,
    }
}
