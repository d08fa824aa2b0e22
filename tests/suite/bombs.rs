//! Modules made to keep a compiler busy: each is refused with the reason, and the worker continues.
//!
//! Must not assert how long anything takes.

use std::fs;

use chicory_testing::{Site, WorkerProcess};
use serde_json::json;

use crate::batch::Batch;

const CORE: &[u8] = b"\0asm\x01\0\0\0";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(u8::try_from(number & 0x7f).expect("seven bits") | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).expect("seven bits"));
    bytes
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], &*leb(content.len()), content].concat()
}

/// A command with `count` functions of this body (without its size).
fn command(count: usize, body: &[u8]) -> Vec<u8> {
    let sized = [&*leb(body.len()), body].concat();
    [
        CORE,
        &section(1, b"\x01\x60\0\0"),
        &section(3, &[leb(count), vec![0; count]].concat()),
        &section(7, b"\x01\x06_start\0\0"),
        &section(10, &[leb(count), sized.repeat(count)].concat()),
    ]
    .concat()
}

/// Components in each other.
fn nested(levels: usize) -> Vec<u8> {
    (1..levels).fold(COMPONENT.to_vec(), |inner, _| {
        [COMPONENT, &section(4, &inner)].concat()
    })
}

/// Nested loops over many locals, all of them alive: the longest work for a register allocator.
fn tangle(bytes: usize) -> Vec<u8> {
    const LOCALS: usize = 100;
    let mut body = [&[1], &*leb(LOCALS), &[0x7f]].concat();
    let mut loops = 0;
    for step in 0.. {
        if body.len() + 4 * loops > bytes {
            break;
        }
        if step % 10 == 0 && loops < 50 {
            body.extend([0x03, 0x40]);
            loops += 1;
        }
        let local = |factor: usize| u8::try_from(step * factor % LOCALS).expect("a small number");
        // local.get, local.get, i32.mul, local.set
        body.extend([0x20, local(7), 0x20, local(31), 0x6c, 0x21, local(13)]);
    }
    for _ in 0..loops {
        // local.get, br_if to the loop, end
        body.extend([0x20, 0, 0x0d, 0, 0x0b]);
    }
    body.push(0x0b);
    body
}

/// A site whose modules are compiled already, so that limits on compiling are the bombs' alone.
fn prepared() -> Site {
    let site = Site::new();
    let demo = site.modules().join("demo.wasm");
    site.run(&["inspect", demo.to_str().expect("a plain name")])
        .ok();
    site
}

fn plant(site: &Site, name: &str, wasm: &[u8]) {
    let partial = site.write("bomb.part", wasm);
    fs::rename(partial, site.modules().join(format!("{name}.wasm"))).expect("it can be renamed");
}

fn refused(worker: &WorkerProcess, name: &str, reason: &str) {
    let file = format!("{name}.wasm");
    let line = worker.line_where(&format!("{name} is refused"), |line| {
        let of = |key: &str| line[key].as_str().unwrap_or_default();
        of("message").starts_with("refused the module") && of("file").ends_with(&file)
    });
    let said = line["reason"].as_str().unwrap_or_default();
    assert!(said.contains(reason), "{line}");
}

#[test]
fn bombs_are_refused_while_tasks_run() {
    let site = prepared().set("CHICORY_WORKER_COMPILE_TIMEOUT", "5");
    let batch = Batch { size: 2_000 };
    let worker = site.worker(&[]);
    plant(&site, "damaged", b"\0asm\x01\0\0\0\x01\xff");
    plant(&site, "deep", &nested(1_000));
    plant(&site, "functions", &command(300_000, b"\0\x0b"));
    let body = [&[0], &*vec![0x01; 2 << 20], &[0x0b]].concat();
    plant(&site, "large", &command(1, &body));
    plant(&site, "slow", &command(60, &tangle(1_000_000)));
    batch.enqueue_additions(&site, &json!({}));
    refused(&worker, "damaged", "it is damaged");
    refused(&worker, "deep", "11 levels of nesting");
    refused(&worker, "functions", "300000 functions");
    refused(&worker, "large", "2097154 bytes in one function");
    refused(&worker, "slow", "longer than 5s");
    Batch::until_empty(&site);
    batch.assert_all_added(&site);
    assert_eq!(site.call(&["demo.add", "1", "2"])["result"], 3);
}

#[test]
fn a_compilation_that_wants_too_much_memory_is_refused() {
    let site = prepared().set("CHICORY_WORKER_COMPILE_MEMORY", "64MiB");
    let worker = site.worker(&[]);
    plant(&site, "greedy", &command(60, &tangle(1_000_000)));
    refused(&worker, "greedy", "more than 64 MiB of memory");
    assert_eq!(site.call(&["demo.add", "1", "2"])["result"], 3);
}
