//! A real OCI registry for one test: Debian's docker-registry on a free port of 127.0.0.1.
//!
//! Must not know what is in it. It is killed and waited for in `Drop`.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use chicory_testing::ServerProcess;
use tempfile::TempDir;

/// `bob` with the password `secret`, as `htpasswd -nbB` writes it.
const BOB: &str = "bob:$2y$04$LMwyNCDte3mY8qvyzhsatORd6gZ0nsL.7zxdcmyr8TD.1HaRW1yHW\n";
/// The same for docker's configuration: base64 of `bob:secret`.
pub(crate) const BOB_IN_DOCKER: &str = "Ym9iOnNlY3JldA==";

/// A running registry.
pub(crate) struct OciRegistry {
    process: Option<ServerProcess>,
    directory: TempDir,
    port: u16,
}

impl OciRegistry {
    /// Starts a registry that accepts everything from everyone.
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// Starts a registry that only `bob` may use.
    pub(crate) fn with_password() -> Self {
        Self::with("auth: {htpasswd: {realm: test, path: htpasswd}}\n")
    }

    fn with(further: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let write = |name, text: &str| {
            fs::write(directory.path().join(name), text).expect("it can be written");
        };
        write("htpasswd", BOB);
        let process = ServerProcess::start("listening on", |port| {
            write(
                "config.yml",
                &format!(
                    "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: data}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n{further}"
                ),
            );
            let mut command = Command::new("docker-registry");
            command
                .args(["serve", "config.yml"])
                .current_dir(directory.path());
            command
        });
        Self {
            port: process.port(),
            process: Some(process),
            directory,
        }
    }

    /// The address of this repository and tag.
    pub(crate) fn address(&self, of: &str) -> String {
        format!("oci://{}/{of}", self.host())
    }

    /// Its host and port.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The file of the blob of these bytes.
    pub(crate) fn blob(&self, bytes: &[u8]) -> PathBuf {
        let mut folders = vec![self.directory.path().join("data")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("it can be read") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if fs::read(&path).is_ok_and(|found| found == bytes) {
                    return path;
                }
            }
        }
        panic!("the registry has no such blob");
    }

    /// Uploads a manifest, as another client would.
    pub(crate) fn put_manifest(&self, repository: &str, tag: &str, manifest: &str) {
        let mut stream = TcpStream::connect(self.host()).expect("it serves");
        let request = format!(
            "PUT /v2/{repository}/manifests/{tag} HTTP/1.1\r\nHost: registry\r\nConnection: close\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\nContent-Length: {}\r\n\r\n{manifest}",
            manifest.len()
        );
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut status = String::new();
        BufReader::new(stream)
            .read_line(&mut status)
            .expect("it answers");
        assert!(status.contains("201"), "{status}");
    }

    /// Kills it: its port refuses connections from then on.
    pub(crate) fn stop(&mut self) {
        self.process = None;
    }
}
