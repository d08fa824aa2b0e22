//! A real OCI registry for one test: Debian's docker-registry on a free port of 127.0.0.1.
//!
//! Must not know what is in it. It is killed and waited for in `Drop`.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// `bob` with the password `secret`, as `htpasswd -nbB` writes it.
const BOB: &str = "bob:$2y$04$LMwyNCDte3mY8qvyzhsatORd6gZ0nsL.7zxdcmyr8TD.1HaRW1yHW\n";
/// The same for docker's configuration: base64 of `bob:secret`.
pub(crate) const BOB_IN_DOCKER: &str = "Ym9iOnNlY3JldA==";

/// A running registry.
pub(crate) struct OciRegistry {
    child: Option<Child>,
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
        let mut registry = Self {
            child: None,
            directory: tempfile::tempdir().expect("a temporary directory"),
            port: 0,
        };
        fs::write(registry.path("htpasswd"), BOB).expect("it can be written");
        // Another process may take the port before the server binds it: then try another.
        for _ in 0..20 {
            let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
            registry.port = listener.local_addr().expect("it has one").port();
            drop(listener);
            if registry.serves(further) {
                return registry;
            }
        }
        panic!("docker-registry does not start");
    }

    fn serves(&mut self, further: &str) -> bool {
        let config = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: data}}}}\nhttp: {{addr: '127.0.0.1:{}'}}\n{further}",
            self.port
        );
        fs::write(self.path("config.yml"), config).expect("it can be written");
        let mut child = Command::new("docker-registry")
            .args(["serve", "config.yml"])
            .current_dir(self.directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("docker-registry is not installed: run scripts/setup registry, or apt-get install docker-registry");
        let log = child.stderr.take().expect("it is piped");
        let mut lines = BufReader::new(log).lines().map_while(Result::ok);
        let ready = lines.by_ref().any(|line| line.contains("listening on"));
        self.child = Some(child);
        if ready {
            // Keep reading, or it would block once the pipe is full. Ends with the registry.
            std::thread::spawn(move || lines.for_each(drop));
        } else {
            self.stop();
        }
        ready
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
        let mut folders = vec![self.path("data")];
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
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            child.wait().expect("it ends");
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.directory.path()).join(name)
    }
}

impl Drop for OciRegistry {
    fn drop(&mut self) {
        self.stop();
    }
}
