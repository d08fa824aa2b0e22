//! Case M8: each grant and each limit in a table: not asked for, within the ceiling, above it.

use std::path::Path;

use chicory_runtime::{LIMITS, Limits};
use serde_json::{Value, json};

use super::Standing::{Signed, Unsigned};
use super::*;

fn asked(settings: Value) -> ModuleSettings {
    serde_json::from_value(settings).unwrap()
}

/// A policy for all modules, with these keys over the defaults.
fn policy(keys: &[(&str, &str)]) -> Policy {
    let mut rules = Policy::default().rules;
    for (key, text) in keys {
        rules[0].set(key, text).unwrap();
    }
    Policy::of(rules)
}

fn weigh(policy: &Policy, settings: Value) -> (Allowed, Vec<Excess>) {
    policy.weigh("m", Standing::Unsigned, &asked(settings))
}

/// What is asked for above the ceiling is refused by name; what is within it is given unchanged.
fn check(policy: &Policy, within: Value, above: Value, what: &str, place: &str) {
    let given = asked(within.clone());
    let (allowed, excesses) = weigh(policy, within);
    assert_eq!(
        (excesses, &allowed.settings.grants),
        (vec![], &given.grants),
        "{what}"
    );
    let error = policy
        .apply("m", Standing::Unsigned, &asked(above))
        .unwrap_err();
    assert_eq!(error.excesses.len(), 1, "{error}");
    let (only, text) = (&error.excesses[0], error.to_string());
    assert_eq!((only.what.as_str(), only.place.as_str()), (what, place));
    for part in ["module \"m\"", what, place, &only.asked, &only.allowed] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn each_limit_without_a_word_within_and_above() {
    for limit in &LIMITS {
        let key = limit.bounded.name;
        let most = limit.bounded.range.most;
        let ceiling = (most / 4.0).floor();
        let text = ceiling.to_string();
        let policy = policy(&[(key, &text)]);
        let place = format!("[policy] {key}");
        let value = |number: f64| match limit.bounded.range.unit {
            chicory_signature::Unit::Seconds => json!(number),
            _ => json!(number.to_string().parse::<u64>().unwrap()),
        };
        for (what, table) in [("[limits]", "limits"), ("[tasks.t.limits]", "task_limits")] {
            let settings = |number| {
                let limits = json!({key: value(number)});
                match table {
                    "limits" => json!({"limits": limits}),
                    _ => json!({"task_limits": {"t": limits}}),
                }
            };
            let what = format!("{what} {key}");
            check(&policy, settings(ceiling), settings(most), &what, &place);
        }
        // If nothing is said, the default, but no more than the ceiling.
        let (allowed, excesses) = weigh(&policy, json!({}));
        assert!(excesses.is_empty());
        let default = limit.of(&Limits::defaults());
        let in_force = limit.of(&allowed.settings.limits);
        if default.is_some_and(|default| default <= ceiling) {
            assert_eq!(in_force, None, "{key}");
        } else {
            assert_eq!(in_force, Some(ceiling), "{key}");
            assert!(allowed.cuts.iter().any(|cut| cut.place == place), "{key}");
        }
        // What has no ceiling is not limited.
        let settings = asked(json!({"limits": {key: value(most)}}));
        let open = Policy::open()
            .apply("m", Standing::Unsigned, &settings)
            .unwrap();
        assert_eq!((open.settings, open.cuts), (settings, vec![]));
    }
}

#[test]
fn what_grants_switch_on_can_be_switched_off() {
    for key in ["clocks", "random", "stdio"] {
        let (allowed, excesses) = weigh(&policy(&[(key, "false")]), json!({}));
        assert!(excesses.is_empty());
        assert_eq!(
            allowed.cuts[0].to_string(),
            format!("[grants] {key} = false, by [policy] {key}")
        );
        let grants = serde_json::to_value(&allowed.settings.grants).unwrap();
        assert_eq!(grants[key], false);
        assert!(
            weigh(&Policy::default(), json!({})).0.cuts.is_empty(),
            "by default it stays"
        );
    }
    let grant = json!({"grants": {"env": {"A": "1"}}});
    check(
        &policy(&[("env", "false")]),
        json!({}),
        grant.clone(),
        "[grants] env",
        "[policy] env",
    );
    assert!(weigh(&Policy::default(), grant).1.is_empty());
}

#[test]
fn hosts_of_the_own_network_are_not_for_strangers() {
    let grant = |host: &str| json!({"grants": {"http": [host]}});
    let default = Policy::default();
    for above in [
        "169.254.169.254",
        "127.0.0.1:6379",
        "localhost",
        "10.0.0.1",
        "[::1]:80",
        "::ffff:10.1.1.1",
    ] {
        check(
            &default,
            grant("*.example.com"),
            grant(above),
            "[grants] http",
            "[policy] http",
        );
        check(
            &default,
            grant("example.com:8443"),
            grant(above),
            "[grants] http",
            "[policy] http",
        );
        let private = policy(&[("http", "private")]);
        check(
            &private,
            grant(above),
            grant("example.com"),
            "[grants] http",
            "[policy] http",
        );
    }
    let some = policy(&[("http", "*.example.com, 10.0.0.1:8080")]);
    for (within, above) in [
        ("a.example.com", "example.com"),
        ("*.b.example.com", "*.com"),
        ("10.0.0.1:8080", "10.0.0.1"),
        ("a.example.com:443", "a.example.com:8080"),
    ] {
        check(
            &some,
            grant(within),
            grant(above),
            "[grants] http",
            "[policy] http",
        );
    }
    check(
        &policy(&[("http", "")]),
        json!({}),
        grant("example.com"),
        "[grants] http",
        "[policy] http",
    );
}

#[test]
fn folders_are_those_that_the_operator_names() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().canonicalize().unwrap();
    for folder in ["read/inner", "write", "secret"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    std::os::unix::fs::symlink(root.join("secret"), root.join("read/link")).unwrap();
    let at = |folder: &str| root.join(folder).display().to_string();
    let grant = |host: &str, writable: bool| json!({"grants": {"dirs": [{"host": host, "guest": "/d", "writable": writable}]}});
    let some = policy(&[("dirs", &at("read")), ("writable_dirs", &at("write"))]);
    let read = |host: &str| grant(host, false);
    let dirs = "[grants] dirs";
    for within in ["read", "read/inner", "write"] {
        for above in [
            "secret",
            "",
            "read/../secret",
            "read/link",
            "reader",
            "read/missing/../../secret",
        ] {
            check(
                &some,
                read(&at(within)),
                read(&at(above)),
                dirs,
                "[policy] dirs",
            );
        }
        check(&some, read(&at(within)), read("/"), dirs, "[policy] dirs");
    }
    let (inside, writable) = (grant(&at("write"), true), "[policy] writable_dirs");
    check(&some, inside, grant(&at("read"), true), dirs, writable);
    check(
        &Policy::default(),
        json!({}),
        read(&at("read")),
        dirs,
        "[policy] dirs",
    );
    check(
        &Policy::default(),
        json!({}),
        grant("/", true),
        dirs,
        writable,
    );
    // What is opened is what was checked.
    let dotted = at("read/inner/../inner");
    let (allowed, _) = weigh(&some, read(&dotted));
    assert_eq!(
        allowed.settings.grants.dirs[0].host,
        Path::new(&at("read/inner"))
    );
}

#[test]
fn interfaces_can_be_kept_to_some() {
    let grant = |name: &str| json!({"grants": {"interfaces": [name]}});
    let some = policy(&[("interfaces", "acme:shop/prices")]);
    for within in ["acme:shop/prices", "acme:shop/prices@1.0.0"] {
        let what = "[grants] interfaces";
        check(
            &some,
            grant(within),
            grant("acme:shop/admin"),
            what,
            "[policy] interfaces",
        );
    }
    assert!(
        weigh(&Policy::default(), grant("acme:shop/admin"))
            .1
            .is_empty()
    );
}

#[test]
fn the_nearest_rule_goes_first_key_by_key() {
    let rule = |pattern: &str, signed, place: &str, keys: &[(&str, &str)]| {
        let mut rule = Rule::new(pattern, signed, place).unwrap();
        for (key, text) in keys {
            rule.set(key, text).unwrap();
        }
        rule
    };
    let policy = Policy::of(vec![
        rule("acme.shop", false, "exact", &[("timeout", "10")]),
        rule("*", false, "all", &[("timeout", "20"), ("fuel", "5")]),
        rule(
            "acme.*",
            false,
            "acme",
            &[("timeout", "30"), ("fuel", "none")],
        ),
        rule("*", true, "signed", &[("timeout", "40")]),
        rule("acme.*", true, "acme signed", &[("timeout", "50")]),
    ]);
    for (module, standing, timeout, place, fuel) in [
        ("other", Unsigned, 20.0, "all", Some(5.0)),
        ("other", Signed, 40.0, "signed", Some(5.0)),
        ("acme.x", Unsigned, 30.0, "acme", None),
        ("Acme.X", Signed, 50.0, "acme signed", None),
        ("acme.shop", Signed, 10.0, "exact", None),
    ] {
        let (allowed, _) = policy.weigh(module, standing, &ModuleSettings::default());
        let limits = &allowed.settings.limits;
        assert_eq!(limits.timeout, Some(timeout), "{module}");
        assert_eq!(
            chicory_runtime::Limit::named("fuel").unwrap().of(limits),
            fuel
        );
        assert!(
            allowed
                .cuts
                .iter()
                .any(|cut| cut.place == format!("{place} timeout"))
        );
    }
}

#[test]
fn what_is_no_ceiling_says_what_is_allowed() {
    for (key, text, allowed) in [
        ("http", "http://example.com", "hosts as in a manifest"),
        ("dirs", "relative", "absolute paths"),
        ("clocks", "maybe", "true or false"),
        ("timeout", "-1", "seconds from 0.001 to 2592000, or none"),
        ("timeout", "1e19", "seconds from "),
        ("memory", "lots", "a size from "),
        ("tmeout", "1", "one of the keys env, clocks"),
    ] {
        let error = Rule::for_all().set(key, text).unwrap_err().to_string();
        assert!(error.contains(allowed) && error.contains(text), "{error}");
    }
}
