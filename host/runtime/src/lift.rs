//! A task's result from a guest to JSON text, without a value in between.
//!
//! Must not know how a value of a type is read, nor what a result means.

use std::cell::{Cell, RefCell};

use serde_json::value::RawValue;
use wasmtime::component::__internal::wasmtime_environ::component::MAX_FLAT_PARAMS;
use wasmtime::component::__internal::{InterfaceType, LiftContext};
use wasmtime::{ValRaw, bail};

use source::{Source, region};
use value::{Lifter, Unlifted};

mod source;
mod value;

/// A task's result as JSON.
#[derive(Debug)]
pub(crate) struct Lifted {
    /// Whether the task returned the error of a WIT `result`.
    pub(crate) failed: bool,
    /// The result, or what is in the `ok` or the error of a WIT `result`. In an error, texts and lists are cut.
    pub(crate) json: Result<Box<RawValue>, TooLong>,
}

impl Lifted {
    /// What a program gives back that returned.
    pub(crate) fn nothing() -> Self {
        Self {
            failed: false,
            json: Ok(RawValue::NULL.to_owned()),
        }
    }
}

/// A result is longer than what there is room for.
#[derive(Debug)]
pub(crate) struct TooLong {
    /// What there was room for, in bytes.
    pub(crate) most: u64,
}

/// What a call has room for, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Room {
    /// The result as JSON.
    pub(crate) text: u64,
    /// The result and the guest's memory together.
    pub(crate) memory: u64,
}

thread_local! {
    /// Where values are written, so that the text of a short one is allocated once and not as it grows.
    static WRITTEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// What the call that this thread is at has room for.
    static ROOM: Cell<Room> = const { Cell::new(Room { text: 0, memory: 0 }) };
}

/// The largest buffer that a thread keeps.
const KEPT: usize = 16 << 10;

/// Room for a task's own error, of which each text and list is cut.
const ERROR: u64 = 1 << 20;

/// Goes on with a call. The thread is all that wasmtime leaves a lifted type to know its call by.
pub(crate) fn with_room<R>(room: Room, go_on: impl FnOnce() -> R) -> R {
    ROOM.set(room);
    go_on()
}

/// Lifts a function's result from the core values that it returned: the result's own, or a pointer to it.
pub(crate) fn from_core_values(
    cx: &LiftContext<'_>,
    ty: InterfaceType,
    values: &[ValRaw],
) -> wasmtime::Result<Lifted> {
    let abi = cx.types.canonical_abi(&ty);
    match (abi.flat_count(MAX_FLAT_PARAMS), values) {
        (Some(count), values) if count <= values.len() => lifted(cx, ty, Source::Flat(values)),
        (_, [pointer, ..]) => from_memory(cx, ty, pointer.get_u32() as usize),
        (_, []) => bail!("no pointer to a result"),
    }
}

/// Lifts a function's result that is at this address.
pub(crate) fn from_memory(
    cx: &LiftContext<'_>,
    ty: InterfaceType,
    address: usize,
) -> wasmtime::Result<Lifted> {
    let abi = cx.types.canonical_abi(&ty);
    let length = abi.size32 as usize;
    let bytes = region(cx.memory(), "return pointer", address, length, abi.align32)?;
    lifted(cx, ty, Source::Memory(bytes))
}

fn lifted(cx: &LiftContext<'_>, ty: InterfaceType, source: Source<'_>) -> wasmtime::Result<Lifted> {
    let InterfaceType::Tuple(results) = ty else {
        bail!("results that are not a tuple")
    };
    let (failed, result, source) = match cx.types[results].types.first() {
        Some(InterfaceType::Result(ty)) => {
            let ty = &cx.types[*ty];
            let (case, source) = source.case(&ty.info, 2)?;
            (case == 1, [ty.ok, ty.err][case], source)
        }
        other => (false, other.copied(), source),
    };
    let room = ROOM.get();
    let memory = room.memory.saturating_sub(cx.memory().len() as u64);
    let most = if failed { ERROR } else { room.text.min(memory) };
    WRITTEN.with_borrow_mut(|text| {
        text.clear();
        let limit = usize::try_from(most).unwrap_or(usize::MAX);
        let mut lifter = Lifter::new(cx, text, limit, failed);
        let json = match lifter.payload(result, source) {
            Ok(()) => Ok(taken(text)?),
            Err(Unlifted::TooLong) => Err(TooLong { most }),
            Err(Unlifted::Invalid(error)) => return Err(error),
        };
        Ok(Lifted { failed, json })
    })
}

/// The text as JSON. A short one is copied, so that it has the right size at once; a long one is worth more than that.
fn taken(text: &mut Vec<u8>) -> wasmtime::Result<Box<RawValue>> {
    let text = if text.len() > KEPT {
        std::mem::take(text)
    } else {
        text.clone()
    };
    Ok(RawValue::from_string(String::from_utf8(text)?)?)
}
