//! The transitions of a module's record: single ones, and random ones against what must always hold.

use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn version(digest: &str, seconds: i64) -> Version {
    Version {
        digest: digest.into(),
        size: 1,
        version: None,
        tasks: std::collections::BTreeMap::new(),
        manifest: serde_json::Value::Null,
        deployed_by: "me".into(),
        deployed_at: at(seconds),
        signature: None,
        source: None,
        retiring: false,
    }
}

fn request(id: &str, seconds: i64) -> RolloutRequest {
    RolloutRequest {
        id: id.into(),
        by: "me".into(),
        now: at(seconds),
        expires_at: at(seconds + 60),
        canary: None,
        allow_breaking: false,
    }
}

/// A record on which this version is active.
fn with(record: ModuleRecord, digest: &str, seconds: i64) -> ModuleRecord {
    let begun = record.begin(version(digest, seconds), vec![], &request(digest, seconds));
    let switched = begun.unwrap().switch(digest, at(seconds)).unwrap();
    switched.finish(digest, at(seconds)).unwrap()
}

#[test]
fn a_rollout_serves_from_its_switch_and_is_active_at_its_end() {
    let record = with(ModuleRecord::new("m"), "one", 0);
    let begun = record
        .begin(version("two", 1), vec![], &request("r", 1))
        .unwrap();
    assert_eq!(
        (begun.serving(), begun.active.as_deref()),
        (Some("one"), Some("one"))
    );
    let switched = begun.switch("r", at(2)).unwrap();
    assert_eq!(
        (switched.serving(), switched.active.as_deref()),
        (Some("two"), Some("one"))
    );
    let done = switched.finish("r", at(3)).unwrap();
    assert_eq!(
        (done.serving(), done.active.as_deref()),
        (Some("two"), Some("two"))
    );
    assert_eq!(done.history.len(), 2);
    assert!(matches!(
        done.finish("r", at(4)),
        Err(DeployRefused::Over { .. })
    ));
}

#[test]
fn of_two_deploys_the_second_is_told_of_the_first() {
    let record = ModuleRecord::new("m")
        .begin(version("one", 0), vec![], &request("r", 0))
        .unwrap();
    let refused = record
        .clone()
        .begin(version("two", 1), vec![], &request("s", 1))
        .unwrap_err();
    assert!(
        refused.to_string().contains("me has been rolling out one"),
        "{refused}"
    );
    // One whose author has gone is no obstacle.
    let later = record.begin(version("two", 61), vec![], &request("s", 61));
    assert_eq!(later.unwrap().rollout.unwrap().digest, "two");
}

#[test]
fn an_aborted_version_leaves_nothing() {
    let record = with(ModuleRecord::new("m"), "one", 0);
    let begun = record
        .clone()
        .begin(version("two", 1), vec![], &request("r", 1))
        .unwrap();
    assert_eq!(begun.abort("r").unwrap(), record);
}

#[test]
fn a_rollout_that_expires_has_one_clear_end() {
    let record = with(ModuleRecord::new("m"), "one", 0);
    let begun = record
        .clone()
        .begin(version("two", 1), vec![], &request("r", 1))
        .unwrap();
    assert_eq!(begun.clone().expire(at(60)), None);
    assert_eq!(begun.clone().expire(at(61)), Some(record));
    let switched = begun.switch("r", at(2)).unwrap();
    assert_eq!(
        switched.expire(at(61)).unwrap().active.as_deref(),
        Some("two")
    );
}

#[test]
fn what_breaks_messages_is_refused_with_the_list() {
    let record = with(ModuleRecord::new("m"), "one", 0);
    let changes = || vec!["`f` is gone".to_owned()];
    let begin =
        |request: &RolloutRequest| record.clone().begin(version("two", 1), changes(), request);
    let refused = begin(&request("r", 1)).unwrap_err().to_string();
    assert!(
        refused.contains("does not accept") && refused.contains("- `f` is gone"),
        "{refused}"
    );
    let wanted = RolloutRequest {
        allow_breaking: true,
        ..request("r", 1)
    };
    assert!(begin(&wanted).is_ok());
    let canary = RolloutRequest {
        canary: Some(CanaryTerms::default()),
        ..wanted
    };
    assert!(matches!(
        begin(&canary),
        Err(DeployRefused::BreakingCanary { .. })
    ));
}

#[test]
fn the_way_back_goes_to_what_was_active_before() {
    let record = with(with(ModuleRecord::new("m"), "one", 0), "two", 1);
    let back = record
        .clone()
        .begin_rollback(None, &request("b", 2))
        .unwrap();
    assert_eq!(back.rollout.unwrap().digest, "one");
    let named = record.clone().begin_rollback(Some("on"), &request("b", 2));
    assert_eq!(named.unwrap().rollout.unwrap().digest, "one");
    for (to, error) in [
        ("two", "active version"),
        ("x", "no version x"),
        ("", "no version"),
    ] {
        let refused = record
            .clone()
            .begin_rollback(Some(to), &request("b", 2))
            .unwrap_err();
        assert!(refused.to_string().contains(error), "{refused}");
    }
    let first = with(ModuleRecord::new("m"), "one", 0);
    assert!(matches!(
        first.begin_rollback(None, &request("b", 2)),
        Err(DeployRefused::NothingBefore { .. })
    ));
}

#[test]
fn a_canary_serves_until_it_is_promoted_or_ended() {
    let canary = RolloutRequest {
        canary: Some(CanaryTerms::default()),
        ..request("c", 1)
    };
    let first = ModuleRecord::new("m").begin(version("one", 1), vec![], &canary);
    assert!(matches!(first, Err(DeployRefused::NothingActive { .. })));
    let record = with(ModuleRecord::new("m"), "one", 0);
    let begun = record.begin(version("two", 1), vec![], &canary).unwrap();
    let serving = begun.switch("c", at(2)).unwrap();
    assert_eq!(
        (serving.serving(), serving.rollout.as_ref()),
        (Some("one"), None)
    );
    assert_eq!(serving.canary.as_ref().unwrap().digest, "two");
    let refused = serving
        .clone()
        .begin(version("three", 3), vec![], &request("r", 3));
    assert!(matches!(refused, Err(DeployRefused::CanaryServes { .. })));
    let promoted = serving.clone().promote_canary("c", "w", at(9)).unwrap();
    assert_eq!(
        (promoted.active.as_deref(), promoted.canary),
        (Some("two"), None)
    );
    let ended = serving.end_canary("c").unwrap();
    assert_eq!((ended.active.as_deref(), ended.canary), (Some("one"), None));
}

#[test]
fn old_versions_are_retired_by_number_and_age_but_never_what_is_in_use() {
    let mut record = ModuleRecord::new("m");
    for number in 0..6 {
        record = with(record, &format!("v{number}"), number);
    }
    let rule = RetentionRule { count: 2, age: 3.0 };
    assert_eq!(
        record.retire(rule, at(5)),
        ["v0", "v1", "v2", "v3"].map(String::from)[..3]
    );
    assert_eq!(record.forget_retired(&["v1".into()]), ["v0", "v2"]);
    let kept: Vec<_> = record
        .versions
        .iter()
        .map(|version| version.digest.as_str())
        .collect();
    assert_eq!(kept, ["v1", "v3", "v4", "v5"]);
    let rule = RetentionRule { count: 0, age: 0.0 };
    assert_eq!(
        record.retire(rule, at(99)),
        ["v1", "v3"],
        "the active one and the one before stay"
    );
}

proptest! {
    #[test]
    fn whatever_happens_what_serves_is_kept(steps in proptest::collection::vec((0u8..8, 0u8..4), 0..60)) {
        let mut record = ModuleRecord::new("m");
        for (second, (step, which)) in (0i64..).zip(steps) {
            let second = second * 20;
            let digest = format!("v{which}");
            let mut wanted = request("r", second);
            wanted.canary = (which == 3).then(CanaryTerms::default);
            let next = match step {
                0 | 1 => record.clone().begin(version(&digest, second), vec![], &wanted).ok(),
                2 => record.clone().begin_rollback(None, &wanted).ok(),
                3 => record.clone().switch("r", at(second)).ok(),
                4 => record.clone().finish("r", at(second)).ok(),
                5 => record.clone().abort("r").ok(),
                6 => record.clone().promote_canary("r", "w", at(second)).ok(),
                _ => {
                    let mut next = record.clone().expire(at(second)).unwrap_or_else(|| record.clone());
                    next.retire(RetentionRule { count: 1, age: 0.0 }, at(second));
                    next.forget_retired(&[]);
                    Some(next)
                }
            };
            record = next.unwrap_or(record);
            let used = [record.serving(), record.active.as_deref(), record.canary.as_ref().map(|canary| canary.digest.as_str())];
            for digest in used.into_iter().flatten() {
                prop_assert!(record.version(digest).is_some(), "{digest} of {record:?}");
            }
            let json = serde_json::to_string(&record).unwrap();
            prop_assert_eq!(serde_json::from_str::<ModuleRecord>(&json).unwrap(), record.clone());
        }
    }
}

/// A record whose active version has this task.
fn offering(module: &str, task: &str) -> ModuleRecord {
    let signature = chicory_signature::Signature {
        kind: chicory_signature::Kind::Function,
        params: [].into(),
        result: None,
    };
    let version = Version {
        tasks: [(task.to_owned(), signature)].into(),
        ..version(module, 0)
    };
    ModuleRecord::of_one(module, version)
}

#[test]
fn m3_a_module_conflicts_with_what_new_messages_meet_elsewhere() {
    let shop = offering("acme.shop", "pay");
    let mut acme = offering("acme", "shop.pay");
    let said = acme.conflict_with([&shop]).unwrap().to_string();
    assert!(said.contains("\"acme.shop.pay\" is ambiguous"), "{said}");
    assert_eq!(shop.conflict_with([&acme]), acme.conflict_with([&shop]));
    assert_eq!(acme.conflict_with([&acme]), None);
    // A module that was never deployed owns no names.
    assert_eq!(acme.conflict_with([&ModuleRecord::new("acme.shop")]), None);
    // The version with the task is only kept for messages that are queued.
    let other = offering("acme", "ask").versions.remove(0);
    acme.active = Some("next".into());
    acme.versions.push(Version {
        digest: "next".into(),
        ..other
    });
    assert_eq!(acme.conflict_with([&shop]), None);
    // It is to serve again.
    let back = acme.begin_rollback(Some("acme"), &request("r", 1)).unwrap();
    let refused = back.beside(&[shop]).unwrap_err();
    assert!(matches!(refused, DeployRefused::Names(_)), "{refused}");
}
