//! A folder that only this user can use, bounded in bytes: what has not been used for longest goes first.
//!
//! For what is trusted because nobody else could have written it. Must not know what is kept.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A file of this name is never removed.
const KEY: &str = "key";
/// Locks that are older were left over by a process that was killed.
const STALE_LOCK: Duration = Duration::from_hours(24);

/// A folder of this user's, closed to others.
#[derive(Debug)]
pub struct PrivateFolder {
    path: PathBuf,
    most: u64,
}

/// A folder or a file in it that can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// What could not be used.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Somebody else could have written it.
    #[error("{} is not trusted: {why}", path.display())]
    Untrusted {
        /// The folder or file.
        path: PathBuf,
        /// Why, and what would be right.
        why: String,
    },
}

impl PrivateFolder {
    /// Opens the folder, which may take `most` bytes, and creates it if it is missing. One that others can read is
    /// closed to them.
    ///
    /// # Errors
    /// When it belongs to somebody else, others can write to it, or the system refuses.
    pub fn open(path: &Path, most: u64) -> Result<Self, FolderError> {
        let refused = at(path);
        let created = DirBuilder::new().recursive(true).mode(0o700).create(path);
        created.map_err(&refused)?;
        // What is checked is what is used, whatever a link says later.
        let path = path.canonicalize().map_err(&refused)?;
        for folder in path.ancestors().skip(1) {
            let meta = fs::metadata(folder).map_err(at(folder))?;
            if meta.uid() != 0 {
                check_owner(folder, &meta)?;
            }
        }
        let meta = fs::metadata(&path).map_err(at(&path))?;
        check_owner(&path, &meta)?;
        let mode = meta.permissions().mode();
        if mode & 0o022 != 0 {
            return Err(FolderError::Untrusted {
                why: format!(
                    "others can write to it (mode {:03o}); choose another folder, or remove it",
                    mode & 0o777
                ),
                path,
            });
        }
        if mode & 0o077 != 0 {
            let closed = fs::Permissions::from_mode(0o700);
            fs::set_permissions(&path, closed).map_err(at(&path))?;
        }
        Ok(Self { path, most })
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens one of its files, if it is there.
    ///
    /// # Errors
    /// When it is no plain file of this user's that is closed to others, or the system refuses.
    pub fn file(&self, name: &str) -> Result<Option<File>, FolderError> {
        let path = self.path(name);
        let linked = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(at(&path))?,
        };
        let file = File::open(&path).map_err(at(&path))?;
        let meta = file.metadata().map_err(at(&path))?;
        let why = if !linked.is_file() || (linked.dev(), linked.ino()) != (meta.dev(), meta.ino()) {
            "it is no plain file"
        } else if meta.nlink() != 1 {
            "it is also known by another name"
        } else if meta.permissions().mode() & 0o077 != 0 {
            "others can use it; it must have mode 600"
        } else {
            check_owner(&path, &meta)?;
            return Ok(Some(file));
        };
        let why = why.to_owned();
        Err(FolderError::Untrusted { path, why })
    }

    /// The bytes of one of its files, which counts as used now. None where it is not there or not to be trusted.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let file = self.file(name).inspect_err(|error| {
            tracing::warn!(%error, "ignored a kept file");
        });
        let mut file = file.ok()??;
        let length = file.metadata().ok()?.len();
        if length > self.most {
            return None;
        }
        let mut bytes = Vec::new();
        // It may grow while it is read.
        Read::by_ref(&mut file)
            .take(length)
            .read_to_end(&mut bytes)
            .ok()?;
        let _ = file.set_modified(SystemTime::now());
        Some(bytes)
    }

    /// Keeps bytes under this name, and removes what has not been used for longest, while the folder has more than it
    /// may. A reader sees all of the bytes, or none. More than the folder may have are not kept.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        if bytes as u64 > self.most {
            tracing::debug!(bytes, most = self.most, name, "too large to be kept");
            return Ok(());
        }
        // A named temporary file has mode 600.
        let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
        for part in parts {
            file.write_all(part)?;
        }
        file.persist(self.path(name))?;
        self.shrink(name);
        Ok(())
    }

    /// Removes files while there is too much, but not `newest`.
    fn shrink(&self, newest: &str) {
        let Ok(entries) = fs::read_dir(&self.path) else {
            return;
        };
        let mut files = Vec::new();
        let mut sum = 0;
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Ok(meta) = entry.metadata() else { continue };
            if !meta.is_file() || name == KEY {
                continue;
            }
            let used = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let path = entry.path();
            if path.extension().is_some_and(|kind| kind == "lock") {
                if used.elapsed().is_ok_and(|age| age > STALE_LOCK) {
                    let _ = fs::remove_file(path);
                }
                continue;
            }
            sum += meta.len();
            if name != newest {
                files.push((used, meta.len(), path));
            }
        }
        files.sort_unstable();
        for (_, bytes, path) in files {
            if sum <= self.most {
                break;
            }
            // Another process may have removed it already.
            let _ = fs::remove_file(path);
            sum -= bytes;
        }
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> FolderError {
    move |source| FolderError::Io {
        path: path.to_owned(),
        source,
    }
}

fn check_owner(path: &Path, meta: &Metadata) -> Result<(), FolderError> {
    let own = rustix::process::geteuid().as_raw();
    if meta.uid() == own {
        return Ok(());
    }
    Err(FolderError::Untrusted {
        path: path.to_owned(),
        why: format!("it belongs to user {}, and this is user {own}", meta.uid()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let folder = PrivateFolder::open(&dir.path().join("a/b"), 100).unwrap();
        fs::write(folder.path(KEY), [0; 200]).unwrap();
        let age = |name: &str, seconds| {
            let file = File::open(folder.path(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(seconds))
                .unwrap();
        };
        for (name, seconds) in [("old", 300), ("older", 400), ("oldest", 500)] {
            folder.write(name, &[&[1; 20], &[2; 10]]).unwrap();
            age(name, seconds);
        }
        assert_eq!(
            folder.read("oldest").unwrap().len(),
            30,
            "and counts as used"
        );
        folder.write("new", &[&[3; 40]]).unwrap();
        let there = |name: &str| folder.read(name).is_some();
        assert!(there("new") && there("oldest") && there("old") && !there("older"));
        folder.write("huge", &[&[0; 101]]).unwrap();
        assert!(!there("huge") && there("new"));
        assert!(folder.path(KEY).exists());
    }

    #[test]
    fn locks_that_were_left_over_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = PrivateFolder::open(dir.path(), 100).unwrap();
        for name in ["left.lock", "held.lock"] {
            fs::write(folder.path(name), "").unwrap();
        }
        let left = File::open(folder.path("left.lock")).unwrap();
        left.set_modified(SystemTime::now() - 2 * STALE_LOCK)
            .unwrap();
        folder.write("a", &[b"a"]).unwrap();
        assert!(!folder.path("left.lock").exists() && folder.path("held.lock").exists());
    }

    #[test]
    fn a_folder_is_closed_to_others_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cache");
        PrivateFolder::open(&path, 1).unwrap();
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let set = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(mode(), 0o700);
        set(0o755);
        PrivateFolder::open(&path, 1).unwrap();
        assert_eq!(mode(), 0o700);
        for open in [0o777, 0o720, 0o702, 0o1777] {
            set(open);
            let error = PrivateFolder::open(&path, 1).unwrap_err().to_string();
            assert!(error.contains("others can write to it"), "{error}");
        }
        fs::remove_dir(&path).unwrap();
        fs::write(&path, "no folder").unwrap();
        let error = PrivateFolder::open(&path, 1).unwrap_err();
        assert!(matches!(error, FolderError::Io { .. }), "{error}");
    }

    #[test]
    fn a_file_that_others_could_have_written_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let folder = PrivateFolder::open(&dir.path().join("cache"), 100).unwrap();
        let own = |name: &str| {
            folder.write(name, &[b"x"]).unwrap();
            folder.path(name)
        };
        fs::set_permissions(own("open"), fs::Permissions::from_mode(0o644)).unwrap();
        fs::hard_link(own("twice"), dir.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(own("real"), folder.path("link")).unwrap();
        fs::create_dir(folder.path("folder")).unwrap();
        for (name, why) in [
            ("open", "others can use it"),
            ("twice", "another name"),
            ("link", "no plain file"),
            ("folder", "no plain file"),
        ] {
            let error = folder.file(name).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(name), "{error}");
            assert_eq!(folder.read(name), None);
        }
        assert!(folder.file("missing").unwrap().is_none());
        assert_eq!(folder.read("real").unwrap(), b"x");
    }
}
