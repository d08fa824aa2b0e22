"""The worked example: the words of a text, counted."""

from collections import Counter
from dataclasses import dataclass

from chicory_sdk import U32, task


@dataclass
class Summary:
    words: U32
    unique: U32
    most_common: list[tuple[str, U32]]


@task(max_retries=3, backoff="exponential")
def summarize(text: str, top: U32) -> Summary:
    counts = Counter(text.lower().split())
    if not counts:
        raise ValueError("empty text")
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return Summary(counts.total(), len(counts), ranked[:top])
