"""Annotations for numbers of widths other than `int` (s64) and `float` (f64), and for a single character."""

from typing import Annotated

U8 = Annotated[int, "u8"]
U16 = Annotated[int, "u16"]
U32 = Annotated[int, "u32"]
U64 = Annotated[int, "u64"]
S8 = Annotated[int, "s8"]
S16 = Annotated[int, "s16"]
S32 = Annotated[int, "s32"]
S64 = Annotated[int, "s64"]
F32 = Annotated[float, "f32"]
Char = Annotated[str, "char"]

WIDTHS = frozenset(["u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "f32", "char"])
