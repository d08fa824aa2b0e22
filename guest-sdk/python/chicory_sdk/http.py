"""Requests to the hosts that the module's manifest grants: `http.get(url).json()`, or `await http.fetch(url)`.

Whoever imports this module at the top of theirs has HTTP built in. Must not know how bytes travel.
"""

import json as as_json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from .transport import Request, blocking, send, waiting

MAX_REDIRECTS = 10
REDIRECTS = (301, 302, 303, 307, 308)
SECRET = {"authorization", "cookie", "proxy-authorization"}
"""Headers that must not be sent to another host after a redirect."""
BODY = {"content-type", "content-length", "content-encoding"}


class StatusError(Exception):
    """A response with an error status, raised by `raise_for_status`."""

    def __init__(self, response: "Response"):
        super().__init__(f"{response.url} answered with status {response.status}")
        self.response = response


class TooManyRedirects(Exception):
    """The request was redirected too often."""


@dataclass(frozen=True)
class Response:
    """A response."""

    url: str
    """The final URL, after redirects."""
    status: int
    headers: dict[str, str]
    """By lower-case name; repeated headers are joined by commas."""
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status < 400

    def text(self) -> str:
        """The body as text, in the response's encoding, or UTF-8. Invalid bytes are replaced."""
        parameters = self.headers.get("content-type", "").replace(" ", "").split(";")
        named = [one.partition("=")[2].strip('"') for one in parameters if one.lower().startswith("charset=")]
        try:
            return self.body.decode(named[0] if named else "utf-8", "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON."""
        return as_json.loads(self.body)

    def raise_for_status(self) -> "Response":
        """Returns the response itself, or raises a `StatusError` if the status is 400 or above."""
        if not self.ok:
            raise StatusError(self)
        return self


def request(method: str, url: str, **how: Any) -> Response:
    """Sends a request, and waits for the complete response.

    `how`: `params` (added to the URL), `headers`, `data` (bytes or text) or `json` as the body, `timeout` (seconds
    until a connection is there, and until an answer begins), `redirects` (False: a redirect is an answer).

    Raises PermissionError for a host that is not granted, TimeoutError, ConnectionError, ValueError for a URL that
    is none, OSError for anything else that keeps an answer from coming. A bad status is an answer.
    """
    coroutine = follow(method, url, blocking, **how)
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("a blocking request has to end at once")


async def fetch(url: str, method: str = "GET", **how: Any) -> Response:
    """The same for an `async def`: other coroutines keep running."""
    return await follow(method, url, waiting, **how)


def get(url: str, **how: Any) -> Response:
    """`request("GET", …)`."""
    return request("GET", url, **how)


def head(url: str, **how: Any) -> Response:
    """`request("HEAD", …)`."""
    return request("HEAD", url, **how)


def post(url: str, **how: Any) -> Response:
    """`request("POST", …)`."""
    return request("POST", url, **how)


def put(url: str, **how: Any) -> Response:
    """`request("PUT", …)`."""
    return request("PUT", url, **how)


def patch(url: str, **how: Any) -> Response:
    """`request("PATCH", …)`."""
    return request("PATCH", url, **how)


def delete(url: str, **how: Any) -> Response:
    """`request("DELETE", …)`."""
    return request("DELETE", url, **how)


async def follow(method: str, url: str, ready: Any, redirects: bool = True, **how: Any) -> Response:
    """Sends a request, and follows redirects."""
    asked = prepare(method, url, **how)
    for _ in range(MAX_REDIRECTS + 1):
        status, entries, body = await send(asked, ready)
        response = Response(asked.url, status, joined(entries), body)
        if not redirects or status not in REDIRECTS or "location" not in response.headers:
            return response
        asked = redirected(asked, status, response.headers["location"])
    raise TooManyRedirects(f"{url} was redirected more than {MAX_REDIRECTS} times")


def prepare(method: str, url: str, *, params: Mapping[str, Any] | None = None,
            headers: Mapping[str, str] | None = None, data: bytes | str | None = None, json: Any = None,
            timeout: float | None = None) -> Request:
    """A request, with its parameters in the URL and its body as bytes."""
    if data is not None and json is not None:
        raise ValueError("give a request either `data` or `json`, not both")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is not a valid URL: it must begin with http:// or https://")
    if params:
        query = "&".join(part for part in (parts.query, urlencode(params, doseq=True)) if part)
        parts = parts._replace(query=query)
    given = {name.lower(): value for name, value in (headers or {}).items()}
    if json is not None:
        data = as_json.dumps(json)
        given.setdefault("content-type", "application/json")
    body = data.encode() if isinstance(data, str) else bytes(data or b"")
    if body or method.upper() in ("POST", "PUT", "PATCH"):
        given["content-length"] = str(len(body))
    return Request(method.upper(), parts._replace(fragment="").geturl(), given, body, timeout)


def redirected(asked: Request, status: int, location: str) -> Request:
    """The request that a redirect asks for."""
    url = urljoin(asked.url, location)
    headers = asked.headers
    if urlsplit(url)[:2] != urlsplit(asked.url)[:2]:
        headers = {name: value for name, value in headers.items() if name not in SECRET}
    if (status == 303 and asked.method != "HEAD") or (status in (301, 302) and asked.method == "POST"):
        headers = {name: value for name, value in headers.items() if name not in BODY}
        return prepare("GET", url, headers=headers, timeout=asked.timeout)
    return prepare(asked.method, url, headers=headers, data=asked.body, timeout=asked.timeout)


def joined(entries: list[tuple[str, str]]) -> dict[str, str]:
    """Headers by name."""
    headers: dict[str, str] = {}
    for written, value in entries:
        name = written.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
