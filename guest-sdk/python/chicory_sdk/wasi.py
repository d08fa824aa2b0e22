"""One request by WASI's HTTP. Must not be imported outside a component that was built with it.

A resource of the host has to be given back before the one that it was made of: hence the order of the
`with` blocks.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from componentize_py_types import Err
from wit_world.imports import http_types as types
from wit_world.imports import monotonic_clock, outgoing_handler, poll, streams

from .transport import Answer, Request, target

READ = 65536
"""Bytes that are taken from an answer at a time."""
NANOSECONDS = 1_000_000_000
Ready = Callable[[poll.Pollable], Awaitable[None]]


async def send(request: Request, ready: Ready) -> Answer:
    """The answer to a request."""
    outgoing = head(request)
    body = outgoing.body()
    try:
        coming = outgoing_handler.handle(outgoing, options(request.timeout))
    except Err as error:
        raise failed(error.value, request.url) from None
    with coming:
        await write(body, request.body, ready)
        with coming.subscribe() as pollable:
            await ready(pollable)
        outcome = coming.get().value
        if isinstance(outcome, Err):
            raise failed(outcome.value, request.url)
        with outcome.value as answer:
            with answer.headers() as fields:
                entries = [(name, value.decode("latin-1")) for name, value in fields.entries()]
            return answer.status(), entries, await read(answer, ready, request.url)


def head(request: Request) -> types.OutgoingRequest:
    """The request without its body."""
    parts = urlsplit(request.url)
    entries = [(name, value.encode("utf-8")) for name, value in request.headers.items()]
    try:
        outgoing = types.OutgoingRequest(types.Fields.from_list(entries))
        outgoing.set_method(method(request.method))
        outgoing.set_scheme(types.Scheme_Https() if parts.scheme == "https" else types.Scheme_Http())
        outgoing.set_authority(parts.netloc.rpartition("@")[2])
        outgoing.set_path_with_query(target(request.url))
    except Err as error:
        what = spoken(error.value) if error.value else "its method or URL can't be sent"
        raise ValueError(f"{request.method} {request.url}: {what}") from None
    return outgoing


def method(name: str) -> types.Method:
    """A method by its name."""
    known = getattr(types, f"Method_{name.capitalize()}", None)
    return known() if known and name != "OTHER" else types.Method_Other(name)


def options(timeout: float | None) -> types.RequestOptions | None:
    """How long the host waits."""
    if timeout is None:
        return None
    made = types.RequestOptions()
    nanoseconds = max(1, int(timeout * NANOSECONDS))
    made.set_connect_timeout(nanoseconds)
    made.set_first_byte_timeout(nanoseconds)
    return made


def first(handles: list[poll.Pollable], timeout: float | None) -> list[int]:
    """Waits until something of the host's is ready: the places of all that are; none, where the time was over."""
    if timeout is None:
        return poll.poll(handles)
    with monotonic_clock.subscribe_duration(max(0, int(timeout * NANOSECONDS))) as clock:
        return [place for place in poll.poll([*handles, clock]) if place < len(handles)]


async def write(body: types.OutgoingBody, content: bytes, ready: Ready) -> None:
    """Sends a body. A host that answers before it has read all of it is no error: its answer says more."""
    try:
        with body.write() as stream:
            while content:
                room = stream.check_write()
                if room == 0:
                    with stream.subscribe() as pollable:
                        await ready(pollable)
                    continue
                stream.write(content[:room])
                content = content[room:]
            stream.flush()
            with stream.subscribe() as pollable:
                await ready(pollable)
        types.OutgoingBody.finish(body, None)
    except Err:
        return


async def read(answer: types.IncomingResponse, ready: Ready, url: str) -> bytes:
    """The whole body of an answer."""
    parts = []
    with answer.consume() as body, body.stream() as stream:
        while True:
            with stream.subscribe() as pollable:
                await ready(pollable)
            try:
                parts.append(stream.read(READ))
            except Err as error:
                if isinstance(error.value, streams.StreamError_Closed):
                    return b"".join(parts)
                with error.value.value as cause:
                    raise ConnectionError(f"{url}: the response was cut off: {cause.to_debug_string()}") from None


def failed(code: types.ErrorCode, url: str) -> OSError:
    """The reason why there is no response, as a Python exception."""
    name = type(code).__name__.removeprefix("ErrorCode_")
    message = f"{url}: {spoken(code)}"
    if name in ("HttpRequestDenied", "DestinationIpProhibited"):
        return PermissionError(f"{message}: the module's manifest does not grant this host")
    if name.endswith("Timeout"):
        return TimeoutError(message)
    if name == "ConnectionRefused":
        return ConnectionRefusedError(message)
    if name.startswith(("Connection", "Destination", "Dns", "HttpResponseIncomplete")):
        return ConnectionError(message)
    return OSError(message)


def spoken(code: object) -> str:
    """`ErrorCode_ConnectionRefused` as `connection refused`, with what it holds."""
    name = type(code).__name__.partition("_")[2]
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    value = getattr(code, "value", None)
    return f"{words} ({value})" if isinstance(value, str) else words
