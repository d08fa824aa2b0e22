"""How far the task is, for whoever waits for it."""

from . import host


def report(percent: float, message: str | None = None) -> None:
    """Reports that `percent` (0 to 100) of the work is done."""
    host.current.report(float(percent), message)
