//! Modules from a directory: each `.wasm` with the manifest beside it, reloaded when it changes.
//!
//! Must not know how a module is compiled or run.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chicory_signature::with_causes;
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::admission::Admission;
use super::catalog::{Catalog, LoadReport, Refusal};
use super::error::ModuleError;
use super::manifest::Manifest;
use super::trust::signature_file;

/// A directory of modules, and what is known about its files.
///
/// ```no_run
/// use std::sync::Arc;
/// use chicory_runtime::{Sandbox, SandboxConfig};
/// use chicory_worker::{Admission, Catalog, ModuleDir};
///
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// let catalog = Catalog::new(Sandbox::new(SandboxConfig::default())?);
/// let mut modules = ModuleDir::new("modules", Arc::clone(&catalog), Admission::default());
/// let report = modules.refresh().await?;
/// println!("loaded {:?}, refused {:?}", report.loaded, report.refused);
/// // From now on, changes are loaded as they happen.
/// tokio::spawn(modules.watch());
/// # Ok(()) }
/// ```
pub struct ModuleDir {
    path: PathBuf,
    catalog: Arc<Catalog>,
    admission: Admission,
    /// The names of the files to load, without their extension; `None` means all of them.
    only: Option<HashSet<String>>,
    known: HashMap<PathBuf, Known>,
}

/// The version of a file pair that was last looked at, and the name it is deployed under.
struct Known {
    stamp: Stamp,
    name: Option<String>,
    is_refused: bool,
}

type Stamp = [Option<(SystemTime, u64)>; 2];

impl ModuleDir {
    /// A directory. Nothing is loaded from it yet.
    pub fn new(path: impl Into<PathBuf>, catalog: Arc<Catalog>, admission: Admission) -> Self {
        Self {
            path: path.into(),
            catalog,
            admission,
            only: None,
            known: HashMap::new(),
        }
    }

    /// Ignores all files but these, given by their names without `.wasm`.
    #[must_use]
    pub fn only<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.only = Some(names.into_iter().map(str::to_owned).collect());
        self
    }

    /// Loads what is new or changed, and unloads what is gone.
    ///
    /// # Errors
    /// If the directory can't be read. A module that can't be used is in the report.
    pub async fn refresh(&mut self) -> std::io::Result<LoadReport> {
        let mut files = wasm_files(&self.path).map_err(|error| {
            std::io::Error::new(
                error.kind(),
                format!(
                    "can't read the modules' directory {}: {error}",
                    self.path.display()
                ),
            )
        })?;
        if let Some(only) = &self.only {
            files.retain(|file| only.contains(&stem(file)));
        }
        let mut report = LoadReport::default();
        self.load_changed(&files, &mut report).await;
        if self.forget_missing(&files) {
            // What was refused because of a module that is now gone may be loaded.
            self.try_refused_again();
            self.load_changed(&files, &mut report).await;
        }
        Ok(report)
    }

    async fn load_changed(&mut self, files: &[PathBuf], report: &mut LoadReport) {
        let looked_at = files.iter().map(|file| (file, stamp(file)));
        let changed = looked_at.filter(|(file, stamp)| {
            let known = self.known.get(*file);
            known.is_none_or(|known| known.stamp != *stamp)
        });
        let mut changed: Vec<_> = changed.collect();
        // If a name would be ambiguous, the module that it belongs to is loaded: the one with more parts.
        changed.sort_by_cached_key(|(file, _)| Reverse(name(file).matches('.').count()));
        for (file, stamp) in changed {
            self.load(file.clone(), stamp, report).await;
        }
    }

    async fn load(&mut self, file: PathBuf, stamp: Stamp, report: &mut LoadReport) {
        let before = self.known.remove(&file).and_then(|known| known.name);
        let loaded = deploy(&self.catalog, &self.admission, &file).await;
        let is_refused = loaded.is_err();
        let name = match loaded {
            Ok(name) => {
                if let Some(before) = before.filter(|before| *before != name) {
                    self.catalog.unload(&before);
                }
                report.loaded.push(name.clone());
                Some(name)
            }
            Err(reason) => {
                report.refused.push(Refusal {
                    file: file.clone(),
                    reason,
                });
                before
            }
        };
        let known = Known {
            stamp,
            name,
            is_refused,
        };
        self.known.insert(file, known);
    }

    /// Unloads the modules whose files are gone. Returns whether there were any.
    fn forget_missing(&mut self, files: &[PathBuf]) -> bool {
        let gone = self.known.extract_if(|file, _| !files.contains(file));
        let gone: Vec<_> = gone.filter_map(|(_, known)| known.name).collect();
        let mut unloaded = false;
        for name in gone {
            let other_file = self
                .known
                .values()
                .any(|known| known.name.as_ref() == Some(&name));
            if !other_file {
                tracing::info!(module = %name, "the module's file is gone: unloaded");
                self.catalog.unload(&name);
                unloaded = true;
            }
        }
        unloaded
    }

    fn try_refused_again(&mut self) {
        for known in self.known.values_mut().filter(|known| known.is_refused) {
            known.stamp = Stamp::default();
        }
    }

    /// Refreshes whenever files change. Runs until it is dropped.
    pub async fn watch(mut self) {
        let (tell, mut changes) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Refreshing reads the directory, and that must not trigger another refresh.
            if !event.is_ok_and(|event| is_reading(event.kind)) {
                // If the channel is full, a change has already been reported.
                let _ = tell.try_send(());
            }
        });
        let watching = watcher.and_then(|mut watcher| {
            watcher.watch(&self.path, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        if let Err(error) = &watching {
            tracing::warn!(%error, "can't watch the modules' directory; checking it every few seconds");
        }
        loop {
            let _ = tokio::time::timeout(LOOK_EVERY, changes.recv()).await;
            // A file is written in pieces; the last piece triggers another event.
            tokio::time::sleep(SETTLE).await;
            match self.refresh().await {
                Ok(report) => log(&report),
                Err(error) => tracing::warn!(%error, "can't check the modules' directory"),
            }
        }
    }
}

fn is_reading(kind: EventKind) -> bool {
    let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
    matches!(kind, EventKind::Access(_)) && kind != written
}

const LOOK_EVERY: Duration = Duration::from_secs(5);
const SETTLE: Duration = Duration::from_millis(50);

fn log(report: &LoadReport) {
    for name in &report.loaded {
        tracing::info!(module = %name, "loaded the changed module; running tasks finish on the previous version");
    }
    for Refusal { file, reason } in &report.refused {
        let reason = with_causes(reason);
        tracing::warn!(file = %file.display(), %reason, "refused the module; the previous version stays, if there is one");
    }
}

async fn deploy(
    catalog: &Catalog,
    admission: &Admission,
    file: &Path,
) -> Result<String, ModuleError> {
    let wasm = tokio::fs::read(file).await?;
    let manifest = Manifest::beside(file, &wasm)?;
    let name = manifest.name.clone().unwrap_or_else(|| stem(file));
    let signature = std::fs::read_to_string(signature_file(file)).ok();
    let asked = manifest.settings();
    let allowed = admission.admit(&name, &wasm, signature.as_deref(), &asked)?;
    catalog.load_within(&name, wasm, &manifest, allowed).await?;
    Ok(name)
}

/// The name for the module in this file.
fn name(file: &Path) -> String {
    Manifest::name_beside(file).unwrap_or_else(|| stem(file))
}

/// The name of a module whose manifest gives none.
fn stem(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

fn wasm_files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "wasm")
        })
        .collect();
    files.sort_unstable();
    Ok(files)
}

fn stamp(wasm: &Path) -> Stamp {
    [wasm.to_owned(), wasm.with_extension("toml")].map(|path| {
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    })
}
