//! `chicory dev` beside an editor: what it prints, tasks enqueued into it, changes to the source.
//!
//! Must not know how a project is built.

use chicory_testing::{PATIENCE, Site, WorkerProcess, until_some_within};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::author::{change, new_project, toolchains};

/// A terminal with `chicory dev`.
struct Dev {
    site: Site,
    process: WorkerProcess,
}

impl Dev {
    fn start(language: &str) -> Self {
        let site = Site::new();
        new_project(&site, "word-count", language);
        let process = WorkerProcess::start_talking(toolchains(&site, &["dev", "word-count"]));
        Self { site, process }
    }

    /// Waits for the `count`th line that has this in it.
    fn says(&self, part: &str, count: usize) -> String {
        let found = || {
            let lines = self.process.lines();
            let texts = lines.iter().filter_map(|line| line["text"].as_str());
            let mut said = texts.filter(|text| text.contains(part));
            said.nth(count - 1).map(str::to_owned)
        };
        // The first build in a language also compiles its library.
        until_some_within(4 * PATIENCE, &format!("{part:?}, {count} times"), found)
    }

    /// Enqueues with the command that was printed, and waits for the result.
    fn enqueue(&self) -> Value {
        let printed = self.says("chicory enqueue --broker sqlite:", 1);
        let words = printed.split_whitespace().skip(1);
        let words: Vec<&str> = words.take_while(|word| *word != "…").collect();
        let arguments = ["a b a", "1", "--wait", "--json"];
        self.site.run(&[&words[..], &arguments].concat()).json()
    }

    fn change(&self, file: &str, from: &str, to: &str) {
        change(&self.site.path("word-count").join(file), from, to);
    }
}

/// A project, and what its author does with it.
struct Author {
    language: &'static str,
    file: &'static str,
    /// What is printed about a task, besides its outcome.
    said: &'static str,
    /// A change that adds 40 to the number of unique words, and one that doesn't build.
    change: (&'static str, &'static str),
    mistake: (&'static str, &'static str),
}

/// What an author sees who tries a task, changes it, breaks it, and quits.
fn follows(author: &Author) {
    let mut dev = Dev::start(author.language);
    assert_eq!(dev.enqueue()["result"]["unique"], 2);
    dev.says(author.said, 1);
    assert!(
        dev.says("word-count.summarize done: {", 1)
            .contains("\"unique\":2")
    );

    let (from, to) = author.change;
    dev.change(author.file, from, to);
    dev.says("[dev] built and loaded word-count in", 2);
    assert_eq!(dev.enqueue()["result"]["unique"], 42);

    let (from, to) = author.mistake;
    dev.change(author.file, from, to);
    dev.says("[dev] the previous version, if any, keeps running", 1);
    assert_eq!(dev.enqueue()["result"]["unique"], 42);

    dev.process.signal(Signal::SIGINT);
    assert!(dev.process.ended().success());
    dev.says("stopped", 1);
}

#[test]
fn dev_follows_its_author() {
    follows(&Author {
        language: "rust",
        file: "src/lib.rs",
        said: "(attempt 1, ",
        change: ("counts.len() as u32", "counts.len() as u32 + 40"),
        mistake: ("pub fn summarize(", "pub fn summarize(("),
    });
}

#[test]
#[ignore = "takes minutes; `make test-languages` runs it"]
fn dev_follows_an_author_of_python() {
    follows(&Author {
        language: "python",
        file: "app.py",
        said: "word-count.summarize INFO  2 different words",
        change: ("len(counts), ", "len(counts) + 40, "),
        mistake: ("def summarize(", "def summarize(("),
    });
}

#[test]
#[ignore = "takes minutes; `make test-languages` runs it"]
fn dev_follows_an_author_of_typescript() {
    follows(&Author {
        language: "typescript",
        file: "src/index.ts",
        said: "word-count.summarize INFO  2 different words",
        change: ("unique: counts.size", "unique: counts.size + 40"),
        mistake: ("(text: string", "((text: string"),
    });
}
