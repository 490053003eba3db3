"""Words whose borders someone has set in Praat: the intervals of a TextGrid."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ctckit.errors import DataError

TIERS = ("words", "word")
# Praat reads what stands free: texts in quotes, numbers, and flags such as <exists>. All else is for human readers.
_VALUE = re.compile(r'(?<!\S)(?:"((?:[^"]|"")*)"|([-+]?\d\S*)|<(\w+)>)(?!\S)')


class LabeledWord(NamedTuple):
    """A word and its borders, in seconds."""

    text: str
    start_seconds: float
    end_seconds: float


def labeled_words(path: Path) -> list[LabeledWord]:
    """Return the words of a TextGrid: the intervals with a text of its tier "words" or "word".

    Raises:
        DataError: If it is not a TextGrid in a text format, or has no such tier.
    """
    values = _values(_decoded(path))
    if list(islice(values, 2)) != ["ooTextFile", "TextGrid"]:
        raise DataError(f"{path}: it is not a TextGrid in Praat's text format; save it as a text file.")
    try:
        count = int(_take(values, 4)[-1])
        tiers = dict(_tier(values) for _ in range(count))
    except ValueError:
        raise DataError(f"{path}: it is cut off or damaged.") from None
    for name in tiers:
        if name.lower() in TIERS:
            return [word for word in tiers[name] if word.text]
    raise DataError(f"{path}: it has the tiers {', '.join(map(repr, tiers))}; expected one of intervals named 'words'.")


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # as Praat writes
    try:
        return content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text in UTF-8 or UTF-16 ({error}).") from None


def _tier(values: Iterator[str]) -> tuple[str, Sequence[LabeledWord]]:
    kind, name, _, _, count = _take(values, 5)
    if kind != "IntervalTier":
        _take(values, 2 * int(count))
        return name, ()
    rows = [_take(values, 3) for _ in range(int(count))]
    return name, [LabeledWord(text.strip(), float(start), float(end)) for start, end, text in rows]


def _take(values: Iterator[str], count: int) -> list[str]:
    taken = list(islice(values, count))
    if len(taken) < count:
        raise ValueError("cut off")
    return taken


def _values(content: str) -> Iterator[str]:
    for text, number, flag in _VALUE.findall(content):
        yield number or flag or text.replace('""', '"')
