"""What a task may know about the message that it is working on."""

from . import host


def id() -> str:
    """The id of the message, the same at every try: a key for idempotent work."""
    return host.current.ask("id")


def name() -> str:
    """The task's name as the producer wrote it."""
    return host.current.ask("name")


def retries() -> int:
    """How often this message was retried before: 0 at the first try."""
    return host.current.ask("retries")


def max_retries() -> int:
    """How many retries the policy allows."""
    return host.current.ask("max_retries")


def remaining_retries() -> int:
    """How many retries are left after this try."""
    return host.current.ask("remaining_retries")


def is_last_retry() -> bool:
    """Whether this try is the last."""
    return host.current.ask("is_last_retry")


def deadline() -> int:
    """When the host will stop this try, in milliseconds since 1970."""
    return host.current.ask("deadline")


def last_error() -> str | None:
    """The error of the previous try; None at the first."""
    return host.current.ask("last_error")


def tenant() -> str | None:
    """The tenant that the task belongs to, where the fleet has tenants."""
    return host.current.ask("tenant")
