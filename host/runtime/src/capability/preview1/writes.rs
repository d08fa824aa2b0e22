//! The functions of preview 1 that write to directories: what they are about to write is counted, then the engine's own
//! function does it.
//!
//! The functions are called by name with numbers, as programs call them. Must not know the limits.

use wasmtime::{AsContextMut as _, Caller, Extern, Linker};
use wasmtime_wasi::p1::wasi_snapshot_preview1::{self as engine, WasiSnapshotPreview1 as _};
use wiggle::GuestMemory;

use crate::capability::dirs;
use crate::state::CallState;

/// What a program is told where nothing more may be written.
const NO_SPACE: i32 = 51;

/// Standard input, output and error come before files.
const FIRST_FILE: i32 = 3;

/// Flags of `path_open`: create, and the right to write or to change the size.
const CREATE: i32 = 1;
const WRITES: i64 = (1 << 6) | (1 << 8) | (1 << 22);

type Program<'a> = Caller<'a, CallState>;
type Done<'a> = Box<dyn Future<Output = wasmtime::Result<i32>> + Send + 'a>;

/// Puts the counted functions in the place of the engine's.
pub(super) fn link(linker: &mut Linker<CallState>, module: &str) -> wasmtime::Result<()> {
    linker.func_wrap_async(module, "fd_write", write)?;
    linker.func_wrap_async(module, "fd_pwrite", write_at)?;
    linker.func_wrap_async(module, "fd_filestat_set_size", resize)?;
    linker.func_wrap_async(module, "path_open", open)?;
    linker.func_wrap_async(module, "path_create_directory", create_directory)?;
    linker.func_wrap_async(module, "path_symlink", symlink)?;
    linker.func_wrap_async(module, "path_link", hard_link)?;
    Ok(())
}

/// The program's memory, and the rest of what a function needs.
fn parts<'a>(program: &'a mut Program<'_>) -> wasmtime::Result<(&'a mut [u8], &'a mut CallState)> {
    let Some(Extern::Memory(memory)) = program.get_export("memory") else {
        return Err(wasmtime::Error::msg("missing required memory export"));
    };
    // What the engine may copy out of the program's memory in one call.
    let fuel = program.as_context_mut().hostcall_fuel();
    let (bytes, state) = memory.data_and_store_mut(program);
    state.preview1().set_hostcall_fuel(fuel);
    Ok((bytes, state))
}

/// The bytes in a list of buffers; none in what is not in the memory, which the engine then refuses.
fn length(memory: &[u8], buffers: i32, count: i32) -> u64 {
    let start = buffers.cast_unsigned() as usize;
    let (pairs, _) = memory.get(start..).unwrap_or_default().as_chunks::<8>();
    let pairs = pairs.iter().take(count.cast_unsigned() as usize);
    let lengths = pairs.map(|[_, _, _, _, length @ ..]| u64::from(u32::from_le_bytes(*length)));
    lengths.fold(0, u64::saturating_add)
}

fn write(
    mut program: Program<'_>,
    (file, buffers, count, written): (i32, i32, i32, i32),
) -> Done<'_> {
    Box::new(async move {
        let (memory, state) = parts(&mut program)?;
        if file >= FIRST_FILE && !dirs::may_write(state, length(memory, buffers, count)) {
            return Ok(NO_SPACE);
        }
        let mut memory = GuestMemory::Unshared(memory);
        engine::fd_write(state.preview1(), &mut memory, file, buffers, count, written).await
    })
}

fn write_at(
    mut program: Program<'_>,
    (file, buffers, count, offset, written): (i32, i32, i32, i64, i32),
) -> Done<'_> {
    Box::new(async move {
        let (memory, state) = parts(&mut program)?;
        if !dirs::may_write(state, length(memory, buffers, count)) {
            return Ok(NO_SPACE);
        }
        let mut memory = GuestMemory::Unshared(memory);
        engine::fd_pwrite(
            state.preview1(),
            &mut memory,
            file,
            buffers,
            count,
            offset,
            written,
        )
        .await
    })
}

fn resize(mut program: Program<'_>, (file, size): (i32, i64)) -> Done<'_> {
    Box::new(async move {
        let (memory, state) = parts(&mut program)?;
        if !dirs::may_write(state, size.cast_unsigned()) {
            return Ok(NO_SPACE);
        }
        let mut memory = GuestMemory::Unshared(memory);
        engine::fd_filestat_set_size(state.preview1(), &mut memory, file, size).await
    })
}

fn open(
    mut program: Program<'_>,
    (directory, follow, path, length, how, rights, inherited, flags, opened): (
        i32,
        i32,
        i32,
        i32,
        i32,
        i64,
        i64,
        i32,
        i32,
    ),
) -> Done<'_> {
    Box::new(async move {
        let (memory, state) = parts(&mut program)?;
        if how & CREATE != 0 || rights & WRITES != 0 {
            dirs::measure(state).await;
        }
        if how & CREATE != 0 && !dirs::may_write(state, dirs::ENTRY) {
            return Ok(NO_SPACE);
        }
        let mut memory = GuestMemory::Unshared(memory);
        engine::path_open(
            state.preview1(),
            &mut memory,
            directory,
            follow,
            path,
            length,
            how,
            rights,
            inherited,
            flags,
            opened,
        )
        .await
    })
}

fn create_directory(
    mut program: Program<'_>,
    (directory, path, length): (i32, i32, i32),
) -> Done<'_> {
    Box::new(async move {
        let (memory, state) = parts(&mut program)?;
        if !dirs::may_write(state, dirs::ENTRY) {
            return Ok(NO_SPACE);
        }
        let mut memory = GuestMemory::Unshared(memory);
        engine::path_create_directory(state.preview1(), &mut memory, directory, path, length).await
    })
}

fn symlink(
    mut program: Program<'_>,
    (old, old_length, directory, new, new_length): (i32, i32, i32, i32, i32),
) -> Done<'_> {
    Box::new(async move {
        let (memory, state) = parts(&mut program)?;
        if !dirs::may_write(state, dirs::ENTRY) {
            return Ok(NO_SPACE);
        }
        let mut memory = GuestMemory::Unshared(memory);
        let state = state.preview1();
        engine::path_symlink(
            state,
            &mut memory,
            old,
            old_length,
            directory,
            new,
            new_length,
        )
        .await
    })
}

fn hard_link(
    mut program: Program<'_>,
    (from, follow, old, old_length, to, new, new_length): (i32, i32, i32, i32, i32, i32, i32),
) -> Done<'_> {
    Box::new(async move {
        let (memory, state) = parts(&mut program)?;
        if !dirs::may_write(state, dirs::ENTRY) {
            return Ok(NO_SPACE);
        }
        let mut memory = GuestMemory::Unshared(memory);
        let state = state.preview1();
        engine::path_link(
            state,
            &mut memory,
            from,
            follow,
            old,
            old_length,
            to,
            new,
            new_length,
        )
        .await
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lengths_of_buffers_are_added_wherever_they_are() {
        let mut memory = [0_u8; 32];
        memory[4..8].copy_from_slice(&10_u32.to_le_bytes());
        memory[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(length(&memory, 0, 1), 10);
        assert_eq!(length(&memory, 0, 2), 10 + u64::from(u32::MAX));
        assert_eq!(length(&memory, 0, -1), 10 + u64::from(u32::MAX));
        for outside in [32, 100, -1] {
            assert_eq!(length(&memory, outside, 5), 0);
        }
    }
}
