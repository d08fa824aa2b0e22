//! Sockets, which language runtimes import: they are there, and nothing can be reached through them.

use chicory_runtime::{LoadRequest, ModuleSettings};
use serde_json::json;

use crate::guests::{call, load, returned, sandbox};

/// What a result's flat form comes to when it is an error: 256, and the number of the error's case.
const ERR: u32 = 256;
/// `access-denied` among the cases of `wasi:sockets/network.error-code`.
const ACCESS_DENIED: u32 = 1;
/// `permanent-resolver-failure` among them.
const RESOLVER_FAILURE: u32 = 20;

/// Asks for a TCP socket, for a UDP socket and for the addresses of `localhost`.
const GUEST: &str = r#"(component
    (import "wasi:sockets/network@0.2.0" (instance $network
        (export "network" (type (sub resource)))
        (type $code (enum "unknown" "access-denied" "not-supported" "invalid-argument"
            "out-of-memory" "timeout" "concurrency-conflict" "not-in-progress" "would-block"
            "invalid-state" "new-socket-limit" "address-not-bindable" "address-in-use"
            "remote-unreachable" "connection-refused" "connection-reset" "connection-aborted"
            "datagram-too-large" "name-unresolvable" "temporary-resolver-failure"
            "permanent-resolver-failure"))
        (export "error-code" (type (eq $code)))
        (type $family (enum "ipv4" "ipv6"))
        (export "ip-address-family" (type (eq $family)))))
    (alias export $network "network" (type $net))
    (alias export $network "error-code" (type $code))
    (alias export $network "ip-address-family" (type $family))
    (import "wasi:sockets/instance-network@0.2.0" (instance $here
        (alias outer 1 $net (type $net1))
        (export "network" (type $net2 (eq $net1)))
        (export "instance-network" (func (result (own $net2))))))
    (import "wasi:sockets/tcp@0.2.0" (instance $tcp (export "tcp-socket" (type (sub resource)))))
    (alias export $tcp "tcp-socket" (type $tcp-socket))
    (import "wasi:sockets/udp@0.2.0" (instance $udp (export "udp-socket" (type (sub resource)))))
    (alias export $udp "udp-socket" (type $udp-socket))
    (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $tcp-create
        (alias outer 1 $code (type $c1)) (export "error-code" (type $c (eq $c1)))
        (alias outer 1 $family (type $f1)) (export "ip-address-family" (type $f (eq $f1)))
        (alias outer 1 $tcp-socket (type $s1)) (export "tcp-socket" (type $s (eq $s1)))
        (export "create-tcp-socket"
            (func (param "address-family" $f) (result (result (own $s) (error $c)))))))
    (import "wasi:sockets/udp-create-socket@0.2.0" (instance $udp-create
        (alias outer 1 $code (type $c1)) (export "error-code" (type $c (eq $c1)))
        (alias outer 1 $family (type $f1)) (export "ip-address-family" (type $f (eq $f1)))
        (alias outer 1 $udp-socket (type $s1)) (export "udp-socket" (type $s (eq $s1)))
        (export "create-udp-socket"
            (func (param "address-family" $f) (result (result (own $s) (error $c)))))))
    (import "wasi:sockets/ip-name-lookup@0.2.0" (instance $lookup
        (alias outer 1 $code (type $c1)) (export "error-code" (type $c (eq $c1)))
        (alias outer 1 $net (type $n1)) (export "network" (type $n (eq $n1)))
        (export "resolve-address-stream" (type $stream (sub resource)))
        (export "resolve-addresses" (func (param "network" (borrow $n)) (param "name" string)
            (result (result (own $stream) (error $c)))))))
    (core module $memory (memory (export "memory") 1) (data (i32.const 64) "localhost"))
    (core instance $mem (instantiate $memory))
    (alias core export $mem "memory" (core memory $m))
    (core func $network' (canon lower (func $here "instance-network")))
    (core func $tcp' (canon lower (func $tcp-create "create-tcp-socket") (memory $m)))
    (core func $udp' (canon lower (func $udp-create "create-udp-socket") (memory $m)))
    (core func $lookup' (canon lower (func $lookup "resolve-addresses") (memory $m)))
    (core module $main
        (import "host" "network" (func $network (result i32)))
        (import "host" "tcp" (func $tcp (param i32 i32)))
        (import "host" "udp" (func $udp (param i32 i32)))
        (import "host" "lookup" (func $lookup (param i32 i32 i32 i32)))
        (import "mem" "memory" (memory 1))
        (func $answer (result i32)
            (i32.add (i32.shl (i32.load8_u (i32.const 0)) (i32.const 8))
                     (i32.load8_u (i32.const 4))))
        (func (export "tcp") (result i32)
            (call $tcp (i32.const 0) (i32.const 0)) (call $answer))
        (func (export "udp") (result i32)
            (call $udp (i32.const 1) (i32.const 0)) (call $answer))
        (func (export "lookup") (result i32)
            (call $lookup (call $network) (i32.const 64) (i32.const 9) (i32.const 0))
            (call $answer)))
    (core instance $i (instantiate $main (with "mem" (instance $mem)) (with "host" (instance
        (export "network" (func $network'))
        (export "tcp" (func $tcp'))
        (export "udp" (func $udp'))
        (export "lookup" (func $lookup'))))))
    (func (export "tcp") (result u32) (canon lift (core func $i "tcp")))
    (func (export "udp") (result u32) (canon lift (core func $i "udp")))
    (func (export "lookup") (result u32) (canon lift (core func $i "lookup"))))"#;

#[tokio::test]
async fn no_socket_can_be_had_not_even_to_this_machine() {
    let sandbox = sandbox();
    let module = load(&sandbox, GUEST, json!({})).await.unwrap();
    for (task, code) in [
        ("tcp", ACCESS_DENIED),
        ("udp", ACCESS_DENIED),
        ("lookup", RESOLVER_FAILURE),
    ] {
        let ended = call(&sandbox, &module, task, json!([]), json!({})).await;
        assert_eq!(returned(&ended), json!(ERR + code), "{task}: {ended:?}");
    }
}

#[tokio::test]
async fn the_description_says_that_sockets_are_closed() {
    let request = LoadRequest {
        name: "guest".into(),
        wasm: wat::parse_str(GUEST).unwrap(),
        settings: ModuleSettings::default(),
    };
    let described = sandbox().inspect(request).await.unwrap();
    assert_eq!(
        described.closed,
        [
            "wasi:sockets/network",
            "wasi:sockets/instance-network",
            "wasi:sockets/tcp",
            "wasi:sockets/udp",
            "wasi:sockets/tcp-create-socket",
            "wasi:sockets/udp-create-socket",
            "wasi:sockets/ip-name-lookup",
        ]
    );
    assert!(described.needs.is_empty());
}
