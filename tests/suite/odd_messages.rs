//! Messages as other programs and other habits write them: understood as they are meant, or refused by name.
//!
//! Must not know how messages are stored, but for their JSON.

use chicory_testing::Site;
use redis::Commands as _;

/// Case Q20: a time with a zone, and a delay that is longer than time is.
#[test]
fn a_time_with_a_zone_is_that_time() {
    let site = Site::new();
    site.enqueue(&["demo.noop", "--eta", "2030-06-01T09:00:00[Europe/Berlin]"]);
    let delayed = site.run(&["queue", "show", "--json"]).json();
    assert_eq!(delayed["delayed_list"][0]["due"], "2030-06-01T07:00:00Z");
    for (flag, value, named) in [
        (
            "--eta",
            "2030-06-01T09:00:00[Europe/Atlantis]",
            "Europe/Atlantis",
        ),
        ("--delay", "100000000h", "seconds from 0 to 315360000"),
    ] {
        let refused = site.run(&["enqueue", "demo.noop", flag, value]);
        let reason = refused.fails(2);
        assert!(reason.contains(named) && reason.contains(value), "{reason}");
    }
}

/// Case Q20: what a file's lines may have.
#[test]
fn a_line_of_a_file_is_right_or_refused_by_name() {
    let site = Site::new();
    site.write(
        "right.jsonl",
        "\u{feff}{\"name\": \"demo.add\", \"args\": [1, 2], \"retries\": 0.0, \"id\": \"a\"}\n",
    );
    site.run(&["enqueue", "--file", "right.jsonl"]).ok();
    let _worker = site.worker(&[]);
    assert_eq!(site.wait_for("a")["result"], 3);
    for (field, named) in [
        ("\"kwargs\": []", "kwargs: expected an object, got array"),
        ("\"args\": {}", "args: expected an array, got object"),
        ("\"delay\": 60", "no field `delay`"),
        ("\"max_retries\": 3", "no field `max_retries`"),
        ("\"priority\": 5", "`priority` has no effect yet"),
    ] {
        site.write(
            "wrong.jsonl",
            format!("{{\"name\": \"demo.add\", {field}}}\n"),
        );
        let refused = site.run(&["enqueue", "--file", "wrong.jsonl"]);
        let reason = refused.fails(2);
        assert!(
            reason.contains("line 1: ") && reason.contains(named),
            "{reason}"
        );
    }
}

/// Case Q20: fields that are not ours come back from a retry as they were, numbers included.
#[test]
fn a_retry_keeps_numbers_that_no_float_holds() {
    let site = Site::new();
    let own = "\"trace\":{\"n\":123456789012345678901234567890,\"f\":1.0,\"e\":1E400}";
    let retry = "\"retry\":{\"max_retries\":1,\"retry_delay\":3600}";
    let message = format!("{{\"id\":\"a\",\"name\":\"demo.none\",\"retries\":0.0,{retry},{own}}}");
    let mut redis = site.connection();
    let fields = [("data", message.as_str()), ("task_id", "a")];
    let _: String = redis
        .xadd("chicory:stream:default", "*", &fields)
        .expect("a new entry");
    let worker = site.worker(&[]);
    worker.line_about("failed; to be retried", "a");
    let delayed: Vec<String> = redis
        .zrange("chicory:delayed:default", 0, -1)
        .expect("a set");
    assert!(delayed[0].contains(own), "{delayed:?}");
    assert!(delayed[0].contains("\"retries\":1,"), "{delayed:?}");
}
