//! Compiled modules on local disk, so that a restart needn't compile again.
//!
//! Loading compiled code means trusting it, so each file carries a keyed MAC over its name and bytes. The key
//! is random and stays in the directory, readable only by its owner. A file whose MAC doesn't match is
//! ignored, and written again. Must not know what is compiled.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const KEY_BYTES: usize = 32;
const MAC_BYTES: usize = 32;

/// A directory of compiled modules.
pub(crate) struct DiskCache {
    dir: PathBuf,
    key: [u8; KEY_BYTES],
}

impl DiskCache {
    /// Opens the directory. Creates it and its key if they are missing.
    pub(crate) fn open(dir: &Path) -> io::Result<DiskCache> {
        fs::create_dir_all(dir)?;
        Ok(DiskCache {
            dir: dir.to_owned(),
            key: key(dir)?,
        })
    }

    /// The bytes stored under this name, if they are there and unchanged.
    pub(crate) fn get(&self, name: &str) -> Option<Vec<u8>> {
        let mut bytes = fs::read(self.dir.join(name)).ok()?;
        let at = bytes.len().checked_sub(MAC_BYTES)?;
        let mac = bytes.split_off(at);
        if self.mac(name, &bytes).verify_slice(&mac).is_err() {
            tracing::warn!(file = %self.dir.join(name).display(), "ignored a cached module that is not what was written");
            return None;
        }
        Some(bytes)
    }

    /// Stores bytes under this name. A reader sees all of them, or none.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
        file.write_all(bytes)?;
        file.write_all(&self.mac(name, bytes).finalize().into_bytes())?;
        file.persist(self.dir.join(name))?;
        Ok(())
    }

    /// Waits until no other process or thread has locked this name, and locks it.
    pub(crate) fn lock(&self, name: &str) -> io::Result<CacheLock> {
        let path = self.dir.join(name).with_extension("lock");
        let file = File::create(&path)?;
        // The kernel releases it when the process ends, for whatever reason.
        file.lock()?;
        Ok(CacheLock { path, _file: file })
    }

    fn mac(&self, name: &str, bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.key)
            .expect("HMAC takes keys of any length");
        mac.update(&(name.len() as u64).to_le_bytes());
        mac.update(name.as_bytes());
        mac.update(bytes);
        mac
    }
}

/// A locked name. Dropping this unlocks it.
pub(crate) struct CacheLock {
    path: PathBuf,
    _file: File,
}

impl Drop for CacheLock {
    fn drop(&mut self) {
        // Those that are waiting for this file still get it. Later ones create a new file, and find what was
        // stored in the meantime.
        let _ = fs::remove_file(&self.path);
    }
}

/// The directory's key. When several processes start at once, all use the key of the first.
fn key(dir: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let path = dir.join("key");
    loop {
        match File::open(&path) {
            Ok(mut file) => {
                let mut key = [0; KEY_BYTES];
                file.read_exact(&mut key)?;
                return Ok(key);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => write_key(dir, &path)?,
            Err(error) => return Err(error),
        }
    }
}

/// Writes a new key to a temporary file, and links it into place unless another process was first.
fn write_key(dir: &Path, path: &Path) -> io::Result<()> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::from)?;
    // A named temporary file is readable only by its owner.
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(&key)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn what_was_stored_is_found_again_by_another_process() {
        let dir = tempfile::tempdir().unwrap();
        DiskCache::open(dir.path())
            .unwrap()
            .put("a", b"code")
            .unwrap();
        assert_eq!(
            DiskCache::open(dir.path()).unwrap().get("a").unwrap(),
            b"code"
        );
        assert_eq!(DiskCache::open(dir.path()).unwrap().get("b"), None);
    }

    #[test]
    fn tampering_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let cache = DiskCache::open(dir.path()).unwrap();
        cache.put("a", b"code").unwrap();
        let path = dir.path().join("a");
        let good = fs::read(&path).unwrap();
        for index in 0..good.len() {
            let mut bad = good.clone();
            bad[index] ^= 1;
            fs::write(&path, &bad).unwrap();
            assert_eq!(cache.get("a"), None);
        }
        fs::write(&path, &good[..10]).unwrap();
        assert_eq!(cache.get("a"), None);
        // Another module's code, put in this one's place.
        fs::write(dir.path().join("b"), &good).unwrap();
        assert_eq!(cache.get("b"), None);
        cache.put("a", b"code").unwrap();
        assert_eq!(cache.get("a").unwrap(), b"code");
    }

    #[test]
    fn a_name_is_held_by_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let cache = DiskCache::open(dir.path()).unwrap();
        let (other, at_work) = (DiskCache::open(dir.path()).unwrap(), AtomicUsize::new(0));
        thread::scope(|scope| {
            for cache in [&cache, &other, &cache, &other] {
                scope.spawn(|| {
                    let _held = cache.lock("a.cwasm").unwrap();
                    if cache.get("a.cwasm").is_none() {
                        assert_eq!(at_work.fetch_add(1, Ordering::SeqCst), 0);
                        cache.put("a.cwasm", b"code").unwrap();
                    }
                });
            }
        });
        assert_eq!(at_work.into_inner(), 1);
        assert!(!dir.path().join("a.lock").exists());
        drop(cache.lock("b.cwasm").unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn the_key_is_its_owners() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        DiskCache::open(dir.path()).unwrap();
        let mode = fs::metadata(dir.path().join("key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
