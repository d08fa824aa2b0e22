//! `chicory client`: what it prints for modules compiles, as a part of this program, and calls their tasks.
//!
//! Must not know how it is written.

mod printed;

use std::fmt::Debug;
use std::time::Duration;

use chicory_queue::{Base64, Call, CallError, Client, Nested};
use chicory_testing::{Site, guest, root};
use serde::de::DeserializeOwned;

use self::printed::{csv_stats, demo, markdown, wordcount, wrong_types as echo};

/// Run with `CHICORY_PRINT_CLIENTS=1` to write the files anew.
#[test]
fn the_modules_here_are_what_is_printed() {
    let site = Site::new();
    for module in ["csv-stats", "demo", "markdown", "wordcount", "wrong-types"] {
        let file = guest(module);
        let printed = site.run(&["client", file.to_str().unwrap()]);
        let name = module.replace('-', "_");
        let path = root().join(format!("tests/suite/typed_client/printed/{name}.rs"));
        if std::env::var_os("CHICORY_PRINT_CLIENTS").is_some() {
            std::fs::write(&path, &printed.stdout).unwrap();
        }
        let here = std::fs::read_to_string(&path).unwrap();
        // The first line names the version, which differs from compiler to compiler.
        let rest = |text: &str| text.split_once('\n').map(|(_, rest)| rest.to_owned());
        assert_eq!(rest(printed.ok()), rest(here.trim_end()), "{module}");
    }
}

/// A site with a worker, and a client of its broker.
struct Typed {
    client: Client,
    runtime: tokio::runtime::Runtime,
}

impl Typed {
    fn of(site: &Site) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let url = format!("redis://127.0.0.1:{}", site.redis.port());
        let client = runtime.block_on(Client::open(&url)).unwrap();
        Self { client, runtime }
    }

    fn call<R: DeserializeOwned>(&self, call: Call<R>) -> Result<R, CallError> {
        let timeout = Some(Duration::from_mins(1));
        let called = self.client.call("default", call, timeout);
        self.runtime.block_on(called)
    }

    fn echoes<R: DeserializeOwned + PartialEq + Debug>(&self, call: Call<R>, expected: &R) {
        assert_eq!(&self.call(call).unwrap(), expected);
    }
}

#[test]
fn tasks_are_called_with_their_types() {
    let site = Site::new();
    for module in ["csv-stats", "markdown", "wordcount"] {
        site.deploy(module);
    }
    let _worker = site.worker(&[]);
    let typed = Typed::of(&site);
    assert_eq!(typed.call(demo::add(40, 2)).unwrap(), 42);
    assert_eq!(typed.call(demo::greet("Ada")).unwrap(), "Hello, Ada!");
    typed.call(demo::noop()).unwrap();
    let failed = typed.call(demo::gives_up("no such order")).unwrap_err();
    assert!(
        matches!(&failed, CallError::Failed { error, .. } if error.contains("no such order")),
        "{failed}"
    );
    let headings = typed.call(markdown::outline("# One\n\n## Two\n")).unwrap();
    let seen: Vec<_> = headings
        .iter()
        .map(|heading| (heading.level, heading.text.as_str()))
        .collect();
    assert_eq!(seen, [(1, "One"), (2, "Two")]);
    let page = typed.call(markdown::render("*a*", None)).unwrap();
    assert!(page.contains("<em>a</em>"), "{page}");
    let table = "city,rain\nBonn,1.5\nBonn,2.5\n";
    let groups = typed
        .call(csv_stats::aggregate(table, "city", "rain", Some(',')))
        .unwrap();
    assert_eq!((groups[0].key.as_str(), groups[0].count), ("Bonn", 2));
    let counted = typed.call(wordcount::run(&[], "one two")).unwrap();
    assert_eq!(counted.trim_end(), "1 one\n1 two");
}

#[test]
fn every_type_goes_there_and_comes_back() {
    let site = Site::new();
    site.deploy("wrong-types");
    let _worker = site.worker(&[]);
    let typed = Typed::of(&site);
    typed.echoes(echo::echo_of_u64(u64::MAX), &u64::MAX);
    typed.echoes(echo::echo_of_s64(i64::MIN), &i64::MIN);
    typed.echoes(echo::echo_of_f64(0.1), &0.1);
    typed.echoes(echo::echo_of_char('ß'), &'ß');
    typed.echoes(echo::echo_of_bytes(&[0, 255]), &Base64(vec![0, 255]));
    let tuple = (7, "b".to_owned(), true);
    typed.echoes(echo::echo_of_tuple(tuple.clone()), &tuple);
    typed.echoes(echo::echo_of_option(None), &None);
    for some in [None, Some(7)] {
        let value = Some(Nested { some });
        typed.echoes(echo::echo_of_option_of_option(value), &value);
    }
    typed.echoes(echo::echo_of_option_of_option(None), &None);
    let color = echo::EchoOfEnumValue::DarkGreen;
    typed.echoes(echo::echo_of_enum(color.clone()), &color);
    let rights = vec![echo::EchoOfFlagsValue::Read, echo::EchoOfFlagsValue::RunIt];
    typed.echoes(echo::echo_of_flags(rights.clone()), &rights);
    let point = echo::EchoOfNestedValuePointsItem {
        x: 1,
        y_axis: -2,
        label: Some("here".into()),
    };
    typed.echoes(echo::echo_of_record(point.clone()), &point);
    let nested = echo::EchoOfNestedValue {
        points: vec![point.clone()],
        by_name: vec![("a".into(), point.clone())],
        color,
    };
    typed.echoes(echo::echo_of_nested(nested.clone()), &nested);
    for shape in [
        echo::EchoOfVariantValue::Nothing,
        echo::EchoOfVariantValue::Circle(1.5),
        echo::EchoOfVariantValue::Polygon(vec![point]),
    ] {
        typed.echoes(echo::echo_of_variant(shape.clone()), &shape);
    }
    let results = vec![
        echo::EchoOfResultsValueItem::Ok(1),
        echo::EchoOfResultsValueItem::Err("no".into()),
    ];
    typed.echoes(echo::echo_of_results(results.clone()), &results);
    let empty = vec![
        echo::EchoOfEmptyResultsValueItem::Ok(()),
        echo::EchoOfEmptyResultsValueItem::Err(()),
    ];
    typed.echoes(echo::echo_of_empty_results(empty.clone()), &empty);
    let odd = typed.call(echo::echo_odd_floats()).unwrap_err();
    assert!(matches!(odd, CallError::OtherType { .. }), "{odd}");
}
