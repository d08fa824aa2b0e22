"""Components that were made before, by the digest of everything that they are made of.

Must not know how they are made.
"""

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

KEPT = 16
"""How many are kept, so that the folder does not grow without end."""
PREFIX = "python-"
NOT_SOURCE = {"build", "target", "node_modules", "__pycache__", "RECORD", "direct_url.json"}
"""What tools make, and pip's notes of where it has put what."""


def digest(parts: Iterable[str], folders: Iterable[Path], without: Iterable[Path] = ()) -> str:
    """Of texts, and of the names and contents of all files in folders: not those that tools have made, nor
    those `without`."""
    without = set(without)
    seen = hashlib.sha256()
    for part in parts:
        seen.update(f"{len(part)}\n{part}\n".encode())
    for folder in folders:
        for path in files(folder):
            if path in without:
                continue
            content = path.read_bytes()
            seen.update(f"{path.relative_to(folder)}\n{len(content)}\n".encode() + content)
        seen.update(b"\0")
    return seen.hexdigest()


def files(folder: Path) -> list[Path]:
    """The files of a folder and those below it, hidden ones left out."""
    found = []
    for parent, below, names in os.walk(folder):
        below[:] = [name for name in below if name not in NOT_SOURCE and not name.startswith(".")]
        found += [Path(parent, name) for name in names if name not in NOT_SOURCE and not name.startswith(".")]
    return sorted(found)


def kept(folder: Path | None, key: str, make: Callable[[], bytes]) -> bytes:
    """The component called `key` in `folder`, or else what `make` makes. Without a folder it is made."""
    if folder is None:
        return make()
    path = folder / f"{PREFIX}{key}.wasm"
    try:
        os.utime(path)
        return path.read_bytes()
    except FileNotFoundError:
        component = make()
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{path.name}.{os.getpid()}"
    partial.write_bytes(component)
    partial.replace(path)
    for old in sorted(folder.glob(f"{PREFIX}*.wasm"), key=lambda one: -one.stat().st_mtime)[KEPT:]:
        old.unlink(missing_ok=True)
    return component
