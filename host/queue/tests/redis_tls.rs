//! TLS with certificates on both sides, on a server and on the node of a Cluster. The certificates are made by openssl
//! for each test.

use std::path::{Path, PathBuf};
use std::process::Command;

use chicory_queue::{
    BrokerConfig, BrokerError, RedisConfig, RedisServer as Address, RedisTls, ResultsConfig,
    Secret, Settled,
};
use chicory_signature::with_causes;
use chicory_testing::{Queue, RedisServer, completion, connect, messages};

/// An authority, and certificates of a server and a client.
struct Certificates(tempfile::TempDir);

impl Certificates {
    fn new() -> Self {
        let own = Self(tempfile::tempdir().expect("a temporary directory"));
        own.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem");
        std::fs::write(
            own.path("names"),
            "subjectAltName=IP:127.0.0.1,DNS:localhost",
        )
        .expect("a file");
        for side in ["server", "client"] {
            own.openssl(&format!("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={side} -keyout {side}.key -out {side}.csr"));
            own.openssl(&format!("x509 -req -in {side}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out {side}.pem"));
        }
        own
    }

    fn openssl(&self, line: &str) {
        let words = line.split(' ');
        let ran = Command::new("openssl")
            .args(words)
            .current_dir(self.0.path())
            .output();
        let ran = ran.expect("openssl is installed");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{line}: {said}");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A server that also speaks TLS, on another port, and requires a certificate.
    fn server(&self, tls_port: u16, more: &[&str]) -> RedisServer {
        let file = |name: &str| self.path(name).display().to_string();
        let (ca, certificate, key) = (file("ca.pem"), file("server.pem"), file("server.key"));
        let port = tls_port.to_string();
        let mut flags = vec![
            "--tls-port",
            &port,
            "--tls-ca-cert-file",
            &ca,
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
            "--tls-auth-clients",
            "yes",
        ];
        flags.extend(more);
        RedisServer::start_with(&flags)
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn config(server: Address) -> BrokerConfig {
    let redis = RedisConfig {
        server,
        ..RedisConfig::default()
    };
    BrokerConfig::Redis(redis, ResultsConfig::default())
}

fn by_url(url: String, tls: RedisTls) -> BrokerConfig {
    config(Address {
        url: Some(Secret(url)),
        tls,
        ..Address::default()
    })
}

/// A message's whole life: commands, the reader of blocking reads, and the subscription of a wait.
async fn works(config: &BrokerConfig) {
    let queue = Queue::open(config).await;
    queue.enqueue(&messages("m", 3)).await;
    let block = std::time::Duration::from_secs(20);
    let deliveries = queue.try_fetch(10, block).await.expect("fetch");
    let batch: Vec<_> = deliveries.iter().map(completion).collect();
    let (waited, settled) = tokio::join!(
        queue.connected.results.wait("m0", Some(block)),
        queue.settle_each(&batch)
    );
    assert_eq!(settled, [Settled::Applied; 3]);
    assert!(waited.expect("wait").is_some());
}

/// Case Q6.
#[tokio::test]
async fn a_server_that_wants_a_certificate_is_shown_one() {
    if !RedisServer::speaks_tls() {
        return;
    }
    let certificates = Certificates::new();
    let port = free_port();
    let _server = certificates.server(port, &[]);
    let path = |name: &str| Some(certificates.path(name));
    let all = RedisTls {
        ca_file: path("ca.pem"),
        cert_file: path("client.pem"),
        key_file: path("client.key"),
    };
    works(&by_url(format!("rediss://127.0.0.1:{port}"), all.clone())).await;
    // Host and port have no scheme to say that TLS is wanted.
    works(&config(Address {
        host: "localhost".into(),
        port,
        tls: all.clone(),
        ..Address::default()
    }))
    .await;

    let without = RedisTls {
        ca_file: path("ca.pem"),
        ..RedisTls::default()
    };
    let url = format!("rediss://127.0.0.1:{port}");
    assert!(connect(&by_url(url.clone(), without)).await.is_err());
    let unknown = connect(&by_url(url, RedisTls::default())).await;
    let said = with_causes(&unknown.expect_err("nobody knows this authority"));
    assert!(said.contains("UnknownIssuer"), "{said}");
}

/// A Cluster of one node: its other nodes are reached in the same way, with the same certificates.
#[tokio::test]
async fn the_nodes_of_a_cluster_are_shown_it_too() {
    if !RedisServer::speaks_tls() {
        return;
    }
    let certificates = Certificates::new();
    let port = free_port();
    let flags = [
        "--tls-cluster",
        "yes",
        "--cluster-enabled",
        "yes",
        "--cluster-announce-ip",
        "127.0.0.1",
    ];
    let node = certificates.server(port, &flags);
    node.query::<()>(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    chicory_testing::until("the Cluster", || {
        node.query::<String>(&["CLUSTER", "INFO"])
            .contains("cluster_state:ok")
    });
    let tls = RedisTls {
        ca_file: Some(certificates.path("ca.pem")),
        cert_file: Some(certificates.path("client.pem")),
        key_file: Some(certificates.path("client.key")),
    };
    works(&by_url(format!("rediss-cluster://127.0.0.1:{port}"), tls)).await;
}

#[tokio::test]
async fn files_that_can_t_be_used_are_named() {
    let certificates = Certificates::new();
    let missing = Path::new("/nowhere/ca.pem").to_owned();
    let tls = |ca_file: Option<PathBuf>, cert_file: Option<PathBuf>, key_file: Option<PathBuf>| {
        RedisTls {
            ca_file,
            cert_file,
            key_file,
        }
    };
    let path = |name: &str| Some(certificates.path(name));
    for (url, tls, part) in [
        (
            "rediss://127.0.0.1:1",
            tls(Some(missing), None, None),
            "tls_ca_file",
        ),
        (
            "rediss://127.0.0.1:1",
            tls(path("ca.key"), None, None),
            "no certificate",
        ),
        (
            "rediss://127.0.0.1:1",
            tls(None, path("client.pem"), None),
            "belong together",
        ),
        (
            "rediss://127.0.0.1:1",
            tls(None, path("client.pem"), path("ca.pem")),
            "tls_key_file",
        ),
        (
            "redis://127.0.0.1:1",
            tls(path("ca.pem"), None, None),
            "rediss://",
        ),
    ] {
        let error = connect(&by_url(url.to_owned(), tls)).await.expect_err(part);
        assert!(matches!(error, BrokerError::Refused { .. }), "{error:?}");
        let said = with_causes(&error);
        assert!(said.contains(part), "{said}");
    }
}
