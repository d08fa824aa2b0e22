//! `chaos`: one run, with its report on standard output. Exits 1 if something is wrong.
//!
//! Must not know how things are broken or judged.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chicory_chaos::account::draw_up;
use chicory_chaos::failover;
use chicory_chaos::fault::Fault;
use chicory_chaos::ground::Kind;
use chicory_chaos::report::Report;
use chicory_chaos::run::{Terms, run};
use chicory_chaos::schedule::{self, Planned};
use clap::Parser;
use serde::Serialize;

/// The real program under faults by a seeded schedule, and an exact account of its tasks.
#[derive(Debug, Parser)]
struct Arguments {
    /// What keeps the queues.
    #[arg(long, value_enum, default_value = "redis")]
    broker: Kind,
    /// What everything is drawn from; the time if it is not given.
    #[arg(long)]
    seed: Option<u64>,
    /// How long things break.
    #[arg(long, default_value_t = 300)]
    seconds: u64,
    /// The number of tasks.
    #[arg(long, default_value_t = 30_000)]
    tasks: usize,
    /// The number of workers.
    #[arg(long, default_value_t = 3)]
    workers: usize,
    /// The program; by default the one beside this one.
    #[arg(long)]
    program: Option<PathBuf>,
    /// A JSON report whose schedule is played again.
    #[arg(long)]
    schedule: Option<PathBuf>,
    /// Where to write the report as JSON.
    #[arg(long)]
    report: Option<PathBuf>,
    /// The longest from a fault's end to the next completed task, in seconds; by default 2, and on Cluster more.
    #[arg(long)]
    recovery: Option<u64>,
    /// Instead of a run: a planned failover at 1,500 enqueues a second, and what it loses of 10,000 messages.
    #[arg(long)]
    failover: bool,
    /// Only print the schedule.
    #[arg(long)]
    plan: bool,
    /// A folder for the workers' logs, with every detail.
    #[arg(long)]
    logs: Option<PathBuf>,
    /// How long a lease lasts, in milliseconds.
    #[arg(long, default_value_t = 2_000)]
    lease: u64,
    /// The setting `wait_replicas` of workers and producers. Without it, a master that is replaced may have
    /// acknowledged what its replica never got.
    #[arg(long, default_value_t = 0)]
    wait_replicas: u32,
    /// Only these faults, separated by commas, of those that can be done.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Fault>,
    /// The calm after each fault, in milliseconds; by default 3000, and more where failovers need it.
    #[arg(long)]
    calm: Option<u64>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.failover {
        return failover(&arguments);
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seed = arguments
        .seed
        .unwrap_or_else(|| since.unwrap_or_default().as_secs());
    let mut faults = arguments.broker.faults();
    if !arguments.only.is_empty() {
        faults.retain(|fault| arguments.only.contains(fault));
    }
    let drawn = schedule::Terms {
        faults: &faults,
        seconds: arguments.seconds,
        seats: arguments.workers,
        calm_ms: arguments.calm.unwrap_or(arguments.broker.calm_ms()),
    };
    let terms = Terms {
        ground: arguments.broker,
        seed,
        seconds: arguments.seconds,
        tasks: arguments.tasks,
        workers: arguments.workers,
        program: arguments.program.unwrap_or_else(beside),
        logs: arguments.logs,
        lease_ms: arguments.lease,
        wait_replicas: arguments.wait_replicas,
        recovery: arguments
            .recovery
            .map_or(arguments.broker.recovery(), Duration::from_secs),
        schedule: match &arguments.schedule {
            Some(path) => of_report(path),
            None => schedule::draw(seed, drawn),
        },
    };
    if arguments.plan {
        terms.schedule.iter().for_each(|one| println!("{one}"));
        return ExitCode::SUCCESS;
    }
    println!("seed {seed}; the schedule, as it is played:");
    let evidence = run(&terms, &|line| println!("{line}"));
    let report = Report::new(&terms, &evidence.enqueued, draw_up(&evidence));
    write_json(arguments.report.as_deref(), &report);
    print!("{}", report.text());
    code(report.passed())
}

/// Messages of a planned failover, and how many of them in a second.
const MESSAGES: usize = 10_000;
const RATE: u32 = 1_500;

fn failover(arguments: &Arguments) -> ExitCode {
    let outcome = failover::run(failover::Terms {
        ground: arguments.broker,
        messages: MESSAGES,
        rate: RATE,
        wait_replicas: arguments.wait_replicas,
    });
    let outcome = outcome.unwrap_or_else(|error| panic!("{error}"));
    write_json(arguments.report.as_deref(), &outcome);
    print!("{outcome}");
    code(outcome.passed())
}

fn write_json(path: Option<&Path>, report: &impl Serialize) {
    if let Some(path) = path {
        let json = serde_json::to_string_pretty(report).expect("a report is JSON");
        fs::write(path, json).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

fn code(passed: bool) -> ExitCode {
    if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The program that was built with this one.
fn beside() -> PathBuf {
    let this = std::env::current_exe().expect("a program knows its file");
    this.with_file_name("chicory")
}

/// The schedule of an earlier run's report.
fn of_report(path: &PathBuf) -> Vec<Planned> {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut report: serde_json::Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_value(report["schedule"].take())
        .unwrap_or_else(|error| panic!("{}: schedule: {error}", path.display()))
}
