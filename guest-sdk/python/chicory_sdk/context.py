"""What a task may know about its message."""

from . import host


def id() -> str:
    """The id of the message. It is the same at every attempt, so use it as a key for idempotent work."""
    return host.current.ask("id")


def name() -> str:
    """The task's name as the producer wrote it."""
    return host.current.ask("name")


def retries() -> int:
    """The number of retries so far: 0 at the first attempt."""
    return host.current.ask("retries")


def max_retries() -> int:
    """The number of retries that the policy allows."""
    return host.current.ask("max_retries")


def remaining_retries() -> int:
    """The number of retries left after this attempt."""
    return host.current.ask("remaining_retries")


def is_last_retry() -> bool:
    """Whether this is the last attempt."""
    return host.current.ask("is_last_retry")


def deadline() -> int:
    """When the host will stop this attempt, in milliseconds since 1970."""
    return host.current.ask("deadline")


def last_error() -> str | None:
    """The error of the previous attempt; None at the first."""
    return host.current.ask("last_error")


def tenant() -> str | None:
    """The tenant that the task belongs to, if the fleet has tenants."""
    return host.current.ask("tenant")
