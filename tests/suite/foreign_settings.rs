//! Settings that others have a hand in: the `.env` of another program, the variables of Kubernetes, passwords in URLs.
//!
//! Must not know what the settings do.

use chicory_testing::Site;

const PASSWORD: &str = "hunter2";

/// Case Q12: a `.env` that other programs share, with lines that are not ours to understand.
#[test]
fn the_env_file_of_another_program_is_left_alone() {
    let site = Site::new();
    let mut text =
        b"\xef\xbb\xbfAPP_NAME=My App\nJSON={\"a\": 1}\nMOTTO=it's\nLATIN=\xe4\xff\n".to_vec();
    text.extend(b"KEY=\"-----BEGIN\nabc\n-----END\"\nCHICORY_BROKER_REDIS_DB=3 \n");
    site.write(".env", text);
    site.enqueue(&["demo.noop"]);
    let shown = site.run(&["config", "show", "--json"]).json();
    let rows = shown.as_array().expect("a list");
    let db = rows
        .iter()
        .find(|row| row["variable"] == "CHICORY_BROKER_REDIS_DB");
    let db = db.expect("the setting");
    assert_eq!((&db["value"], &db["source"]), (&"3".into(), &".env".into()));

    site.write(".env", "A=it's\nCHICORY_BROKER_REDIS_PASSWORD=hunter2 x\n");
    let refused = site.run(&["enqueue", "demo.noop"]);
    let reason = refused.fails(2);
    assert!(
        reason.contains(".env, line 2: CHICORY_BROKER_REDIS_PASSWORD"),
        "{reason}"
    );
    assert!(!reason.contains(PASSWORD), "{reason}");
}

/// Case Q12: the variables of services named `chicory-worker` and `chicory-backend-redis`.
#[test]
fn the_service_links_of_kubernetes_are_recognised() {
    let site = Site::new()
        .set("CHICORY_WORKER_SERVICE_HOST", "10.0.0.1")
        .set("CHICORY_WORKER_SERVICE_PORT", "80")
        .set("CHICORY_WORKER_SERVICE_PORT_HTTP", "80")
        .set("CHICORY_WORKER_PORT", "tcp://10.0.0.1:80")
        .set("CHICORY_WORKER_PORT_80_TCP", "tcp://10.0.0.1:80")
        .set("CHICORY_WORKER_PORT_80_TCP_PROTO", "tcp")
        .set("CHICORY_WORKER_PORT_80_TCP_PORT", "80")
        .set("CHICORY_WORKER_PORT_80_TCP_ADDR", "10.0.0.1")
        .set("CHICORY_BACKEND_REDIS_PORT", "tcp://10.0.0.2:6379")
        .set("CHICORY_BACKEND_REDIS_PORT_6379_TCP_ADDR", "10.0.0.2");
    let _worker = site.worker(&[]);
    assert_eq!(site.call(&["demo.add", "1", "2"])["result"], 3);
    let manifest =
        std::fs::read_to_string(chicory_testing::root().join("deploy/kubernetes/worker.yaml"));
    let manifest = manifest.expect("the manifest");
    assert!(
        manifest.contains("\n      enableServiceLinks: false\n"),
        "in the pod's spec"
    );
}

/// Case Q4: a password that is not percent-encoded ends where it should not.
#[test]
fn a_password_in_a_url_is_never_shown() {
    let mut site = Site::new();
    let port = site.redis.port();
    for (url, encoded) in [
        (
            format!("redis://:{PASSWORD}#x@127.0.0.1:{port}/0"),
            Some("%23"),
        ),
        (
            format!("redis://:{PASSWORD}?x@127.0.0.1:{port}/0"),
            Some("%3F"),
        ),
        (
            format!("redis://:{PASSWORD}/x@127.0.0.1:{port}/0"),
            Some("%2F"),
        ),
        (
            format!("redis-sentinel://:{PASSWORD}#x@127.0.0.1:{port}/m/0"),
            Some("%23"),
        ),
        (
            format!("redis-cluster://u:{PASSWORD}?x@127.0.0.1:{port}"),
            Some("%3F"),
        ),
        (format!("redis://:{PASSWORD}"), None),
        (format!("rediss//:{PASSWORD}@127.0.0.1"), None),
    ] {
        for variable in ["CHICORY_BROKER", "CHICORY_BROKER_REDIS_URL"] {
            site = site
                .set("CHICORY_BROKER", "")
                .set("CHICORY_BROKER_REDIS_URL", "");
            site = site.set(variable, &url);
            let refused = site.run(&["enqueue", "demo.noop"]);
            let reason = refused.fails(2);
            assert!(reason.contains(encoded.unwrap_or_default()), "{reason}");
            let worker = site.run(&["worker"]);
            let shown = site.run(&["config", "show"]);
            for said in [reason, worker.fails(2), &format!("{shown:?}")] {
                assert!(!said.contains(PASSWORD), "{said}");
            }
        }
    }
}
