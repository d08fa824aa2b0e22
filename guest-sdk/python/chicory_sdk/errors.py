"""What ends a task other than its result, and `Result` for tasks that declare their error's type.

Must not know WIT.
"""

import traceback
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
E = TypeVar("E")


@dataclass
class Ok(Generic[T]):
    """The success case of a `Result`."""

    value: T


@dataclass(eq=True)
class Err(Exception, Generic[E]):
    """The error case of a `Result`: returned or raised by a task declared with one."""

    value: E

    __hash__ = Exception.__hash__


class Result(Generic[T, E]):
    """Only an annotation. As a task's return type, `Result[T, E]` declares errors of type E;
    without it any exception ends the task with the name of its class."""


class TaskError(Exception):
    """A failure that decides what happens next. Subclasses keep their own name."""

    def __init__(self, message: str, *, delay: float | None = None, final: bool = False):
        super().__init__(message)
        self.message = message
        self.delay = delay
        """Seconds until the next attempt; None: when the retry policy says."""
        self.final = final
        """Whether the task is never retried."""

    @classmethod
    def retry(cls, message: str) -> "TaskError":
        """Retried when the retry policy says."""
        return cls(message)

    @classmethod
    def retry_after(cls, message: str, seconds: float) -> "TaskError":
        """Retried after this number of seconds (for example, because of a rate limit)."""
        return cls(message, delay=seconds)

    @classmethod
    def fatal(cls, message: str) -> "TaskError":
        """Never retried, whatever the retry policy says."""
        return cls(message, final=True)


@dataclass
class Failure:
    """An exception as the queue sees it."""

    name: str
    message: str
    traceback: str
    delay: float | None = None
    final: bool = False

    @classmethod
    def of(cls, error: Exception, skip: int = 1) -> "Failure":
        """What to say of `error`; the outermost `skip` frames are the SDK's own."""
        frames = error.__traceback__
        for _ in range(skip):
            frames = frames and frames.tb_next
        text = "".join(traceback.format_exception(type(error), error, frames))
        delay, final = getattr(error, "delay", None), getattr(error, "final", False)
        if not isinstance(error, TaskError):
            delay, final = None, False
        return cls(type(error).__name__, str(error), text, delay, final)
