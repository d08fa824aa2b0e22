//! Guests that need what they were not granted: refused at load, naming the line that would grant it.
//!
//! Must not know how a grant is linked.

use std::io::{Read, Write};
use std::net::TcpListener;

use chicory_testing::{Site, guest};

use crate::guests::{assert_says, run, run_with};

#[test]
fn http_is_refused_at_load_with_the_line_that_grants_it() {
    let ran = run("wants-http", &["get", "127.0.0.1:1", "/"]);
    let said = &ran.stderr;
    assert_ne!(ran.code, Some(0));
    for text in ["wasi:http/outgoing-handler", "[grants]", "http = ["] {
        assert!(said.contains(text), "{text:?} is not in: {said}");
    }
    let file = guest("wants-http");
    let inspected = Site::new().run(&["inspect", file.to_str().unwrap()]);
    assert!(
        inspected.ok().contains("wasi:http/outgoing-handler"),
        "{inspected:?}"
    );
}

/// A worker says which module it refused and why, and serves the others.
#[test]
fn a_worker_names_the_module_that_it_refuses() {
    let site = Site::new();
    site.deploy("wants-http");
    site.write("modules/broken.wasm", "this is no module");
    let worker = site.worker(&[]);
    for (module, reason) in [("wants-http", "wasi:http"), ("broken", "")] {
        worker.line_where(&format!("{module} is refused"), |line| {
            let text = line.to_string();
            line["level"] == "WARN"
                && text.contains(&format!("{module}.wasm"))
                && text.contains(reason)
        });
    }
    let id = site.enqueue(&["demo.noop"]);
    worker.line_about("done", &id);
}

#[test]
fn granted_hosts_can_be_called_and_no_others() {
    let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let authority = server.local_addr().unwrap().to_string();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        let mut request = [0; 1024];
        let length = stream.read(&mut request).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello")
            .unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let grant = format!("[grants]\nhttp = [\"{authority}\"]\n");
    let ran = run_with("wants-http", &grant, &["get", &authority, "/page"]);
    assert!(
        ran.ok().contains("hello") && ran.stdout.contains("200"),
        "{ran:?}"
    );
    assert!(answering.join().unwrap().starts_with("GET /page"));
    let elsewhere = run_with("wants-http", &grant, &["get", "127.0.0.1:9", "/"]);
    elsewhere.fails(1);
    // A name that resolves to a private address is as private as the address.
    let by_name = run_with(
        "wants-http",
        "[grants]\nhttp = [\"*\"]\n",
        &["get", &authority, "/"],
    );
    assert_ne!(by_name.code, Some(0), "{by_name:?}");
}

#[test]
fn the_environment_is_the_granted_one() {
    let none = run("env", &["run", "one"]);
    assert_eq!(none.ok(), "argument env\nargument one");
    let granted = run_with("env", "[grants.env]\nGREETING = \"hello\"\n", &["run"]);
    assert_eq!(granted.ok(), "GREETING=hello\nargument env");
    let file = guest("env");
    let flag = Site::new().run(&["run", file.to_str().unwrap(), "run", "--env", "A=b"]);
    assert!(flag.ok().starts_with("A=b"), "{flag:?}");
}

#[test]
fn directories_are_the_granted_ones() {
    let site = Site::new();
    std::fs::create_dir(site.path("shelf")).unwrap();
    site.write("shelf/book", "once upon a time");
    site.write("secret", "not for you");
    let shelf = site.path("shelf");
    let grant = |writable: &str| {
        format!(
            "[[grants.dirs]]\nhost = \"{}\"\nguest = \"/shelf\"\n{writable}",
            shelf.display()
        )
    };
    let reading = |args: &[&str]| run_with("reads-dirs", &grant(""), args);
    assert_eq!(reading(&["run", "list", "/shelf"]).ok(), "book");
    assert_eq!(
        reading(&["run", "read", "/shelf/book"]).ok(),
        "once upon a time"
    );
    reading(&["run", "read", "/shelf/../secret"]).fails(1);
    reading(&["run", "write", "/shelf/new", "mine"]).fails(1);
    run_with(
        "reads-dirs",
        &grant("writable = true\n"),
        &["run", "write", "/shelf/new", "mine"],
    )
    .ok();
    assert_eq!(
        std::fs::read_to_string(site.path("shelf/new")).unwrap(),
        "mine"
    );
    assert_says(
        &run("reads-dirs", &["run", "list", "/shelf"]),
        &["TaskError"],
    );
}
