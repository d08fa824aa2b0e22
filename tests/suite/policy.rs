//! The operator's ceiling: what modules ask for above it is refused by name, wherever they come from.
//!
//! Must not know how a grant is linked or a limit is kept.

use chicory_testing::components::answering;
use chicory_testing::{Ran, Site};

use crate::versions::{deploy, write};

const GREEDY: &str = "\
[grants]
http = [\"169.254.169.254\", \"127.0.0.1:6379\", \"api.example.com\"]
[[grants.dirs]]
host = \"/\"
guest = \"/host\"
writable = true
[limits]
timeout = 100000.0
args_bytes = \"4GiB\"
[tasks.answer.limits]
result_bytes = \"4GiB\"
";

/// What each refusal of [`GREEDY`] names.
const NAMED: [&str; 6] = [
    "[grants] http = 169.254.169.254, allowed is * (lower it in the manifest, or raise [policy] http)",
    "[grants] http = 127.0.0.1:6379",
    "[grants] dirs = / (writable), allowed is none (lower it in the manifest, or raise [policy] writable_dirs)",
    "[limits] timeout = 100000, allowed is 3600",
    "[limits] args_bytes = 4294967296, allowed is 64MiB",
    "[tasks.answer.limits] result_bytes = 4294967296",
];

/// An operator who allows all of it.
const GENEROUS: [(&str, &str); 5] = [
    ("CHICORY_POLICY_HTTP", "*,private"),
    ("CHICORY_POLICY_WRITABLE_DIRS", "/"),
    ("CHICORY_POLICY_TIMEOUT", "none"),
    ("CHICORY_POLICY_ARGS_BYTES", "4GiB"),
    ("CHICORY_POLICY_RESULT_BYTES", "none"),
];

fn names_all(text: &str) {
    for named in NAMED {
        assert!(text.contains(named), "{named} is not in: {text}");
    }
    assert!(!text.contains("api.example.com"), "{text}");
}

fn generously(site: &Site, args: &[&str]) -> Ran {
    let mut command = site.command(args);
    command.envs(GENEROUS);
    Ran::of(command, b"")
}

/// Case M8, at deploy.
#[test]
fn a_deploy_above_the_ceiling_is_refused_by_name() {
    let site = Site::new();
    let _worker = site.worker(&[]);
    deploy(&site, "m", &answering(1), &[]).ok();
    write(&site, "m", &answering(2), GREEDY);
    let reason = site.run(&["deploy", "m.wasm"]);
    names_all(reason.fails(2));
    assert_eq!(
        site.call(&["m.answer"])["result"],
        1,
        "the version before serves"
    );
}

/// Case M8, in the worker: who deployed a module or wrote its record may have had other settings.
#[test]
fn a_worker_refuses_what_others_let_pass() {
    let site = Site::new();
    write(&site, "m", &answering(1), GREEDY);
    generously(&site, &["deploy", "m.wasm"]).ok();
    let mut worker = site.worker(&[]);
    let ended = site.call(&["m.answer"]);
    let error = ended["error"].as_str().expect("an error");
    assert!(error.starts_with("ModuleRefused"), "{error}");
    names_all(error);
    write(&site, "m", &answering(2), GREEDY);
    let refused = generously(&site, &["deploy", "m.wasm"]);
    assert!(
        refused.fails(1).contains("[policy] writable_dirs"),
        "{refused:?}"
    );
    assert_eq!(
        site.call(&["demo.add", "1", "2"])["result"],
        3,
        "others are served"
    );
    worker.stop();
    let generous = GENEROUS
        .iter()
        .fold(site, |site, (name, value)| site.set(name, value));
    let _worker = generous.worker(&[]);
    assert_eq!(generous.call(&["m.answer"])["result"], 1);
}

/// Case M8, in a folder of modules.
#[test]
fn a_folder_is_under_the_ceiling_and_a_command_of_ones_own_is_not() {
    let site = Site::new();
    write(&site, "modules/m", &answering(7), GREEDY);
    let worker = site.worker(&[]);
    let line = worker.line("refused a module");
    names_all(line["reason"].as_str().expect("a reason"));
    let own = site.run(&["run", "modules/m.wasm", "answer"]);
    assert_eq!(own.ok(), "7");
}

#[test]
fn what_is_in_force_is_shown_with_what_cut_it() {
    let site = Site::new()
        .set("CHICORY_POLICY_TIMEOUT", "60")
        .set("CHICORY_POLICY_MODULES", r#"{"m": {"memory": "64MiB"}}"#);
    write(
        &site,
        "m",
        &answering(1),
        "[grants]\nhttp = [\"a.example\"]\n",
    );
    site.run(&["deploy", "m.wasm"]).ok();
    for args in [&["inspect", "m.wasm"][..], &["modules", "show", "m"]] {
        let shown = site.run(args);
        for part in [
            "http: a.example",
            "timeout = 60 s, memory = 64 MiB",
            "a call takes at most 80 MiB, of its own memory and of what the host holds for it",
            "cut: [limits] timeout = 60, by [policy] timeout",
            "cut: [limits] memory = 64MiB, by [policy.modules.\"m\"] memory",
        ] {
            assert!(shown.ok().contains(part), "{part} is not in: {shown:?}");
        }
        let json = site.run(&[args, &["--json"]].concat()).json();
        assert_eq!(json["in_force"]["limits"]["timeout"], 60.0, "{json}");
        assert_eq!(json["in_force"]["most_memory_bytes"], 80 << 20, "{json}");
    }
    write(&site, "m", &answering(1), GREEDY);
    let shown = site.run(&["inspect", "m.wasm"]);
    assert!(
        shown.ok().contains("refused: [grants] dirs = / (writable)"),
        "{shown:?}"
    );
    let settings = site.run(&["config", "show"]);
    assert!(settings.ok().contains("[policy] timeout"), "{settings:?}");
}

/// Each ceiling, with a manifest that goes beyond it, and what the refusal names.
const CEILINGS: [(&str, &str, &str, &str); 11] = [
    (
        "CHICORY_POLICY_ENV",
        "false",
        "[grants]\nenv = { A = \"1\" }\n",
        "[grants] env",
    ),
    (
        "CHICORY_POLICY_DIRS",
        "/srv",
        "[[grants.dirs]]\nhost = \"/etc\"\nguest = \"/e\"\n",
        "[grants] dirs",
    ),
    (
        "CHICORY_POLICY_INTERFACES",
        "a:b/c",
        "[grants]\ninterfaces = [\"d:e/f\"]\n",
        "[grants] interfaces",
    ),
    (
        "CHICORY_POLICY_CPU_TIME",
        "5",
        "[limits]\ncpu_time = 6\n",
        "[limits] cpu_time",
    ),
    (
        "CHICORY_POLICY_MEMORY",
        "1MiB",
        "[limits]\nmemory = \"2MiB\"\n",
        "[limits] memory",
    ),
    (
        "CHICORY_POLICY_TABLE_ELEMENTS",
        "10",
        "[limits]\ntable_elements = 11\n",
        "[limits] table_elements",
    ),
    (
        "CHICORY_POLICY_FUEL",
        "10",
        "[limits]\nfuel = 11\n",
        "[limits] fuel",
    ),
    (
        "CHICORY_POLICY_OUTPUT_BYTES",
        "1KiB",
        "[limits]\noutput_bytes = \"2KiB\"\n",
        "[limits] output_bytes",
    ),
    (
        "CHICORY_POLICY_LOG_BYTES",
        "1KiB",
        "[limits]\nlog_bytes = \"2KiB\"\n",
        "[limits] log_bytes",
    ),
    (
        "CHICORY_POLICY_HOST_CALL_BYTES",
        "1KiB",
        "[limits]\nhost_call_bytes = \"2KiB\"\n",
        "[limits] host_call_bytes",
    ),
    (
        "CHICORY_POLICY_WRITE_BYTES",
        "1KiB",
        "[limits]\nwrite_bytes = \"2KiB\"\n",
        "[limits] write_bytes",
    ),
];

#[test]
fn each_ceiling_is_a_setting_that_a_deploy_names() {
    for (variable, ceiling, manifest, named) in CEILINGS {
        let site = Site::new().set(variable, ceiling);
        write(&site, "m", &answering(1), manifest);
        let refused = site.run(&["deploy", "m.wasm"]);
        assert!(refused.stderr.contains(named), "{variable}: {refused:?}");
    }
    // What modules have without asking is cut.
    let cut = Site::new()
        .set("CHICORY_POLICY_CLOCKS", "false")
        .set("CHICORY_POLICY_RANDOM", "false")
        .set("CHICORY_POLICY_STDIO", "false");
    write(&cut, "m", &answering(1), "");
    let shown = cut.run(&["inspect", "m.wasm"]);
    for grant in ["clocks", "random", "stdio"] {
        let line = format!("cut: [grants] {grant}");
        assert!(shown.ok().contains(&line), "{line}: {shown:?}");
    }
    let signed = Site::new().set("CHICORY_POLICY_SIGNED", r#"{"timeout": 5}"#);
    write(&signed, "m", &answering(1), "[limits]\ntimeout = 60\n");
    signed.run(&["deploy", "m.wasm"]).ok();
    let settings = signed.run(&["config", "show"]);
    assert!(settings.ok().contains("[policy] signed"), "{settings:?}");
}
