"""The task's progress, for clients that wait for it."""

from . import host


def report(percent: float, message: str | None = None) -> None:
    """Reports that `percent` (0 to 100) of the work is done."""
    host.current.report(float(percent), message)
