//! Seeds: files of `seeds/`, inputs that are right.

use std::fs;
use std::path::Path;

/// The files of a folder of `seeds/`, in the order of their names. A `.wat` is assembled.
///
/// # Panics
/// Panics where the folder has no files or one can't be read.
pub(crate) fn seeds(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(folder);
    let entries = fs::read_dir(&folder);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{}: no seeds", folder.display());
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if path.extension().is_some_and(|extension| extension == "wat") {
        let wasm = wat::parse_bytes(&bytes);
        return wasm
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
            .into_owned();
    }
    bytes
}
