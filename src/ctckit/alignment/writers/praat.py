"""Praat's TextGrid, in its long text form."""

from __future__ import annotations

from collections.abc import Sequence

from ctckit.alignment.spans import TimedText
from ctckit.alignment.writers.tiers import CONFIDENCE, NOT_FOUND, Tiers, found_and_not, with_confidence
from ctckit.errors import InvalidInputError

SHORTEST_SECONDS = 0.001  # of an empty interval between two entries


def textgrid(tiers: Tiers) -> str:
    """Return an interval tier for each tier. Empty intervals fill the time between entries, as Praat requires.

    Texts without frames are points in a separate tier. The confidences of a tier are a tier behind all others.
    """
    if tiers.duration_seconds == 0:
        raise InvalidInputError(f"{tiers.name} lasts 0 s, which Praat does not open; give duration_seconds.")
    blocks, sure = [], []
    for name, entries in tiers.disjoint().items():
        found, missing = found_and_not(entries)
        blocks.append(_block("IntervalTier", name, "intervals", _intervals(found, tiers.duration_seconds), tiers))
        if missing:
            points = [[f"number = {_decimal(each.start_seconds)}", f"mark = {_quoted(each.text)}"] for each in missing]
            blocks.append(_block("TextTier", f"{name}: {NOT_FOUND}", "points", points, tiers))
        if known := with_confidence(found):
            numbers = _intervals(known, tiers.duration_seconds)
            sure.append(_block("IntervalTier", f"{name}: {CONFIDENCE}", "intervals", numbers, tiers))
    blocks += sure
    items = [line for n, block in enumerate(blocks, 1) for line in (f"    item [{n}]:", *block)]
    head = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {_decimal(tiers.duration_seconds)}",
        "tiers? <exists>",
        f"size = {len(blocks)}",
        "item []:",
    ]
    return "\n".join([*head, *items, ""])


def _block(kind: str, name: str, parts: str, contents: Sequence[Sequence[str]], tiers: Tiers) -> list[str]:
    lines = [
        f'        class = "{kind}"',
        f"        name = {_quoted(name)}",
        "        xmin = 0",
        f"        xmax = {_decimal(tiers.duration_seconds)}",
        f"        {parts}: size = {len(contents)}",
    ]
    for n, content in enumerate(contents, 1):
        lines.append(f"        {parts} [{n}]:")
        lines += [f"            {line}" for line in content]
    return lines


def _intervals(entries: Sequence[TimedText], end: float) -> list[list[str]]:
    """Return the intervals of a tier. What is too short to be clicked belongs to the entry before it."""
    filled: list[tuple[float, float, str]] = []
    at = 0.0
    for each in entries:
        if filled and each.start_seconds - at < SHORTEST_SECONDS:
            filled[-1] = (filled[-1][0], each.start_seconds, filled[-1][2])
        elif at < each.start_seconds:
            filled.append((at, each.start_seconds, ""))
        filled.append((each.start_seconds, each.end_seconds, each.text))
        at = each.end_seconds
    if at < end:
        filled.append((at, end, ""))
    return [
        [f"xmin = {_decimal(start)}", f"xmax = {_decimal(stop)}", f"text = {_quoted(text)}"]
        for start, stop, text in filled
    ]


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def _decimal(seconds: float) -> str:
    """Return a decimal number without an exponent."""
    return f"{seconds:.6f}".rstrip("0").rstrip(".")
