"""The texts of a TextGrid, in its long or its short text form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

# Praat reads what stands free: texts in quotes, numbers, and flags such as <exists>. All else is for human readers.
_VALUE = re.compile(r'(?<!\S)(?:"((?:[^"]|"")*)"|([-+]?\d[\d.eE+-]*)(?!\S)|<(\w+)>)')
_FIELDS = {"IntervalTier": 3, "TextTier": 2}  # start, end, text; time, mark


def textgrid(content: str) -> dict[str, list[str]]:
    """Return the texts of each tier, the empty ones too.

    Raises:
        ValueError: If it is no TextGrid, or is cut off.
    """
    return {name: [entry[-1] for entry in entries] for name, entries in entries_of(content).items()}


def entries_of(content: str) -> dict[str, list[list[str]]]:
    """Return the entries of each tier as they stand there: start, end, text of an interval; time, text of a point.

    Raises:
        ValueError: If it is no TextGrid, or is cut off.
    """
    values = _values(content)
    if list(islice(values, 2)) != ["ooTextFile", "TextGrid"]:
        raise ValueError("it is not a TextGrid in Praat's text format; save it as a text file.")
    _, _, _, count = _take(values, 4)  # start, end, <exists>
    return dict([_tier(values) for _ in range(_number(count))])


def _tier(values: Iterator[str]) -> tuple[str, list[list[str]]]:
    kind, name, _, _, count = _take(values, 5)
    if kind not in _FIELDS:
        raise ValueError(f"a tier is of class {kind!r}; expected IntervalTier or TextTier.")
    return name, [_take(values, _FIELDS[kind]) for _ in range(_number(count))]


def _number(text: str) -> int:
    if not text.isdigit():
        raise ValueError(f"a number of entries is {text!r}; expected a whole TextGrid in Praat's text format.")
    return int(text)


def _take(values: Iterator[str], count: int) -> list[str]:
    taken = list(islice(values, count))
    if len(taken) < count:
        raise ValueError("it ends before its last entry; expected a whole TextGrid in Praat's text format.")
    return taken


def _values(content: str) -> Iterator[str]:
    for text, number, flag in _VALUE.findall(content):
        yield number or flag or text.replace('""', '"')
