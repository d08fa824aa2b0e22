//! Arguments into a guest, as the canonical ABI has them: each value is written where it belongs as soon as it is read.
//!
//! Every write is checked against the component's own type and the bounds of its memory, so an error here, or in
//! what the guest's allocator answers, ends the call and nothing else. Must not know JSON.

use chicory_signature::{Arguments, Base64, Field, Scalar, Stopped, Target, ValidationError, bind};
use wasmtime::component::__internal::wasmtime_environ::component::{
    CanonicalAbiInfo, ComponentTypes, MAX_FLAT_PARAMS,
};
use wasmtime::component::__internal::{InterfaceType, LowerContext};
use wasmtime::{Result, ValRaw, bail, format_err};

mod text;

/// A function's parameters as core values.
pub(crate) type Flat = [ValRaw; MAX_FLAT_PARAMS];

/// Writes a call's arguments: as core values, or to the guest's memory where there would be too many.
pub(crate) fn arguments<T>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    params: &[Field],
    arguments: &Arguments,
) -> Result<Flat> {
    let abi = cx.types.canonical_abi(&ty);
    let mut guest = Guest {
        types: cx.types,
        flat: [ValRaw::u64(0); MAX_FLAT_PARAMS],
        cx,
    };
    let to = if abi.flat_count(MAX_FLAT_PARAMS).is_some() {
        To::Flat(0)
    } else {
        let pointer = guest.cx.realloc(0, 0, abi.align32, size(abi))?;
        // Also where memories are of 32 bits: the upper half is ignored there.
        guest.flat[0] = ValRaw::u64(pointer as u64);
        To::Memory(pointer)
    };
    let mut parts = guest.parts(&Place { ty, to })?;
    match bind(params, arguments, &mut guest, &mut parts) {
        Ok(()) => Ok(guest.flat),
        Err(Stopped::Misfit(error)) => Err(error.into()),
        Err(Stopped::Target(error)) => Err(error),
    }
}

/// The arguments' own fault, if that is why a call ended.
pub(crate) fn misfit(error: &wasmtime::Error) -> Option<&ValidationError> {
    error.downcast_ref()
}

/// A guest that takes arguments.
struct Guest<'c, 'a, T: 'static> {
    cx: &'c mut LowerContext<'a, T>,
    types: &'a ComponentTypes,
    flat: Flat,
}

/// Where a value of a type goes.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    ty: InterfaceType,
    to: To,
}

#[derive(Clone, Copy)]
enum To {
    /// From the core value of this index on.
    Flat(usize),
    /// To this address.
    Memory(usize),
    /// To no place, for a case without a value.
    Nowhere,
}

/// The parts of a value, and where the one after the last that was asked for begins.
pub(crate) struct Parts {
    whole: Place,
    next: usize,
    offset: usize,
}

/// A list: its items' type, where they are, and how many there are and have room.
pub(crate) struct List {
    item: InterfaceType,
    size: usize,
    align: u32,
    pointer: usize,
    length: usize,
    room: usize,
}

impl<T> Guest<'_, '_, T> {
    fn memory(&mut self, address: usize, length: usize) -> Result<&mut [u8]> {
        let rest = self.cx.as_slice_mut().get_mut(address..);
        rest.and_then(|rest| rest.get_mut(..length))
            .ok_or_else(|| format_err!("a value beyond the end of memory"))
    }

    fn store(&mut self, place: To, value: ValRaw, bytes: &[u8]) -> Result<()> {
        match place {
            To::Flat(index) => match self.flat.get_mut(index) {
                Some(slot) => *slot = value,
                None => bail!("a value beyond the last parameter"),
            },
            To::Memory(address) => {
                self.memory(address, bytes.len())?.copy_from_slice(bytes);
            }
            To::Nowhere => bail!("a value for a case without one"),
        }
        Ok(())
    }

    /// A pointer and a length.
    fn store_pair(&mut self, place: To, pointer: usize, length: usize) -> Result<()> {
        let (pointer, length) = (u32::try_from(pointer)?, u32::try_from(length)?);
        let second = match place {
            To::Flat(index) => To::Flat(index + 1),
            To::Memory(address) => To::Memory(address + 4),
            To::Nowhere => To::Nowhere,
        };
        self.store(place, ValRaw::u64(pointer.into()), &pointer.to_le_bytes())?;
        self.store(second, ValRaw::u64(length.into()), &length.to_le_bytes())
    }

    /// The type of a part, if there is one of this index.
    fn part_type(&self, whole: InterfaceType, index: usize) -> Option<InterfaceType> {
        match whole {
            InterfaceType::Record(ty) => self.types[ty].fields.get(index).map(|field| field.ty),
            InterfaceType::Tuple(ty) => self.types[ty].types.get(index).copied(),
            InterfaceType::FixedLengthList(ty) => {
                let list = &self.types[ty];
                (index < list.size as usize).then_some(list.element)
            }
            _ => None,
        }
    }
}

impl<T> Target for Guest<'_, '_, T> {
    type Error = wasmtime::Error;
    type Place = Place;
    type Parts = Parts;
    type List = List;

    fn scalar(&mut self, place: &Place, value: Scalar) -> Result<()> {
        let to = place.to;
        match (place.ty, value) {
            (InterfaceType::Bool, Scalar::Bool(v)) => {
                self.store(to, ValRaw::u32(v.into()), &[v.into()])
            }
            (InterfaceType::S8, Scalar::S8(v)) => {
                self.store(to, ValRaw::i32(v.into()), &v.to_le_bytes())
            }
            (InterfaceType::U8, Scalar::U8(v)) => self.store(to, ValRaw::u32(v.into()), &[v]),
            (InterfaceType::S16, Scalar::S16(v)) => {
                self.store(to, ValRaw::i32(v.into()), &v.to_le_bytes())
            }
            (InterfaceType::U16, Scalar::U16(v)) => {
                self.store(to, ValRaw::u32(v.into()), &v.to_le_bytes())
            }
            (InterfaceType::S32, Scalar::S32(v)) => {
                self.store(to, ValRaw::i32(v), &v.to_le_bytes())
            }
            (InterfaceType::U32, Scalar::U32(v)) => {
                self.store(to, ValRaw::u32(v), &v.to_le_bytes())
            }
            (InterfaceType::S64, Scalar::S64(v)) => {
                self.store(to, ValRaw::i64(v), &v.to_le_bytes())
            }
            (InterfaceType::U64, Scalar::U64(v)) => {
                self.store(to, ValRaw::u64(v), &v.to_le_bytes())
            }
            (InterfaceType::Float32, Scalar::F32(v)) => {
                self.store(to, ValRaw::f32(v.to_bits()), &v.to_le_bytes())
            }
            (InterfaceType::Float64, Scalar::F64(v)) => {
                self.store(to, ValRaw::f64(v.to_bits()), &v.to_le_bytes())
            }
            (InterfaceType::Char, Scalar::Char(v)) => {
                let v = u32::from(v);
                self.store(to, ValRaw::u32(v), &v.to_le_bytes())
            }
            _ => other_type(),
        }
    }

    fn string(&mut self, place: &Place, text: &str) -> Result<()> {
        let InterfaceType::String = place.ty else {
            return other_type();
        };
        let (pointer, length) = text::write(self.cx, text)?;
        self.store_pair(place.to, pointer, length)
    }

    fn bytes(&mut self, place: &Place, given: &Base64<'_>) -> Result<(), Stopped<Self::Error>> {
        let stopped = Stopped::Target;
        let list = self.list(place, given.length()).map_err(stopped)?;
        let InterfaceType::U8 = list.item else {
            return other_type().map_err(stopped);
        };
        let bytes = self.memory(list.pointer, list.room).map_err(stopped)?;
        given.decode(bytes)?;
        self.store_pair(place.to, list.pointer, list.room)
            .map_err(stopped)
    }

    fn flags(&mut self, place: &Place, words: &[u32]) -> Result<()> {
        let InterfaceType::Flags(ty) = place.ty else {
            return other_type();
        };
        let mut left = size(&self.types[ty].abi);
        for (index, word) in words.iter().enumerate() {
            let to = match place.to {
                To::Flat(first) => To::Flat(first + index),
                To::Memory(address) => To::Memory(address + 4 * index),
                To::Nowhere => To::Nowhere,
            };
            let bytes = word.to_le_bytes();
            let length = left.min(bytes.len());
            left -= length;
            self.store(to, ValRaw::u32(*word), &bytes[..length])?;
        }
        Ok(())
    }

    fn case(&mut self, place: &Place, index: usize) -> Result<Place> {
        let types = self.types;
        let (info, payload) = match place.ty {
            InterfaceType::Variant(ty) => {
                let case = types[ty].cases.get_index(index);
                (&types[ty].info, case.map(|(_, payload)| *payload))
            }
            InterfaceType::Enum(ty) => {
                let known = index < types[ty].names.len();
                (&types[ty].info, known.then_some(None))
            }
            InterfaceType::Option(ty) => {
                let payloads = [None, Some(types[ty].ty)];
                (&types[ty].info, payloads.get(index).copied())
            }
            InterfaceType::Result(ty) => {
                let payloads = [types[ty].ok, types[ty].err];
                (&types[ty].info, payloads.get(index).copied())
            }
            _ => return other_type(),
        };
        let Some(payload) = payload else {
            return other_type();
        };
        let discriminant = u32::try_from(index)?;
        let length = u32::from(info.size) as usize;
        let bytes = discriminant.to_le_bytes();
        self.store(place.to, ValRaw::u32(discriminant), &bytes[..length])?;
        let (Some(ty), to) = (payload, place.to) else {
            return Ok(Place {
                ty: place.ty,
                to: To::Nowhere,
            });
        };
        let to = match to {
            To::Flat(index) => To::Flat(index + 1),
            To::Memory(address) => To::Memory(address + info.payload_offset32 as usize),
            To::Nowhere => To::Nowhere,
        };
        Ok(Place { ty, to })
    }

    fn parts(&mut self, place: &Place) -> Result<Parts> {
        Ok(Parts {
            whole: *place,
            next: 0,
            offset: 0,
        })
    }

    fn part(&mut self, parts: &mut Parts, index: usize) -> Result<Place> {
        if index < parts.next {
            (parts.next, parts.offset) = (0, 0);
        }
        loop {
            let whole = parts.whole;
            let Some(ty) = self.part_type(whole.ty, parts.next) else {
                return other_type();
            };
            let abi = self.types.canonical_abi(&ty);
            let (to, end) = match whole.to {
                To::Flat(first) => {
                    let count = abi.flat_count(MAX_FLAT_PARAMS).unwrap_or(MAX_FLAT_PARAMS);
                    (To::Flat(first + parts.offset), parts.offset + count)
                }
                To::Memory(address) => {
                    let offset = parts.offset.next_multiple_of(abi.align32 as usize);
                    (To::Memory(address + offset), offset + size(abi))
                }
                To::Nowhere => (To::Nowhere, 0),
            };
            parts.offset = end;
            parts.next += 1;
            if parts.next > index {
                return Ok(Place { ty, to });
            }
        }
    }

    fn list(&mut self, place: &Place, expected: usize) -> Result<List> {
        let InterfaceType::List(ty) = place.ty else {
            return other_type();
        };
        let item = self.types[ty].element;
        let abi = self.types.canonical_abi(&item);
        let mut list = List {
            item,
            size: size(abi),
            align: abi.align32,
            pointer: 0,
            length: 0,
            room: expected,
        };
        let bytes = list.bytes(expected)?;
        list.pointer = self.cx.realloc(0, 0, list.align, bytes)?;
        Ok(list)
    }

    fn item(&mut self, list: &mut List) -> Result<Place> {
        if list.length == list.room {
            let room = list.room.saturating_mul(2).max(4);
            self.resize(list, room)?;
        }
        let address = list.pointer + list.bytes(list.length)?;
        list.length += 1;
        Ok(Place {
            ty: list.item,
            to: To::Memory(address),
        })
    }

    fn end(&mut self, place: &Place, mut list: List) -> Result<()> {
        if list.length < list.room {
            let length = list.length;
            self.resize(&mut list, length)?;
        }
        self.store_pair(place.to, list.pointer, list.length)
    }
}

impl<T> Guest<'_, '_, T> {
    fn resize(&mut self, list: &mut List, room: usize) -> Result<()> {
        let (old, new) = (list.bytes(list.room)?, list.bytes(room)?);
        list.pointer = self.cx.realloc(list.pointer, old, list.align, new)?;
        list.room = room;
        Ok(())
    }
}

impl List {
    /// What so many items take.
    fn bytes(&self, items: usize) -> Result<usize> {
        let bytes = items.checked_mul(self.size);
        bytes.ok_or_else(|| format_err!("a list larger than any memory"))
    }
}

fn size(abi: &CanonicalAbiInfo) -> usize {
    abi.size32 as usize
}

/// The signature was read from the component's types, so this is a fault of the host.
fn other_type<V>() -> Result<V> {
    bail!("a value of another type than the component's")
}
