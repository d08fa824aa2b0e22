//! The core of the suite on a Redis Cluster of three masters and three replicas, and on a master with two replicas and three
//! Sentinels: delivery, results, retries, a killed worker, a deploy, and a master that goes.
//!
//! Must not know how a broker finds its server.

use chicory_testing::components::answering;
use chicory_testing::{RedisCluster, RedisSentinels, Site, until};

use crate::versions::deploy;

/// A site whose broker is at this URL. The server that it has of its own is not used.
fn site_at(url: &str) -> Site {
    Site::new()
        .set("CHICORY_BROKER", url)
        .set("CHICORY_BROKER_REDIS_CLAIM_MIN_IDLE_MS", "1500")
}

/// Deliveries, results, retries, delays, dead letters, a deploy, what doctor says, and a killed worker.
fn core(site: &Site) {
    site.deploy("sleeping");
    let mut worker = site.worker(&["--queue", "default,other"]);
    assert_eq!(site.call(&["demo.add", "1", "2"])["result"], 3);
    assert_eq!(
        site.run(&["enqueue", "demo.add", "3", "4", "--wait"]).ok(),
        "7"
    );
    let late = site.enqueue(&["demo.add", "1", "1", "--delay", "300ms"]);
    let flaky = site.enqueue(&["demo.flaky"]);
    let elsewhere = site.enqueue(&["demo.add", "2", "2", "--queue", "other"]);
    for (id, result) in [(&late, 2), (&flaky, 3), (&elsewhere, 4)] {
        assert_eq!(site.wait_for(id)["result"], result, "{id}");
    }
    let dead = site.enqueue(&["demo.always-fails"]);
    assert_eq!(site.wait_for(&dead)["state"], "FAILURE");
    until("the dead letter", || {
        site.run(&["dlq", "list"]).ok().contains(&dead)
    });
    assert!(site.run(&["queue", "list"]).ok().contains("other"));
    deploy(site, "m", &answering(7), &[]).ok();
    assert_eq!(site.call(&["m.answer"])["result"], 7);
    diagnosed(site);

    let slow = site.enqueue(&["sleeping.sleep", "2000"]);
    until("the task with a worker", || {
        site.run(&["queue", "show", "--json"]).json()["pending"] == 1
    });
    worker.kill();
    let _second = site.worker(&["--queue", "default,other"]);
    assert_eq!(site.wait_for(&slow)["state"], "SUCCESS");
}

/// `doctor` finds the servers, and says so of each: servers with replicas that save nothing are no error.
fn diagnosed(site: &Site) {
    let ran = site.run(&["doctor", "--no-tools", "--json"]);
    let report = chicory_testing::json(&ran.stdout);
    assert_eq!(ran.code, Some(0), "{report:#}");
    let findings = report["findings"].as_array().expect("a list");
    for subject in ["broker", "server", "eviction", "replication", "rights"] {
        let of_subject = findings.iter().filter(|found| found["subject"] == subject);
        let severities: Vec<_> = of_subject.map(|found| &found["severity"]).collect();
        assert!(!severities.is_empty(), "{subject}: {report:#}");
        assert!(
            severities.iter().all(|severity| *severity == "ok"),
            "{subject}: {report:#}"
        );
    }
}

#[test]
fn a_cluster_works_and_replaces_a_dead_master() {
    let mut cluster = RedisCluster::start();
    let site = site_at(&cluster.url());
    core(&site);
    a_dead_master_is_replaced_and_said_once(&site, &mut cluster);
}

/// Case Q9: 31,000 lines an hour from the client crate about a dead node.
fn a_dead_master_is_replaced_and_said_once(site: &Site, cluster: &mut RedisCluster) {
    let worker = site.worker(&[]);
    assert_eq!(site.call(&["demo.add", "1", "2"])["result"], 3);
    let place = cluster.master_of("chicory:stream:{default}", &[]);
    cluster.nodes()[place].stop();
    worker.line("a node of the Redis Cluster does not answer");
    let during = site.enqueue(&["demo.add", "2", "3"]);
    worker.line_about("done", &during);
    worker.line("the node of the Redis Cluster answers again, or has a successor");
    assert_eq!(
        worker.count("a node of the Redis Cluster does not answer"),
        1
    );
    let loud = worker
        .lines()
        .into_iter()
        .filter(|line| line["level"] != "INFO");
    let loud: Vec<_> = loud.collect();
    assert!(loud.len() <= 4, "{loud:#?}");
}

#[test]
fn sentinels_work_for_messages_and_for_results() {
    let sentinels = RedisSentinels::start_with(Some("geheim"));
    let site = site_at(&sentinels.url())
        .set("CHICORY_BROKER_REDIS_SENTINEL_USERNAME", "default")
        .set("CHICORY_BROKER_REDIS_SENTINEL_PASSWORD", "geheim")
        .set("CHICORY_BROKER_REDIS_WAIT_REPLICAS", "1")
        .set("CHICORY_BROKER_REDIS_WAIT_TIMEOUT_MS", "5000");
    core(&site);

    // Results behind Sentinels have credentials of their own.
    let site = Site::new()
        .set("CHICORY_BACKEND_REDIS_URL", &sentinels.url())
        .set("CHICORY_BACKEND_REDIS_SENTINEL_USERNAME", "default")
        .set("CHICORY_BACKEND_REDIS_SENTINEL_PASSWORD", "geheim");
    let _worker = site.worker(&[]);
    assert_eq!(site.call(&["demo.add", "1", "2"])["result"], 3);
}

const FILES: [(&str, &str, &str); 6] = [
    (
        "BROKER_REDIS_URL",
        "CHICORY_BROKER_REDIS_TLS_CA_FILE",
        "tls_ca_file",
    ),
    (
        "BROKER_REDIS_URL",
        "CHICORY_BROKER_REDIS_TLS_CERT_FILE",
        "belong together",
    ),
    (
        "BROKER_REDIS_URL",
        "CHICORY_BROKER_REDIS_TLS_KEY_FILE",
        "belong together",
    ),
    (
        "BACKEND_REDIS_URL",
        "CHICORY_BACKEND_REDIS_TLS_CA_FILE",
        "tls_ca_file",
    ),
    (
        "BACKEND_REDIS_URL",
        "CHICORY_BACKEND_REDIS_TLS_CERT_FILE",
        "belong together",
    ),
    (
        "BACKEND_REDIS_URL",
        "CHICORY_BACKEND_REDIS_TLS_KEY_FILE",
        "belong together",
    ),
];

#[test]
fn a_file_for_tls_that_is_missing_is_named() {
    for (url, setting, named) in FILES {
        let site = Site::new()
            .set(&format!("CHICORY_{url}"), "rediss://127.0.0.1:1")
            .set(setting, "/nowhere");
        let ran = site.run(&["result", "x"]);
        assert!(ran.fails(2).contains(named), "{ran:?}");
    }
}
