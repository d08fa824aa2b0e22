//! Programs with directories: what they may write, and how many files they may have open.

use std::fs;
use std::path::Path;

use chicory_runtime::{Ended, How};
use serde_json::{Value, json};

use crate::guests::{call, load, returned, sandbox};

/// A program with two directories: 3 may be written to and has the file `own`, 4 may not and has the file `kept`.
pub(crate) struct Dirs {
    folder: tempfile::TempDir,
}

impl Dirs {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (directory, file) in [("rw", "own"), ("ro", "kept")] {
            let directory = folder.path().join(directory);
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join(file), file).unwrap();
        }
        Dirs { folder }
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a program whose start function has this body. The names `own` and `kept` are at 100 and 104.
    pub(crate) async fn run(&self, body: &str) -> Ended {
        self.run_limited(body, json!({}), None).await
    }

    /// The same with these limits, and with a limit on what the first directory may hold.
    async fn run_limited(&self, body: &str, limits: Value, max: Option<u64>) -> Ended {
        let text = format!(
            r#"(module
              (import "wasi_snapshot_preview1" "fd_renumber" (func $renumber (param i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "path_open" (func $open
                (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "path_rename" (func $rename
                (param i32 i32 i32 i32 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "path_link" (func $link
                (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "fd_filestat_set_size" (func $resize (param i32 i64) (result i32)))
              (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
              (memory (export "memory") 4)
              (data (i32.const 100) "own")
              (data (i32.const 104) "kept")
              (func $must (param i32) (if (local.get 0) (then (call $exit (local.get 0)))))
              (func (export "_start") (local $left i32) {body}))"#
        );
        let grant = |host: &Path, guest: &str, writable: bool| json!({"host": host, "guest": guest, "writable": writable});
        let mut dirs = [
            grant(&self.path("rw"), "/rw", true),
            grant(&self.path("ro"), "/ro", false),
        ];
        if let Some(max) = max {
            dirs[0]["max_bytes"] = max.into();
        }
        let sandbox = sandbox();
        let manifest = json!({"grants": {"dirs": dirs}, "limits": limits});
        let module = load(&sandbox, &text, manifest).await.unwrap();
        call(&sandbox, &module, "run", json!([]), json!({})).await
    }

    /// Fails unless what may only be read is as it was.
    pub(crate) fn assert_kept(&self) {
        let kept = fs::read_to_string(self.path("ro/kept")).unwrap();
        assert_eq!(kept, "kept");
        assert_eq!(fs::read_dir(self.path("ro")).unwrap().count(), 1);
    }
}

/// Opens `own` in the first directory to write to it.
const OPEN: &str = r"(call $must (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 3)
    (i32.const 0) (i64.const 4194368) (i64.const 0) (i32.const 0) (i32.const 8)))";

/// Writes 100 KB to it so many times.
fn writes(times: u32) -> String {
    format!(
        r"{OPEN}
        (i32.store (i32.const 16) (i32.const 1000))
        (i32.store (i32.const 20) (i32.const 100000))
        (local.set $left (i32.const {times}))
        (loop $again
          (call $must (call $write (i32.load (i32.const 8)) (i32.const 16) (i32.const 1) (i32.const 24)))
          (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))"
    )
}

fn denied(ended: &Ended) -> &str {
    match &ended.how {
        How::Denied { message } => message,
        other => panic!("{other:?}"),
    }
}

/// Case M14: 1.4 GB in 4 s.
#[tokio::test]
async fn what_one_call_may_write_is_limited() {
    let dirs = Dirs::new();
    let limits = json!({"write_bytes": "1MiB"});
    let ended = dirs.run_limited(&writes(1000), limits.clone(), None).await;
    let said = denied(&ended);
    assert!(
        said.contains("raise write_bytes in the manifest's [limits]"),
        "{said}"
    );
    let written = fs::metadata(dirs.path("rw/own")).unwrap().len();
    assert!(written <= 1 << 20, "{written}");
    let ended = dirs.run_limited(&writes(10), limits.clone(), None).await;
    assert_eq!(returned(&ended), json!(""), "{ended:?}");
    let resize = format!(
        "{OPEN} (call $must (call $resize (i32.load (i32.const 8)) (i64.const 9999999999)))"
    );
    denied(&dirs.run_limited(&resize, limits, None).await);
}

#[tokio::test]
async fn what_a_directory_may_hold_is_limited_over_all_calls() {
    let dirs = Dirs::new();
    let half = vec![0; 500_000];
    fs::write(dirs.path("rw/other"), half).unwrap();
    let max = Some(1_000_000);
    let ended = dirs.run_limited(&writes(10), json!({}), max).await;
    let said = denied(&ended);
    assert!(
        said.contains("may hold 1000000 bytes; raise max_bytes"),
        "{said}"
    );
    fs::remove_file(dirs.path("rw/other")).unwrap();
    fs::write(dirs.path("rw/own"), "").unwrap();
    let ended = dirs.run_limited(&writes(9), json!({}), max).await;
    assert_eq!(returned(&ended), json!(""), "{ended:?}");
}

#[tokio::test]
async fn open_files_are_limited() {
    let opens = |times: u32| {
        format!(
            r"(local.set $left (i32.const {times}))
            (loop $again {OPEN}
              (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))"
        )
    };
    let ended = Dirs::new().run(&opens(100)).await;
    assert_eq!(returned(&ended), json!(""), "{ended:?}");
    let ended = Dirs::new().run(&opens(2_000)).await;
    assert!(
        matches!(
            ended.how,
            How::Denied { .. } | How::Exited { .. } | How::Trapped { .. }
        ),
        "{ended:?}"
    );
}
