"""Answers what a task asks its host: the real host in a component, a fake one elsewhere."""

from dataclasses import dataclass, field


@dataclass
class StandIn:
    """A fake host for tests: what the task is told, and what it reported."""

    id: str = "test"
    name: str = "test.task"
    retries: int = 0
    max_retries: int = 0
    deadline: int = 0
    last_error: str | None = None
    tenant: str | None = None
    log: list[tuple[str, str]] = field(default_factory=list)
    progress: list[tuple[float, str | None]] = field(default_factory=list)

    @property
    def remaining_retries(self) -> int:
        """Retries left after this attempt."""
        return max(0, self.max_retries - self.retries)

    @property
    def is_last_retry(self) -> bool:
        """Whether this is the last attempt."""
        return self.remaining_retries == 0

    def ask(self, name: str):
        """A field of the context."""
        return getattr(self, name)

    def write(self, level: str, message: str) -> None:
        """A line for the log."""
        self.log.append((level, message))

    def report(self, percent: float, message: str | None) -> None:
        """The task's progress."""
        self.progress.append((percent, message))


class Real:
    """The host of a component."""

    def __init__(self, context, log, progress):
        self._context, self._progress, self._write = context, progress, log.write
        self._levels = {level.name.lower(): level for level in log.Level}

    def ask(self, name: str):
        """A field of the context."""
        return getattr(self._context, name)()

    def write(self, level: str, message: str) -> None:
        """A line for the log."""
        self._write(self._levels[level], message)

    def report(self, percent: float, message: str | None) -> None:
        """The task's progress."""
        self._progress.report(percent, message)


def find():
    """The host of this process."""
    try:
        from wit_world.imports import context, log, progress
    except ImportError:
        return StandIn()
    return Real(context, log, progress)


current = find()
