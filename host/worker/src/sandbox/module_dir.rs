//! Modules from a directory: each `.wasm` with the manifest beside it, loaded again when it changes.
//!
//! Must not know how a module is compiled or run.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chicory_signature::with_causes;
use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::catalog::{Catalog, LoadReport, Refusal};
use super::error::ModuleError;
use super::manifest::Manifest;
use super::trust::Trust;

/// A directory of modules, and what is known of its files.
pub struct ModuleDir {
    path: PathBuf,
    catalog: Arc<Catalog>,
    trust: Trust,
    /// The files' names without their ending; all of them where this is nothing.
    only: Option<HashSet<String>>,
    known: HashMap<PathBuf, Known>,
}

/// The version of a file pair that was last looked at, and the name it is deployed by.
struct Known {
    stamp: Stamp,
    name: Option<String>,
}

type Stamp = [Option<(SystemTime, u64)>; 2];

impl ModuleDir {
    /// A directory, of which nothing is loaded yet.
    pub fn new(path: impl Into<PathBuf>, catalog: Arc<Catalog>, trust: Trust) -> Self {
        Self {
            path: path.into(),
            catalog,
            trust,
            only: None,
            known: HashMap::new(),
        }
    }

    /// Leaves all files out but these, by their names without `.wasm`.
    #[must_use]
    pub fn only<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.only = Some(names.into_iter().map(str::to_owned).collect());
        self
    }

    /// Loads what is new or changed, and forgets what is gone.
    ///
    /// # Errors
    /// When the directory can't be read. A module that can't be used is in the report.
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
        for file in &files {
            let stamp = stamp(file);
            if self
                .known
                .get(file)
                .is_none_or(|known| known.stamp != stamp)
            {
                self.load(file.clone(), stamp, &mut report).await;
            }
        }
        self.forget_missing(&files);
        Ok(report)
    }

    async fn load(&mut self, file: PathBuf, stamp: Stamp, report: &mut LoadReport) {
        let before = self.known.remove(&file).and_then(|known| known.name);
        let name = match deploy(&self.catalog, &self.trust, &file).await {
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
        self.known.insert(file, Known { stamp, name });
    }

    fn forget_missing(&mut self, files: &[PathBuf]) {
        self.known.retain(|file, known| {
            let there = files.contains(file);
            if !there && let Some(name) = &known.name {
                tracing::info!(module = %name, "the module's file is gone: unloaded");
                self.catalog.unload(name);
            }
            there
        });
    }

    /// Refreshes whenever files change; runs until it is dropped.
    pub async fn watch(mut self) {
        let (tell, mut changes) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |_| {
            // A full channel says already that something has changed.
            let _ = tell.try_send(());
        });
        let watching = watcher.and_then(|mut watcher| {
            watcher.watch(&self.path, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        if let Err(error) = &watching {
            tracing::warn!(%error, "can't be told of changed modules; looking every few seconds");
        }
        loop {
            let _ = tokio::time::timeout(LOOK_EVERY, changes.recv()).await;
            // A file is written in pieces; its last piece brings another event.
            tokio::time::sleep(SETTLE).await;
            match self.refresh().await {
                Ok(report) => log(&report),
                Err(error) => tracing::warn!(%error, "modules can't be looked at"),
            }
        }
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(5);
const SETTLE: Duration = Duration::from_millis(50);

fn log(report: &LoadReport) {
    for name in &report.loaded {
        tracing::info!(module = %name, "loaded the changed module; tasks at work end on the version before");
    }
    for Refusal { file, reason } in &report.refused {
        let reason = with_causes(reason);
        tracing::warn!(file = %file.display(), %reason, "refused the module; the version before stays, where there is one");
    }
}

async fn deploy(catalog: &Catalog, trust: &Trust, file: &Path) -> Result<String, ModuleError> {
    let wasm = tokio::fs::read(file).await?;
    let manifest = Manifest::beside(file, &wasm)?;
    let name = manifest.name.clone().unwrap_or_else(|| stem(file));
    let mut signature = file.as_os_str().to_owned();
    signature.push(".minisig");
    let signature = std::fs::read_to_string(signature).ok();
    trust.check(&name, &wasm, signature.as_deref())?;
    catalog.load(&name, wasm, manifest).await?;
    Ok(name)
}

/// The name that a module has where its manifest gives none.
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
