"""Names: from Python's spelling to WIT's kebab-case, and to what componentize-py makes of that.

Must not know types.
"""

import keyword
import re

WIT_KEYWORDS = frozenset(
    "as async bool borrow char constructor enum export f32 f64 flags from func future import include"
    " interface list map option own package record resource result s16 s32 s64 s8 static stream string"
    " tuple type u16 u32 u64 u8 use variant with world".split()
)


def kebab(name: str) -> str:
    """`most_common`, `MOST_COMMON` and `MostCommon` as `most-common`; a ValueError where there is no way."""
    words = name.rstrip("_").split("_")
    if len(words) == 1 and name != name.upper():
        words = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z][A-Z0-9]*", words[0])
    words = [word.lower() for word in words]
    if not all(re.fullmatch("[a-z][a-z0-9]*", word) for word in words) or not words:
        raise ValueError(
            f"the name `{name}` has no form in WIT: use ASCII letters and digits, in words that begin"
            " with a letter, with one underscore between them"
        )
    return "-".join(words)


def escaped(name: str) -> str:
    """A WIT name that may be one of WIT's own words."""
    return f"%{name}" if name in WIT_KEYWORDS else name


def snake(name: str) -> str:
    """A WIT name as componentize-py names functions and fields."""
    name = name.replace("-", "_")
    return f"{name}_" if keyword.iskeyword(name) else name


def camel(name: str) -> str:
    """A WIT name as componentize-py names types."""
    name = "".join(word.capitalize() for word in name.split("-"))
    return f"{name}_" if keyword.iskeyword(name) else name
