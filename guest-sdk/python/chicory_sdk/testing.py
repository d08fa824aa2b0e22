"""Runs a task natively with a fake host, for the author's own tests."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from . import host
from .errors import Failure


@dataclass
class Ran:
    """A task's result, and what it reported."""

    value: Any
    failure: Failure | None
    log: list[tuple[str, str]]
    progress: list[tuple[float, str | None]]


@contextmanager
def context(**fields: Any) -> Iterator[host.StandIn]:
    """A fake host that answers with these fields (for example `retries=2`), and records what it is told."""
    before, host.current = host.current, host.StandIn(**fields)
    try:
        yield host.current
    finally:
        host.current = before


def run(task: Callable[..., Any], *args: Any, told: dict[str, Any] | None = None, **kwargs: Any) -> Ran:
    """Calls a task; `told` are fields of its context. An exception is the failure that the queue sees."""
    value = failure = None
    with context(**(told or {})) as seen:
        try:
            value = task(*args, **kwargs)
            if inspect.iscoroutine(value):
                from .loop import run as run_loop

                value = run_loop(value)
        except Exception as error:
            failure = Failure.of(error)
    return Ran(value, failure, seen.log, seen.progress)
