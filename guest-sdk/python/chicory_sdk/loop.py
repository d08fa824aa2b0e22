"""An event loop for coroutines where there are neither sockets nor threads: it can wait for time, and for
what the host is asked for.

Imported only where a task is `async def`.
"""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any


class Waiting:
    """Stands in for a selector: what is waited for, besides time."""

    def __init__(self) -> None:
        self.pollables: dict[asyncio.Future[None], Any] = {}

    def select(self, timeout: float | None) -> list:
        """Waits; a coroutine that waits for something that can't happen is an error."""
        if self.pollables:
            self.poll(timeout)
        elif timeout is None:
            raise RuntimeError("the task waits for something that can never happen")
        else:
            time.sleep(max(0.0, timeout))
        return []

    def poll(self, timeout: float | None) -> None:
        """Waits for the first thing of the host's, or for time."""
        from .wasi import first

        futures = list(self.pollables)
        for place in first(list(self.pollables.values()), timeout):
            if not futures[place].done():
                futures[place].set_result(None)


class Loop(asyncio.BaseEventLoop):
    """The loop."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = Waiting()

    def _process_events(self, events: list) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody else wakes the loop."""


async def ready(pollable: Any) -> None:
    """Waits for something of the host, while other coroutines go on."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    waiting = loop._selector.pollables
    waiting[future] = pollable
    try:
        await future
    finally:
        del waiting[future]


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What the coroutine returns."""
    loop = Loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()
