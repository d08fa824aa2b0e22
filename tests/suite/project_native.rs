//! What a task author does in C and in Go: new, build, test, run, and a worker on Redis. Also the examples
//! that the program builds.
//!
//! Must not know how a project is built.

use std::fs;

use chicory_testing::{Site, root};
use serde_json::{Value, json};

use crate::author::{built_from_a_template, result_on_a_worker, run};

/// From nothing to a worker's result.
fn goes_all_the_way(language: &str, task: &str) -> Value {
    let site = built_from_a_template(language, task);
    let tested = run(&site, &["test", "word-count"]);
    assert!(tested.ok().contains("cases passed"), "{tested:?}");

    let file = "word-count/build/word-count.wasm";
    let ran = run(&site, &["run", file, task, "a b a", "1", "--json"]).json()["result"].clone();
    assert_eq!(result_on_a_worker(&site, task), ran);
    ran
}

#[test]
fn a_new_project_in_c_goes_all_the_way() {
    let result = goes_all_the_way("c", "summarize");
    assert_eq!(
        result,
        json!({ "words": 3, "unique": 2, "most-common": [["a", 2]] })
    );
}

#[test]
fn a_new_project_in_go_goes_all_the_way() {
    let result = goes_all_the_way("go", "run");
    let expected = "{\"words\":3,\"unique\":2,\"most-common\":[\"a\"]}\n";
    assert_eq!(result, expected);
}

#[test]
fn a_plain_program_in_c_needs_no_wit() {
    let site = Site::new();
    fs::create_dir(site.path("hello")).unwrap();
    let program =
        "#include <stdio.h>\nint main(int n, char **words) { printf(\"%s\", words[n - 1]); }\n";
    fs::write(site.path("hello/main.c"), program).unwrap();
    run(&site, &["build", "hello"]).ok();
    let ran = run(
        &site,
        &["run", "hello/build/hello.wasm", "run", "hi", "--json"],
    );
    assert_eq!(ran.json()["result"], "hi");
}

#[test]
fn what_the_compiler_says_is_shown() {
    let site = Site::new();
    fs::create_dir(site.path("broken")).unwrap();
    fs::write(
        site.path("broken/main.c"),
        "int main(void) { return nothing; }\n",
    )
    .unwrap();
    let built = run(&site, &["build", "broken"]);
    let said = built.fails(1);
    assert!(
        said.contains("main.c:1") && said.contains("the build failed"),
        "{said}"
    );
}

/// Builds an example, and runs its task.
fn example(name: &str, words: &[&str]) -> (Option<i32>, String) {
    let site = Site::new();
    let folder = root().join("examples").join(name);
    let output = format!("{name}.wasm");
    run(
        &site,
        &["build", folder.to_str().unwrap(), "--output", &output],
    )
    .ok();
    let ran = run(&site, &[&["run", &output], words].concat());
    (ran.code, format!("{}{}", ran.stdout, ran.stderr))
}

#[test]
fn the_example_in_c_checks_account_numbers() {
    let (code, said) = example("iban-c", &["check", "GB82 WEST 1234 5698 7654 32"]);
    assert!(
        code == Some(0) && said.contains("WEST12345698765432"),
        "{said}"
    );
    let (code, said) = example("iban-c", &["check", "GB82 TEST 1234 5698 7654 32"]);
    assert!(
        code == Some(1) && said.contains("wrong-check-digits"),
        "{said}"
    );
}

#[test]
fn the_example_in_go_reads_feeds() {
    let rss = "<rss><channel><item><title>One &amp;amp; &lt;b&gt;two&lt;/b&gt;</title>\
               <link> https://example.com/1 </link></item></channel></rss>";
    let atom = "<feed xmlns=\"http://www.w3.org/2005/Atom\"><entry><title>Three</title>\
                <link rel=\"self\" href=\"x\"/><link href=\"https://example.com/3\"/></entry></feed>";
    for (feed, expected) in [
        (
            rss,
            "[{\"title\":\"One \\u0026 two\",\"link\":\"https://example.com/1\",\"text\":\"\"}]",
        ),
        (
            atom,
            "[{\"title\":\"Three\",\"link\":\"https://example.com/3\",\"text\":\"\"}]",
        ),
    ] {
        let input = json!({ "stdin": feed }).to_string();
        let (code, said) = example("feed-go", &["run", "--kwargs", &input]);
        assert!(code == Some(0) && said.contains(expected), "{said}");
    }
    let (code, said) = example("feed-go", &["run", "--kwargs", "{\"stdin\": \"<html/>\"}"]);
    assert!(code == Some(1) && said.contains("no feed"), "{said}");
}

#[test]
fn the_example_with_the_rust_sdk_bills_orders_and_brings_its_own_policy() {
    let site = Site::new();
    site.deploy_with("invoice", "[retry]\nmax_retries = 3\nretry_delay = 0.01\n");
    let _worker = site.worker(&[]);
    let tea = json!({ "product": "tea", "quantity": 3, "unit-price": 1999, "tax": "reduced" });
    let order = json!({ "customer": "Ada", "lines": [tea], "discount": 10 }).to_string();
    let bill = |order: &str| site.enqueue(&["invoice.bill", order]);
    assert_eq!(site.wait_for(&bill(&order))["result"]["total"], 5775);

    let id = bill(r#"{"customer": "Ada", "lines": []}"#);
    assert_eq!(site.wait_for(&id)["state"], "FAILURE");
    let letter = site.run(&["dlq", "show", &id, "--json"]).json();
    assert_eq!(
        letter["retry_count"], 0,
        "#[task(ignore_on = [EmptyOrder])]: {letter}"
    );
    assert!(
        letter["error"].as_str().unwrap().starts_with("empty-order"),
        "{letter}"
    );
}
