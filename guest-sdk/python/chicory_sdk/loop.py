"""An event loop for coroutines where there are neither sockets nor threads: it can wait for time.

Imported only where a task is `async def`.
"""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any


class Clock:
    """Stands in for a selector: nothing to watch but the time."""

    def select(self, timeout: float | None) -> list:
        """Waits; a coroutine that waits for something that can't happen is an error."""
        if timeout is None:
            raise RuntimeError("the task waits for something that will never happen")
        time.sleep(max(0.0, timeout))
        return []


class Loop(asyncio.BaseEventLoop):
    """The loop."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = Clock()

    def _process_events(self, events: list) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody else wakes the loop."""


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What the coroutine returns."""
    loop = Loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()
