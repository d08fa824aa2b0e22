//! Interfaces of the embedder's own: who may import them, and what their functions know and may do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chicory_runtime::wasmtime::StoreContextMut;
use chicory_runtime::wasmtime::component::{HasSelf, LinkerInstance};
use chicory_runtime::{
    CallState, Ended, HostInterface, How, Level, LoadError, LogLine, LogSource, Sandbox,
    SandboxConfig, SandboxError, TaskContext,
};
use serde_json::{Value, json};

use crate::guests::{call, config, invocation, load, returned};

/// Takes from a store twice, and gives back the sum.
const SHOPPER: &str = r#"(component
    (import "acme:store/api@1.0.0" (instance $store (export "take" (func (param "count" u32) (result u32)))))
    (core func $take (canon lower (func $store "take")))
    (core module $m
        (import "store" "take" (func $take (param i32) (result i32)))
        (func (export "shop") (param i32) (result i32)
            (i32.add (call $take (local.get 0)) (call $take (local.get 0)))))
    (core instance $i (instantiate $m (with "store" (instance (export "take" (func $take))))))
    (func (export "shop") (param "count" u32) (result u32) (canon lift (core func $i "shop"))))"#;

/// What each call has of the store.
struct Basket(u32);

fn take(api: &mut LinkerInstance<'_, CallState>) -> chicory_runtime::wasmtime::Result<()> {
    api.func_wrap(
        "take",
        |mut call: StoreContextMut<'_, CallState>, (count,): (u32,)| {
            let basket = call
                .data_mut()
                .get_mut::<Basket>()
                .expect("each call has a basket");
            basket.0 += count;
            Ok((basket.0,))
        },
    )
}

fn store() -> HostInterface {
    HostInterface::new("acme:store/api@1.0.0", take).with_state(|task| Basket(task.retries))
}

fn sandbox(interfaces: impl IntoIterator<Item = HostInterface>) -> Sandbox {
    Sandbox::new(SandboxConfig {
        host_interfaces: interfaces.into_iter().collect(),
        ..config()
    })
    .unwrap()
}

fn granted() -> Value {
    json!({"grants": {"interfaces": ["acme:store/api"]}})
}

async fn shop(interface: HostInterface) -> Ended {
    let sandbox = sandbox([interface]);
    let module = load(&sandbox, SHOPPER, granted()).await.unwrap();
    call(&sandbox, &module, "shop", json!([3]), json!({})).await
}

#[tokio::test]
async fn each_call_has_a_state_of_its_own() {
    let sandbox = sandbox([store()]);
    let module = load(&sandbox, SHOPPER, granted()).await.unwrap();
    for _ in 0..2 {
        let mut invocation = invocation(&module, "shop", json!([3]), json!({}));
        invocation.context = TaskContext {
            retries: 10,
            ..TaskContext::default()
        };
        assert_eq!(returned(&sandbox.run(invocation).await), json!(13 + 16));
    }
}

#[tokio::test]
async fn an_interface_that_is_not_registered_can_not_be_imported() {
    let refused = load(&sandbox([]), SHOPPER, granted()).await.unwrap_err();
    assert!(
        matches!(&refused, LoadError::Unavailable { imports, .. } if imports == &["acme:store/api@1.0.0"])
    );
    let other = HostInterface::new("acme:store/api@2.1.0", take);
    let refused = load(&sandbox([other]), SHOPPER, granted())
        .await
        .unwrap_err();
    assert!(
        refused.to_string().ends_with(", and acme:store/api@2.1.0"),
        "{refused}"
    );
}

#[tokio::test]
async fn an_interface_that_is_not_granted_is_refused_with_the_line_that_grants_it() {
    let sandbox = self::sandbox([store()]);
    let refused = load(&sandbox, SHOPPER, json!({})).await.unwrap_err();
    assert!(matches!(refused, LoadError::Ungranted { .. }));
    let line = "`acme:store/api` is not granted; add to the manifest: [grants] interfaces = [\"acme:store/api\"]";
    assert!(refused.to_string().contains(line), "{refused}");
    for (grant, fine) in [
        ("acme:store/api@1.2.0", true),
        ("acme:store/api@2.0.0", false),
    ] {
        let settings = json!({"grants": {"interfaces": [grant]}});
        let loaded = load(&sandbox, SHOPPER, settings).await;
        assert_eq!(loaded.is_ok(), fine, "{grant}");
    }
}

#[tokio::test]
async fn an_interface_may_be_granted_to_all() {
    let sandbox = sandbox([store().granted_to_all()]);
    let module = load(&sandbox, SHOPPER, json!({})).await.unwrap();
    let ended = call(&sandbox, &module, "shop", json!([1]), json!({})).await;
    assert_eq!(returned(&ended), json!(3));
    assert!(module.needs().is_empty());
}

#[tokio::test]
async fn functions_of_another_type_refuse_the_module() {
    let wrong = HostInterface::new("acme:store/api@1.0.0", |api| {
        api.func_wrap(
            "take",
            |_: StoreContextMut<'_, CallState>, (_,): (String,)| Ok((1_u32,)),
        )
    });
    let refused = load(&sandbox([wrong]), SHOPPER, granted())
        .await
        .unwrap_err();
    assert!(matches!(refused, LoadError::Invalid { .. }), "{refused}");
}

#[tokio::test]
async fn a_function_may_wait_and_is_stopped_with_its_call() {
    let slow = HostInterface::new("acme:store/api@1.0.0", |api| {
        api.func_wrap_async(
            "take",
            |_: StoreContextMut<'_, CallState>, (count,): (u32,)| {
                Box::new(async move {
                    tokio::task::yield_now().await;
                    if count > 100 {
                        std::future::pending::<()>().await;
                    }
                    Ok((count,))
                })
            },
        )
    });
    let sandbox = sandbox([slow]);
    let settings =
        json!({"grants": {"interfaces": ["acme:store/api"]}, "limits": {"timeout": 0.05}});
    let module = load(&sandbox, SHOPPER, settings).await.unwrap();
    let ended = call(&sandbox, &module, "shop", json!([1]), json!({})).await;
    assert_eq!(returned(&ended), json!(2));
    let ended = call(&sandbox, &module, "shop", json!([101]), json!({})).await;
    let limit = Duration::from_millis(50);
    assert!(matches!(ended.how, How::TimedOut { limit: held, .. } if held == limit));
}

#[tokio::test]
async fn a_function_may_refuse_and_is_heard_in_the_log() {
    let strict = HostInterface::new("acme:store/api@1.0.0", |api| {
        api.func_wrap(
            "take",
            |call: StoreContextMut<'_, CallState>, (_,): (u32,)| {
                call.data().log(Level::Info, "somebody\u{1b}[2J shops");
                call.data().deny("the store is closed");
                Err::<(u32,), _>(chicory_runtime::wasmtime::Error::msg("closed"))
            },
        )
    });
    let ended = shop(strict).await;
    let How::Denied { message } = &ended.how else {
        panic!("{ended:?}")
    };
    assert!(message.starts_with("the store is closed\n"), "{message}");
    let line = LogLine {
        level: Level::Info,
        source: LogSource::Host,
        message: "somebody shops".into(),
    };
    assert_eq!(ended.log.first(), Some(&line));
}

mod bindings {
    chicory_runtime::wasmtime::component::bindgen!({
        inline: "package acme:store@1.0.0; interface api { take: func(count: u32) -> u32; } world shop { import api; }",
        wasmtime_crate: chicory_runtime::wasmtime,
    });
}

impl bindings::acme::store::api::Host for Basket {
    fn take(&mut self, count: u32) -> u32 {
        self.0 += count;
        self.0
    }
}

#[tokio::test]
async fn generated_bindings_are_linked_as_they_are() {
    use bindings::acme::store::api::add_to_linker;
    let made = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&made);
    let interface = HostInterface::with_linker("acme:store/api@1.0.0", |linker| {
        add_to_linker::<_, HasSelf<Basket>>(linker, |call: &mut CallState| {
            call.get_mut().expect("each call has a basket")
        })
    });
    let interface = interface.with_state(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Basket(0)
    });
    assert_eq!(returned(&shop(interface).await), json!(9));
    assert_eq!(made.load(Ordering::Relaxed), 1);
}

#[test]
fn a_name_is_registered_once() {
    let taken = Sandbox::new(SandboxConfig {
        host_interfaces: vec![store(), store()],
        ..config()
    });
    assert!(matches!(taken.err(), Some(SandboxError::Interface(_))));
}
