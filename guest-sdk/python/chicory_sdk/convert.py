"""Values there and back: between the author's classes and those that componentize-py generates.

A converter is made once, when the component is built, and is None where nothing has to be done. Must
not know tasks.
"""

from collections.abc import Callable
from typing import Any

from .errors import Err, Ok, TaskError
from .names import camel, snake
from .shapes import Shape

Converter = Callable[[Any], Any] | None


class Converters:
    """Converters to and from the classes in `bindings`, the module generated for a world."""

    def __init__(self, bindings: Any, types: Any, results: Any):
        self.bindings, self.types, self.results = bindings, types, results

    def into(self, shape: Shape | None) -> Converter:
        """From the generated class to the author's."""
        if shape is None or shape.kind == "plain":
            return None
        return getattr(self, f"_into_{shape.kind.replace('-', '_')}")(shape)

    def out(self, shape: Shape | None) -> Converter:
        """From the author's class to the generated one."""
        if shape is None or shape.kind == "plain":
            return None
        return getattr(self, f"_out_{shape.kind.replace('-', '_')}")(shape)

    def generated(self, shape: Shape) -> Any:
        """The generated class of a named type."""
        return getattr(self.bindings, camel(shape.wit.lstrip("%")))

    def _into_list(self, shape: Shape) -> Converter:
        return each(self.into(shape.parts[0]))

    def _out_list(self, shape: Shape) -> Converter:
        one = self.out(shape.parts[0]) or (lambda value: value)
        return lambda items: [one(item) for item in items]

    def _into_option(self, shape: Shape) -> Converter:
        return unless_none(self.into(shape.parts[0]))

    def _out_option(self, shape: Shape) -> Converter:
        return unless_none(self.out(shape.parts[0]))

    def _into_tuple(self, shape: Shape) -> Converter:
        return across([self.into(part) for part in shape.parts])

    def _out_tuple(self, shape: Shape) -> Converter:
        return across([self.out(part) for part in shape.parts])

    def _into_dict(self, shape: Shape) -> Converter:
        one = self.into(shape.parts[0])
        return lambda pairs: {key: one(value) if one else value for key, value in pairs}

    def _out_dict(self, shape: Shape) -> Converter:
        one = self.out(shape.parts[0])
        return lambda items: [(key, one(value) if one else value) for key, value in items.items()]

    def _into_record(self, shape: Shape) -> Converter:
        theirs = [snake(name) for name in shape.names]
        parts = list(zip(shape.attributes, theirs, [self.into(part) for part in shape.parts]))

        def build(value: Any) -> Any:
            fields = ((ours, getattr(value, name), convert) for ours, name, convert in parts)
            return shape.python(**{
                ours: convert(value) if convert else value for ours, value, convert in fields
            })

        return build

    def _out_record(self, shape: Shape) -> Converter:
        generated = self.generated(shape)
        parts = list(zip(shape.attributes, [self.out(part) for part in shape.parts]))

        def build(value: Any) -> Any:
            values = ((getattr(value, name), convert) for name, convert in parts)
            return generated(*[convert(value) if convert else value for value, convert in values])

        return build

    def _into_enum(self, shape: Shape) -> Converter:
        members = [getattr(shape.python, name) for name in shape.attributes]
        return lambda value: members[value.value]

    def _out_enum(self, shape: Shape) -> Converter:
        theirs = list(self.generated(shape))
        by_name = dict(zip(shape.attributes, theirs))
        aliases = {name: by_name[name] for name in shape.attributes}
        return lambda value: aliases[value.name]

    def _into_flags(self, shape: Shape) -> Converter:
        ours = [getattr(shape.python, name) for name in shape.attributes]

        def build(value: Any) -> Any:
            result = shape.python(0)
            for index, member in enumerate(ours):
                if value.value & (1 << index):
                    result |= member
            return result

        return build

    def _out_flags(self, shape: Shape) -> Converter:
        generated = self.generated(shape)
        ours = [getattr(shape.python, name) for name in shape.attributes]
        return lambda value: generated(
            sum(1 << index for index, member in enumerate(ours) if member in value)
        )

    def _into_variant(self, shape: Shape) -> Converter:
        cases = {}
        for name, cls, part in zip(shape.attributes, shape.python, shape.parts):
            whole = part is not None and part.python is cls
            cases[getattr(self.bindings, name)] = (cls, part is None, whole, self.into(part))

        def build(value: Any) -> Any:
            cls, empty, whole, convert = cases[type(value)]
            if empty:
                return cls()
            payload = convert(value.value) if convert else value.value
            return payload if whole else cls(payload)

        return build

    def _out_variant(self, shape: Shape) -> Converter:
        cases = {}
        for name, cls, part in zip(shape.attributes, shape.python, shape.parts):
            whole = part is not None and part.python is cls
            cases[cls] = (getattr(self.bindings, name), part is None, whole, self.out(part))

        def build(value: Any) -> Any:
            generated, empty, whole, convert = cases[type(value)]
            if empty:
                return generated()
            payload = value if whole else value.value
            return generated(convert(payload) if convert else payload)

        return build

    def _into_result(self, shape: Shape) -> Converter:
        ok, err = (self.into(part) for part in shape.parts)
        theirs = self.results.Ok

        def build(value: Any) -> Any:
            cls, convert = (Ok, ok) if isinstance(value, theirs) else (Err, err)
            return cls(convert(value.value) if convert else value.value)

        return build

    def _out_result(self, shape: Shape) -> Converter:
        ok, err = (self.out(part) for part in shape.parts)

        def build(value: Any) -> Any:
            good = isinstance(value, Ok)
            convert, cls = (ok, self.results.Ok) if good else (err, self.results.Err)
            return cls(convert(value.value) if convert else value.value)

        return build

    def _into_task_error(self, _: Shape) -> Converter:
        raise TypeError("TaskError is for errors, not for parameters")

    def _out_task_error(self, _: Shape) -> Converter:
        types = self.types

        def build(error: TaskError) -> Any:
            if error.final:
                return types.TaskError_Fatal(error.message)
            if error.delay is None:
                return types.TaskError_Retry(error.message)
            return types.TaskError_RetryAfter(types.Postponed(error.message, milliseconds(error.delay)))

        return build


def milliseconds(seconds: float) -> int:
    """A delay as the host takes it."""
    return max(0, round(seconds * 1000))


def each(one: Converter) -> Converter:
    """For every item of a list."""
    return one and (lambda items: [one(item) for item in items])


def unless_none(one: Converter) -> Converter:
    """For what may be missing."""
    return one and (lambda value: None if value is None else one(value))


def across(converters: list[Converter]) -> Converter:
    """For the parts of a tuple."""
    if not any(converters):
        return None
    return lambda values: tuple(
        one(value) if one else value for one, value in zip(converters, values)
    )
