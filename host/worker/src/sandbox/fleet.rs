//! A worker's part in a fleet: it serves what the registry says, and reports how far it is with what is new.
//!
//! [`Fleet::catch_up`] learns at the start what is deployed; the duty `follow` keeps up. Must not run tasks, and never
//! decides what a deploy does: the registry's transitions do.

mod blobs;
mod canary;
mod rollout;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use chicory_queue::{
    Clock, ModuleRecord, Phase, Registry, RegistryError, UnreadableRecord, Version,
};
use chicory_runtime::{Module, Sandbox};
use chicory_signature::{canonical, owner, with_causes};

use self::blobs::Blobs;
use super::admission::Admission;
use super::bundle::Bundle;
use super::catalog::{
    Bring, CanaryCounters, Catalog, Code, CodeCache, LoadedVersion, Served, VersionCode, compile,
};
use super::error::ModuleError;
use super::manifest::Manifest;

/// How a worker takes part in a fleet.
pub struct FleetConfig {
    /// Its name among workers.
    pub worker_id: String,
    /// Where fetched modules are kept. Without it, they are fetched each time they are loaded.
    pub blobs: Option<PathBuf>,
    /// How many bytes they may take there. The least recently used are removed.
    pub blob_bytes: u64,
    /// Whose modules it runs, and the most that they may be given.
    pub admission: Admission,
    /// How many bytes of machine code it keeps loaded.
    pub code_bytes: u64,
}

/// What the registry says, and which part of it this worker serves.
///
/// ```no_run
/// use std::sync::Arc;
/// use chicory_queue::{Connected, SystemClock};
/// use chicory_worker::{Admission, Catalog, Fleet, FleetConfig, Stop, Worker, WorkerConfig};
///
/// # async fn serve(connected: Connected, catalog: Arc<Catalog>) -> Result<(), Box<dyn std::error::Error>> {
/// let config = WorkerConfig::default();
/// let settings = FleetConfig {
///     worker_id: config.worker_id.clone(),
///     blobs: None,
///     blob_bytes: 0,
///     admission: Admission::default(),
///     code_bytes: 256 << 20,
/// };
/// let registry = Arc::clone(&connected.registry);
/// let mut fleet = Fleet::new(registry, Arc::clone(&catalog), Arc::new(SystemClock), settings);
/// fleet.catch_up().await?;
/// let worker = Worker::new(connected, catalog, config).in_fleet(fleet);
/// worker.run(Stop::new()).await?;
/// # Ok(()) }
/// ```
pub struct Fleet {
    registry: Arc<dyn Registry>,
    catalog: Arc<Catalog>,
    clock: Arc<dyn Clock>,
    worker_id: String,
    source: Arc<CodeSource>,
    cache: Arc<CodeCache>,
    /// The registry's revision that is served.
    revision: u64,
    /// Versions by module and digest.
    versions: HashMap<String, HashMap<String, Arc<LoadedVersion>>>,
    /// Modules with a rollout or a canary.
    open: HashMap<String, ModuleRecord>,
    counters: HashMap<String, Arc<CanaryCounters>>,
    /// Rollouts that are being prepared here, or have been.
    begun: HashSet<String>,
    /// Rollouts that this worker has switched to but has not been able to report.
    unsaid: HashSet<String>,
    /// The modules whose records are of a newer version of the program.
    newer: HashSet<String>,
}

/// Where code comes from.
struct CodeSource {
    blobs: Blobs,
    admission: Admission,
    sandbox: Sandbox,
}

impl Fleet {
    /// A worker's part, which does not serve anything yet.
    pub fn new(
        registry: Arc<dyn Registry>,
        catalog: Arc<Catalog>,
        clock: Arc<dyn Clock>,
        config: FleetConfig,
    ) -> Self {
        catalog.follow_registry();
        let source = CodeSource {
            blobs: Blobs::new(
                Arc::clone(&registry),
                config.blobs.as_deref(),
                config.blob_bytes,
            ),
            admission: config.admission,
            sandbox: catalog.sandbox().clone(),
        };
        Self {
            registry,
            catalog,
            clock,
            worker_id: config.worker_id,
            source: Arc::new(source),
            cache: CodeCache::new(config.code_bytes),
            revision: 0,
            versions: HashMap::new(),
            open: HashMap::new(),
            counters: HashMap::new(),
            begun: HashSet::new(),
            unsaid: HashSet::new(),
            newer: HashSet::new(),
        }
    }

    /// Serves what has changed since the last call. Returns whether anything has.
    ///
    /// # Errors
    /// If the registry can't be read; nothing has changed then.
    pub async fn catch_up(&mut self) -> Result<bool, RegistryError> {
        let found = self.registry.changed(self.revision).await?;
        let (revision, records) = (found.revision, found.records);
        for unreadable in &found.unreadable {
            warn_of_unreadable(unreadable);
        }
        self.note_newer(&found.unreadable, &records);
        let mut served = Vec::with_capacity(records.len());
        for record in &records {
            if !self.is_local(&record.name) {
                served.push(Arc::new(self.served(record)));
            }
        }
        if !served.is_empty() {
            self.catalog.serve(&served);
        }
        let changed = !records.is_empty();
        for record in records {
            self.warn_of_conflict(&record);
            self.take_part(record);
        }
        self.revision = revision;
        Ok(changed)
    }

    /// What this version of the program can't read is left for one that can.
    fn note_newer(&mut self, unreadable: &[UnreadableRecord], records: &[ModuleRecord]) {
        let before = self.newer.clone();
        for record in records {
            self.newer.remove(&*canonical(&record.name));
        }
        for record in unreadable {
            let module = canonical(&record.module).into_owned();
            if record.source.is_newer() {
                self.newer.insert(module);
            } else {
                self.newer.remove(&module);
            }
        }
        if self.newer != before {
            self.catalog.leave_to_newer(self.newer.clone());
        }
    }

    /// Whether a folder on this machine has a module with this name, which takes precedence.
    fn is_local(&self, module: &str) -> bool {
        self.catalog
            .served(module)
            .is_some_and(|served| !served.deployed)
    }

    /// What is to be served according to a record. Versions that are already known keep their code.
    fn served(&mut self, record: &ModuleRecord) -> Served {
        let known = self.versions.remove(&record.name).unwrap_or_default();
        let versions: HashMap<_, _> = record
            .versions
            .iter()
            .map(|version| {
                let loaded = known.get(&version.digest).cloned();
                let loaded = loaded.unwrap_or_else(|| self.load_on_demand(&record.name, version));
                (version.digest.clone(), loaded)
            })
            .collect();
        let counters = record.canary.as_ref().map(|canary| {
            let counters = self.counters.entry(canary.id.clone()).or_default();
            Arc::clone(counters)
        });
        self.versions.insert(record.name.clone(), versions.clone());
        Served {
            record: record.clone(),
            versions,
            counters,
            deployed: true,
        }
    }

    fn load_on_demand(&self, module: &str, version: &Version) -> Arc<LoadedVersion> {
        let manifest = serde_json::from_value::<Manifest>(version.manifest.clone());
        let manifest = manifest.unwrap_or_else(|error| {
            // Its tasks run with the manifest in its bytes; only retries and delivery have the defaults.
            tracing::warn!(%module, digest = %version.digest, %error, "the registry's manifest of this version is not valid");
            Manifest::default()
        });
        let bring = FromRegistry {
            module: module.to_owned(),
            digest: version.digest.clone(),
            signature: version.signature.clone(),
            source: Arc::clone(&self.source),
        };
        let code = Code::on_demand(Box::new(bring), Arc::clone(&self.cache));
        let origin = VersionCode {
            digest: Arc::from(version.digest.as_str()),
            code,
            sandbox: self.source.sandbox.clone(),
        };
        Arc::new(LoadedVersion::new(version, origin, &manifest))
    }

    /// Logs which name is ambiguous. A deploy can't cause this, but a folder on this machine can.
    fn warn_of_conflict(&self, record: &ModuleRecord) {
        if let Some(conflict) = self
            .catalog
            .conflict(record)
            .filter(|_| record.active.is_some())
        {
            tracing::warn!(module = %record.name, %conflict, "messages with this name go to the module with the longer name");
        }
    }

    /// Starts what the record asks of this worker.
    fn take_part(&mut self, record: ModuleRecord) {
        if let Some(rollout) = &record.rollout {
            match rollout.phase {
                Phase::Preparing => self.prepare(&record, rollout),
                Phase::Switching if !self.is_local(&record.name) => {
                    self.unsaid.insert(rollout.id.clone());
                }
                Phase::Switching => {}
            }
        }
        if record.rollout.is_some() || record.canary.is_some() {
            self.open.insert(record.name.clone(), record);
        } else {
            self.open.remove(&record.name);
        }
    }

    /// The code of active versions that is not loaded yet.
    fn cold(&self) -> Vec<Arc<Code>> {
        let versions = self.catalog.versions();
        let codes = versions.iter().filter_map(|(module, digest)| {
            let loaded = self.versions.get(module)?.get(digest.as_ref())?;
            loaded
                .code()
                .get()
                .is_none()
                .then(|| Arc::clone(loaded.code()))
        });
        codes.collect()
    }
}

/// Logs which module this worker can't serve in its current state. What it already served of it, it still serves.
fn warn_of_unreadable(record: &UnreadableRecord) {
    tracing::warn!(module = %record.module, reason = with_causes(&record.source), "the record of this module can't be read; its tasks can't be served until it is deployed again");
}

/// Provides a version from the registry. The digest, the signature and the name are checked each time.
struct FromRegistry {
    module: String,
    digest: String,
    signature: Option<String>,
    source: Arc<CodeSource>,
}

#[async_trait]
impl Bring for FromRegistry {
    async fn bring(&self) -> Result<Arc<Module>, ModuleError> {
        let source = &self.source;
        let bytes = source.blobs.get(&self.digest).await?;
        let signature = self.signature.as_deref();
        // Nothing in it is read before someone vouches for it.
        source
            .admission
            .trust
            .check(&self.module, &bytes, signature)?;
        let bundle = Bundle::open(bytes)?;
        let own = bundle.manifest.name.clone().unwrap_or_default();
        let (_, module) = owner(&self.module);
        if own != module {
            let module = module.to_owned();
            return Err(ModuleError::OtherModule { own, module });
        }
        // The manifest in the bytes counts, not the record's: the author of the record may not be the author of the
        // module.
        let asked = bundle.manifest.settings();
        let allowed = source
            .admission
            .admit(&self.module, &bundle.bytes, signature, &asked)?;
        let (sandbox, module) = (&source.sandbox, &self.module);
        compile(sandbox, module, bundle.bytes, &bundle.manifest, allowed).await
    }
}
