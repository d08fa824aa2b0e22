//! What a call's log keeps, and what it drops.

use std::sync::{Arc, Mutex};

use super::*;
use crate::limits::Limits;

fn log(collects: bool) -> CallLog {
    let limits = Limits {
        log_bytes: Some(400.into()),
        output_bytes: Some(40.into()),
        result_bytes: Some(10.into()),
        ..Limits::default()
    };
    CallLog::new(
        &ResolvedLimits::resolve(&limits, 1 << 20).unwrap(),
        None,
        collects,
    )
}

fn texts(lines: &[LogLine]) -> Vec<&str> {
    lines.iter().map(|line| line.message.as_str()).collect()
}

#[test]
fn output_becomes_lines_once_they_are_whole() {
    let mut log = log(false);
    log.write(Stream::Stdout, b"one\ntw");
    log.write(Stream::Stderr, b"oops\n");
    log.write(Stream::Stdout, b"o\nrest");
    let lines = log.finish();
    assert_eq!(texts(&lines), ["one", "oops", "two", "rest"]);
    assert_eq!(
        (lines[1].source, lines[1].level),
        (LogSource::Stderr, Level::Warn)
    );
}

#[test]
fn floods_are_cut_and_the_log_says_so() {
    let mut log = log(false);
    for _ in 0..1000 {
        log.say(Level::Info, "");
        log.say(Level::Info, "hello");
        log.write(Stream::Stdout, b"\n");
    }
    let lines = log.finish();
    assert!(lines.len() < 12, "{} lines", lines.len());
    let said = "what was above the limit log_bytes was dropped";
    assert!(texts(&lines).contains(&said), "{lines:?}");
}

#[test]
fn control_characters_are_removed() {
    let mut log = log(false);
    log.say(Level::Info, "first\nsecond\x1b]0;title\x07");
    assert_eq!(texts(&log.finish()), ["first", "second"]);
}

#[test]
fn a_commands_stdout_is_its_result_up_to_the_limit() {
    let mut log = log(true);
    log.write(Stream::Stdout, b"12345");
    assert_eq!(log.result().unwrap().get(), "\"12345\"");
    log.write(Stream::Stdout, b"123456");
    assert!(log.result().is_none());
    log.write(Stream::Stderr, b"bad\nworse");
    assert_eq!(log.tails(), ("12345".into(), "bad\nworse".into()));
}

#[test]
fn bytes_that_are_no_text_stay_legible() {
    let mut log = log(true);
    log.write(Stream::Stderr, b"\x89PNG \xc3\xa9\xff\n");
    log.write(Stream::Stdout, b"\x00\xff");
    assert_eq!(log.tails(), ("\\xff".into(), "\\x89PNG é\\xff".into()));
    assert_eq!(log.result().unwrap().get(), "{\"base64\":\"AP8=\"}");
    log.collect_as(CommandOutput::Text);
    assert_eq!(log.result().unwrap().get(), "\"\\u0000\u{fffd}\"");
}

#[test]
fn progress_is_clamped_and_thinned_out() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let mut log = log(false);
    log.observer = Some(Arc::new(move |note| notes.lock().unwrap().push(note)));
    for percent in [-5.0, 1.0, 2.0, f64::INFINITY] {
        log.progress(percent, Some("step\x07"));
    }
    let note = |percent| Note::Progress {
        percent,
        message: Some("step".into()),
    };
    assert_eq!(*seen.lock().unwrap(), [note(0.0), note(100.0)]);
}
