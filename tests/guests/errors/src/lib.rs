//! Fails with an error of each type. Must not import WASI.

wit_bindgen::generate!({
    path: ["../../../wit", "wit"],
    world: "guests:errors/errors",
    generate_all,
});

struct Errors;

export!(Errors);

impl Guest for Errors {
    fn with_string(message: String) -> Result<u32, String> {
        Err(message)
    }

    fn with_enum(weather: Weather) -> Result<u32, Weather> {
        Err(weather)
    }

    fn with_variant(error: PaymentError) -> Result<u32, PaymentError> {
        Err(error)
    }

    fn with_record(cents: i64) -> Result<u32, Balance> {
        Err(Balance { cents })
    }

    fn with_nothing() -> Result<u32, ()> {
        Err(())
    }

    fn with_task_error(error: TaskError) -> Result<u32, TaskError> {
        Err(error)
    }

    fn succeeds() -> Result<(), ()> {
        Ok(())
    }

    fn returns(value: String) -> Result<String, TaskError> {
        Ok(value)
    }
}
