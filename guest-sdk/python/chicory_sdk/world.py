"""The WIT of a module's tasks, as text.

Must not know how values are converted.
"""

from collections.abc import Iterable

from .names import escaped, kebab
from .project import BuildError
from .shapes import NotATask, Shape, Shapes
from .tasks import Task

HEAD = """package task:module;

world module {
  include chicory:task/imports@0.1.0;
  use chicory:task/types@0.1.0.{failure, task-error};
"""
HTTP = """  import wasi:http/outgoing-handler@0.2.0;
  import wasi:io/poll@0.2.0;
  import wasi:clocks/monotonic-clock@0.2.0;
"""


def world(tasks: Iterable[Task], http: bool = False) -> str:
    """The world that exports these tasks; with `http` it imports what a client of HTTP needs."""
    shapes = Shapes()
    exports = [export(one, shapes) for one in tasks]
    types = [declaration(shape) for shape in shapes.named.values()]
    return HEAD + (HTTP if http else "") + "\n".join([*types, *exports, "}", ""])


def export(one: Task, shapes: Shapes) -> str:
    """The line that exports a task."""
    try:
        parameters, ok, err, own = one.signature(shapes)
        named = [f"{escaped(kebab(p.name))}: {parameter(p)}" for p in parameters]
    except (NotATask, ValueError) as error:
        code = one.function.__code__
        where = f"{code.co_filename}:{code.co_firstlineno}"
        raise BuildError(f"`{one.function.__name__}` can't be a task: {error}\n  at {where}") from None
    failure = err if own else Shape("failure", "failure")
    return f"  export {escaped(one.name)}: func({', '.join(named)}) -> {shapes.result(ok, failure).wit};"


def parameter(one) -> str:
    """A parameter's type; one with a default may be left out."""
    optional = one.default is not one.__class__.default and one.shape.kind != "option"
    return f"option<{one.shape.wit}>" if optional else one.shape.wit


def declaration(shape: Shape) -> str:
    """A named type."""
    names = [escaped(name) for name in shape.names]
    if shape.kind == "record":
        lines = [f"{name}: {part.wit}" for name, part in zip(names, shape.parts)]
    elif shape.kind == "variant":
        lines = [f"{name}({part.wit})" if part else name for name, part in zip(names, shape.parts)]
    else:
        lines = names
    return f"  {shape.kind} {shape.wit} {{ {', '.join(lines)} }}"
