"""Tasks for Chicory in Python: ordinary functions, run as sandboxed WebAssembly components.

What task authors import. Must not know how a component is built.
"""

from . import context, log, progress
from .errors import Err, Ok, Result, TaskError
from .tasks import task
from .widths import F32, S8, S16, S32, S64, U8, U16, U32, U64, Char

__all__ = [
    "F32", "S8", "S16", "S32", "S64", "U8", "U16", "U32", "U64", "Char",
    "Err", "Ok", "Result", "TaskError",
    "context", "log", "progress", "task",
]
