"""The WIT of each annotation, the metadata of settings, and the digests of sources."""

import sys
import tempfile
import unittest
from dataclasses import dataclass
from enum import Enum, Flag, auto
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chicory_sdk import F32, U8, U32, Char, Err, Result, TaskError, context, log, progress, testing
from chicory_sdk.kept import digest, kept
from chicory_sdk.names import kebab
from chicory_sdk.project import BuildError
from chicory_sdk.tasks import Task, metadata
from chicory_sdk.world import world


class Color(Enum):
    RED = auto()
    DARK_GREEN = auto()


class Rights(Flag):
    READ = auto()
    RUN_IT = auto()


@dataclass
class Point:
    x: U32
    y_axis: F32
    label: str | None


@dataclass
class Nothing:
    pass


@dataclass
class Circle:
    value: float


Shape = Nothing | Circle


class Unavailable(Exception):
    pass


class TooBusy(Unavailable):
    pass


def plain(a: bool, b: str, c: int, d: float, e: bytes, f: Char, g: U8) -> None: ...
def nested(points: list[Point], color: Color | None, by_name: dict[str, Shape]) -> tuple[Rights, U32]: ...
def results(all_: list[Result[U32, str]]) -> Result[U32, Color]: ...
def optional(top: U32 = 3) -> Result[None, TaskError]: ...
def no_type(things: set) -> None: ...
def no_annotation(things) -> None: ...


def wit(function) -> str:
    """The WIT of one function."""
    return world([Task(function, kebab(function.__name__))])


class Types(unittest.TestCase):
    def test_annotations_become_wit(self):
        for function, lines in [
            (plain, [("plain: func(a: bool, b: string, c: s64, d: f64, e: list<u8>, f: char, g: u8)"
                      " -> result<_, failure>;")]),
            (nested, ["record point { x: u32, y-axis: f32, label: option<string> }",
                      "enum color { red, dark-green }", "flags rights { read, run-it }",
                      "variant shape { nothing, circle(f64) }",
                      ("nested: func(points: list<point>, color: option<color>,"
                       " by-name: list<tuple<string, shape>>) -> result<tuple<rights, u32>, failure>;")]),
            (results, ["results: func(all: list<result<u32, string>>) -> result<u32, color>;"]),
            (optional, ["optional: func(top: option<u32>) -> result<_, task-error>;"]),
        ]:
            for line in lines:
                self.assertIn(line, wit(function))

    def test_what_can_be_no_task_is_named_with_its_place(self):
        for function, reason in [(no_type, "`things`: `set` has no WIT type"), (no_annotation, "no annotation")]:
            with self.assertRaisesRegex(BuildError, reason) as caught:
                wit(function)
            self.assertIn("test_types.py:", str(caught.exception))

    def test_retry_on_names_a_class_with_those_below_it(self):
        told = metadata(Task(plain, "plain", {"retry_on": [Unavailable], "timeout": 2}))
        self.assertEqual(told, {"retry": {"retry_on": ["Unavailable", "TooBusy"]}, "limits": {"timeout": 2}})


class Native(unittest.TestCase):
    def test_a_task_sees_what_it_is_told(self):
        async def work(times: int) -> bool:
            for time in range(times):
                progress.report(100 * (time + 1) / times, "step")
            log.warn(f"try {context.retries()} of {context.max_retries()}")
            return context.is_last_retry()

        ran = testing.run(work, 2, told={"retries": 1, "max_retries": 3})
        self.assertEqual((ran.value, ran.failure), (False, None))
        self.assertEqual(ran.log, [("warn", "try 1 of 3")])
        self.assertEqual(ran.progress, [(50.0, "step"), (100.0, "step")])

    def test_what_is_raised_is_a_failure_under_its_class(self):
        def fail(error: Exception) -> None:
            raise error

        failures = [testing.run(fail, error).failure for error in (
            TooBusy("later"), TaskError.retry_after("busy", 1.5), TaskError.fatal("never"))]
        self.assertEqual([(one.name, one.message, one.delay, one.final) for one in failures], [
            ("TooBusy", "later", None, False), ("TaskError", "busy", 1.5, False), ("TaskError", "never", None, True)])
        with self.assertRaises(Err):
            fail(Err("own"))


class Kept(unittest.TestCase):
    def test_only_sources_count(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "app.py").write_text("1")
            before = digest(["a"], [folder])
            for ignored in ("build", "__pycache__", ".chicory"):
                (folder / ignored).mkdir()
                (folder / ignored / "x").write_text("x")
            self.assertEqual(digest(["a"], [folder]), before)
            self.assertEqual(digest(["a"], [folder], without=[folder / "app.py"]),
                             digest(["a"], [folder / "build" / "y"]))
            (folder / "app.py").write_text("2")
            self.assertNotEqual(digest(["a"], [folder]), before)

    def test_what_was_made_is_made_once(self):
        with tempfile.TemporaryDirectory() as name:
            made = []
            make = lambda: made.append(1) or b"wasm"  # noqa: E731
            self.assertEqual([kept(Path(name), "k", make), kept(Path(name), "k", make)], [b"wasm", b"wasm"])
            self.assertEqual(len(made), 1)


if __name__ == "__main__":
    unittest.main()
