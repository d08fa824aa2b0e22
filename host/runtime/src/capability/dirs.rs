//! `wasi:filesystem`: directories of the host that a manifest grants.
//!
//! Must not know what is counted.

mod counted;
pub(super) mod programs;
mod quota;
mod stream;

use std::sync::Arc;

use wasmtime::component::{Component, Linker};
use wasmtime_wasi::FsPerms;
use wasmtime_wasi::filesystem::WasiFilesystemView as _;
use wasmtime_wasi::p2::bindings::filesystem;

use self::counted::{Counted, CountedDirs, Files};
use self::quota::Place;
use super::contract::{Access, Capability, Setup};
use super::import::Import;
use crate::settings::{DirGrant, GrantError, Grants};
use crate::state::CallState;

/// Harmless without `dirs`: then there are no directories.
pub(super) struct Dirs;

const INTERFACES: [&str; 2] = ["wasi:filesystem/types", "wasi:filesystem/preopens"];

impl Capability for Dirs {
    fn offers(&self, import: Import<'_>) -> bool {
        import.is_of(&INTERFACES, "0.2")
    }

    fn access(&self, _: &str, _: &Grants) -> Access {
        Access::Free
    }

    fn link(
        &self,
        l: &mut Linker<CallState>,
        interface: &str,
        _: &Component,
    ) -> wasmtime::Result<()> {
        match interface {
            "wasi:filesystem/types" => filesystem::types::add_to_linker::<_, CountedDirs>(l, view),
            "wasi:filesystem/preopens" => {
                filesystem::preopens::add_to_linker::<_, CountedDirs>(l, view)
            }
            _ => Ok(()),
        }
    }

    fn prepare(&self, grants: &Grants) -> Result<Option<Setup>, GrantError> {
        let dirs = grants.dirs.clone();
        if let Some(dir) = dirs.iter().find(|dir| !dir.host.is_dir()) {
            return Err(GrantError::Directory(dir.host.clone()));
        }
        let place = |dir: &DirGrant| Place::new(dir.host.clone(), dir.max_bytes.map(u64::from));
        let places: Arc<[Place]> = dirs.iter().map(place).collect();
        Ok(Some(Box::new(move |call| {
            call.keep(Files::new(Arc::clone(call.monitor), Arc::clone(&places)));
            let wasi = call.wasi();
            for DirGrant {
                host,
                guest,
                writable,
                ..
            } in &dirs
            {
                let perms = if *writable {
                    FsPerms::ReadWrite
                } else {
                    FsPerms::ReadOnly
                };
                wasi.preopened_dir(host, guest, perms).map_err(|error| {
                    format!(
                        "can't open the granted directory {}: {error}",
                        host.display()
                    )
                })?;
            }
            Ok(())
        })))
    }
}

fn view(call: &mut CallState) -> Counted<'_> {
    let (files, wasi) = call.kept_and_wasi::<Files>();
    Counted {
        view: wasi.filesystem(),
        files,
    }
}
