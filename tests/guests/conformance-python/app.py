"""What tests/guests/conformance/world.wit says, in Python, and what this language makes of WASI."""

import asyncio
import os
from dataclasses import dataclass
from enum import Enum, Flag, auto

from chicory_sdk import (
    F32, S8, S16, S32, S64, U8, U16, U32, U64, Char, Err, Result, TaskError, context, http, log, progress,
    task,
)


@dataclass
class Point:
    x: S32
    y_axis: S32
    label: str | None


class Color(Enum):
    RED = auto()
    DARK_GREEN = auto()
    BLUE = auto()


class Rights(Flag):
    READ = auto()
    WRITE = auto()
    RUN_IT = auto()


@dataclass
class Nothing:
    pass


@dataclass
class Circle:
    value: float


@dataclass
class Polygon:
    value: list[Point]


Shape = Nothing | Circle | Polygon


@dataclass
class Nested:
    points: list[Point]
    by_name: dict[str, Point]
    color: Color
    shape: Shape | None


class Fault(Enum):
    NOT_FOUND = auto()
    CONNECTION_ERROR = auto()


@dataclass
class CardDeclined:
    pass


@dataclass
class Overdrawn:
    value: S64


@dataclass
class ConnectionError:
    value: str


Refusal = CardDeclined | Overdrawn | ConnectionError


@dataclass
class ContextFields:
    id: str
    name: str
    retries: U32
    max_retries: U32
    remaining_retries: U32
    is_last_retry: bool
    deadline: U64
    last_error: str | None
    tenant: str | None


def echo(name: str, hint: object) -> None:
    """Makes a task that gives back what it got."""

    def same(value):
        return value

    same.__annotations__ = {"value": hint, "return": hint}
    task(name=f"echo_{name}")(same)


for name, hint in {
    "bool": bool, "u8": U8, "u16": U16, "u32": U32, "u64": U64, "s8": S8, "s16": S16, "s32": S32, "s64": S64,
    "f32": F32, "f64": float, "char": Char, "string": str, "bytes": bytes, "list": list[U32],
    "lists": list[list[str]], "tuple": tuple[U8, str, bool], "option": U32 | None,
    "results": list[Result[U32, str]], "record": Point, "enum": Color, "flags": Rights, "variant": Shape,
    "nested": Nested,
}.items():
    echo(name, hint)


@task
def echo_several(first: U32, second_one: str | None, third: Color) -> tuple[U32, str | None, Color]:
    return first, second_one, third


@task
def nothing() -> None:
    pass


@task
def fail_string(message: str) -> Result[U32, str]:
    raise Err(message)


@task
def fail_enum(error: Fault) -> Result[U32, Fault]:
    return Err(error)


@task
def fail_variant(error: Refusal) -> Result[U32, Refusal]:
    raise Err(error)


@task
def fail_retry(message: str) -> Result[U32, TaskError]:
    raise TaskError.retry(message)


@task
def fail_retry_after(message: str, delay_ms: U64) -> U32:
    raise TaskError.retry_after(message, delay_ms / 1000)


@task
def fail_fatal(message: str) -> Result[U32, TaskError]:
    raise TaskError.fatal(message)


@task
def fail_uncaught(message: str) -> U32:
    raise LookupError(message)


@task
def show_context(after_retries: U32) -> Result[ContextFields, str]:
    if context.retries() < after_retries:
        raise Err(f"only {context.retries()} retries")
    names = ContextFields.__dataclass_fields__
    return ContextFields(*[getattr(context, name)() for name in names])


@task
def log_levels(message: str) -> None:
    for write in (log.trace, log.debug, log.info, log.warn, log.error):
        write(message)


@task
async def report_progress(steps: U32) -> U32:
    for step in range(steps):
        progress.report(100 * (step + 1) / steps, f"step {step + 1}")
    return steps


@task
def fetch_text(url: str) -> str:
    return http.put(url, data="body", timeout=60).raise_for_status().text()


@task
async def fetch_all(urls: list[str]) -> list[str]:
    return [answer.text() for answer in await asyncio.gather(*map(http.fetch, urls))]


@task
def variable(name: str) -> str | None:
    return os.environ.get(name)
