//! Compiled modules on local disk, so that a restart needn't compile again.
//!
//! Loading compiled code means trusting it, so each file carries a keyed MAC over its name and bytes. The key
//! is random and stays in the folder. Folder and key must belong to this user and be closed to others. A file whose
//! MAC doesn't match is ignored, and written again. Must not know what is compiled.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::private_folder::{FolderError, PrivateFolder};

const KEY: &str = "key";
const KEY_BYTES: usize = 32;
const MAC_BYTES: usize = 32;

/// A folder of compiled modules.
pub(crate) struct DiskCache {
    folder: PrivateFolder,
    key: [u8; KEY_BYTES],
}

impl DiskCache {
    /// Opens the folder, which may take `most` bytes. Creates it and its key if they are missing.
    pub(crate) fn open(dir: &Path, most: u64) -> Result<DiskCache, FolderError> {
        let folder = PrivateFolder::open(dir, most)?;
        let key = key(&folder)?;
        Ok(DiskCache { folder, key })
    }

    /// The bytes stored under this name, if they are there and unchanged.
    pub(crate) fn get(&self, name: &str) -> Option<Vec<u8>> {
        let mut bytes = self.folder.read(name)?;
        let file = self.folder.path(name);
        let mac = bytes
            .len()
            .checked_sub(MAC_BYTES)
            .map(|at| bytes.split_off(at));
        if mac.is_none_or(|mac| self.mac(name, &bytes).verify_slice(&mac).is_err()) {
            tracing::warn!(file = %file.display(), "ignored a cached module that is not what was written");
            return None;
        }
        Some(bytes)
    }

    /// Stores bytes under this name. A reader sees all of them, or none.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mac = self.mac(name, bytes).finalize().into_bytes();
        self.folder.write(name, &[bytes, &mac])
    }

    /// Waits until no other process or thread has locked this name, and locks it.
    pub(crate) fn lock(&self, name: &str) -> io::Result<CacheLock> {
        let path = self.folder.path(name).with_extension("lock");
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

/// The folder's key. When several processes start at once, all use the key of the first.
fn key(folder: &PrivateFolder) -> Result<[u8; KEY_BYTES], FolderError> {
    let path = folder.path(KEY);
    let failed = |source| FolderError::Io {
        path: path.clone(),
        source,
    };
    loop {
        if let Some(mut file) = folder.file(KEY)? {
            let mut key = [0; KEY_BYTES];
            match file.read_exact(&mut key) {
                Ok(()) => return Ok(key),
                // A full disk or a power cut can leave it short. What was kept with it is compiled again.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    tracing::warn!(file = %path.display(), "the key of the cache was cut short: made a new one");
                    remove_key(&path).map_err(failed)?;
                }
                Err(error) => return Err(failed(error)),
            }
        }
        write_key(&path).map_err(failed)?;
    }
}

/// Removes a key, unless another process has already replaced it.
fn remove_key(path: &Path) -> io::Result<()> {
    let length = std::fs::metadata(path).map(|meta| meta.len());
    if length.is_ok_and(|length| length >= KEY_BYTES as u64) {
        return Ok(());
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes a new key to a temporary file, and moves it into place unless another process was first.
fn write_key(path: &Path) -> io::Result<()> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::from)?;
    // A named temporary file is readable only by its owner.
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
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

    const MOST: u64 = 1 << 20;

    #[test]
    fn what_was_stored_is_found_again_by_another_process() {
        let dir = tempfile::tempdir().unwrap();
        DiskCache::open(dir.path(), MOST)
            .unwrap()
            .put("a", b"code")
            .unwrap();
        assert_eq!(
            DiskCache::open(dir.path(), MOST).unwrap().get("a").unwrap(),
            b"code"
        );
        assert_eq!(DiskCache::open(dir.path(), MOST).unwrap().get("b"), None);
    }

    #[test]
    fn tampering_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let cache = DiskCache::open(dir.path(), MOST).unwrap();
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
        let cache = DiskCache::open(dir.path(), MOST).unwrap();
        let (other, at_work) = (
            DiskCache::open(dir.path(), MOST).unwrap(),
            AtomicUsize::new(0),
        );
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

    /// Case Q21: a full disk left a key without its bytes.
    #[test]
    fn a_key_that_was_cut_short_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cache");
        let cache = DiskCache::open(&path, u64::MAX).unwrap();
        for length in [0, KEY_BYTES - 1] {
            File::options()
                .write(true)
                .open(path.join(KEY))
                .unwrap()
                .set_len(length as u64)
                .unwrap();
            let again = DiskCache::open(&path, u64::MAX).unwrap();
            assert_ne!(again.key, cache.key);
            assert_eq!(
                std::fs::metadata(path.join(KEY)).unwrap().len(),
                KEY_BYTES as u64
            );
        }
    }

    /// Case M9: whoever knows the key can write what is run, so the key must be nobody else's.
    #[test]
    fn forged_code_is_not_loaded_with_a_key_that_others_could_know() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cache");
        let key = path.join(KEY);
        let forge = || {
            let cache = DiskCache::open(&path, MOST).unwrap();
            cache.put("a.cwasm", b"forged").unwrap();
        };
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        forge();
        assert_eq!((mode(&path), mode(&key)), (0o700, 0o600));
        assert_eq!(mode(&path.join("a.cwasm")), 0o600);
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let refused = |what: &str| {
            let error = DiskCache::open(&path, MOST).err().expect(what);
            assert!(matches!(error, FolderError::Untrusted { .. }), "{error}");
        };
        set(&path, 0o777);
        refused("a folder that others can write to");
        set(&path, 0o700);
        for open in [0o640, 0o604, 0o620, 0o666] {
            set(&key, open);
            refused("a key that others can use");
        }
        set(&key, 0o600);
        fs::hard_link(&key, dir.path().join("kept")).unwrap();
        refused("a key that has another name");
        fs::rename(dir.path().join("kept"), &key).unwrap();
        fs::remove_file(dir.path().join("kept")).unwrap();
        forge();
        fs::rename(&key, dir.path().join("known")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("known"), &key).unwrap();
        refused("a key that is a link");
    }

    #[test]
    fn a_cache_has_no_more_than_it_may() {
        let dir = tempfile::tempdir().unwrap();
        let cache = DiskCache::open(dir.path(), 10_000).unwrap();
        for number in 0..100 {
            cache.put(&format!("{number}.cwasm"), &[7; 968]).unwrap();
        }
        let entries = fs::read_dir(dir.path()).unwrap();
        let bytes: u64 = entries
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum();
        assert_eq!(bytes, 10_000 + KEY_BYTES as u64);
        assert!(cache.get("99.cwasm").is_some());
    }
}
