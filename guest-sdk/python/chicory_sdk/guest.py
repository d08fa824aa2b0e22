"""Inside the component: from the host's call to the author's function, and back.

Run once when the component is built, whose memory is kept as it is then. Must not be imported outside
a component.
"""

import inspect
import linecache
import re
import sys
from collections.abc import Callable
from typing import Any

import componentize_py_types as results
import wit_world
from wit_world.imports import types

from . import log
from .convert import Converters, milliseconds
from .errors import Err, Failure, Ok, TaskError
from .names import snake
from .shapes import Shapes
from .tasks import REGISTERED, Task


MOUNTED = re.compile(r'File "/\d+/')
"""Where componentize-py puts the folders that modules come from."""


def remember_sources() -> None:
    """Keeps the lines of the author's modules for tracebacks: a sandbox has no files."""
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None) or ""
        if re.match(r"/\d+/.*\.py$", path) and not module.__name__.startswith("chicory_sdk"):
            lines = linecache.getlines(path)
            linecache.cache[path] = (sum(map(len, lines)), None, lines, path)


def world() -> type:
    """The class that componentize-py takes a world's exports from."""
    remember_sources()
    shapes = Shapes()
    exports = {snake(one.name): export(one, shapes) for one in REGISTERED.values()}
    return type("WitWorld", (), {name: staticmethod(call) for name, call in exports.items()})


def export(one: Task, shapes: Shapes) -> Callable[..., Any]:
    """The function that the host calls for a task."""
    parameters, ok, err, own = one.signature(shapes)
    converters = Converters(wit_world, types, results)
    into = [(converters.into(p.shape), p.default) for p in parameters]
    out, error_out = converters.out(ok), converters.out(err)
    function = synchronous(one.function)

    def call(*args: Any) -> Any:
        try:
            values = [prepare(arg, *how) for arg, how in zip(args, into)]
            value = function(*values)
        except Exception as error:
            raise results.Err(declared(error, error_out) if own else undeclared(error)) from None
        if own and isinstance(value, Err | TaskError):
            raise results.Err(declared(value, error_out))
        if own and isinstance(value, Ok):
            value = value.value
        return out(value) if out else value

    return call


def prepare(value: Any, convert: Any, default: Any) -> Any:
    """An argument as the function takes it."""
    if value is None and default is not inspect.Parameter.empty:
        return default
    return convert(value) if convert and value is not None else value


def declared(error: Exception, convert: Any) -> Any:
    """The error of a task that declared its error's type; anything else traps."""
    value = error.value if isinstance(error, Err) else error
    if isinstance(value, Exception) and not isinstance(value, TaskError):
        raise value
    return convert(value) if convert else value


def undeclared(error: Exception) -> Any:
    """Any exception, as the queue sees it."""
    failure = Failure.of(error)
    failure.traceback = MOUNTED.sub('File "', failure.traceback)
    if failure.final:
        advice = types.Advice_Never()
    elif failure.delay is not None:
        advice = types.Advice_After(milliseconds(failure.delay))
    else:
        advice = types.Advice_Policy()
    log.error(failure.traceback.rstrip())
    return types.Failure(failure.name, failure.message, failure.traceback, advice)


def synchronous(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that also runs the event loop, where it is needed."""
    if not inspect.iscoroutinefunction(function):
        return function
    from .loop import run

    return lambda *args: run(function(*args))
