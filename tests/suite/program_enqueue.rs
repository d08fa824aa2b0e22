//! `chicory enqueue` with many messages: from a file and from standard input, with a bad line among them.
//!
//! Must not start workers where none is needed.

use chicory_testing::{Site, json};
use redis::Commands;

const STREAM: &str = "chicory:stream:default";

/// `count` messages, of which the one with the number `bad` (from 1) is none.
fn lines(count: usize, bad: usize) -> String {
    let line = |number: usize| {
        if number == bad {
            return "{\"nome\": 1}\n".to_owned();
        }
        format!("{{\"name\": \"demo.add\", \"args\": [{number}, 1], \"id\": \"n-{number}\"}}\n")
    };
    (1..=count).map(line).collect()
}

fn length(site: &Site) -> usize {
    site.connection().xlen(STREAM).unwrap()
}

#[test]
fn a_file_with_a_bad_line_is_sent_as_a_whole_or_not_at_all() {
    let site = Site::new();
    site.write("bad.jsonl", lines(3_000, 2_500));
    let ran = site.run(&["enqueue", "--file", "bad.jsonl"]);
    assert!(ran.fails(2).contains("line 2500"), "{ran:?}");
    assert_eq!(length(&site), 0);
    site.write("good.jsonl", lines(3_000, 0));
    assert_eq!(
        site.run(&["enqueue", "--file", "good.jsonl", "--json"])
            .json()["enqueued"],
        3_000
    );
    assert_eq!(length(&site), 3_000);
}

/// A stream can't be looked at in advance: what was sent is said, with the line to continue from.
#[test]
fn standard_input_with_a_bad_line_says_what_was_sent() {
    let site = Site::new();
    let ran = site.run_with_input(&["enqueue", "--file", "-"], lines(3_000, 2_500).as_bytes());
    let said = ran.fails(2);
    let sent = length(&site);
    assert!(sent < 2_500 && said.contains("line 2500"), "{said}");
    assert!(
        said.contains(&format!("{sent} messages were enqueued")),
        "{said}"
    );
    let rest: String = lines(3_000, 0).split_inclusive('\n').skip(sent).collect();
    site.run_with_input(&["enqueue", "--file", "-"], rest.as_bytes())
        .ok();
    assert_eq!(length(&site), 3_000);
    let entries: redis::streams::StreamRangeReply = site.connection().xrange_all(STREAM).unwrap();
    let ids = entries
        .ids
        .iter()
        .map(|entry| entry.get::<String>("task_id").unwrap());
    assert!(
        ids.enumerate()
            .all(|(at, id)| id == format!("n-{}", at + 1)),
        "in their order, none twice"
    );
}

#[test]
fn files_that_are_not_there_and_fields_that_are_wrong_are_named() {
    let site = Site::new();
    let ran = site.run(&["enqueue", "--file", "nowhere.jsonl"]);
    assert_ne!(ran.code, Some(0));
    assert!(ran.stderr.contains("nowhere.jsonl"), "{ran:?}");
    for (line, expected) in [
        (r#"{"name": "a.b", "queue": "mail"}"#, "--queue"),
        (r#"{"name": "a.b", "eta": "soon"}"#, "soon"),
        (r#"["a.b"]"#, "JSON object"),
    ] {
        let ran = site.run_with_input(&["enqueue", "--file", "-"], line.as_bytes());
        assert!(ran.fails(2).contains(expected), "{ran:?}");
    }
    assert_eq!(length(&site), 0);
}

#[test]
fn flags_hold_for_all_messages_of_a_file() {
    let site = Site::new();
    let lines = "{\"name\": \"demo.noop\", \"id\": \"a\"}\n\n{\"name\": \"demo.noop\", \"id\": \"b\", \"eta\": \"2099-01-01T00:00:00Z\"}";
    let args = [
        "enqueue",
        "--file",
        "-",
        "--queue",
        "mail",
        "--ignore-result",
        "--max-retries",
        "4",
    ];
    site.run_with_input(&args, lines.as_bytes()).ok();
    let mut redis = site.connection();
    let entries: redis::streams::StreamRangeReply =
        redis.xrange_all("chicory:stream:mail").unwrap();
    let message = json(&entries.ids[0].get::<String>("data").unwrap());
    assert_eq!(
        (&message["ignore_result"], &message["retry"]["max_retries"]),
        (&true.into(), &4.into())
    );
    assert_eq!(redis.zcard::<_, usize>("chicory:delayed:mail").unwrap(), 1);
}

#[test]
fn waiting_prints_the_result_or_the_error() {
    let site = Site::new();
    let _worker = site.worker(&[]);
    assert_eq!(
        site.run(&["enqueue", "demo.greet", "Ada", "--wait"]).ok(),
        "Hello, Ada!"
    );
    let failed = site.run(&["enqueue", "demo.gives-up", "no luck", "--wait"]);
    assert!(failed.fails(1).contains("no luck"));
    let late = site.run(&[
        "enqueue",
        "demo.noop",
        "--queue",
        "unserved",
        "--wait",
        "--timeout",
        "50ms",
    ]);
    assert!(late.fails(4).contains("did not end in time"));
    let named = site.run(&["enqueue", "demo.noop", "--id", "my-own"]);
    assert_eq!(named.ok(), "my-own");
    site.run(&["result", "my-own", "--wait"]).ok();
    assert!(
        site.run(&["result", "unheard-of"])
            .fails(4)
            .contains("unheard-of")
    );
}
