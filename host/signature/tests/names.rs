//! The rule for names holds for whatever is given: spellings, dots, lengths, and modules beside each other.
//!
//! Must not know how names are compared.

use std::hash::{BuildHasher, RandomState};

use chicory_signature::{
    LocalName, MAX_MODULE_NAME, MAX_TASK_NAME, Meaning, ModulePattern, NameConflict, NameError,
    Offer, TaskName, canonical, check_module_name, conflict, find_name, meaning, same_name,
    shown_names,
};
use proptest::prelude::*;

/// A part of a name, of few letters so that names meet.
fn part() -> impl Strategy<Value = String> {
    "[abAB][ab_-]{0,2}"
}

fn dotted(parts: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = String> {
    prop::collection::vec(part(), parts).prop_map(|parts| parts.join("."))
}

/// The same name in another spelling, by a choice for each letter.
fn respelled(name: &str, choices: &[bool]) -> String {
    let choices = choices.iter().copied().chain(std::iter::repeat(false));
    let letters = name.chars().zip(choices);
    let letters = letters.map(|(letter, other)| match letter {
        '-' if other => '_',
        '_' if other => '-',
        letter if other && letter.is_ascii_lowercase() => letter.to_ascii_uppercase(),
        letter if other => letter.to_ascii_lowercase(),
        letter => letter,
    });
    letters.collect()
}

/// A module's name with its tasks' names.
fn module() -> impl Strategy<Value = (String, Vec<String>)> {
    (dotted(1..=3), prop::collection::vec(dotted(1..=2), 1..4))
}

fn offer((module, tasks): &(String, Vec<String>)) -> Offer<'_> {
    let tasks = tasks.iter().map(|task| task.as_str().into());
    Offer {
        module,
        tasks: tasks.collect(),
    }
}

proptest! {
    #[test]
    fn a_name_is_shown_as_it_was_written(name in dotted(2..=5)) {
        let parsed = TaskName::parse(&name).unwrap();
        prop_assert_eq!(parsed.to_string(), name.as_str());
        prop_assert_eq!(parsed.as_str(), name.as_str());
        for reading in parsed.readings() {
            prop_assert_eq!(reading.task.in_module(reading.module), name.as_str());
        }
    }

    #[test]
    fn all_spellings_are_one_name(name in dotted(2..=4), choices in prop::collection::vec(any::<bool>(), 0..12)) {
        let other = respelled(&name, &choices);
        let hasher = RandomState::new();
        let (name, other) = (TaskName::parse(&name).unwrap(), TaskName::parse(&other).unwrap());
        prop_assert_eq!(name, other);
        prop_assert_eq!(hasher.hash_one(name), hasher.hash_one(other));
        prop_assert_eq!(canonical(name.as_str()), canonical(other.as_str()));
    }

    #[test]
    fn names_are_the_same_where_their_canonical_forms_are(one in "[aA_.-]{0,4}", other in "[aA_.-]{0,4}") {
        prop_assert_eq!(same_name(&one, &other), canonical(&one) == canonical(&other));
    }

    #[test]
    fn the_longest_deployed_module_wins(name in dotted(2..=5), deployed in prop::collection::vec(dotted(1..=4), 0..6)) {
        let name = TaskName::parse(&name).unwrap();
        let is_deployed = |module: &str| deployed.iter().any(|known| same_name(known, module));
        let found = name.among(is_deployed);
        let possible = name.readings().filter(|reading| is_deployed(reading.module));
        let longest = possible.max_by_key(|reading| reading.module.len());
        prop_assert_eq!(found, longest);
    }

    /// Two modules that may be deployed beside each other: each task is met by its own name, and by no other module's.
    #[test]
    fn modules_beside_each_other_keep_their_names(one in module(), other in module()) {
        let found = conflict(&offer(&one), &offer(&other));
        let is_deployed = |module: &str| [&one, &other].iter().any(|(known, _)| same_name(known, module));
        let met = |(module, tasks): &(String, Vec<String>)| {
            tasks.iter().all(|task| {
                let name = format!("{module}.{task}");
                let reading = TaskName::parse(&name).unwrap().among(is_deployed);
                reading.is_some_and(|reading| same_name(reading.module, module))
            })
        };
        let told_apart = one.0 == other.0 || !same_name(&one.0, &other.0);
        prop_assert_eq!(found.is_none(), told_apart && met(&one) && met(&other), "{:?}", found);
    }

    #[test]
    fn any_text_is_a_name_or_refused_in_a_short_sentence(text in any::<String>(), long in "[a.]{0,600}") {
        for text in [text.as_str(), long.as_str()] {
            let refused = [
                TaskName::parse(text).err(),
                LocalName::parse(text).err(),
                check_module_name(text).err(),
                ModulePattern::parse(text).err(),
            ];
            for error in refused.into_iter().flatten() {
                prop_assert!(error.to_string().len() < 4_000);
                prop_assert!(!error.to_string().contains(char::is_control));
            }
        }
    }

    #[test]
    fn a_pattern_is_a_name_or_how_names_begin(name in dotted(1..=3), more in "[ab.]{0,3}", choices in prop::collection::vec(any::<bool>(), 0..12)) {
        let longer = format!("{}{more}", respelled(&name, &choices));
        let exact = ModulePattern::parse(&name).unwrap();
        prop_assert_eq!(exact.matches(&longer), more.is_empty());
        let open = ModulePattern::parse(&format!("{name}*")).unwrap();
        prop_assert!(open.matches(&longer));
        prop_assert!(!open.matches(&longer[..name.len() - 1]));
    }
}

#[test]
fn a_name_has_two_readings_at_most() {
    let name = TaskName::parse("acme.eu.shop.pay").unwrap();
    let readings: Vec<_> = name.readings().collect();
    let shown = |index: usize| (readings[index].module, readings[index].task.as_str());
    assert_eq!(readings.len(), 2);
    assert_eq!(shown(0), ("acme.eu.shop", "pay"));
    assert_eq!(shown(1), ("acme.eu", "shop.pay"));
    assert_eq!(
        name.inside("ACME.eu").map(LocalName::as_str),
        Some("shop.pay")
    );
    assert_eq!(name.inside("acme"), None);
}

/// Case W7: an interface may be named with its package and version.
#[test]
fn w7_the_full_name_of_an_interface_is_a_name() {
    for (name, module, task) in [
        (
            "m.acme:store/api@1.0.0.get",
            "m",
            "acme:store/api@1.0.0.get",
        ),
        ("a.b.acme:store/api.get", "a.b", "acme:store/api.get"),
        ("m.a:b/c@0.2.0-rc.1+x.f", "m", "a:b/c@0.2.0-rc.1+x.f"),
    ] {
        let parsed = TaskName::parse(name).unwrap();
        let readings: Vec<_> = parsed.readings().collect();
        assert_eq!(readings.len(), 1, "{name}");
        assert_eq!(
            (readings[0].module, readings[0].task.as_str()),
            (module, task)
        );
        assert_eq!(LocalName::parse(task).unwrap().in_module(module), name);
        assert_eq!(
            TaskName::parse(&canonical(name).to_uppercase()).unwrap(),
            parsed
        );
    }
    for bad in [
        "acme:store/api@1.0.0.get",
        "m.acme:store/api@1.0.0",
        "m.acme:store/api@.get",
        "m.acme:store/api@1..0.get",
        "m.acme:store.get",
        "m.acme:/api.get",
        "m.acme:store/a/b.get",
        "m.acme:store/api@1.0.0.",
        "m.acme:store/api@x.get",
        "m..acme:store/api.get",
        "m.acme:store/api@1.0.0 .get",
    ] {
        assert!(TaskName::parse(bad).is_err(), "{bad}");
    }
}

/// Case W7: a short name means a task if only one has it.
#[test]
fn w7_a_short_name_means_the_only_task_that_has_it() {
    let tasks = [
        "acme:store/api@1.0.0.get",
        "acme:store/api@2.0.0.get",
        "other:pkg/cart.get",
        "x:y/plain.f",
        "plain.f",
        "go",
    ];
    let means = |name| meaning(tasks, name);
    assert_eq!(means("ACME:store/api@1.0.0.get"), Meaning::Task(tasks[0]));
    assert_eq!(
        means("api.get"),
        Meaning::Ambiguous(vec![tasks[0], tasks[1]])
    );
    assert_eq!(means("CART.get"), Meaning::Task(tasks[2]));
    assert_eq!(
        means("plain.f"),
        Meaning::Task("plain.f"),
        "it is the name of one"
    );
    assert_eq!(means("go"), Meaning::Task("go"));
    assert_eq!(means("get"), Meaning::Nothing);
    assert_eq!(
        shown_names(tasks),
        [tasks[0], tasks[1], "cart.get", tasks[3], "plain.f", "go"]
    );
}

#[test]
fn names_have_bounds_and_their_errors_show_how_they_begin() {
    let (module, task) = ("m".repeat(MAX_MODULE_NAME), "t".repeat(127));
    let longest = format!("{module}.{task}");
    assert_eq!(longest.len(), MAX_TASK_NAME);
    assert!(TaskName::parse(&longest).is_ok() && LocalName::parse(&task).is_ok());
    assert!(check_module_name(&module).is_ok());
    let error = TaskName::parse(&format!("{longest}t")).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "a task's name may have up to 256 bytes, and {:?}… has 257",
            "m".repeat(40)
        )
    );
    assert!(matches!(
        check_module_name(&format!("{module}m")),
        Err(NameError::TooLong {
            length: 129,
            allowed: 128,
            ..
        })
    ));
}

#[test]
fn what_no_name_can_be_is_refused_with_what_is_allowed() {
    for (text, expected) in [
        ("", "use letters, digits"),
        ("a..b", "use letters, digits"),
        (".a", "use letters, digits"),
        ("a.b c", "use letters, digits"),
        ("a.größe", "use letters, digits"),
        ("a.\u{202e}b", r#""a.\u{202e}b" can't be a task's name"#),
        (
            "add",
            "give `module.function` or `module.interface.function`",
        ),
    ] {
        let error = TaskName::parse(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let error = LocalName::parse("a.b.c").unwrap_err().to_string();
    assert!(
        error.contains("give `function` or `interface.function`"),
        "{error}"
    );
    for text in ["", "acme.*.shop", "*acme", "acme *", ".*", "acme..*"] {
        let error = ModulePattern::parse(text).unwrap_err().to_string();
        assert!(error.contains("how names begin"), "{text:?}: {error}");
    }
}

#[test]
fn a_conflict_names_both_modules_and_the_task() {
    let acme = (
        "acme".to_owned(),
        vec!["ask".to_owned(), "Shop.pay".to_owned()],
    );
    let shop = ("acme.shop".to_owned(), vec!["buy".to_owned()]);
    for (one, other) in [(&acme, &shop), (&shop, &acme)] {
        let found = conflict(&offer(one), &offer(other)).unwrap();
        assert_eq!(
            found.to_string(),
            "the name \"acme.Shop.pay\" is ambiguous: module \"acme\" has a task `Shop.pay`, and what begins with \"acme.shop.\" belongs to module \"acme.shop\"; give one of them another name"
        );
    }
    let spelled = ("ACME".to_owned(), vec!["other".to_owned()]);
    let found = conflict(&offer(&acme), &offer(&spelled)).unwrap();
    assert!(matches!(found, NameConflict::Spelling { .. }), "{found}");
    assert_eq!(conflict(&offer(&acme), &offer(&acme)), None);
}

#[test]
fn an_entry_is_found_in_any_spelling() {
    let tasks = [("add-ALL".to_owned(), 1), ("add".to_owned(), 2)]
        .into_iter()
        .collect();
    assert_eq!(find_name(&tasks, "ADD_all"), Some(("add-ALL", &1)));
    assert_eq!(find_name(&tasks, "add"), Some(("add", &2)));
    assert_eq!(find_name(&tasks, "adds"), None);
}
