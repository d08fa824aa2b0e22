//! What a task author does: new, build, test, run, and a worker on Redis.
//!
//! Must not know how a project is built.

use chicory_testing::Site;

use crate::author::{built_from_a_template, change, new_project, result_on_a_worker, run};

#[test]
fn a_new_project_builds_tests_and_runs_as_it_is() {
    let site = built_from_a_template("rust", "summarize");
    let again = run(&site, &["new", "word-count", "--lang", "rust"]);
    assert!(again.fails(2).contains("not empty"), "{again:?}");

    let test = |flags: &[&str]| run(&site, &[&["test", "word-count"], flags].concat());
    assert!(
        test(&["--update-usage"])
            .ok()
            .contains("3 of 3 cases passed")
    );
    assert!(
        test(&["--max-fuel", "5"])
            .fails(1)
            .contains("3 of 3 cases failed")
    );
    let cases = site.path("word-count/cases.toml");
    change(&cases, "words = 6", "words = 7");
    let failed = test(&["--no-build"]);
    failed.fails(1);
    assert!(failed.stdout.contains("-  \"words\": 7"), "{failed:?}");

    assert_eq!(result_on_a_worker(&site, "summarize")["unique"], 2);
}

#[test]
fn a_build_that_fails_says_so() {
    let site = Site::new();
    assert!(
        run(&site, &["build", "modules"])
            .fails(2)
            .contains("chicory new")
    );
    new_project(&site, "broken", "rust");
    change(
        &site.path("broken/src/lib.rs"),
        "-> Result<Summary, String>",
        "-> Result<Summery, String>",
    );
    assert!(
        run(&site, &["build", "broken"])
            .fails(1)
            .contains("the build failed")
    );
}
