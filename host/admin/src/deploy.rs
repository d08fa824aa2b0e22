//! Deploying a module's new version to all workers that are alive, at once and without a restart.
//!
//! Must not know how a rollout goes ([`chicory_queue::Deployer`]).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chicory_queue::{
    CanaryTerms, DeployRefused, ForgetRequest, ModuleRecord, RegistryError, RetentionRule,
    RolledOut, RolloutError, RolloutRequest, RolloutTarget, Stage, Version, delete_unnamed,
};
use chicory_signature::compare;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::{Admin, AdminError, Candidate};

/// How a version is rolled out.
#[derive(Debug, Clone)]
pub struct RolloutOptions {
    /// Who does it, for the audit log.
    pub by: String,
    /// How long workers have to get ready.
    pub timeout: Duration,
    /// Whether the version first serves a share of the messages, and on which terms.
    pub canary: Option<CanaryTerms>,
    /// Whether to continue although messages that fit the active version may not fit the new one. Those then run on the
    /// active one.
    pub allow_breaking: bool,
    /// Stops the rollout without effect.
    pub stop: CancellationToken,
}

impl RolloutOptions {
    /// A rollout by this person, with a minute for workers to get ready.
    pub fn new(by: impl Into<String>) -> Self {
        Self {
            by: by.into(),
            timeout: Duration::from_mins(1),
            canary: None,
            allow_breaking: false,
            stop: CancellationToken::new(),
        }
    }
}

/// How a rollout ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Deployed {
    /// The module.
    pub module: String,
    /// The version.
    pub digest: String,
    /// The number of workers that serve it; none where nothing was rolled out, since it was active already.
    pub workers: Option<usize>,
    /// What it serves.
    pub state: Served,
    /// The rollout's id, by which [`Admin::canary_end`] waits; none where nothing was rolled out.
    #[serde(skip)]
    pub rollout: Option<String>,
}

/// Which messages a version serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Served {
    /// All of them.
    Active,
    /// A share, on trial.
    Canary,
}

impl Admin {
    /// Uploads a version and rolls it out: every live worker gets ready for it, then they switch together. Calls
    /// `tell` with how far that is. Versions that nothing needs any more are then removed.
    ///
    /// # Errors
    /// [`AdminError::Refused`] where the rollout can't begin, [`AdminError::Rollout`] where workers refuse the
    /// version or don't answer, [`AdminError::Stopped`], or where the broker can't be reached. In all cases, the
    /// version before still serves.
    pub async fn deploy(
        &self,
        candidate: &Candidate,
        options: &RolloutOptions,
        mut tell: impl FnMut(&Stage),
    ) -> Result<Deployed, AdminError> {
        let version = self.upload(candidate, &options.by).await?;
        let target = RolloutTarget::Deploy(Box::new(version.clone()));
        let changes = |record: &ModuleRecord| changes(record, &version);
        let name = &candidate.name;
        let mut rolled = (self.roll_out(name, &target, changes, options, &mut tell)).await;
        if let Err(AdminError::Registry(RegistryError::RecordTooLarge { .. })) = rolled {
            // The types of old versions may be what takes the room.
            self.forget_old(name, &options.by, FEW).await?;
            rolled = (self.roll_out(name, &target, changes, options, &mut tell)).await;
        }
        let rolled = match rolled {
            Ok(rolled) => rolled,
            Err(error) => {
                // Bytes that no version names must not stay. What can't be deleted now is found by the next deploy.
                let digests = std::slice::from_ref(&version.digest);
                let _ = delete_unnamed(self.connected.registry.as_ref(), digests).await;
                return Err(error);
            }
        };
        if rolled.rollout.is_some() {
            self.forget_old(name, &options.by, RetentionRule::default())
                .await?;
        }
        Ok(rolled)
    }

    /// Rolls out, unless the version serves already.
    pub(crate) async fn roll_out(
        &self,
        module: &str,
        target: &RolloutTarget,
        changes: impl Fn(&ModuleRecord) -> Vec<String>,
        options: &RolloutOptions,
        tell: impl FnMut(&Stage),
    ) -> Result<Deployed, AdminError> {
        let deployer = self.connected.deployer(Arc::clone(&self.clock));
        let request = self.request(options);
        let rolling = deployer.roll_out(module, target, changes, &request, tell);
        let ended = tokio::select! {
            ended = rolling => ended,
            () = options.stop.cancelled() => {
                deployer.stop(module, &request).await?;
                return Err(AdminError::Stopped);
            }
        };
        match ended {
            Ok(rolled) => Ok(deployed(module, rolled, request)),
            Err(RolloutError::Refused(DeployRefused::Active { digest, .. })) => Ok(Deployed {
                module: module.to_owned(),
                digest,
                workers: None,
                state: Served::Active,
                rollout: None,
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// A request that begins now.
    fn request(&self, options: &RolloutOptions) -> RolloutRequest {
        let now = self.clock.now();
        RolloutRequest {
            id: chicory_queue::new_id(),
            by: options.by.clone(),
            now,
            expires_at: now.after(options.timeout),
            canary: options.canary,
            allow_breaking: options.allow_breaking,
        }
    }

    /// Keeps the bytes in the registry. They are sent even where they are kept already: another process might be about
    /// to delete them.
    async fn upload(&self, candidate: &Candidate, by: &str) -> Result<Version, AdminError> {
        let packed = &candidate.packed;
        let bytes = Bytes::from(packed.bytes.clone());
        let registry = &self.connected.registry;
        registry.put_blob(&packed.digest, bytes).await?;
        Ok(Version {
            digest: packed.digest.clone(),
            size: packed.bytes.len() as u64,
            version: packed.version.clone(),
            tasks: candidate.tasks.clone(),
            manifest: packed.manifest.clone(),
            deployed_by: by.to_owned(),
            deployed_at: self.clock.now(),
            signature: candidate.signature.clone(),
            source: candidate.source.clone(),
            retiring: false,
        })
    }

    async fn forget_old(
        &self,
        module: &str,
        by: &str,
        rule: RetentionRule,
    ) -> Result<(), AdminError> {
        let request = ForgetRequest {
            module,
            rule,
            by,
            now: self.clock.now(),
        };
        self.connected.forget(&request).await?;
        Ok(())
    }
}

/// The versions that are kept where a module's record would become too large otherwise.
const FEW: RetentionRule = RetentionRule { count: 1, age: 0.0 };

fn deployed(module: &str, rolled: RolledOut, request: RolloutRequest) -> Deployed {
    Deployed {
        module: module.to_owned(),
        digest: rolled.digest,
        workers: Some(rolled.workers),
        state: match request.canary {
            Some(_) => Served::Canary,
            None => Served::Active,
        },
        rollout: Some(request.id),
    }
}

/// What of the active version's tasks the new one does not take.
fn changes(record: &ModuleRecord, version: &Version) -> Vec<String> {
    let Some(active) = record.active_version() else {
        return Vec::new();
    };
    let changes = compare(&active.tasks, &version.tasks);
    changes.iter().map(ToString::to_string).collect()
}
