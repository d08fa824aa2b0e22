//! The code of one version of a module: loaded from the start, or loaded when a task needs it and evicted when other
//! code needs the room.
//!
//! Must not know where the bytes come from, nor which version serves.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use chicory_runtime::Module;

use crate::sandbox::error::ModuleError;

/// Provides a version's code: fetched, verified, compiled.
#[async_trait]
pub(crate) trait Bring: Send + Sync {
    /// The module, or why this worker can't have it.
    async fn bring(&self) -> Result<Arc<Module>, ModuleError>;
}

/// One version's code.
pub(crate) struct Code {
    module: ArcSwapOption<Module>,
    /// Whether a task has used it since the cache last considered evicting it.
    used: AtomicBool,
    origin: Option<Origin>,
}

struct Origin {
    bring: Box<dyn Bring>,
    cache: Arc<CodeCache>,
    /// One load at a time; other callers wait for it.
    turn: tokio::sync::Mutex<()>,
}

impl Code {
    /// Code that is already loaded, and stays.
    pub(crate) fn here(module: Arc<Module>) -> Arc<Self> {
        Arc::new(Self {
            module: ArcSwapOption::new(Some(module)),
            used: AtomicBool::new(true),
            origin: None,
        })
    }

    /// Code that is loaded when it is needed, and then kept in `cache`.
    pub(crate) fn on_demand(bring: Box<dyn Bring>, cache: Arc<CodeCache>) -> Arc<Self> {
        Arc::new(Self {
            module: ArcSwapOption::empty(),
            used: AtomicBool::new(false),
            origin: Some(Origin {
                bring,
                cache,
                turn: tokio::sync::Mutex::default(),
            }),
        })
    }

    /// The module, if it is loaded.
    pub(crate) fn get(&self) -> Option<Arc<Module>> {
        let module = self.module.load_full();
        // Written only if it changes, because threads share the cache line.
        if module.is_some() && !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        module
    }

    /// The module, loaded first if necessary.
    pub(crate) async fn load(self: &Arc<Self>) -> Result<Arc<Module>, ModuleError> {
        if let Some(module) = self.get() {
            return Ok(module);
        }
        let Some(origin) = &self.origin else {
            unreachable!("code without an origin is always here")
        };
        let _turn = origin.turn.lock().await;
        if let Some(module) = self.get() {
            return Ok(module);
        }
        let module = origin.bring.bring().await?;
        self.module.store(Some(Arc::clone(&module)));
        self.used.store(true, Ordering::Relaxed);
        origin
            .cache
            .put(Arc::clone(self), module.code_size() as u64);
        Ok(module)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Code").field(&self.module.load()).finish()
    }
}

/// Loaded code that can be loaded again: as much as there is room for.
///
/// The clock algorithm (second chance) chooses what to evict. It comes close to least recently used, and writes only
/// one flag on a task's path.
pub(crate) struct CodeCache {
    room: u64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    codes: VecDeque<(Arc<Code>, u64)>,
    bytes: u64,
}

impl CodeCache {
    /// A cache with room for this many bytes of machine code.
    pub(crate) fn new(room: u64) -> Arc<Self> {
        Arc::new(Self {
            room,
            kept: Mutex::default(),
        })
    }

    /// Bytes of machine code in it.
    pub(crate) fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// Whether there is room for more without evicting anything.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes() < self.room
    }

    fn put(&self, code: Arc<Code>, bytes: u64) {
        let mut kept = self.lock();
        kept.codes.push_back((code, bytes));
        kept.bytes += bytes;
        // Each is passed over at most once. The newest stays, or nothing could ever run.
        let mut looks = 2 * kept.codes.len();
        while kept.bytes > self.room && kept.codes.len() > 1 && looks > 0 {
            looks -= 1;
            let Some((code, bytes)) = kept.codes.pop_front() else {
                return;
            };
            if code.used.swap(false, Ordering::Relaxed) {
                kept.codes.push_back((code, bytes));
            } else {
                // Running tasks keep the module alive until they end.
                code.module.store(None);
                kept.bytes -= bytes;
            }
        }
    }

    /// No code panics under this lock.
    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
