"""The module {{name}}: each function with `@task` is a task."""

from collections import Counter
from dataclasses import dataclass

from chicory_sdk import U32, log, task


@dataclass
class Summary:
    words: U32
    unique: U32
    most_common: list[tuple[str, U32]]


@task(max_retries=3, backoff="exponential")
def summarize(text: str, top: U32) -> Summary:
    """Counts the words of a text, and names the most frequent ones."""
    counts = Counter(text.lower().split())
    if not counts:
        raise ValueError("empty text")
    log.info(f"{len(counts)} different words")
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return Summary(counts.total(), len(counts), ranked[:top])
