//! Many tasks at once: enqueued from a file, and their results checked together.
//!
//! Must not know what happens to workers meanwhile.

use chicory_testing::{Site, json, until};
use redis::Commands;
use serde_json::{Value, json};

/// `size` messages for one task, whose ids contain their number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch {
    pub(crate) size: usize,
}

impl Batch {
    /// The id of the message with this number.
    pub(crate) fn id(number: usize) -> String {
        format!("task-{number}")
    }

    /// Enqueues `demo.add NUMBER 1` for each number.
    pub(crate) fn enqueue_additions(self, site: &Site, fields: &Value) {
        self.enqueue(site, |number| {
            let mut message = json!({ "name": "demo.add", "args": [number, 1] });
            message
                .as_object_mut()
                .expect("an object")
                .extend(fields.as_object().cloned().unwrap_or_default());
            message
        });
    }

    /// Enqueues what `message` makes of each number.
    pub(crate) fn enqueue(self, site: &Site, message: impl Fn(usize) -> Value) {
        let mut lines = String::new();
        for number in 0..self.size {
            let mut message = message(number);
            message["id"] = Self::id(number).into();
            lines.push_str(&message.to_string());
            lines.push('\n');
        }
        let file = site.write("batch.jsonl", lines);
        let file = file.to_str().expect("temporary folders have plain names");
        // Some tests run a batch several times, under the same ids.
        let ran = site.run(&["enqueue", "--file", file, "--json", "--on-duplicate", "run"]);
        assert_eq!(ran.json()["enqueued"], self.size);
    }

    /// Waits until nothing is queued, running or delayed.
    pub(crate) fn until_empty(site: &Site) {
        let mut redis = site.connection();
        until("an empty queue", || {
            let ready: usize = redis
                .xlen("chicory:stream:default")
                .expect("the server answers");
            let delayed: usize = redis
                .zcard("chicory:delayed:default")
                .expect("the server answers");
            ready + delayed == 0
        });
    }

    /// Fails unless each task has succeeded with the right sum.
    pub(crate) fn assert_all_added(self, site: &Site) {
        let mut redis = site.connection();
        for first in (0..self.size).step_by(1000) {
            let numbers = first..self.size.min(first + 1000);
            let keys: Vec<_> = numbers
                .clone()
                .map(|n| format!("chicory:result:{}", Self::id(n)))
                .collect();
            let results: Vec<Option<String>> = redis.mget(keys).expect("the server answers");
            for (number, result) in numbers.zip(results) {
                let result =
                    result.unwrap_or_else(|| panic!("task {number} has no result: it was lost"));
                let result = json(&result);
                assert_eq!(
                    (&result["state"], &result["result"]),
                    (&json!("SUCCESS"), &json!(number + 1)),
                    "{result}"
                );
            }
        }
    }
}
