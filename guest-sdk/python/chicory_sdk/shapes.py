"""From annotations to WIT types.

A `Shape` is what both the derived WIT and the conversion of values are made from. Must not know
components.
"""

import dataclasses
import enum
import sys
import types
import typing
from dataclasses import dataclass, field

from .errors import Result, TaskError
from .names import camel, escaped, kebab
from .widths import WIDTHS

PLAIN = {int: "s64", float: "f64", str: "string", bool: "bool", bytes: "list<u8>"}


class NotATask(TypeError):
    """An annotation that no WIT type corresponds to."""


@dataclass
class Shape:
    """A WIT type, and the Python type that it came from."""

    kind: str
    wit: str
    python: typing.Any = None
    parts: list["Shape | None"] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """WIT names of fields or cases."""
    attributes: list[str] = field(default_factory=list)
    """The same in Python's spelling."""


class Shapes:
    """The types of one module: each class gets one WIT type."""

    def __init__(self) -> None:
        self.named: dict[str, Shape] = {}
        self._open: list[type] = []

    def of(self, hint: typing.Any, module: str) -> Shape:
        """The shape of an annotation that was written in `module`."""
        if hint in PLAIN:
            return Shape("plain", PLAIN[hint], hint)
        if hint is TaskError:
            return Shape("task-error", "task-error", hint)
        if isinstance(hint, type) and not typing.get_origin(hint):
            return self._class(hint)
        if hasattr(hint, "__value__"):  # `type Name = …`
            return self._union(hint.__value__, module, hint.__name__)
        return self._generic(hint, module)

    def _generic(self, hint: typing.Any, module: str) -> Shape:
        origin, args = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Annotated:
            width = next((extra for extra in args[1:] if extra in WIDTHS), None)
            return Shape("plain", width, args[0]) if width else self.of(args[0], module)
        if origin in (typing.Union, types.UnionType):
            return self._union(hint, module)
        if origin is tuple and args and Ellipsis not in args:
            parts = [self.of(arg, module) for arg in args]
            return Shape("tuple", f"tuple<{', '.join(part.wit for part in parts)}>", hint, parts)
        if origin is list:
            item = self.of(args[0], module)
            return Shape("list", f"list<{item.wit}>", hint, [item])
        if origin is dict and args[0] is str:
            item = self.of(args[1], module)
            return Shape("dict", f"list<tuple<string, {item.wit}>>", hint, [item])
        if origin is Result:
            return self.result(*(self.maybe(arg, module) for arg in args))
        raise NotATask(f"{describe(hint)} has no WIT type; see the table in the SDK's README")

    def maybe(self, hint: typing.Any, module: str) -> Shape | None:
        """The shape of an annotation that may be None."""
        return None if hint in (None, type(None)) else self.of(hint, module)

    def result(self, ok: Shape | None, err: Shape | None) -> Shape:
        """`result<ok, err>`."""
        if err is None:
            wit = f"result<{ok.wit}>" if ok else "result"
        else:
            wit = f"result<{ok.wit if ok else '_'}, {err.wit}>"
        return Shape("result", wit, Result, [ok, err])

    def _union(self, hint: typing.Any, module: str, name: str | None = None) -> Shape:
        args = [arg for arg in typing.get_args(hint) if arg is not type(None)]
        if len(args) < len(typing.get_args(hint)):
            inner = typing.Union[tuple(args)]  # noqa: UP007 (of a number known at run time)
            shape = self.of(inner, module)
            if shape.kind == "option":
                return shape
            return Shape("option", f"option<{shape.wit}>", hint, [shape])
        if not all(dataclasses.is_dataclass(arg) for arg in args):
            raise NotATask(
                f"{describe(hint)} has no WIT type: each case of a union must be a dataclass, whose name"
                " becomes the variant's case"
            )
        name = kebab(name or alias(hint, module) or "Or".join(arg.__name__ for arg in args))
        shape = Shape("variant", escaped(name), hint)
        if name not in self.named:
            self.named[name] = shape
            shape.names = [kebab(arg.__name__) for arg in args]
            shape.attributes = [f"{camel(name)}_{camel(case)}" for case in shape.names]
            shape.python, shape.parts = args, [self._payload(arg) for arg in args]
        return self.named[name]

    def _payload(self, case: type) -> Shape | None:
        fields = dataclasses.fields(case)
        if not fields:
            return None
        if [one.name for one in fields] == ["value"]:
            return self.of(hints(case)["value"], case.__module__)
        return self._class(case)

    def _class(self, cls: type) -> Shape:
        name = kebab(cls.__name__)
        found = self.named.get(name)
        if found is not None and found.python is not cls:
            raise NotATask(f"two types have the WIT name `{name}`: rename {cls.__qualname__}")
        if cls in self._open:
            raise NotATask(f"{cls.__qualname__} contains itself: WIT has no recursive types")
        if found is not None:
            return found
        if dataclasses.is_dataclass(cls):
            self._open.append(cls)
            shape = self._record(cls, name)
            self._open.pop()
        elif issubclass(cls, enum.Enum):
            kind = "flags" if issubclass(cls, enum.Flag) else "enum"
            members = list(cls.__members__)
            shape = Shape(kind, escaped(name), cls, [], [kebab(one) for one in members], members)
        else:
            raise NotATask(f"{describe(cls)} has no WIT type; see the table in the SDK's README")
        self.named[name] = shape
        return shape

    def _record(self, cls: type, name: str) -> Shape:
        fields = [one.name for one in dataclasses.fields(cls)]
        if not fields:
            raise NotATask(f"{cls.__qualname__} has no fields, and WIT has no empty records")
        types_of = hints(cls)
        parts = [self.of(types_of[one], cls.__module__) for one in fields]
        return Shape("record", escaped(name), cls, parts, [kebab(one) for one in fields], fields)


def hints(thing: typing.Any) -> dict[str, typing.Any]:
    """The annotations of a function or class."""
    return typing.get_type_hints(thing, include_extras=True)


def alias(hint: typing.Any, module: str) -> str | None:
    """The name that `module` gives a union, as in `Shape = Circle | Square`."""
    names = vars(sys.modules[module]).items() if module in sys.modules else ()
    return next((name for name, value in names if value == hint and not name.startswith("_")), None)


def describe(hint: typing.Any) -> str:
    """An annotation for people."""
    return f"`{hint.__name__ if isinstance(hint, type) else str(hint).replace('typing.', '')}`"
