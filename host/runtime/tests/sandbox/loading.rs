//! What is loaded and what is refused: grants, manifests, sizes, the cache.

use std::fs;

use chicory_runtime::{How, LoadError, LoadRequest, ModuleSettings, Sandbox, SandboxConfig};
use chicory_signature::with_causes;
use serde_json::json;

use crate::guests::{call, config, load, returned, sandbox};

const FINE: &str = r#"(component
    (core module $m (func (export "f") (result i32) (i32.const 7)))
    (core instance $i (instantiate $m))
    (func (export "f") (result u8) (canon lift (core func $i "f"))))"#;

fn importing(interface: &str) -> String {
    FINE.replacen(
        "(component",
        &format!("(component (import \"{interface}\" (instance))"),
        1,
    )
}

#[tokio::test]
async fn an_ungranted_import_is_refused_with_the_line_that_grants_it() {
    let sandbox = sandbox();
    for (interface, without, with, line) in [
        (
            "wasi:http/outgoing-handler",
            json!({}),
            json!({"http": ["example.com"]}),
            "[grants] http = [\"host.example\"]",
        ),
        (
            "wasi:clocks/wall-clock",
            json!({"clocks": false}),
            json!({}),
            "[grants] clocks = true",
        ),
        (
            "wasi:random/random",
            json!({"random": false}),
            json!({}),
            "[grants] random = true",
        ),
        (
            "wasi:cli/stdout",
            json!({"stdio": false}),
            json!({}),
            "[grants] stdio = true",
        ),
    ] {
        let text = importing(&format!("{interface}@0.2.3"));
        let refused = load(&sandbox, &text, json!({"grants": without}))
            .await
            .unwrap_err();
        let expected = format!("`{interface}` is not granted; add to the manifest: {line}");
        assert!(refused.to_string().contains(&expected), "{refused}");
        assert!(matches!(refused, LoadError::Ungranted { .. }));
        let module = load(&sandbox, &text, json!({"grants": with}))
            .await
            .unwrap();
        assert_eq!(module.needs()[0].interface, interface);
        assert_eq!(
            returned(&call(&sandbox, &module, "f", json!([]), json!({})).await),
            json!(7)
        );
    }
}

#[tokio::test]
async fn what_no_grant_can_give_is_refused_by_name() {
    let sandbox = sandbox();
    for import in [
        "wasi:nn/inference@0.2.0",
        "acme:gpu/compute",
        "wasi:cli/stdout@0.3.0",
    ] {
        let refused = load(&sandbox, &importing(import), json!({}))
            .await
            .unwrap_err();
        assert!(
            matches!(&refused, LoadError::Unavailable { imports, .. } if imports == &[import]),
            "{refused}"
        );
        assert!(refused.to_string().contains(import));
    }
}

#[tokio::test]
async fn language_runtimes_may_import_what_gives_them_nothing() {
    let sandbox = sandbox();
    for interface in [
        "wasi:cli/environment",
        "wasi:filesystem/preopens",
        "wasi:io/streams",
    ] {
        let module = load(
            &sandbox,
            &importing(&format!("{interface}@0.2.0")),
            json!({}),
        )
        .await
        .unwrap();
        assert!(module.needs().is_empty());
    }
}

#[tokio::test]
async fn a_module_is_described_whatever_it_is_granted() {
    let sandbox = sandbox();
    let wasm = wat::parse_str(importing("wasi:http/types@0.2.0")).unwrap();
    let request = LoadRequest {
        name: "guest".into(),
        wasm,
        settings: ModuleSettings::default(),
    };
    let described = sandbox.inspect(request).await.unwrap();
    let (name, signature) = &described.tasks[0];
    assert_eq!(format!("{name}: {signature}"), "f: func() -> u8");
    assert_eq!(described.imports, ["wasi:http/types@0.2.0"]);
    assert_eq!(described.needs[0].interface, "wasi:http/types");
    assert_eq!(described.digest.len(), 64);
}

#[tokio::test]
async fn functions_that_are_no_tasks_are_named_with_the_reason() {
    let sandbox = sandbox();
    let text = r#"(component
        (core module $m
            (func (export "f")) (func (export "take") (param i32)))
        (core instance $i (instantiate $m))
        (type $file' (resource (rep i32)))
        (export $file "file" (type $file'))
        (func $take (param "x" (own $file)) (canon lift (core func $i "take")))
        (export "take" (func $take))
        (func (export "f") (canon lift (core func $i "f"))))"#;
    let module = load(&sandbox, text, json!({})).await.unwrap();
    let reason = "its parameter `x` has a resource, which JSON can't carry";
    assert_eq!(module.not_tasks(), [("take".to_owned(), reason.to_owned())]);
    assert_eq!(module.tasks().len(), 1);
}

#[tokio::test]
async fn what_is_no_module_or_has_no_task_is_refused() {
    let sandbox = sandbox();
    let refused = load(&sandbox, "(component)", json!({})).await.unwrap_err();
    assert!(
        with_causes(&refused).contains("it exports no function that can be a task"),
        "{refused}"
    );
    let refused = load(&sandbox, "(module)", json!({})).await.unwrap_err();
    assert!(
        with_causes(&refused).contains("build it as a component"),
        "{refused}"
    );
    let request = LoadRequest {
        name: "script".into(),
        wasm: b"print(1)".to_vec(),
        settings: ModuleSettings::default(),
    };
    let refused = sandbox.load(request).await.unwrap_err();
    assert!(
        with_causes(&refused).starts_with("module `script` can't be loaded: it is not WebAssembly"),
        "{refused}"
    );
}

#[tokio::test]
async fn impossible_manifests_are_refused_by_the_setting() {
    let sandbox = sandbox();
    for (manifest, part) in [
        (
            json!({"limits": {"memory": "1GiB"}}),
            "above this worker's limit",
        ),
        (
            json!({"task_limits": {"g": {}}}),
            "it sets limits for `g`, which is not a task",
        ),
        (
            json!({"grants": {"http": ["http://example.com"]}}),
            "`http://example.com` in [grants] http is not a host",
        ),
        (
            json!({"grants": {"dirs": [{"host": "/nowhere/at/all", "guest": "/data"}]}}),
            "/nowhere/at/all is not a directory",
        ),
    ] {
        let refused = load(&sandbox, FINE, manifest).await.unwrap_err();
        assert!(
            matches!(refused, LoadError::Settings { .. }) && with_causes(&refused).contains(part),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn a_module_that_is_too_large_is_refused_before_it_is_read() {
    let sandbox = Sandbox::new(SandboxConfig {
        max_module_bytes: 10,
        ..config()
    })
    .unwrap();
    let refused = load(&sandbox, FINE, json!({})).await.unwrap_err();
    assert!(
        matches!(refused, LoadError::TooLarge { limit: 10, .. }),
        "{refused}"
    );
}

#[tokio::test]
async fn compiled_modules_are_cached_and_damaged_ones_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let cached = || SandboxConfig {
        cache_dir: Some(dir.path().join("cache")),
        ..config()
    };
    let files = || {
        let entries = fs::read_dir(dir.path().join("cache"))
            .unwrap()
            .map(|entry| entry.unwrap().path());
        entries
            .filter(|path| path.extension().is_some_and(|kind| kind == "cwasm"))
            .collect::<Vec<_>>()
    };
    let run = async || {
        let sandbox = Sandbox::new(cached()).unwrap();
        let module = load(&sandbox, FINE, json!({})).await.unwrap();
        let ended = call(&sandbox, &module, "f", json!([]), json!({})).await;
        assert!(matches!(ended.how, How::Returned(_)), "{ended:?}");
    };
    run().await;
    let [file] = files().try_into().unwrap();
    let good = fs::read(&file).unwrap();
    run().await;
    assert_eq!(
        fs::read(&file).unwrap(),
        good,
        "the second start used what the first had written"
    );
    fs::write(&file, &good[..good.len() - 1]).unwrap();
    run().await;
    assert_eq!(files(), std::slice::from_ref(&file));
    assert_eq!(
        fs::read(&file).unwrap().len(),
        good.len(),
        "the damaged file was written anew"
    );
}
