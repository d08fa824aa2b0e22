//! Lines of the log as other programs read them.
//!
//! Must not know who logs.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File};

use chicory_testing::{Site, root, signal, until};
use nix::sys::signal::Signal;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// An object with all its fields, in order, also those that are there twice.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(Each)
    }
}

/// The names in backticks of the tables of docs/logs.md.
fn documented() -> HashSet<String> {
    let text = fs::read_to_string(root().join("docs/logs.md")).expect("the document");
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    names.map(str::to_owned).collect()
}

/// Case Q21: each field once, whatever a guest logs; and none that is not described.
#[test]
fn lines_have_the_documented_fields_each_once() {
    let site = Site::new();
    site.write("modules/broken.wasm", "this is no module");
    let log = site.path("log");
    let mut command = site.command(&["worker", "--workers", "2"]);
    command.stderr(File::create(&log).expect("a new file"));
    let mut supervisor = command.spawn().expect("the program starts");
    for task in [
        &["demo.log-and-progress", "2"][..],
        &["demo.flaky"],
        &["demo.gives-up", "\"no\""],
        &["demo.none"],
    ] {
        site.call(task);
    }
    signal(supervisor.id(), Signal::SIGTERM).expect("it runs");
    assert!(supervisor.wait().expect("it ends").success());
    let documented = documented();
    let mut of_guests = 0;
    for line in fs::read_to_string(&log).expect("the log").lines() {
        let Fields(fields) =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let mut seen = HashSet::new();
        for (name, value) in &fields {
            assert!(seen.insert(name), "{name} twice: {line}");
            assert!(
                documented.contains(name),
                "{name} is not in docs/logs.md: {line}"
            );
            of_guests += usize::from(name == "target" && value == "chicory::task");
        }
        for name in ["timestamp", "level", "target", "message"] {
            assert!(
                fields.iter().any(|(field, _)| field == name),
                "no {name}: {line}"
            );
        }
    }
    assert!(of_guests > 0, "a guest has logged");
}

/// Case Q21: lines that are longer than what a pipe keeps whole.
#[test]
fn lines_of_several_processes_are_whole() {
    let site = Site::new();
    let reason = format!("\"{}\"", "x".repeat(12_000));
    let message = format!("{{\"name\": \"demo.gives-up\", \"args\": [{reason}]}}\n");
    site.write("many.jsonl", message.repeat(400));
    site.run(&["enqueue", "--file", "many.jsonl"]).ok();
    let worker = site.starting_worker(&["--workers", "4"]);
    until("all failures", || {
        worker.count("failed, and dead-lettered") == 400
    });
    let lines = worker.lines();
    assert!(lines.iter().all(Value::is_object), "torn: {lines:?}");
    let long = lines.iter().filter(|line| {
        line["error"]
            .as_str()
            .is_some_and(|error| error.len() > 4096)
    });
    assert_eq!(long.count(), 400);
}
