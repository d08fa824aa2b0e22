//! What a task author does in Python, JavaScript and TypeScript: new, build, test, run, and a worker on Redis.
//!
//! Must not know how a project is built.

use std::fs;
use std::process::Command;

use chicory_testing::Site;
use serde_json::json;

use crate::author::{built_from_a_template, change, new_project, result_on_a_worker, run};
use crate::guests;

/// Runs the template's task; `error` and `place` are what its failure is called, and where it is.
fn runs_alone(site: &Site, error: &str, place: &str) {
    let file = "word-count/build/word-count.wasm";
    let failed = run(site, &["run", file, "summarize", "", "2"]);
    let said = failed.fails(1);
    for expected in [&format!("error: {error}: empty text"), place] {
        assert!(said.contains(expected), "{expected} is not in {said}");
    }
    let logged = run(site, &["run", file, "summarize", "a b a", "1"]);
    assert!(
        logged.stderr.contains("INFO  2 different words"),
        "{logged:?}"
    );
}

fn runs_on_a_worker(site: &Site) {
    assert_eq!(result_on_a_worker(site, "summarize")["unique"], 2);
}

#[test]
fn python_goes_the_whole_way() {
    let site = built_from_a_template("python", "summarize");
    let tested = run(&site, &["test", "word-count"]);
    assert!(tested.ok().contains("3 of 3 cases passed"), "{tested:?}");
    runs_alone(
        &site,
        "ValueError",
        "File \"app.py\", line 21, in summarize",
    );
    runs_on_a_worker(&site);
}

#[test]
fn javascript_goes_the_whole_way() {
    let site = built_from_a_template("javascript", "summarize");
    runs_on_a_worker(&site);
}

#[test]
fn typescript_goes_the_whole_way() {
    let site = built_from_a_template("typescript", "summarize");
    runs_alone(&site, "RangeError", "summarize<@src/index.ts:10");
    runs_on_a_worker(&site);
}

/// Compiling a language's engine takes half a minute, once more for each way in which it is compiled.
#[test]
#[ignore = "takes minutes; `make test-languages` runs it"]
fn templates_of_javascript_are_tested_and_run() {
    for (language, place) in [
        ("javascript", "count@src/index.js:20"),
        ("typescript", "summarize<@src/index.ts:10"),
    ] {
        let site = built_from_a_template(language, "summarize");
        let tested = run(&site, &["test", "word-count"]);
        assert!(tested.ok().contains("3 of 3 cases passed"), "{tested:?}");
        runs_alone(&site, "RangeError", place);
    }
}

const FETCH: &str = r#"
import shout
from chicory_sdk import context, task

class Unavailable(Exception): pass
class TooBusy(Unavailable): pass

@task(max_retries=2, retry_delay=0.05, retry_on=[Unavailable])
def fetch(kind: str) -> str:
    if kind == "wrong":
        raise KeyError(kind)
    if context.retries() < 2:
        raise TooBusy("come back later")
    return shout.loud(kind)
"#;

const WHEEL: &str = r#"
import zipfile
with zipfile.ZipFile("shout-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("shout.py", "def loud(text): return text.upper()\n")
    wheel.writestr("shout-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: shout\nVersion: 1.0\n")
    wheel.writestr("shout-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr("shout-1.0.dist-info/RECORD", "shout.py,,\n")
"#;

/// Exceptions end a task under their class's name, which the module's own retry policy matches with all
/// subclasses; and what requirements.txt lists is in the module.
#[test]
#[ignore = "takes minutes; `make test-languages` runs it"]
fn python_exceptions_are_names_that_policies_match() {
    let site = Site::new();
    new_project(&site, "fetcher", "python");
    fs::write(site.path("fetcher/app.py"), FETCH).unwrap();
    let mut wheel = Command::new("python3");
    wheel.args(["-c", WHEEL]).current_dir(site.path("fetcher"));
    assert!(wheel.status().unwrap().success());
    fs::write(
        site.path("fetcher/requirements.txt"),
        "./shout-1.0-py3-none-any.whl\n",
    )
    .unwrap();
    run(&site, &["build", "fetcher"]).ok();

    // The manifest takes precedence over what the module declares.
    change(
        &site.path("fetcher/build/fetcher.toml"),
        "max_retries = 3\nbackoff = \"exponential\"",
        "",
    );
    let worker = site.worker(&["--modules", "fetcher/build"]);
    let wrong = site.enqueue(&["fetcher.fetch", "wrong"]);
    let line = worker.line_about("failed, and dead-lettered", &wrong);
    assert_eq!(line["attempt"], 1, "retry_on does not name KeyError");
    let ended = site.wait_for(&wrong);
    assert_eq!(ended["error"], "KeyError: 'wrong'");
    let traceback = ended["traceback"].as_str().unwrap_or_default();
    assert!(traceback.contains("raise KeyError(kind)"), "{ended}");
    let good = site.enqueue(&["fetcher.fetch", "good"]);
    assert_eq!(site.wait_for(&good)["result"], "GOOD");
}

/// What package.json lists is in the module; npm decides where it comes from.
#[test]
#[ignore = "takes minutes; `make test-languages` runs it"]
fn packages_of_npm_are_bundled() {
    let site = Site::new();
    new_project(&site, "greeter", "javascript");
    fs::create_dir(site.path("greeter/plural")).unwrap();
    let package = json!({"name": "plural", "version": "1.0.0", "main": "main.js"});
    fs::write(
        site.path("greeter/plural/package.json"),
        package.to_string(),
    )
    .unwrap();
    let own =
        json!({"name": "greeter", "type": "module", "dependencies": {"plural": "file:plural"}});
    fs::write(site.path("greeter/package.json"), own.to_string()).unwrap();
    fs::write(
        site.path("greeter/plural/main.js"),
        "module.exports = (word) => `${word}s`;\n",
    )
    .unwrap();
    let source = "import plural from \"plural\";\n\
        /** @param {string} word @returns {string} */\n\
        export function many(word) { return plural(word); }\n";
    fs::write(site.path("greeter/src/index.js"), source).unwrap();
    run(&site, &["build", "greeter"]).ok();
    let ran = run(
        &site,
        &["run", "greeter/build/greeter.wasm", "many", "grape"],
    );
    assert_eq!(ran.ok(), "grapes");
}

#[test]
fn what_can_be_no_task_is_named_with_its_place() {
    let site = Site::new();
    new_project(&site, "odd", "python");
    change(
        &site.path("odd/app.py"),
        "text: str, top: U32",
        "text: set, top: U32",
    );
    let refused = run(&site, &["build", "odd"]);
    let said = refused.fails(1);
    for expected in ["`summarize` can't be a task", "`text`", "app.py:"] {
        assert!(said.contains(expected), "{expected} is not in {said}");
    }
    new_project(&site, "even", "typescript");
    change(
        &site.path("even/src/index.ts"),
        "text: string, top: U32",
        "text: any, top: U32",
    );
    let refused = run(&site, &["build", "even"]);
    let said = refused.fails(1);
    for expected in ["`summarize` can't be a task", "`text`", "src/index.ts:"] {
        assert!(said.contains(expected), "{expected} is not in {said}");
    }
}

/// The example in Python, as scripts/guests has built it.
#[test]
fn the_sentiment_example_judges_messages() {
    let complaint = guests::run(
        "sentiment",
        &[
            "classify",
            "the parcel is broken and nobody answers",
            "--json",
        ],
    );
    let verdict = complaint.json()["result"].clone();
    assert_eq!(
        (&verdict["label"], &verdict["known-words"]),
        (&json!("complaint"), &json!(7))
    );
    let texts = json!(["thank you it works great", "broken"]).to_string();
    let both = guests::run("sentiment", &["classify-all", &texts]);
    both.ok();
    assert!(both.stderr.contains(" 100 %"), "{both:?}");
    guests::assert_says(
        &guests::run("sentiment", &["classify", "…"]),
        &["EmptyMessage: the message has no words"],
    );
}

/// The example in TypeScript.
#[test]
fn the_order_page_example_renders_orders() {
    let order = |quantity: u32| {
        json!({
            "number": "7", "customer": "Ada & Co", "currency": "eur",
            "lines": [{"article": "tea", "quantity": quantity, "cents": 455}],
        })
        .to_string()
    };
    let page = guests::run("order-page", &["render", &order(2), "--json"]).json()["result"].clone();
    assert_eq!(page["cents"], 910);
    let html = page["html"].as_str().unwrap_or_default();
    assert!(
        html.contains("Ada &amp; Co") && html.contains("9.10 EUR"),
        "{html}"
    );
    guests::assert_says(
        &guests::run("order-page", &["render", &order(0)]),
        &["BadOrder: order 7: lines[0].quantity is 0"],
    );
}

#[test]
fn a_missing_tool_is_named_with_what_installs_it() {
    let site = Site::new().set("PATH", "/nowhere");
    for (language, tool, remedy) in [
        ("python", "`python3`", "apt-get install python3"),
        ("typescript", "`node`", "apt-get install nodejs"),
    ] {
        site.run(&["new", language, "--lang", language]).ok();
        let built = site.run(&["build", language]);
        let said = built.fails(1);
        assert!(said.contains(tool) && said.contains(remedy), "{said}");
    }
}

const BY_WIT: &str = r#"
import { log } from "@chicory/sdk";

export function longest(words) {
  if (words.length === 0) throw "no words";
  log.info(`${words.length} words`);
  return words.reduce((a, b) => (b.length > a.length ? b : a));
}
"#;

const WORLD: &str = "package local:word-count;
world tasks {
    include chicory:task/imports@0.1.0;
    export longest: func(words: list<string>) -> result<string, string>;
}
";

/// Without any types in the source.
#[test]
#[ignore = "takes minutes; `make test-languages` runs it"]
fn plain_javascript_goes_by_a_wit_file() {
    let site = Site::new();
    new_project(&site, "word-count", "javascript");
    fs::create_dir(site.path("word-count/wit")).unwrap();
    site.write("word-count/wit/world.wit", WORLD);
    site.write("word-count/src/index.js", BY_WIT);
    let built = run(&site, &["build", "word-count", "--json"]).json();
    assert_eq!(built["tasks"][0]["name"], "longest");
    let longest = |words| {
        let file = "word-count/build/word-count.wasm";
        run(&site, &["run", file, "longest", words])
    };
    let found = longest("[\"a\", \"longest\", \"word\"]");
    assert_eq!(found.ok(), "longest");
    assert!(found.stderr.contains("INFO  3 words"), "{found:?}");
    assert!(longest("[]").fails(1).contains("TaskError: no words"));
}
