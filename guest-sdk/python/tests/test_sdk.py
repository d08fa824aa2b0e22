"""The worked example, called natively, and the WIT and metadata derived from it."""

import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "example")]

import app  # noqa: E402
from chicory_sdk import build, tasks, testing, world  # noqa: E402


class Example(unittest.TestCase):
    def test_runs_natively(self):
        ran = testing.run(app.summarize, "to be or not to be", 2)
        self.assertEqual(ran.value, app.Summary(6, 4, [("be", 2), ("to", 2)]))

    def test_an_exception_is_a_failure_under_its_class(self):
        failure = testing.run(app.summarize, "", 2).failure
        self.assertEqual((failure.name, failure.message), ("ValueError", "empty text"))

    def test_wit_and_metadata(self):
        registered = list(tasks.REGISTERED.values())
        self.assertIn("export summarize: func(text: string, top: u32) -> result<summary, failure>;",
                      world.world(registered))
        self.assertIn(b'"retry": {"max_retries": 3, "backoff": "exponential"}', build.lines(registered))


if __name__ == "__main__":
    unittest.main()
