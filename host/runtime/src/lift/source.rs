//! Where a guest's value is, and what is read there.
//!
//! The guest is not trusted: addresses, lengths and discriminants are checked. Must not know JSON.

use wasmtime::component::__internal::wasmtime_environ::component::{
    CanonicalAbiInfo, MAX_FLAT_PARAMS, VariantInfo,
};
use wasmtime::{ValRaw, bail, format_err};

/// Where a value begins: in as many core values, or in as many bytes, as its type has, or more.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    Flat(&'a [ValRaw]),
    Memory(&'a [u8]),
}

impl Source<'_> {
    /// Which case it is, and where its value is.
    pub(super) fn case(self, info: &VariantInfo, cases: usize) -> wasmtime::Result<(usize, Self)> {
        let length = u32::from(info.size) as usize;
        let (discriminant, rest) = match self {
            Source::Flat(values) => match values.split_first() {
                Some((first, rest)) => (first.get_u32(), Source::Flat(rest)),
                None => bail!("no discriminant"),
            },
            Source::Memory(bytes) => {
                let first = bytes.get(..length).map(Source::Memory);
                let rest = bytes
                    .get(info.payload_offset32 as usize..)
                    .unwrap_or_default();
                let first = first.ok_or_else(|| format_err!("no discriminant"))?;
                (first.word()?, Source::Memory(rest))
            }
        };
        let case = discriminant as usize;
        if case >= cases {
            bail!("discriminant {discriminant} out of range [0..{cases})");
        }
        Ok((case, rest))
    }

    /// A value of at most 32 bits.
    pub(super) fn word(self) -> wasmtime::Result<u32> {
        match self {
            Source::Flat([value, ..]) => Ok(value.get_u32()),
            Source::Memory([byte]) => Ok(u32::from(*byte)),
            Source::Memory([low, high]) => Ok(u16::from_le_bytes([*low, *high]).into()),
            Source::Memory(bytes) => match bytes.first_chunk() {
                Some(bytes) => Ok(u32::from_le_bytes(*bytes)),
                None => bail!("no value where one is"),
            },
            Source::Flat([]) => bail!("no value where one is"),
        }
    }

    /// A value of 64 bits.
    pub(super) fn long(self) -> wasmtime::Result<u64> {
        match self {
            Source::Flat(values) => values.first().map(ValRaw::get_u64),
            Source::Memory(bytes) => bytes.first_chunk().map(|long| u64::from_le_bytes(*long)),
        }
        .ok_or_else(|| format_err!("no value where one is"))
    }

    /// A pointer and a length.
    pub(super) fn pair(self) -> wasmtime::Result<(usize, usize)> {
        let (pointer, length) = match self {
            Source::Flat(values) => match values {
                [pointer, length, ..] => (pointer.get_u32(), length.get_u32()),
                _ => bail!("no pointer where one is"),
            },
            Source::Memory(bytes) => {
                let (pointer, length) = bytes.split_at_checked(4).unwrap_or_default();
                (
                    Source::Memory(pointer).word()?,
                    Source::Memory(length).word()?,
                )
            }
        };
        Ok((pointer as usize, length as usize))
    }

    /// The part that comes at `offset`, or after some padding, which is then moved behind it.
    pub(super) fn part(self, abi: &CanonicalAbiInfo, offset: &mut usize) -> wasmtime::Result<Self> {
        let missing = || format_err!("fewer parts than the type has");
        match self {
            Source::Flat(values) => {
                let count = abi.flat_count(MAX_FLAT_PARAMS).ok_or_else(missing)?;
                let start = *offset;
                *offset += count;
                let values = values.get(start..*offset).ok_or_else(missing)?;
                Ok(Source::Flat(values))
            }
            Source::Memory(bytes) => {
                let start = offset.next_multiple_of(abi.align32 as usize);
                *offset = start + size(abi);
                let bytes = bytes.get(start..*offset).ok_or_else(missing)?;
                Ok(Source::Memory(bytes))
            }
        }
    }
}

/// The bytes that a pointer of a guest points to.
pub(super) fn region<'a>(
    memory: &'a [u8],
    what: &str,
    address: usize,
    length: usize,
    align: u32,
) -> wasmtime::Result<&'a [u8]> {
    if !address.is_multiple_of(align as usize) {
        bail!("{what} not aligned to {align}");
    }
    let bytes = memory.get(address..).and_then(|rest| rest.get(..length));
    bytes.ok_or_else(|| format_err!("{what}/length out of bounds of memory"))
}

/// What it takes in memory, in bytes.
pub(super) fn size(abi: &CanonicalAbiInfo) -> usize {
    abi.size32 as usize
}
