//! Tasks as ordinary functions, with a host that only pretends.
//!
//! Must not know WebAssembly.

use chicory_sdk::testing::Host;
use chicory_sdk::{TaskError, block_on};

#[chicory_sdk::tasks(timeout = 5.0)]
mod tasks {
    use std::time::Duration;

    use chicory_sdk::{TaskError, context, log, progress};

    #[derive(Debug, PartialEq)]
    pub enum Size {
        Small,
        Exactly(u32),
    }

    /// Fails until its last try.
    #[task(max_retries = 3, retry_on = [Busy])]
    pub fn patient(size: Size) -> Result<Size, TaskError> {
        log::info!("try {}", context::retries());
        progress::report_with(50.0, "half");
        if context::is_last_retry() {
            return Ok(size);
        }
        Err(TaskError::retry_after("busy", Duration::from_millis(1500)))
    }

    /// Any error that can be shown will do.
    pub fn number(text: String) -> Result<u32, std::num::ParseIntError> {
        text.parse()
    }

    /// Waits for one thing after the other, as its text says.
    pub async fn sum(numbers: Vec<String>) -> Result<u32, std::num::ParseIntError> {
        let mut sum = 0;
        for text in numbers {
            log::info!("adds {text}");
            sum += parsed(text).await?;
        }
        Ok(sum)
    }

    async fn parsed(text: String) -> Result<u32, std::num::ParseIntError> {
        std::future::ready(text.parse()).await
    }

    /// `?` makes a retry of any error.
    pub fn half(text: String) -> Result<u32, TaskError> {
        match text.parse::<u32>()? {
            even if even % 2 == 0 => Ok(even / 2),
            _ => Err(TaskError::fatal("it is odd")),
        }
    }
}

#[test]
fn a_task_sees_the_host_that_the_test_makes() {
    let last = Host::new()
        .retries(3, 3)
        .run(|| tasks::patient(tasks::Size::Exactly(7)));
    assert_eq!(last.result, Ok(tasks::Size::Exactly(7)));
    assert_eq!(
        last.log,
        [(chicory_sdk::log::Level::Info, "try 3".to_owned())]
    );
    assert_eq!(last.progress, [(50.0, Some("half".to_owned()))]);

    let first = Host::new()
        .retries(0, 3)
        .run(|| tasks::patient(tasks::Size::Small));
    let Err(TaskError::RetryAfter(postponed)) = first.result else {
        panic!("{:?}", first.result);
    };
    assert_eq!(
        (postponed.message.as_str(), postponed.delay_ms),
        ("busy", 1500)
    );
}

#[test]
fn an_async_task_is_tested_to_its_end() {
    let numbers = |texts: [&str; 2]| texts.map(str::to_owned).to_vec();
    let seen = Host::new().run(|| block_on(tasks::sum(numbers(["1", "2"]))));
    assert_eq!((seen.result, seen.log.len()), (Ok(3), 2));
    assert!(block_on(tasks::sum(numbers(["1", "x"]))).is_err());
}

#[test]
fn errors_are_values() {
    assert_eq!(tasks::number("7".into()), Ok(7));
    assert!(tasks::number("x".into()).is_err());
    assert_eq!(tasks::half("8".into()), Ok(4));
    assert_eq!(tasks::half("7".into()), Err(TaskError::fatal("it is odd")));
    assert!(matches!(tasks::half("x".into()), Err(TaskError::Retry(_))));
}
