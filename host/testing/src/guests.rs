//! Where the built guests and the program are.
//!
//! Must not build them: that takes tool chains, which `scripts/setup` and `scripts/guests` know.

use std::path::{Path, PathBuf};

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("host/testing is two folders down")
}

/// A guest's file: an example's, or one of the tests' own.
pub fn guest(module: &str) -> PathBuf {
    let built = root().join("target/guests");
    let candidates =
        ["examples", "tests"].map(|kind| built.join(kind).join(format!("{module}.wasm")));
    let found = candidates.into_iter().find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("the guest {module} is not built: run scripts/guests first"))
}

/// The program beside this test program: `target/PROFILE/chicory`.
pub fn program() -> PathBuf {
    let path = profile_folder().join("chicory");
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build -p chicory-cli` first",
        path.display()
    );
    path
}

/// A folder for what the tests of all runs may share, such as compiled modules.
pub(crate) fn shared_folder() -> PathBuf {
    profile_folder().with_file_name("tmp")
}

/// `target/PROFILE`, where this test program is `target/PROFILE/deps/NAME`.
fn profile_folder() -> PathBuf {
    let tests = std::env::current_exe().expect("a program knows its file");
    let folder = tests.ancestors().nth(2);
    folder
        .expect("a test program is in target/PROFILE/deps")
        .to_owned()
}
