//! How messages name tasks.

use chicory_queue::TaskMessage;
use chicory_worker::Manifest;

use crate::bench::Bench;

#[tokio::test]
async fn the_longest_modules_name_wins_in_all_spellings() {
    let bench = Bench::new().await;
    bench.deploy("myapp", "").await.unwrap();
    bench
        .deploy(
            "x",
            "name = \"myapp.tasks\"\nversion = \"2\"\nignore_result = true",
        )
        .await
        .unwrap();
    let ignores = |name| {
        bench
            .catalog
            .resolve(&TaskMessage::new(name))
            .ok()
            .map(|task| task.ignore_result)
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
    let bench = Bench::new().await;
    let nested = |name: &'static str| {
        let wasm = wat::parse_str(NESTED).unwrap();
        bench.catalog.load(name, wasm, Manifest::default())
    };
    bench.deploy("acme.tasks", "").await.unwrap();
    let refused = nested("acme").await.unwrap_err();
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
    let refused = bench.deploy("other.tasks", "").await.unwrap_err();
    assert!(
        refused.contains("\"other.tasks.f\" is ambiguous"),
        "{refused}"
    );
    let refused = bench.deploy("OTHER", "").await.unwrap_err();
    assert!(refused.contains("\"OTHER\" and \"other\""), "{refused}");
    let task = bench.catalog.resolve(&TaskMessage::new("other.tasks.f"));
    assert!(task.is_ok(), "{task:?}");
}

#[tokio::test]
async fn settings_of_a_task_go_before_the_modules() {
    let bench = Bench::new().await;
    let manifest = "[retry]\nmax_retries = 2\n[tasks.long_name]\nretry = { max_retries = 5 }\n";
    bench.deploy("m", manifest).await.unwrap();
    let retries = |name| {
        bench
            .catalog
            .resolve(&TaskMessage::new(name))
            .unwrap()
            .policy
            .max_retries
    };
    assert_eq!((retries("m.f"), retries("m.long-name")), (2, 5));
}

#[tokio::test]
async fn settings_of_a_task_that_is_not_there_are_an_error_and_change_nothing() {
    let bench = Bench::new().await;
    let error = bench
        .deploy("m", "[tasks.g]\nignore_result = true")
        .await
        .unwrap_err();
    assert_eq!(
        error,
        "the manifest's [tasks.g] names no task of the module; it has f, long-name"
    );
    assert!(bench.catalog.resolve(&TaskMessage::new("m.f")).is_ok());
}
