//! How a module's record changes: pure functions, each from a record to the next or to the reason why not.
//!
//! Must not know stores, clocks or workers. Every caller stores the answer by compare-and-set.

use super::{
    Activation, Canary, DeployRefused, ModuleRecord, Phase, Rollout, RolloutRequest, Version,
};
use chicory_clock::Timestamp;

/// Which versions are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetentionRule {
    /// Number of newest versions that are kept at any age.
    pub count: usize,
    /// Versions younger than this, in seconds, are always kept.
    pub age: f64,
}

impl Default for RetentionRule {
    fn default() -> Self {
        Self {
            count: 10,
            age: 7.0 * 86_400.0,
        }
    }
}

/// The longest list of activations that a record keeps.
const HISTORY: usize = 100;

impl ModuleRecord {
    /// A module that has never been deployed.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Begins the rollout of a version, new or known; `changes` are those of its tasks that messages for
    /// the active version may not fit.
    ///
    /// # Errors
    /// If another rollout or a canary is under way, the version serves already, or messages may not fit it.
    pub fn begin(
        mut self,
        version: Version,
        changes: Vec<String>,
        request: &RolloutRequest,
    ) -> Result<Self, DeployRefused> {
        self.free_for_rollout(request.now)?;
        let module = self.name.clone();
        if self.active.as_deref() == Some(&version.digest) {
            let digest = version.digest;
            return Err(DeployRefused::Active { module, digest });
        }
        if request.canary.is_some() && self.active.is_none() {
            return Err(DeployRefused::NothingActive { module });
        }
        if !changes.is_empty() {
            match request.canary {
                Some(_) => return Err(DeployRefused::BreakingCanary { module, changes }),
                None if !request.allow_breaking => {
                    return Err(DeployRefused::Breaking { module, changes });
                }
                None => {}
            }
        }
        let digest = version.digest.clone();
        // Deployed again, it becomes the newest version: its signature may be new, and its age restarts.
        self.versions.retain(|known| known.digest != digest);
        self.versions.push(version);
        self.rollout = Some(rollout(request, digest, "deploy"));
        Ok(self)
    }

    /// Begins a rollback to a version that is kept: the named one (a digest, or the beginning of it), or the one
    /// that was active before.
    ///
    /// # Errors
    /// If another rollout or a canary is under way, or there is no such version.
    pub fn begin_rollback(
        mut self,
        to: Option<&str>,
        request: &RolloutRequest,
    ) -> Result<Self, DeployRefused> {
        self.free_for_rollout(request.now)?;
        let digest = match to {
            Some(prefix) => self.digest_of(prefix)?,
            None => self.before()?,
        };
        if self.active.as_deref() == Some(&digest) {
            let module = self.name;
            return Err(DeployRefused::Active { module, digest });
        }
        for version in &mut self.versions {
            version.retiring &= version.digest != digest;
        }
        self.rollout = Some(rollout(request, digest, "rollback"));
        Ok(self)
    }

    /// All workers are ready and should start new tasks on the new version; a canary serves at once.
    ///
    /// # Errors
    /// If this rollout is not the one under way.
    pub fn switch(mut self, id: &str, now: Timestamp) -> Result<Self, DeployRefused> {
        let rollout = self.take_rollout(id)?;
        match rollout.canary {
            Some(terms) => {
                self.canary = Some(Canary {
                    id: rollout.id,
                    digest: rollout.digest,
                    by: rollout.by,
                    since: now,
                    terms,
                });
            }
            None => {
                self.rollout = Some(Rollout {
                    phase: Phase::Switching,
                    ..rollout
                });
            }
        }
        Ok(self)
    }

    /// All workers have switched: the new version is the active one.
    ///
    /// # Errors
    /// If this rollout is not the one under way.
    pub fn finish(mut self, id: &str, now: Timestamp) -> Result<Self, DeployRefused> {
        let rollout = self.take_rollout(id)?;
        self.activate(rollout.digest, rollout.by, rollout.how, now);
        Ok(self)
    }

    /// Ends a rollout without effect. A version that never served is forgotten.
    ///
    /// # Errors
    /// If this rollout is not the one under way.
    pub fn abort(mut self, id: &str) -> Result<Self, DeployRefused> {
        let rollout = self.take_rollout(id)?;
        if !self.has_served(&rollout.digest) {
            self.versions
                .retain(|version| version.digest != rollout.digest);
        }
        Ok(self)
    }

    /// Ends an expired rollout as its author would have: if all workers were ready it is finished, otherwise it
    /// has no effect. `None` if there is nothing to end.
    pub fn expire(self, now: Timestamp) -> Option<Self> {
        let rollout = self.rollout.as_ref()?;
        if rollout.expires_at > now {
            return None;
        }
        let (id, phase) = (rollout.id.clone(), rollout.phase);
        match phase {
            Phase::Preparing => self.abort(&id).ok(),
            Phase::Switching => self.finish(&id, now).ok(),
        }
    }

    /// The canary becomes the active version.
    ///
    /// # Errors
    /// If this canary does not serve.
    pub fn promote_canary(
        mut self,
        id: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<Self, DeployRefused> {
        let canary = self.take_canary(id)?;
        self.activate(canary.digest, by.to_owned(), "promote".into(), now);
        Ok(self)
    }

    /// The canary is given up; the active version serves all messages.
    ///
    /// # Errors
    /// If this canary does not serve.
    pub fn end_canary(mut self, id: &str) -> Result<Self, DeployRefused> {
        self.take_canary(id)?;
        Ok(self)
    }

    /// Marks the versions that the rule does not keep; they are forgotten once no message needs them.
    /// Returns their digests.
    pub fn retire(&mut self, rule: RetentionRule, now: Timestamp) -> Vec<String> {
        let in_use = [
            self.active.clone(),
            self.canary.as_ref().map(|canary| canary.digest.clone()),
            self.rollout.as_ref().map(|rollout| rollout.digest.clone()),
            // The version to roll back to is kept.
            self.before().ok(),
        ];
        let old = self.versions.len().saturating_sub(rule.count);
        let mut retired = Vec::new();
        for version in &mut self.versions[..old] {
            let young = now.since(version.deployed_at).as_secs_f64() < rule.age;
            if young || in_use.iter().flatten().any(|used| *used == version.digest) {
                continue;
            }
            version.retiring = true;
            retired.push(version.digest.clone());
        }
        retired
    }

    /// Forgets the retiring versions, except those that are `needed`. Returns the digests of the forgotten ones.
    pub fn forget_retired(&mut self, needed: &[String]) -> Vec<String> {
        let mut gone = Vec::new();
        self.versions.retain_mut(|version| {
            if !version.retiring {
                return true;
            }
            version.retiring = false;
            let keep = needed.contains(&version.digest);
            if !keep {
                gone.push(version.digest.clone());
            }
            keep
        });
        gone
    }

    /// The one version whose digest has this prefix.
    ///
    /// # Errors
    /// If there is no such version, or several.
    pub fn digest_of(&self, prefix: &str) -> Result<String, DeployRefused> {
        let mut found = self
            .versions
            .iter()
            .filter(|version| !prefix.is_empty() && version.digest.starts_with(prefix));
        match (found.next(), found.next()) {
            (Some(version), None) => Ok(version.digest.clone()),
            _ => Err(DeployRefused::NoVersion {
                module: self.name.clone(),
                digest: prefix.to_owned(),
            }),
        }
    }

    /// The version that was active before the active one, and is kept.
    fn before(&self) -> Result<String, DeployRefused> {
        let active = self.active.as_deref();
        let mut earlier = self.history.iter().rev().map(|past| past.digest.as_str());
        let found = earlier
            .find(|digest| Some(*digest) != active && self.version(digest).is_some())
            .map(str::to_owned);
        found.ok_or_else(|| DeployRefused::NothingBefore {
            module: self.name.clone(),
        })
    }

    fn free_for_rollout(&self, now: Timestamp) -> Result<(), DeployRefused> {
        let module = self.name.clone();
        if let Some(rollout) = &self.rollout
            && rollout.expires_at > now
        {
            return Err(DeployRefused::Busy {
                module,
                by: rollout.by.clone(),
                digest: rollout.digest.clone(),
                since: rollout.started_at,
                until: rollout.expires_at,
            });
        }
        match &self.canary {
            Some(canary) => Err(DeployRefused::CanaryServes {
                module,
                digest: canary.digest.clone(),
            }),
            None => Ok(()),
        }
    }

    fn take_rollout(&mut self, id: &str) -> Result<Rollout, DeployRefused> {
        let rollout = self.rollout.take_if(|rollout| rollout.id == id);
        rollout.ok_or_else(|| self.over())
    }

    fn take_canary(&mut self, id: &str) -> Result<Canary, DeployRefused> {
        let canary = self.canary.take_if(|canary| canary.id == id);
        canary.ok_or_else(|| self.over())
    }

    fn over(&self) -> DeployRefused {
        DeployRefused::Over {
            module: self.name.clone(),
        }
    }

    fn activate(&mut self, digest: String, by: String, how: String, at: Timestamp) {
        self.active = Some(digest.clone());
        self.history.push(Activation {
            digest,
            at,
            by,
            how,
        });
        let surplus = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..surplus);
    }
}

fn rollout(request: &RolloutRequest, digest: String, how: &str) -> Rollout {
    Rollout {
        id: request.id.clone(),
        digest,
        by: request.by.clone(),
        how: how.into(),
        phase: Phase::Preparing,
        started_at: request.now,
        expires_at: request.expires_at,
        canary: request.canary,
    }
}
