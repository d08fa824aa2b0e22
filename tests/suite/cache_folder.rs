//! The folder of compiled modules: whose word decides where it is, and what happens where it can't be used.
//!
//! Must not know how modules are compiled.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use chicory_testing::components::answering;
use chicory_testing::{Ran, Site};

use crate::versions::write;

const DIR: &str = "CHICORY_WORKER_CACHE_DIR";

/// The command without a word about the cache in its environment.
fn plain(site: &Site, args: &[&str]) -> Command {
    let mut command = site.command(args);
    command.env_remove(DIR);
    command
}

fn with_cache(site: &Site, folder: &Path, args: &[&str]) -> Ran {
    let mut command = plain(site, args);
    command.env(DIR, folder);
    Ran::of(command, b"")
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    let hex = chicory_worker::digest(bytes);
    let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
    (0..hex.len()).step_by(2).map(digits).collect()
}

/// HMAC-SHA256 of a file's name and bytes, as the cache writes it.
fn mac(key: &[u8], name: &str, bytes: &[u8]) -> Vec<u8> {
    let padded = |pad: u8| {
        let mut block = [pad; 64];
        block.iter_mut().zip(key).for_each(|(pad, key)| *pad ^= key);
        block.to_vec()
    };
    let length = (name.len() as u64).to_le_bytes();
    let inner = [&padded(0x36)[..], &length, name.as_bytes(), bytes].concat();
    sha256(&[padded(0x5c), sha256(&inner)].concat())
}

fn compiled(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("it is there");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|kind| kind == "cwasm"))
        .collect()
}

/// In the folder, the code of `m` is replaced by other code, with a key that whoever made the folder knows.
fn forge(site: &Site, folder: &Path) {
    write(site, "m", &answering(666), "");
    with_cache(site, folder, &["run", "m.wasm", "answer"]).ok();
    let [evil] = compiled(folder).try_into().expect("one module");
    write(site, "m", &answering(1), "");
    let honest = with_cache(site, folder, &["run", "m.wasm", "answer"]);
    assert_eq!(honest.ok(), "1");
    let target = compiled(folder)
        .into_iter()
        .find(|path| *path != evil)
        .expect("the other module");
    let mut code = fs::read(&evil).expect("it was written");
    code.truncate(code.len() - 32);
    let key = fs::read(folder.join("key")).expect("the key");
    let name = target
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let forged = [&code[..], &mac(&key, &name, &code)].concat();
    fs::write(target, forged).expect("it can be written");
}

/// Case M9: a folder that came with its settings, a key and forged code.
#[test]
fn code_that_came_with_a_folder_is_not_run() {
    let site = Site::new();
    let folder = site.path(".build");
    forge(&site, &folder);
    // It would be run, if the place were taken from the folder.
    let own_word = with_cache(&site, &folder, &["run", "m.wasm", "answer"]);
    assert_eq!(own_word.ok(), "666");
    for (file, text) in [
        ("chicory.toml", "[worker]\ncache_dir = \"./.build\"\n"),
        (".env", "CHICORY_WORKER_CACHE_DIR=./.build\n"),
    ] {
        let written = site.write(file, text);
        let refused = Ran::of(plain(&site, &["run", "m.wasm", "answer"]), b"");
        let reason = refused.fails(2);
        assert!(
            reason.contains("can't set it; set CHICORY_WORKER_CACHE_DIR in the environment"),
            "{reason}"
        );
        assert!(reason.contains(file), "{reason}");
        // The user's own word goes before the file's.
        let elsewhere = site.path("own");
        let ran = with_cache(&site, &elsewhere, &["run", "m.wasm", "answer"]);
        assert_eq!(ran.ok(), "1");
        fs::remove_file(written).expect("it was written");
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("it is ours");
    let open = with_cache(&site, &folder, &["run", "m.wasm", "answer"]);
    assert_eq!(
        open.ok(),
        "1",
        "a folder that others can write to is not used"
    );
    assert!(
        open.stderr.contains("cache_dir") && open.stderr.contains("others can write to it"),
        "{open:?}"
    );
}

/// Case U6.
#[test]
fn a_cache_that_can_not_be_used_is_named_and_done_without() {
    let site = Site::new();
    let occupied = site.write("file", "in the way").join("cache");
    let ran = with_cache(
        &site,
        &occupied,
        &["run", "modules/demo.wasm", "add", "1", "2"],
    );
    assert_eq!(ran.ok(), "3");
    let named = format!("{}", occupied.display());
    assert!(
        ran.stderr.contains("cache_dir") && ran.stderr.contains(&named),
        "{ran:?}"
    );
    let site = site.set(DIR, &named);
    let worker = site.worker(&[]);
    worker.line("can't use cache_dir for compiled modules");
    assert_eq!(site.call(&["demo.add", "1", "2"])["result"], 3);
}

/// Case M14: the cache of compiled modules has a bound, and what was used last stays.
#[test]
fn the_cache_has_a_size_and_keeps_what_was_used_last() {
    let site = Site::new().set("CHICORY_WORKER_CACHE_SIZE", "64KiB");
    let folder = site.path("cache");
    fs::create_dir(&folder).expect("a new folder");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("it is ours");
    let mut newest = Vec::new();
    for number in 1..=12 {
        write(&site, "m", &answering(number), "");
        let before = compiled(&folder);
        with_cache(&site, &folder, &["run", "m.wasm", "answer"]).ok();
        newest = compiled(&folder);
        newest.retain(|path| !before.contains(path));
    }
    let left = compiled(&folder);
    let bytes = left
        .iter()
        .map(|path| fs::metadata(path).expect("a file").len());
    let bytes: u64 = bytes.sum();
    assert!(
        bytes <= 64 << 10 && left.len() < 12,
        "{bytes} bytes in {left:?}"
    );
    assert!(
        !newest.is_empty() && left.contains(&newest[0]),
        "{newest:?} is not in {left:?}"
    );
}
