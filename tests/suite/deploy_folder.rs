//! The files in `deploy/` name settings that exist, and queues by the names that they have.
//!
//! Must not need a cluster.

use std::fs;

use chicory_testing::{Site, root};

fn text(name: &str) -> String {
    fs::read_to_string(root().join("deploy").join(name)).expect("the file is there")
}

#[test]
fn what_deploy_files_set_exists() {
    let site = Site::new();
    let settings = site.run(&["config", "show", "--json"]).json();
    let known: Vec<_> = settings
        .as_array()
        .expect("a list")
        .iter()
        .map(|setting| setting["variable"].as_str().expect("a name").to_owned())
        .collect();
    for file in [
        "Containerfile",
        "chicory-worker.service",
        "kubernetes/worker.yaml",
    ] {
        let text = text(file);
        let names: Vec<_> = text
            .split(|c: char| !c.is_ascii_uppercase() && c != '_')
            .filter(|word| word.starts_with("CHICORY_"))
            .collect();
        assert!(!names.is_empty(), "{file}");
        for name in names {
            assert!(known.iter().any(|known| known == name), "{name} in {file}");
        }
    }
}

#[test]
fn the_scaler_watches_the_stream_that_workers_read() {
    let site = Site::new();
    let _worker = site.worker(&[]);
    site.call(&["demo.noop"]);
    let scaler = text("kubernetes/scale.yaml");
    let value = |key: &str| {
        let line = scaler
            .lines()
            .find_map(|line| line.trim().strip_prefix(key));
        line.expect("the key is there").trim().to_owned()
    };
    let groups: Vec<redis::Value> = redis::cmd("XINFO")
        .arg("GROUPS")
        .arg(value("stream:"))
        .query(&mut site.connection())
        .expect("the stream is there");
    let shown = format!("{groups:?}");
    assert!(shown.contains(&value("consumerGroup:")), "{shown}");
}
