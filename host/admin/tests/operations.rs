//! What operators do, on an embedded broker without workers.

use std::sync::Arc;

use async_trait::async_trait;
use chicory_admin::{
    Admin, AdminError, Cause, Deployed, Inspector, Lookup, Packed, RolledBack, RolloutOptions,
    Served, Tasks, Upload, UploadError, prepare,
};
use chicory_queue::{
    BrokerConfig, CanaryTerms, Connected, DeadLetterRange, DeployRefused, SqliteConfig,
    SystemClock, TaskMessage, connect,
};
use serde_json::json;
use tempfile::TempDir;

/// A broker in a temporary folder.
struct Site {
    admin: Admin,
    connected: Connected,
    _folder: TempDir,
}

async fn site() -> Site {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = BrokerConfig::Sqlite(SqliteConfig::new(folder.path().join("queue.db")));
    let connected = connect(&config, Arc::new(SystemClock)).await;
    let connected = connected.expect("the embedded broker");
    Site {
        admin: Admin::new(connected.clone(), Arc::new(SystemClock)),
        connected,
        _folder: folder,
    }
}

/// Takes `packed:` at the beginning of a module for a manifest inside.
struct Texts;

const INSIDE: &[u8] = b"packed:";
/// What all modules begin with.
const WASM: &[u8] = b"\0asm";

#[async_trait]
impl Inspector for Texts {
    fn open(&self, wasm: &[u8]) -> Result<Option<Packed>, Cause> {
        let inside = wasm.strip_prefix(WASM).unwrap_or(wasm);
        let inside = inside.strip_prefix(INSIDE);
        inside
            .map(|wasm| self.pack(wasm, "name = \"m\""))
            .transpose()
    }

    fn pack(&self, wasm: &[u8], manifest: &str) -> Result<Packed, Cause> {
        let manifest: toml::Table = manifest.parse()?;
        let text = |key: &str| manifest.get(key)?.as_str().map(str::to_owned);
        Ok(Packed {
            bytes: wasm.to_vec(),
            digest: format!(
                "{:0>64}",
                String::from_utf8(wasm.to_vec())?.trim_start_matches('\0')
            ),
            name: text("name"),
            version: text("version"),
            manifest: serde_json::to_value(&manifest)?,
        })
    }

    async fn tasks(&self, _name: &str, packed: &Packed) -> Result<Tasks, Cause> {
        if packed.bytes == WASM {
            return Err("it is empty".into());
        }
        let signature = json!({ "kind": "function", "params": [], "result": "u32" });
        Ok([("f".to_owned(), serde_json::from_value(signature)?)].into())
    }
}

fn upload(wasm: &[u8]) -> Upload {
    Upload {
        shown: "m.wasm".into(),
        wasm: [WASM, wasm].concat(),
        default_name: "m".into(),
        ..Upload::default()
    }
}

async fn deploy(site: &Site, wasm: &[u8]) -> Result<Deployed, AdminError> {
    let candidate = prepare(upload(wasm), &Texts)
        .await
        .expect("it can be deployed");
    site.admin
        .deploy(&candidate, &RolloutOptions::new("ann"), |_| ())
        .await
}

#[tokio::test]
async fn an_unknown_module_is_told_from_those_that_are_there() {
    let site = site().await;
    let error = site.admin.record("n").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no module \"n\" is deployed; there is none"
    );
    deploy(&site, b"1").await.unwrap();
    let error = site.admin.history("n").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no module \"n\" is deployed; there are: m"
    );
}

#[tokio::test]
async fn a_version_is_deployed_and_rolled_back() {
    let site = site().await;
    let first = deploy(&site, b"1").await.unwrap();
    assert_eq!((first.workers, first.state), (Some(0), Served::Active));
    let again = deploy(&site, b"1").await.unwrap();
    assert_eq!((again.workers, again.rollout), (None, None));
    deploy(&site, b"2").await.unwrap();

    let options = RolloutOptions::new("bob");
    let back = site.admin.roll_back("m", None, &options, |_| ()).await;
    let RolledBack::Deployed(back) = back.unwrap() else {
        panic!("there is no canary");
    };
    assert_eq!(back.digest, first.digest);
    let history = site.admin.history("m").await.unwrap();
    let hows: Vec<_> = history
        .iter()
        .map(|row| row.activation.how.as_str())
        .collect();
    assert_eq!(hows, ["rollback", "deploy", "deploy"]);
    assert_eq!(site.admin.audit(1).await.unwrap()[0].by, "bob");
}

#[tokio::test]
async fn a_canary_needs_an_active_version_and_can_be_ended() {
    let site = site().await;
    let candidate = prepare(upload(b"1"), &Texts).await.unwrap();
    let options = RolloutOptions {
        canary: Some(CanaryTerms::default()),
        ..RolloutOptions::new("ann")
    };
    let error = site
        .admin
        .deploy(&candidate, &options, |_| ())
        .await
        .unwrap_err();
    let nothing = AdminError::Refused(DeployRefused::NothingActive { module: "m".into() });
    assert_eq!(error.to_string(), nothing.to_string());
    let digest = &candidate.packed.digest;
    let bytes = site.connected.registry.blob(digest).await.unwrap();
    assert_eq!(bytes, None, "what was refused leaves no bytes");

    deploy(&site, b"2").await.unwrap();
    let canary = site
        .admin
        .deploy(&candidate, &options, |_| ())
        .await
        .unwrap();
    assert_eq!(canary.state, Served::Canary);
    let ended = site
        .admin
        .roll_back("m", None, &options, |_| ())
        .await
        .unwrap();
    let expected = RolledBack::CanaryEnded {
        module: "m".into(),
        digest: digest.clone(),
    };
    assert_eq!(ended, expected);
    let end = site.admin.canary_end("m", &canary.rollout.unwrap()).await;
    assert!(
        matches!(end.unwrap(), chicory_admin::CanaryEnd::RolledBack(entry) if entry.by == "ann")
    );
}

#[tokio::test]
async fn what_can_not_be_deployed_says_why() {
    let refused = async |upload: Upload| prepare(upload, &Texts).await.unwrap_err();
    let packed = || upload(b"packed:1");
    let error = refused(packed()).await;
    assert!(
        matches!(error, UploadError::ManifestInside { .. }),
        "{error}"
    );
    let named = Upload {
        bundled: true,
        name: Some("n".into()),
        ..packed()
    };
    let error = refused(named).await;
    assert!(matches!(error, UploadError::NameInside { .. }), "{error}");
    let signed = Upload {
        signature: Some("…".into()),
        ..upload(b"1")
    };
    let error = refused(signed).await;
    assert!(
        matches!(error, UploadError::SignatureWithoutManifest { .. }),
        "{error}"
    );
    let bundled = Upload {
        bundled: true,
        ..upload(b"1")
    };
    let error = refused(bundled).await;
    assert!(
        matches!(error, UploadError::NoManifestInside { .. }),
        "{error}"
    );
    let error = refused(upload(b"")).await;
    assert!(matches!(error, UploadError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn a_dead_letter_that_is_not_there_is_named() {
    let site = site().await;
    let message = TaskMessage::new("m.f");
    site.connected
        .broker
        .enqueue("q", std::slice::from_ref(&message))
        .await
        .unwrap();
    for error in [
        site.admin
            .dead_letter("q", &message.id)
            .await
            .map(|_| ())
            .unwrap_err(),
        site.admin.delete_dead_letter("q", "1").await.unwrap_err(),
    ] {
        assert!(
            matches!(&error, AdminError::NoDeadLetter { queue, .. } if queue == "q"),
            "{error}"
        );
    }
    let letters = site
        .admin
        .dead_letters("q", DeadLetterRange::default())
        .await;
    assert!(letters.unwrap().is_empty());
    assert_eq!(site.admin.purge("q").await.unwrap(), 1);
}

#[tokio::test]
async fn a_result_that_is_not_there_is_pending() {
    let site = site().await;
    let found = site.admin.result("t1").await.unwrap();
    assert!(matches!(found, Lookup::NotEnded(_)));
    let body = serde_json::to_string(&found).unwrap();
    assert_eq!(
        body,
        r#"{"task_id":"t1","state":"PENDING","result":null,"error":null}"#
    );
}
