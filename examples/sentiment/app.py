"""Says whether a customer's message is praise or a complaint: naive Bayes, in plain Python.

The model is trained when the module is built, and is in the module as it is in memory then.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from chicory_sdk import TaskError, U32, log, progress, task


class Label(Enum):
    PRAISE = auto()
    COMPLAINT = auto()


@dataclass
class Verdict:
    label: Label
    probability: float
    known_words: U32


class EmptyMessage(TaskError):
    """There is nothing to judge."""


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def train(path: Path) -> tuple[dict[Label, Counter], set[str]]:
    """The words of each label's examples: a line is a label, a tab and a text."""
    counts = {label: Counter() for label in Label}
    for line in path.read_text().splitlines():
        label, text = line.split("\t")
        counts[Label[label.upper()]].update(words(text))
    return counts, set().union(*counts.values())


COUNTS, VOCABULARY = train(Path(__file__).parent / "training.tsv")


@task(max_retries=2, ignore_on=[EmptyMessage])
def classify(text: str) -> Verdict:
    """Judges one message."""
    found = words(text)
    if not found:
        raise EmptyMessage.fatal("the message has no words")
    known = [word for word in found if word in VOCABULARY]
    scores = {
        label: sum(
            math.log((counts[word] + 1) / (counts.total() + len(VOCABULARY))) for word in known
        )
        for label, counts in COUNTS.items()
    }
    label = max(scores, key=scores.get)
    probability = 1 / sum(math.exp(score - scores[label]) for score in scores.values())
    log.debug(f"{len(known)} of {len(found)} words are known")
    return Verdict(label, round(probability, 4), len(known))


@task(timeout=60)
def classify_all(texts: list[str]) -> list[Verdict]:
    """Judges many messages, and says how far it is."""
    verdicts = []
    for number, text in enumerate(texts, 1):
        verdicts.append(classify(text))
        progress.report(100 * number / len(texts))
    return verdicts
