//! Granted directories for programs: functions of WASI preview 1 and 0 as the engine has them, with what is written and
//! opened counted.
//!
//! Must not know the limits, nor what a program is.

use wasmtime::{AsContextMut as _, Caller, Extern, Linker, bail};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1::WasiSnapshotPreview1 as _;
use wiggle::GuestMemory;

use super::counted::Files;
use super::quota::ENTRY;
use crate::state::CallState;

/// Errors by their numbers, the same in both versions.
const TOO_MANY_FILES: i32 = 33;
const NO_SPACE: i32 = 51;

/// The first descriptor of a granted directory: those before are the standard streams.
const FIRST: u32 = 3;

/// A flag of `path_open`.
const CREATE: i32 = 1;
/// What `path_open` asks for: a right that changes something.
const CHANGES: i64 = 1 << 6 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 22;

/// What a function works on.
struct Call<'a> {
    memory: GuestMemory<'a>,
    files: &'a mut Files,
    wasi: &'a mut WasiP1Ctx,
}

impl<'a> Call<'a> {
    fn of(caller: &'a mut Caller<'_, CallState>) -> wasmtime::Result<Self> {
        let fuel = caller.as_context_mut().hostcall_fuel();
        let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
            bail!("the program exports no memory");
        };
        let (memory, state) = memory.data_and_store_mut(caller);
        let (files, wasi) = state.kept_and_preview1();
        wasi.set_hostcall_fuel(fuel);
        Ok(Call {
            memory: GuestMemory::Unshared(memory),
            files,
            wasi,
        })
    }

    fn word(&self, at: i32, offset: u32) -> Option<u32> {
        let GuestMemory::Unshared(memory) = &self.memory else {
            return None;
        };
        let at = at.cast_unsigned().checked_add(offset)? as usize;
        let bytes = memory.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    /// The first part that is not empty: the engine writes one at a time.
    fn part(&self, parts: i32, count: i32) -> u32 {
        let lengths = (0..count.cast_unsigned()).map_while(|index| {
            let offset = index.checked_mul(8)?.checked_add(4)?;
            self.word(parts, offset)
        });
        lengths.into_iter().find(|&length| length > 0).unwrap_or(0)
    }

    /// Counts bytes that are about to be written, where this is a file.
    async fn write(&mut self, fd: i32, bytes: u64) -> Result<(), i32> {
        let Some(allowance) = self.files.of_descriptor(fd.cast_unsigned(), FIRST) else {
            return Ok(());
        };
        allowance.refresh().await;
        allowance.take(bytes).map_err(|_| NO_SPACE)
    }
}

/// Gives back an error's number.
macro_rules! allowed {
    ($allowed:expr) => {
        match $allowed {
            Ok(allowed) => allowed,
            Err(number) => return Ok(number),
        }
    };
}

/// A function that is counted before the engine does it.
macro_rules! counted {
    ($linker:ident, $wasi:ident, $module:literal, $name:ident, ($($arg:ident: $ty:ty),*), |$call:ident| $count:block) => {
        $linker.func_wrap_async(
            $module,
            stringify!($name),
            |mut caller: Caller<'_, CallState>, ($($arg,)*): ($($ty,)*)| {
                Box::new(async move {
                    let mut call = Call::of(&mut caller)?;
                    let $call = &mut call;
                    $count
                    $wasi::$name(call.wasi, &mut call.memory, $($arg),*).await
                })
            },
        )?;
    };
}

/// The functions of one version of WASI.
macro_rules! version {
    ($function:ident, $module:literal, $version:ident::$functions:ident) => {
        fn $function(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
            use wasmtime_wasi::$version::$functions as wasi;
            counted!(linker, wasi, $module, fd_write, (fd: i32, parts: i32, count: i32, out: i32), |call| {
                let bytes = call.part(parts, count);
                allowed!(call.write(fd, bytes.into()).await);
            });
            counted!(linker, wasi, $module, fd_pwrite, (fd: i32, parts: i32, count: i32, at: i64, out: i32), |call| {
                let bytes = call.part(parts, count);
                allowed!(call.write(fd, bytes.into()).await);
            });
            // The size before is not known: a file that is set to a size counts as if it was empty.
            counted!(linker, wasi, $module, fd_filestat_set_size, (fd: i32, size: i64), |call| {
                allowed!(call.write(fd, size.cast_unsigned()).await);
            });
            counted!(linker, wasi, $module, path_create_directory, (fd: i32, path: i32, length: i32), |call| {
                allowed!(call.write(fd, ENTRY).await);
            });
            counted!(linker, wasi, $module, path_symlink, (to: i32, to_length: i32, fd: i32, path: i32, length: i32), |call| {
                allowed!(call.write(fd, ENTRY).await);
            });
            counted!(linker, wasi, $module, path_link, (from: i32, flags: i32, old: i32, old_length: i32, fd: i32, path: i32, length: i32), |call| {
                allowed!(call.write(fd, ENTRY).await);
            });
            linker.func_wrap_async(
                $module,
                "path_open",
                |mut caller: Caller<'_, CallState>,
                 (fd, look, path, length, how, base, inherited, flags, out): (i32, i32, i32, i32, i32, i64, i64, i32, i32)| {
                    Box::new(async move {
                        let mut call = Call::of(&mut caller)?;
                        let creates = how & CREATE != 0;
                        if creates || base & CHANGES != 0 {
                            allowed!(call.write(fd, if creates { ENTRY } else { 0 }).await);
                        }
                        let Ok(slot) = call.files.slot() else {
                            return Ok(TOO_MANY_FILES);
                        };
                        let number = wasi::path_open(
                            call.wasi, &mut call.memory, fd, look, path, length, how, base, inherited, flags, out,
                        )
                        .await?;
                        if let (0, Some(opened)) = (number, call.word(out, 0)) {
                            call.files.opened_below(fd.cast_unsigned(), FIRST, opened, slot);
                        }
                        Ok(number)
                    })
                },
            )?;
            linker.func_wrap_async(
                $module,
                "fd_close",
                |mut caller: Caller<'_, CallState>, (fd,): (i32,)| {
                    Box::new(async move {
                        let mut call = Call::of(&mut caller)?;
                        let number = wasi::fd_close(call.wasi, &mut call.memory, fd).await?;
                        if number == 0 {
                            call.files.close(fd.cast_unsigned());
                        }
                        Ok(number)
                    })
                },
            )?;
            linker.func_wrap_async(
                $module,
                "fd_renumber",
                |mut caller: Caller<'_, CallState>, (from, to): (i32, i32)| {
                    Box::new(async move {
                        let mut call = Call::of(&mut caller)?;
                        let number = wasi::fd_renumber(call.wasi, &mut call.memory, from, to).await?;
                        if number == 0 {
                            call.files.renumber(from.cast_unsigned(), to.cast_unsigned());
                        }
                        Ok(number)
                    })
                },
            )?;
            Ok(())
        }
    };
}

version!(
    link_preview1,
    "wasi_snapshot_preview1",
    p1::wasi_snapshot_preview1
);
version!(link_preview0, "wasi_unstable", p0::wasi_unstable);

/// Puts the counted functions in the places of the engine's.
pub(in crate::capability) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    link_preview1(linker)?;
    link_preview0(linker)
}
