//! `wasi:filesystem` as the engine has it, with what is written, opened and held counted.
//!
//! Must not know how a directory comes to be granted.

mod passed;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmtime::component::{HasData, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};
use wasmtime_wasi::p2::{DynOutputStream, FsError, FsResult};

use super::quota::{Allowance, ENTRY, Place};
use super::stream::{BUFFER, Reading, Writing};
use crate::held::Held;
use crate::monitor::Monitor;

/// Maximum number of files and directories that one call has open.
const MOST_OPEN: usize = 256;

/// Maximum number of files and directories that all calls have open: the worker needs some for itself.
const MOST_OPEN_BY_ALL: usize = 4_096;

static OPEN_BY_ALL: AtomicUsize = AtomicUsize::new(0);

/// What an open file counts, in bytes.
const OPEN: u64 = 512;

/// The engine's filesystem, counted.
pub(super) struct CountedDirs;

impl HasData for CountedDirs {
    type Data<'a> = Counted<'a>;
}

/// The engine's filesystem of one call, and what is known of its handles.
pub(super) struct Counted<'a> {
    pub(super) view: WasiFilesystemCtxView<'a>,
    pub(super) files: &'a mut Files,
}

/// What one call has open.
pub(super) struct Files {
    monitor: Arc<Monitor>,
    places: Arc<[Place]>,
    /// By their handles.
    open: HashMap<u32, Open>,
    /// The entries of directories that are being read, by their handles.
    listings: HashMap<u32, Held>,
    opened: usize,
}

/// An open file or directory, or one that the call was given.
struct Open {
    place: usize,
    slot: Option<Slot>,
}

/// One of the files that all calls may have open.
pub(super) struct Slot {
    _held: Held,
}

impl Slot {
    fn take(monitor: &Arc<Monitor>) -> Option<Slot> {
        let held = Held::new(monitor, OPEN).ok()?;
        let before = OPEN_BY_ALL.fetch_add(1, Ordering::Relaxed);
        let slot = Slot { _held: held };
        (before < MOST_OPEN_BY_ALL).then_some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        OPEN_BY_ALL.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Files {
    /// Nothing is open yet.
    pub(super) fn new(monitor: Arc<Monitor>, places: Arc<[Place]>) -> Self {
        Files {
            monitor,
            places,
            open: HashMap::new(),
            listings: HashMap::new(),
            opened: 0,
        }
    }

    /// A place for one more file.
    pub(super) fn slot(&self) -> FsResult<Slot> {
        let slot = (self.opened < MOST_OPEN)
            .then(|| Slot::take(&self.monitor))
            .flatten();
        slot.ok_or_else(|| {
            self.monitor.log().deny(format!(
                "more than {MOST_OPEN} open files, or too many on this worker"
            ));
            types::ErrorCode::InsufficientMemory.into()
        })
    }

    /// The right to write where this is.
    fn allowance(&self, handle: u32) -> Allowance {
        Allowance {
            monitor: Arc::clone(&self.monitor),
            places: Arc::clone(&self.places),
            // Every handle comes from one that was given.
            place: self.open.get(&handle).map(|open| open.place),
        }
    }

    fn take(&self, handle: u32, bytes: u64) -> FsResult<()> {
        Ok(self.allowance(handle).take(bytes)?)
    }

    fn hold(&self, bytes: u64) -> FsResult<Held> {
        Held::new(&self.monitor, bytes).map_err(FsError::trap)
    }

    /// The right to write where a program's descriptor is; nothing if it is no file. Granted directories have the
    /// descriptors from `first` on.
    pub(super) fn of_descriptor(&self, descriptor: u32, first: u32) -> Option<Allowance> {
        let place = match self.open.get(&descriptor) {
            Some(open) => open.place,
            None => usize::try_from(descriptor.checked_sub(first)?).ok()?,
        };
        (place < self.places.len()).then(|| Allowance {
            place: Some(place),
            ..self.allowance(descriptor)
        })
    }

    /// A program opened a file below another descriptor.
    pub(super) fn opened_below(&mut self, above: u32, first: u32, opened: u32, slot: Slot) {
        let above = self.of_descriptor(above, first);
        let open = Open {
            place: above.and_then(|above| above.place).unwrap_or(0),
            slot: Some(slot),
        };
        self.close(opened);
        self.opened += 1;
        self.open.insert(opened, open);
    }

    /// A program gave a file another descriptor.
    pub(super) fn renumber(&mut self, from: u32, to: u32) {
        if from != to {
            self.close(to);
            if let Some(open) = self.open.remove(&from) {
                self.open.insert(to, open);
            }
        }
    }

    pub(super) fn close(&mut self, handle: u32) {
        if let Some(open) = self.open.remove(&handle) {
            self.opened -= usize::from(open.slot.is_some());
        }
    }
}

impl Counted<'_> {
    /// Puts a counted stream in the place of a plain one.
    fn writing(
        &mut self,
        handle: u32,
        plain: Resource<DynOutputStream>,
    ) -> FsResult<Resource<DynOutputStream>> {
        let stream = Writing {
            inner: self.view.table.delete(plain)?,
            _held: self.files.hold(BUFFER)?,
            allowance: self.files.allowance(handle),
        };
        let stream: DynOutputStream = Box::new(stream);
        Ok(self.view.table.push(stream)?)
    }
}

impl preopens::Host for Counted<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let given = preopens::Host::get_directories(&mut self.view)?;
        for (place, (directory, _)) in given.iter().enumerate() {
            let open = Open { place, slot: None };
            self.files.open.insert(directory.rep(), open);
        }
        Ok(given)
    }
}
