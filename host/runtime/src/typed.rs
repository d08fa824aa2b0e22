//! The joint to wasmtime: a task's arguments and result as types of a typed function, so that they are converted between
//! JSON and the guest's memory directly, and never become a value of wasmtime's in between.
//!
//! wasmtime's traits for this are public for its derive macros, hidden from its documentation and unsafe. Every `unsafe` of
//! the conversion is in this file. Must not know JSON, nor how types are laid out.

#![expect(
    unsafe_code,
    reason = "wasmtime's traits for types of typed functions are unsafe"
)]

use std::mem::MaybeUninit;

use chicory_signature::{Arguments, Field, Shape};
use wasmtime::component::__internal::wasmtime_environ::component::MAX_FLAT_PARAMS;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, LowerContext,
};
use wasmtime::component::{ComponentNamedList, ComponentType, Func, Lift, Lower};
use wasmtime::{Result, Store, ValRaw, bail};

use crate::lift::{self, Lifted};
use crate::lower::{self, Flat};
use crate::state::CallState;

/// What a call is given: a function's arguments, or none for a command, which takes them from its environment.
pub(crate) struct Given<'a> {
    pub(crate) params: &'a [Field],
    pub(crate) arguments: Option<&'a Arguments>,
}

/// What a call gives back, which comes as `N` core values, or by a pointer.
struct Returned<const N: usize>(Lifted);

/// How many core values a result is made of as [`call`] takes it: none, one, which is a pointer where it takes more, or
/// all of them where an async function may hand them over.
pub(crate) fn core_values(result: Option<&Shape>, concurrency: bool) -> usize {
    match result.map(flat) {
        None => 0,
        Some(several @ 2..=MAX_FLAT_PARAMS) if concurrency => several,
        Some(_) => 1,
    }
}

/// Core values of a type, as the canonical ABI flattens it.
fn flat(shape: &Shape) -> usize {
    let most =
        |shapes: [Option<&Shape>; 2]| 1 + shapes.into_iter().flatten().map(flat).max().unwrap_or(0);
    match shape {
        Shape::String | Shape::Bytes | Shape::List(_) => 2,
        Shape::FixedList(item, length) => flat(item).saturating_mul(*length as usize),
        Shape::Record(fields) => fields.iter().map(|field| flat(&field.shape)).sum(),
        Shape::Tuple(items) => items.iter().map(flat).sum(),
        Shape::Variant(cases) => {
            let payloads = cases.iter().filter_map(|case| case.payload.as_ref());
            1 + payloads.map(flat).max().unwrap_or(0)
        }
        Shape::Option(inner) => most([Some(inner), None]),
        Shape::Result(outcome) => most([outcome.ok.as_ref(), outcome.err.as_ref()]),
        Shape::Flags(names) => names.len().div_ceil(32),
        _ => 1,
    }
}

macro_rules! by_count {
    ($count:expr, $store:ident, $func:ident, $given:ident: $($n:literal)+) => {
        match $count {
            0 => run::<0>($store, $func, $given).await,
            // An async function's call is rare and large.
            $($n => Box::pin(run::<$n>($store, $func, $given)).await,)+
            _ => run::<1>($store, $func, $given).await,
        }
    };
}

/// Calls a function whose result is made of as many core values as [`core_values`] says.
pub(crate) async fn call(
    store: &mut Store<CallState>,
    func: Func,
    core_values: usize,
    given: Given<'_>,
) -> Result<Lifted> {
    by_count!(core_values, store, func, given: 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
}

async fn run<const N: usize>(
    store: &mut Store<CallState>,
    func: Func,
    given: Given<'_>,
) -> Result<Lifted> {
    let func = func.typed::<Given<'_>, Returned<N>>(&mut *store)?;
    let Returned(lifted) = func.call_async(store, given).await?;
    Ok(lifted)
}

// SAFETY: `Lower` is an array of core values. The layout in memory is never asked for, since there are not more core values
// than parameters may be.
unsafe impl ComponentType for Given<'_> {
    type Lower = Flat;

    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::ZERO;

    fn typecheck(ty: &InterfaceType, _: &InstanceType<'_>) -> Result<()> {
        // Each value is checked against its type when it is written.
        match ty {
            InterfaceType::Tuple(_) => Ok(()),
            _ => bail!("parameters that are not a tuple"),
        }
    }
}

// SAFETY: it stands for a list of parameters of whatever types the function has.
unsafe impl ComponentNamedList for Given<'_> {}

// SAFETY: all core values are initialized, more than any function takes. Which of them have which meaning is checked by
// `lower` against the component's types; the guest's memory is written through slices only.
unsafe impl Lower for Given<'_> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        to: &mut MaybeUninit<Flat>,
    ) -> Result<()> {
        to.write([ValRaw::u64(0); MAX_FLAT_PARAMS]);
        if let Some(arguments) = self.arguments {
            to.write(lower::arguments(cx, ty, self.params, arguments)?);
        }
        Ok(())
    }

    fn linear_lower_to_memory<T>(
        &self,
        _: &mut LowerContext<'_, T>,
        _: InterfaceType,
        _: usize,
    ) -> Result<()> {
        bail!("parameters are written as core values")
    }
}

// SAFETY: `Lower` is an array of core values. In memory it claims no bytes, so wasmtime checks no more than that a pointer
// to it is inside of the memory; `lift` checks the rest.
unsafe impl<const N: usize> ComponentType for Returned<N> {
    type Lower = [ValRaw; N];

    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::ZERO;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        let InterfaceType::Tuple(results) = ty else {
            bail!("results that are not a tuple")
        };
        let results = &types.types[*results];
        let fits = match N {
            0 => results.types.is_empty(),
            1 => !results.types.is_empty(),
            several => results.abi.flat_count(MAX_FLAT_PARAMS) == Some(several),
        };
        if !fits {
            bail!("results that are not of {N} core values");
        }
        Ok(())
    }
}

// SAFETY: it stands for whatever result the function has.
unsafe impl<const N: usize> ComponentNamedList for Returned<N> {}

// SAFETY: it reads the core values that it is given and the guest's memory through slices, and trusts neither.
unsafe impl<const N: usize> Lift for Returned<N> {
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        from: &Self::Lower,
    ) -> Result<Self> {
        lift::from_core_values(cx, ty, from).map(Self)
    }

    fn linear_lift_from_memory(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        bytes: &[u8],
    ) -> Result<Self> {
        let address = bytes.as_ptr().addr() - cx.memory().as_ptr().addr();
        lift::from_memory(cx, ty, address).map(Self)
    }
}
