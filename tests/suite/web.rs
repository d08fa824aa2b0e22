//! A web server for guests: it echoes each request.
//!
//! Must not know who asks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// A server that runs as long as the tests do.
pub(crate) struct Web {
    /// Its address and port.
    pub(crate) authority: String,
}

impl Web {
    /// Starts a server that answers once this number of requests are waiting, each on its own connection.
    pub(crate) fn start(together: usize) -> Web {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let authority = listener.local_addr().expect("it is bound").to_string();
        thread::spawn(move || {
            loop {
                let asked: Vec<_> = (0..together)
                    .filter_map(|_| Some(listener.accept().ok()?.0))
                    .map(|mut stream| (request(&mut stream), stream))
                    .collect();
                for (text, mut stream) in asked {
                    answer(&mut stream, &text);
                }
            }
        });
        Web { authority }
    }

    /// A URL of this server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.authority)
    }
}

/// Method, path and body of a request.
fn request(stream: &mut TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        let read = reader.read_line(&mut line).expect("a request");
        if read == 0 || line == "\r\n" {
            break;
        }
        head.push(line.to_lowercase());
    }
    let length = head.iter().find_map(|line| {
        let value = line.strip_prefix("content-length:")?;
        value.trim().parse().ok()
    });
    let chunked = head
        .iter()
        .any(|line| line.starts_with("transfer-encoding: chunked"));
    let mut body = String::new();
    if chunked {
        body = chunks(&mut reader);
    } else {
        let mut limited = reader.take(length.unwrap_or(0));
        limited.read_to_string(&mut body).expect("a body of text");
    }
    let asked = head.first().map_or("", String::as_str);
    let asked = asked.trim_end().trim_end_matches("http/1.1").trim_end();
    format!("{asked} {body}").trim_end().to_owned()
}

/// A body that comes in chunks.
fn chunks(reader: &mut impl BufRead) -> String {
    let mut body = String::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("the length of a chunk");
        let length = u64::from_str_radix(line.trim(), 16).expect("a length in hexadecimal");
        let mut chunk = String::new();
        let mut limited = reader.by_ref().take(length + 2);
        limited.read_to_string(&mut chunk).expect("a chunk of text");
        body.push_str(chunk.trim_end());
        if length == 0 {
            return body;
        }
    }
}

fn answer(stream: &mut TcpStream, text: &str) {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        text.len()
    );
    // A client that was stopped no longer listens.
    let _ = stream.write_all(format!("{head}{text}").as_bytes());
}
