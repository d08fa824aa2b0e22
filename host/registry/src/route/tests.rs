//! Which version runs which message: each rule, and that whatever is forgotten was not needed.

use chicory_clock::Timestamp;
use chicory_signature::{Field, Kind, Shape, Signature};

use super::*;
use crate::{Activation, CanaryTerms};

/// A message whose argument is a number of this many bits.
#[derive(Clone, Copy, Default)]
struct Message<'a> {
    id: &'a str,
    bits: u8,
    pin: Option<&'a str>,
    checked_against: Option<&'a str>,
    no_canary: bool,
}

impl QueuedMessage for Message<'_> {
    fn id(&self) -> &str {
        self.id
    }

    fn name(&self) -> &'static str {
        "m.f"
    }

    fn pin(&self) -> Option<&str> {
        self.pin
    }

    fn checked_against(&self) -> Option<&str> {
        self.checked_against
    }

    fn no_canary(&self) -> bool {
        self.no_canary
    }

    fn fits(&self, signature: &Signature) -> bool {
        bits(&signature.params[0].shape) >= self.bits
    }
}

fn bits(shape: &Shape) -> u8 {
    match shape {
        Shape::U8 => 8,
        Shape::U16 => 16,
        _ => 32,
    }
}

/// A version whose task `f` takes a number.
fn version(digest: &str, shape: Shape) -> Version {
    let number = Field {
        name: "number".into(),
        shape,
    };
    let signature = Signature {
        kind: Kind::Function,
        params: [number].into(),
        result: None,
    };
    Version {
        digest: digest.into(),
        size: 1,
        version: None,
        tasks: [("f".to_owned(), signature)].into(),
        manifest: serde_json::Value::Null,
        deployed_by: "me".into(),
        deployed_at: Timestamp::from_micros(0),
        signature: None,
        source: None,
        retiring: false,
    }
}

/// A module with the versions `wide` (u32) and `middle` (u16), which served, `never` (u32), which did not, and
/// the active `narrow` (u8).
fn record() -> ModuleRecord {
    let served = |digest: &str| Activation {
        digest: digest.into(),
        at: Timestamp::from_micros(0),
        by: "me".into(),
        how: "deploy".into(),
    };
    ModuleRecord {
        versions: vec![
            version("wide", Shape::U32),
            version("middle", Shape::U16),
            version("never", Shape::U32),
            version("narrow", Shape::U8),
        ],
        active: Some("narrow".into()),
        history: ["wide", "middle", "narrow"].map(served).into(),
        ..ModuleRecord::new("m")
    }
}

fn chosen(record: &ModuleRecord, message: Message<'_>) -> Result<String, NoVersion> {
    let versions = TaskVersions::of(record, "f");
    versions
        .choose(&message)
        .map(|version| version.digest.clone())
}

#[test]
fn arguments_meet_the_active_version_or_the_newest_that_they_fit() {
    let record = record();
    for (bits, expected) in [(8, "narrow"), (16, "middle"), (32, "wide"), (64, "narrow")] {
        let message = Message {
            bits,
            ..Message::default()
        };
        assert_eq!(chosen(&record, message).unwrap(), expected, "{bits} bits");
    }
}

#[test]
fn a_checked_message_runs_where_it_was_checked_unless_the_active_version_takes_as_much() {
    let mut record = record();
    let message = |digest| Message {
        bits: 8,
        checked_against: Some(digest),
        ..Message::default()
    };
    assert_eq!(chosen(&record, message("wide")).unwrap(), "wide");
    assert_eq!(chosen(&record, message("forgotten")).unwrap(), "narrow");
    record.active = Some("wide".into());
    assert_eq!(chosen(&record, message("middle")).unwrap(), "wide");
}

#[test]
fn a_pin_names_its_version_or_nothing_runs() {
    let record = record();
    let message = |digest| Message {
        pin: Some(digest),
        ..Message::default()
    };
    assert_eq!(chosen(&record, message("never")).unwrap(), "never");
    let error = chosen(&record, message("forgotten")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "it is pinned to version forgotten, which is not kept"
    );
}

#[test]
fn a_canary_takes_its_share_of_what_the_active_version_would_run() {
    let mut record = record();
    record.canary = Some(Canary {
        id: "c".into(),
        digest: "never".into(),
        by: "me".into(),
        since: Timestamp::from_micros(0),
        terms: CanaryTerms {
            percent: 100.0,
            ..CanaryTerms::default()
        },
    });
    let message = Message {
        id: "1",
        bits: 8,
        ..Message::default()
    };
    assert_eq!(chosen(&record, message).unwrap(), "never");
    let wide = Message {
        bits: 16,
        ..message
    };
    assert_eq!(chosen(&record, wide).unwrap(), "middle");
    let given_up = Message {
        no_canary: true,
        ..message
    };
    assert_eq!(chosen(&record, given_up).unwrap(), "narrow");
}

#[test]
fn a_task_that_the_active_version_lost_runs_on_the_newest_that_has_it() {
    let mut record = record();
    record.versions[3].tasks.clear();
    let message = |bits| Message {
        bits,
        ..Message::default()
    };
    assert_eq!(chosen(&record, message(8)).unwrap(), "middle");
    assert_eq!(chosen(&record, message(64)), Err(NoVersion::Gone));
}

#[test]
fn a_task_is_the_same_in_another_spelling() {
    let mut record = record();
    let tasks = &mut record.versions[0].tasks;
    let signature = tasks.remove("f").unwrap();
    tasks.insert("F".into(), signature);
    let message = Message {
        bits: 32,
        ..Message::default()
    };
    assert_eq!(chosen(&record, message).unwrap(), "wide");
}
