//! The catalog of sandboxed modules: how messages name their tasks, and which settings the tasks have.

use std::sync::Arc;

use chicory_queue::{TaskMessage, TenantName};
use chicory_runtime::{Sandbox, SandboxConfig};
use chicory_worker::{Catalog, Manifest, ModuleError, Runnable as _};

/// A component of which only the task names matter here.
const MODULE: &str = r#"
(component
  (core module $m (func (export "f") (param i32) (result i32) local.get 0))
  (core instance $i (instantiate $m))
  (func $f (param "n" u32) (result u32) (canon lift (core func $i "f")))
  (export "f" (func $f))
  (export "long-name" (func $f)))
"#;

/// A catalog with the module as `m`.
async fn catalog() -> Arc<Catalog> {
    let config = SandboxConfig {
        concurrency: 2,
        ..SandboxConfig::default()
    };
    let catalog = Catalog::new(Sandbox::new(config).unwrap());
    deploy(&catalog, "m", "").await.unwrap();
    catalog
}

async fn deploy(catalog: &Catalog, name: &str, manifest: &str) -> Result<(), ModuleError> {
    let wasm = wat::parse_str(MODULE).unwrap();
    let manifest = Manifest::of(&wasm, manifest)?;
    catalog.load(name, wasm, manifest).await
}

#[tokio::test]
async fn the_longest_modules_name_wins_in_all_spellings() {
    let catalog = catalog().await;
    deploy(&catalog, "myapp", "").await.unwrap();
    deploy(
        &catalog,
        "x",
        "name = \"myapp.tasks\"\nversion = \"2\"\nignore_result = true",
    )
    .await
    .unwrap();
    let ignores = |name| {
        catalog
            .resolve(&TenantName::default(), &TaskMessage::new(name))
            .ok()
            .map(|task| task.profile().ignore_result)
    };
    assert_eq!(ignores("myapp.long-name"), Some(false));
    for spelling in ["myapp.long_name", "myapp.LONG-name", "MyApp.F"] {
        assert_eq!(ignores(spelling), Some(false), "{spelling}");
    }
    assert_eq!(ignores("myapp.tasks.long_name"), Some(true));
    assert_eq!(ignores("myapp.TASKS.Long_Name"), Some(true));
    assert_eq!(ignores("myapp.tasks.other"), None);
    assert_eq!(ignores("x.f"), None);
    assert_eq!(ignores("f"), None);
}

/// A component that exports an interface `tasks` with the function `f`.
const NESTED: &str = r#"(component
    (core module $m (func (export "f")))
    (core instance $i (instantiate $m))
    (func $f (canon lift (core func $i "f")))
    (instance $tasks (export "f" (func $f)))
    (export "tasks" (instance $tasks)))"#;

#[tokio::test]
async fn m3_modules_that_share_a_name_are_refused_whichever_comes_first() {
    let catalog = catalog().await;
    let nested = |name: &'static str| {
        let wasm = wat::parse_str(NESTED).unwrap();
        catalog.load(name, wasm, Manifest::default())
    };
    deploy(&catalog, "acme.tasks", "").await.unwrap();
    let refused = nested("acme").await.unwrap_err().to_string();
    assert!(
        [
            "\"acme.tasks.f\"",
            "module \"acme\"",
            "module \"acme.tasks\""
        ]
        .iter()
        .all(|part| refused.contains(part)),
        "{refused}"
    );
    nested("other").await.unwrap();
    let refused = deploy(&catalog, "other.tasks", "")
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("\"other.tasks.f\" is ambiguous"),
        "{refused}"
    );
    let refused = deploy(&catalog, "OTHER", "").await.unwrap_err().to_string();
    assert!(refused.contains("\"OTHER\" and \"other\""), "{refused}");
    let task = catalog.resolve(&TenantName::default(), &TaskMessage::new("other.tasks.f"));
    assert!(task.is_ok(), "{task:?}");
}

#[tokio::test]
async fn settings_of_a_task_take_precedence_over_the_modules() {
    let catalog = catalog().await;
    let manifest = "[retry]\nmax_retries = 2\n[tasks.long_name]\nretry = { max_retries = 5 }\n";
    deploy(&catalog, "m", manifest).await.unwrap();
    let retries = |name| {
        catalog
            .resolve(&TenantName::default(), &TaskMessage::new(name))
            .unwrap()
            .profile()
            .policy
            .max_retries
    };
    assert_eq!((retries("m.f"), retries("m.long-name")), (2, 5));
}

#[tokio::test]
async fn settings_of_a_task_that_is_not_there_are_an_error_and_change_nothing() {
    let catalog = catalog().await;
    let error = deploy(&catalog, "m", "[tasks.g]\nignore_result = true")
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the manifest's [tasks.g] names no task of the module; it has f, long-name"
    );
    assert!(
        catalog
            .resolve(&TenantName::default(), &TaskMessage::new("m.f"))
            .is_ok()
    );
}

#[tokio::test]
async fn what_is_not_deployed_is_named_with_what_is() {
    let catalog = catalog().await;
    for (name, expected) in [
        (
            "other.f",
            "on this worker, no module for \"other.f\" is deployed; there is m",
        ),
        (
            "m.g",
            "on this worker, module \"m\" has no task \"g\"; it has f, long-name",
        ),
    ] {
        let missing = catalog
            .resolve(&TenantName::default(), &TaskMessage::new(name))
            .unwrap_err();
        assert_eq!(missing.to_string(), expected);
    }
}
