//! Registries that send without end, or that send elsewhere.
//!
//! Must not know how a registry is read.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use chicory_testing::Site;
use serde_json::json;

/// Answers each request with what `answer` writes, and returns the address of the module `m` there.
fn serve(answer: impl Fn(&str, &mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
                    break;
                }
                lines.push(line);
            }
            answer(lines.first().map_or("", String::as_str), &mut stream);
        }
    });
    format!("oci://{address}/team/m:1")
}

fn reply(stream: &mut TcpStream, status: &str, body: &str) {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

/// Sends until nobody reads any more, or until far too much was read.
fn send_without_end(stream: &mut TcpStream, head: &str) {
    const FAR_TOO_MUCH: usize = 256 << 20;
    let head = format!("HTTP/1.1 200 OK\r\n{head}connection: close\r\n\r\n");
    if stream.write_all(head.as_bytes()).is_err() {
        return;
    }
    let block = vec![b' '; 1 << 20];
    let mut sent = 0;
    while stream.write_all(&block).is_ok() {
        sent += block.len();
        assert!(sent < FAR_TOO_MUCH, "{sent} bytes were read");
    }
}

/// Case M14: a manifest without end, and one that says so.
#[test]
fn a_manifest_without_end_is_not_read_to_its_end() {
    let site = Site::new();
    for head in ["", "content-length: 3221225472\r\n"] {
        let address = serve(move |_, stream| send_without_end(stream, head));
        let refused = site.run(&["inspect", &address]);
        let reason = refused.fails(1);
        assert!(
            reason.contains("its manifest has more than 4194304 bytes"),
            "{reason}"
        );
    }
}

fn manifest(size: u64, urls: &[String]) -> String {
    let layer = json!({
        "mediaType": "application/wasm", "digest": format!("sha256:{}", "a".repeat(64)),
        "size": size, "urls": urls,
    });
    json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": layer, "layers": [layer],
    })
    .to_string()
}

/// Case M14: a layer that is larger than its manifest says.
#[test]
fn a_layer_without_end_is_not_read_to_its_end() {
    let site = Site::new();
    let address = serve(|request, stream| {
        if request.contains("/manifests/") {
            reply(stream, "200 OK", &manifest(1000, &[]));
        } else {
            send_without_end(stream, "");
        }
    });
    let refused = site.run(&["inspect", &address]);
    assert!(
        refused
            .fails(1)
            .contains("its layer has more than 1000 bytes"),
        "{refused:?}"
    );
    let address = serve(|_, stream| reply(stream, "200 OK", &manifest(3 << 30, &[])));
    let refused = site.run(&["inspect", &address]);
    assert!(
        refused.fails(2).contains("the limit is 536870912"),
        "{refused:?}"
    );
}

/// Case M14: a manifest could otherwise make this machine ask any address for it.
#[test]
fn urls_of_a_layer_are_not_followed() {
    let site = Site::new();
    let elsewhere = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!(
        "http://{}/layer",
        elsewhere.local_addr().expect("it is bound")
    );
    let address = serve(move |request, stream| {
        if request.contains("/manifests/") {
            reply(stream, "200 OK", &manifest(8, std::slice::from_ref(&url)));
        } else {
            reply(stream, "404 Not Found", "{}");
        }
    });
    let refused = site.run(&["inspect", &address]);
    assert!(refused.fails(1).contains("has lost a layer"), "{refused:?}");
    elsewhere.set_nonblocking(true).expect("it is ours");
    let asked = elsewhere.accept().map(|_| ()).map_err(|error| error.kind());
    assert_eq!(asked, Err(ErrorKind::WouldBlock));
}

/// A token's answer is bounded as well, and its realm is asked only as the protocol says.
#[test]
fn a_token_without_end_is_not_read_to_its_end() {
    let site = Site::new();
    let address = serve(|request, stream| {
        if request.contains("/token") {
            send_without_end(stream, "");
            return;
        }
        let port = stream.local_addr().expect("it is connected").port();
        let head = format!(
            "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer realm=\"http://127.0.0.1:{port}/token\",service=\"s\"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let _ = stream.write_all(head.as_bytes());
    });
    let refused = site.run(&["inspect", &address]);
    assert!(
        refused
            .fails(1)
            .contains("its token has more than 262144 bytes"),
        "{refused:?}"
    );
}
