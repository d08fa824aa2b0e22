//! What the guest of each language must do alike, in Rust with the SDK. Must not import WASI.

#[chicory_sdk::tasks]
pub mod tasks {
    use std::time::{Duration, SystemTime};

    use chicory_sdk::{TaskError, context, log, progress};

    #[derive(Clone)]
    pub struct Point {
        pub x: i32,
        pub y_axis: i32,
        pub label: Option<String>,
    }

    pub enum Color {
        Red,
        DarkGreen,
        Blue,
    }

    #[flags]
    pub struct Rights {
        pub read: bool,
        pub write: bool,
        pub run_it: bool,
    }

    pub enum Shape {
        Nothing,
        Circle(f64),
        Polygon(Vec<Point>),
    }

    pub struct Nested {
        pub points: Vec<Point>,
        pub by_name: Vec<(String, Point)>,
        pub color: Color,
        pub shape: Option<Shape>,
    }

    pub enum Failure {
        NotFound,
        ConnectionError,
    }

    pub enum Refusal {
        CardDeclined,
        Overdrawn(i64),
        ConnectionError(String),
    }

    pub struct ContextFields {
        pub id: String,
        pub name: String,
        pub retries: u32,
        pub max_retries: u32,
        pub remaining_retries: u32,
        pub is_last_retry: bool,
        pub deadline: u64,
        pub last_error: Option<String>,
        pub tenant: Option<String>,
    }

    pub fn echo_bool(value: bool) -> bool {
        value
    }

    pub fn echo_u8(value: u8) -> u8 {
        value
    }

    pub fn echo_u16(value: u16) -> u16 {
        value
    }

    pub fn echo_u32(value: u32) -> u32 {
        value
    }

    pub fn echo_u64(value: u64) -> u64 {
        value
    }

    pub fn echo_s8(value: i8) -> i8 {
        value
    }

    pub fn echo_s16(value: i16) -> i16 {
        value
    }

    pub fn echo_s32(value: i32) -> i32 {
        value
    }

    pub fn echo_s64(value: i64) -> i64 {
        value
    }

    pub fn echo_f32(value: f32) -> f32 {
        value
    }

    pub fn echo_f64(value: f64) -> f64 {
        value
    }

    pub fn echo_char(value: char) -> char {
        value
    }

    pub fn echo_string(value: String) -> String {
        value
    }

    pub fn echo_bytes(value: Vec<u8>) -> Vec<u8> {
        value
    }

    pub fn echo_list(value: Vec<u32>) -> Vec<u32> {
        value
    }

    pub fn echo_lists(value: Vec<Vec<String>>) -> Vec<Vec<String>> {
        value
    }

    pub fn echo_tuple(value: (u8, String, bool)) -> (u8, String, bool) {
        value
    }

    pub fn echo_option(value: Option<u32>) -> Option<u32> {
        value
    }

    pub fn echo_results(value: Vec<Result<u32, String>>) -> Vec<Result<u32, String>> {
        value
    }

    pub fn echo_record(value: Point) -> Point {
        value
    }

    pub fn echo_enum(value: Color) -> Color {
        value
    }

    pub fn echo_flags(value: Rights) -> Rights {
        value
    }

    pub fn echo_variant(value: Shape) -> Shape {
        value
    }

    pub fn echo_nested(value: Nested) -> Nested {
        value
    }

    pub fn echo_several(
        first: u32,
        second_one: Option<String>,
        third: Color,
    ) -> (u32, Option<String>, Color) {
        (first, second_one, third)
    }

    pub fn nothing() {}

    pub fn fail_string(message: String) -> Result<u32, String> {
        Err(message)
    }

    pub fn fail_enum(error: Failure) -> Result<u32, Failure> {
        Err(error)
    }

    pub fn fail_variant(error: Refusal) -> Result<u32, Refusal> {
        Err(error)
    }

    pub fn fail_retry(message: String) -> Result<u32, TaskError> {
        Err(TaskError::retry(message))
    }

    pub fn fail_retry_after(message: String, delay_ms: u64) -> Result<u32, TaskError> {
        Err(TaskError::retry_after(
            message,
            Duration::from_millis(delay_ms),
        ))
    }

    pub fn fail_fatal(message: String) -> Result<u32, TaskError> {
        Err(TaskError::fatal(message))
    }

    pub fn fail_uncaught(message: String) -> u32 {
        panic!("{message}")
    }

    pub fn show_context(after_retries: u32) -> Result<ContextFields, String> {
        let retries = context::retries();
        if retries < after_retries {
            return Err(format!("retry {} of {after_retries}", retries + 1));
        }
        Ok(ContextFields {
            id: context::id(),
            name: context::name(),
            retries,
            max_retries: context::max_retries(),
            remaining_retries: context::remaining_retries(),
            is_last_retry: context::is_last_retry(),
            deadline: milliseconds(context::deadline()),
            last_error: context::last_error(),
            tenant: context::tenant(),
        })
    }

    fn milliseconds(time: SystemTime) -> u64 {
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
    }

    pub fn log_levels(message: String) {
        log::trace!("{message}");
        log::debug!("{message}");
        log::info!("{message}");
        log::warn!("{message}");
        log::error!("{message}");
    }

    pub async fn report_progress(steps: u32) -> u32 {
        for step in 1..=steps {
            arrived(step, steps).await;
        }
        steps
    }

    async fn arrived(step: u32, steps: u32) {
        let percent = 100.0 * f64::from(step) / f64::from(steps);
        std::future::ready(()).await;
        progress::report_with(percent, &format!("step {step}"));
    }
}
