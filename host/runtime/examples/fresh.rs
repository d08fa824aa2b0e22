//! What one call costs in a fresh sandbox, for any module: time on a thread and page faults per call.
//!
//! `cargo run --release --workspace --example fresh -- MODULE TASK ARGS [CALLS] [THREADS]`, with
//! ARGS a JSON list. Must not know how the calls are run.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;
use std::{env, fs, thread};

use chicory_runtime::{
    Arguments, Grants, How, Invocation, LoadRequest, ModuleSettings, RawJson, Sandbox,
    SandboxConfig, Task,
};
use tokio::runtime::Builder;

/// Calls that are not counted: the first ones find cold memory.
const WARM_UP: usize = 20;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [file, name, args, rest @ ..] = &words[..] else {
        return Err("usage: fresh MODULE TASK ARGS [CALLS] [THREADS]".into());
    };
    let number = |at: usize, default| rest.get(at).map_or(Ok(default), |text| text.parse());
    let (calls, threads): (usize, usize) = (number(0, 1000)?, number(1, 1)?);
    let mut arguments = Arguments::default();
    arguments.set_args(RawJson::parse(args.clone())?)?;
    let sandbox = Sandbox::new(SandboxConfig {
        cache_dir: Some(env::temp_dir().join("chicory-fresh")),
        ..SandboxConfig::default()
    })?;
    let request = LoadRequest {
        name: "fresh".into(),
        wasm: fs::read(file)?,
        settings: ModuleSettings {
            grants: Grants::default(),
            ..ModuleSettings::default()
        },
    };
    let module = Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(sandbox.load(request))?;
    let Some(task) = module.task(name) else {
        let known: Vec<_> = module.tasks().map(|task| format!("{task:?}")).collect();
        return Err(format!("no task `{name}`; there are {}", known.join(", ")).into());
    };
    let lanes: Vec<_> = (0..threads)
        .map(|_| {
            let (sandbox, task, arguments) = (sandbox.clone(), Arc::clone(task), arguments.clone());
            thread::spawn(move || lane(&sandbox, &task, &arguments, calls))
        })
        .collect();
    for lane in lanes {
        println!("{}", lane.join().expect("a lane does not panic")?);
    }
    Ok(())
}

/// Makes the calls one after the other, and says what each cost.
fn lane(
    sandbox: &Sandbox,
    task: &Arc<Task>,
    arguments: &Arguments,
    calls: usize,
) -> Result<String, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let call = || {
        let invocation = Invocation::new(Arc::clone(task), arguments.clone());
        match runtime.block_on(sandbox.run(invocation)).how {
            How::Returned(_) => Ok(()),
            how => Err(how.to_string()),
        }
    };
    (0..WARM_UP).try_for_each(|_| call())?;
    let mut sum = Spent::default();
    for _ in 0..calls {
        let before = Spent::so_far()?;
        let begin = Instant::now();
        call()?;
        sum.wall += begin.elapsed().as_secs_f64() * 1e6;
        let after = Spent::so_far()?;
        sum.cpu += after.cpu - before.cpu;
        sum.faults += after.faults - before.faults;
    }
    let each = |sum: f64| sum / calls as f64;
    Ok(format!(
        "{calls} calls: {:.1} µs, {:.1} µs of CPU, {:.1} page faults each",
        each(sum.wall),
        each(sum.cpu),
        each(sum.faults),
    ))
}

/// What this thread has spent.
#[derive(Default)]
struct Spent {
    /// Microseconds by the clock.
    wall: f64,
    /// Microseconds that it ran for.
    cpu: f64,
    /// Page faults that needed no disk.
    faults: f64,
}

impl Spent {
    fn so_far() -> Result<Spent, Failure> {
        let ran = fs::read_to_string("/proc/thread-self/schedstat")?;
        let ran: f64 = ran.split(' ').next().unwrap_or_default().parse()?;
        let stat = fs::read_to_string("/proc/thread-self/stat")?;
        let after_name = stat.rsplit(") ").next().unwrap_or_default();
        Ok(Spent {
            wall: 0.0,
            cpu: ran / 1e3,
            faults: after_name.split(' ').nth(7).unwrap_or_default().parse()?,
        })
    }
}
