//! A client, a worker with a sandbox, and a module that calls the program's own interface.

use std::sync::Arc;
use std::time::Duration;

use chicory_embedder::{GRANT, billing, prices};
use chicory_queue::{Call, CallError, Client};
use chicory_runtime::{HostInterface, Sandbox, SandboxConfig};
use chicory_signature::with_causes;
use chicory_testing::SqliteFile;
use chicory_worker::{Catalog, Manifest, ModuleError, Stop, Worker, WorkerConfig};

/// No wait of these tests takes nearly as long.
const PATIENCE: Option<Duration> = Some(Duration::from_mins(1));

fn sandbox(interfaces: Vec<HostInterface>) -> Sandbox {
    Sandbox::new(SandboxConfig {
        concurrency: 4,
        host_interfaces: interfaces,
        ..SandboxConfig::default()
    })
    .expect("a pool can be reserved")
}

fn price_list() -> HostInterface {
    prices([("tea".to_owned(), 455)].into())
}

async fn catalog(
    interfaces: Vec<HostInterface>,
    manifest: &str,
) -> Result<Arc<Catalog>, ModuleError> {
    let catalog = Catalog::new(sandbox(interfaces));
    let wasm = billing();
    let manifest = Manifest::of(&wasm, manifest).expect("a manifest");
    catalog.load("billing", wasm, manifest).await?;
    Ok(catalog)
}

async fn total(client: &Client, article: &str, count: u32) -> Result<u32, CallError> {
    let call = Call::<u32>::new("billing.total").arg(article).arg(count);
    client.call("default", call, PATIENCE).await
}

#[tokio::test]
async fn a_sandboxed_module_asks_the_program_that_embeds_it() {
    let file = SqliteFile::new();
    let client = Client::open(&file.url())
        .await
        .expect("the file can be opened");
    let catalog = catalog(vec![price_list()], GRANT)
        .await
        .expect("it is granted");
    let worker = Worker::new(client.connected().clone(), catalog, WorkerConfig::default());
    let stop = Stop::new();
    let serving = tokio::spawn(worker.run(stop.clone()));

    assert_eq!(
        total(&client, "tea", 3).await.expect("it has a price"),
        1365
    );
    let error = total(&client, "coffee", 1)
        .await
        .expect_err("it has no price");
    assert!(error.to_string().contains("Trap: "), "{error}");

    stop.drain();
    let summary = serving.await.expect("no panic").expect("it serves");
    assert_eq!((summary.processed, summary.failed), (2, 1));
}

/// The refusal names the interface, and the line that would grant it.
#[tokio::test]
async fn a_module_that_is_not_granted_the_interface_is_refused() {
    let refused = catalog(vec![price_list()], "")
        .await
        .map(drop)
        .expect_err("not granted");
    let said = with_causes(&refused);
    assert!(
        said.contains("`acme:shop/prices` is not granted") && said.contains("interfaces = ["),
        "{said}"
    );
}

#[tokio::test]
async fn a_module_that_needs_an_interface_that_nobody_implements_is_refused() {
    let refused = catalog(Vec::new(), GRANT)
        .await
        .map(drop)
        .expect_err("nobody implements it");
    let said = with_causes(&refused);
    assert!(said.contains("acme:shop/prices"), "{said}");
}
