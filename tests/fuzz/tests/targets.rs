//! Each target for a few seconds: first what was found before, then random edits of its seeds.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use chicory_fuzz::{Target, all};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// How long each target runs.
const TIME: Duration = Duration::from_secs(2);

fn run(name: &str) {
    let target = all()
        .iter()
        .find(|target| target.name == name)
        .expect("a target of this name");
    (target.check_seeds)();
    run_found(target);
    let config = ProptestConfig {
        cases: 32,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = TestRunner::new(config);
    let input = prop::collection::vec(any::<u8>(), 0..160);
    let until = Instant::now() + TIME;
    while Instant::now() < until {
        let ran = runner.run(&input, |bytes| {
            (target.run)(&bytes);
            Ok(())
        });
        if let Err(error) = ran {
            panic!("{error}\nmend it, and keep the input in found/{name}");
        }
    }
}

fn run_found(target: &Target) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("found")
        .join(target.name);
    for file in fs::read_dir(folder).into_iter().flatten() {
        let path = file.unwrap().path();
        println!("{}", path.display());
        (target.run)(&fs::read(path).unwrap());
    }
}

macro_rules! targets {
    ($($name:ident),*) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*

        #[test]
        fn each_target_is_run() {
            let names: Vec<_> = all().iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

targets!(
    messages, signatures, manifests, records, linker, sections, loader
);
