"""The decorator `task`, and what it knows about each function.

A task stays an ordinary function, and can be called and tested as one. Must not know components.
"""

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .errors import Result
from .names import kebab
from .shapes import NotATask, Shape, Shapes, hints

RETRY = ("max_retries", "retry_delay", "backoff", "max_delay", "jitter", "retry_on", "ignore_on")
LIMITS = ("timeout", "cpu_time", "memory", "fuel", "log_bytes", "args_bytes", "result_bytes")
OTHER = ("delivery_mode", "ignore_result", "description")

F = typing.TypeVar("F", bound=Callable[..., Any])


@dataclass
class Parameter:
    """A parameter of a task. Producers may omit one with a default value."""

    name: str
    shape: Shape
    default: Any = inspect.Parameter.empty


@dataclass
class Task:
    """A function that is a task, and what its decorator says."""

    function: Callable[..., Any]
    name: str
    settings: dict[str, Any] = field(default_factory=dict)

    def signature(self, shapes: Shapes) -> tuple[list[Parameter], Shape | None, Shape | None, bool]:
        """Parameters, result, error, and whether the error's type is the task's own."""
        module, of = self.function.__module__, hints(self.function)
        parameters = []
        for name, one in inspect.signature(self.function).parameters.items():
            if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
                raise NotATask(f"the parameter `*{name}` has no WIT type: list the parameters")
            if name not in of:
                raise NotATask(f"the parameter `{name}` has no annotation")
            parameters.append(Parameter(name, self._shape(shapes, name, of[name]), one.default))
        returned = of.get("return")
        try:
            if typing.get_origin(returned) is Result:
                ok, err = (shapes.maybe(arg, module) for arg in typing.get_args(returned))
                return parameters, ok, err, True
            return parameters, shapes.maybe(returned, module), None, False
        except (NotATask, ValueError) as error:
            raise NotATask(f"its result: {error}") from None

    def _shape(self, shapes: Shapes, name: str, hint: Any) -> Shape:
        try:
            return shapes.of(hint, self.function.__module__)
        except (NotATask, ValueError) as error:
            raise NotATask(f"the parameter `{name}`: {error}") from None


REGISTERED: dict[str, Task] = {}


def task(function: F | None = None, /, **settings: Any) -> Any:
    """Turns a function into a task, with or without settings: `@task` or `@task(max_retries=3)`.

    Retries: `max_retries`, `retry_delay` (seconds), `backoff` ("fixed", "linear", "exponential"),
    `max_delay` (seconds), `jitter`, `retry_on` and `ignore_on` (exception classes, with their
    subclasses, or names). Limits: `timeout` and `cpu_time` (seconds), `memory`, `fuel`, `log_bytes`,
    `args_bytes`, `result_bytes`. Others: `delivery_mode` ("at_least_once", "at_most_once"),
    `ignore_result`, `description` (the docstring's first line), `name`.
    """
    unknown = settings.keys() - {*RETRY, *LIMITS, *OTHER, "name"}
    if unknown:
        allowed = ", ".join(sorted([*RETRY, *LIMITS, *OTHER, "name"]))
        raise TypeError(f"task() has no setting {', '.join(sorted(unknown))}; there are {allowed}")

    def register(function: F) -> F:
        name = kebab(settings.pop("name", function.__name__))
        if name in REGISTERED and REGISTERED[name].function.__code__ is not function.__code__:
            raise TypeError(f"two tasks are called `{name}`")
        REGISTERED[name] = Task(function, name, settings)
        return function

    return register(function) if function else register


def metadata(one: Task) -> dict[str, Any]:
    """What the host is told about a task, as keys of the manifest."""
    retry = {key: named(one.settings[key]) for key in RETRY if key in one.settings}
    if any(cls in one.settings.get("retry_on", ()) for cls in (Exception, BaseException)):
        del retry["retry_on"]  # Everything, which is what none means.
    limits = {key: one.settings[key] for key in LIMITS if key in one.settings}
    told = {key: one.settings[key] for key in OTHER if key in one.settings}
    first_line = (inspect.getdoc(one.function) or "").split("\n", 1)[0]
    if first_line and "description" not in told:
        told["description"] = first_line
    return told | ({"retry": retry} if retry else {}) | ({"limits": limits} if limits else {})


def named(value: Any) -> Any:
    """Exception classes as the names under which they end tasks, subclasses included."""
    if not isinstance(value, list | tuple | set | frozenset):
        return value
    names: dict[str, None] = {}
    for entry in value:
        for cls in family(entry) if isinstance(entry, type) else [entry]:
            names[cls.__name__ if isinstance(cls, type) else cls] = None
    return list(names)


def family(cls: type) -> list[type]:
    """A class and all classes below it."""
    below = [] if cls in (Exception, BaseException) else cls.__subclasses__()
    return [cls, *(one for sub in sorted(below, key=lambda sub: sub.__name__) for one in family(sub))]
