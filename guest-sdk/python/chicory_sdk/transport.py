"""How one request travels: through the host in a component, through this machine's sockets elsewhere.

Must not know what a redirect or a good status is.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Request:
    """A request as it is sent."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    timeout: float | None


Answer = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers, body."""


async def natively(request: Request, _ready: Any) -> Answer:
    """For tests: without a sandbox, and without its grants."""
    from http import client

    parts = urlsplit(request.url)
    kind = client.HTTPSConnection if parts.scheme == "https" else client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=request.timeout)
    try:
        connection.request(request.method, target(request.url), request.body or None, request.headers)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()


def target(url: str) -> str:
    """The path and the query."""
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


async def blocking(pollable: Any) -> None:
    """Waits for something of the host; nothing else goes on."""
    pollable.block()


async def waiting(pollable: Any) -> None:
    """Waits for something of the host, while the event loop goes on."""
    from .loop import ready

    await ready(pollable)


try:
    from .wasi import send
except ImportError:
    send = natively
