"""How well a text fits its recording: counts, the mean confidence, and the lines that probably were not said."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctckit import _checks
from ctckit.alignment.spans import TimedText

SUSPICIOUS = 0.1  # lines that were not said have 0.00, of those that were said 99 % have 0.25 or more
MOST_CHARACTERS = 60  # of a line in a list


@dataclass(frozen=True)
class NumberedLine:
    """A line of a text with its time. ``str()`` has its number, time, confidence and the beginning of its text.

    Attributes:
        number: Its number in the text, from 1.
        line: The line, its time and its confidence.

    Example:
        >>> from ctckit.alignment import NumberedLine
        >>> from ctckit.alignment import TimedText
        >>> print(NumberedLine(2, TimedText("Never!", 1.5, 1.9, 0.01)))
        2, 1.50–1.90 s, 0.01: Never!
    """

    number: int
    line: TimedText

    def is_suspicious(self, below: float) -> bool:
        """Return whether its confidence is lower than this, or no frame emits it."""
        sure = self.line.confidence
        return self.line.start_seconds == self.line.end_seconds or (sure is not None and sure < below)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NumberedLine:
        """Return the line that ``dataclasses.asdict`` was called on."""
        return cls(data["number"], TimedText(**data["line"]))

    def __str__(self) -> str:
        line = self.line
        sure = "" if line.confidence is None else f", {line.confidence:.2f}"
        text = " ".join(line.text.split())
        short = text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 2]} …"
        return f"{self.number}, {line.start_seconds:.2f}–{line.end_seconds:.2f} s{sure}: {short}"


@dataclass(frozen=True)
class AlignmentSummary:
    """How well a text fits its recording. ``str()`` is a sentence.

    Attributes:
        lines: The lines.
        words: The number of words.
        confidence: The mean confidence of the lines; None if no line has one.
        below: Lines with a lower confidence are suspicious.

    Example:
        >>> from ctckit.alignment import TimedText, summarize
        >>> lines = [TimedText("So be it.", 0.5, 1.5, 0.8), TimedText("Never!", 1.5, 1.9, 0.01)]
        >>> summary = summarize({"lines": lines, "words": lines})
        >>> summary.confidence, [line.number for line in summary.suspicious]
        (0.405, [2])
        >>> print(summary)
        2 lines, 2 words, mean confidence 0.41
    """

    lines: tuple[NumberedLine, ...]
    words: int
    confidence: float | None
    below: float

    @property
    def suspicious(self) -> tuple[NumberedLine, ...]:
        """The lines with a lower confidence, and those of which no frame emits a word, in their order."""
        return tuple(each for each in self.lines if each.is_suspicious(self.below))

    def __str__(self) -> str:
        sure = "" if self.confidence is None else f", mean confidence {self.confidence:.2f}"
        return f"{_counted(len(self.lines), 'line')}, {_counted(self.words, 'word')}{sure}"


def summarize(
    tiers: Mapping[str, Sequence[TimedText]], *, numbers: Sequence[int] | None = None, below: float = SUSPICIOUS
) -> AlignmentSummary:
    """Return a summary of an alignment: how well the text fits.

    Args:
        tiers: "lines" and "words", as ``timed_utterances`` and ``timed_tiers`` return them. Words without lines are one
            line.
        numbers: The number of each line in its text; by default 1, 2, ….
        below: Lines with a lower confidence are suspicious. Text that was not said has about 0.00.

    Example:
        >>> from ctckit.alignment import TimedText, summarize
        >>> lines = [TimedText("So be it.", 0.5, 1.5, 0.8), TimedText("Never!", 1.5, 1.9, 0.01)]
        >>> found = summarize({"lines": lines, "words": lines})
        >>> print(found)
        2 lines, 2 words, mean confidence 0.41
        >>> [(each.number, each.line.text) for each in found.suspicious]
        [(2, 'Never!')]
    """
    lines = tiers.get("lines", ())
    counted = range(1, len(lines) + 1) if numbers is None else numbers
    numbered = [NumberedLine(number, line) for number, line in zip(counted, lines, strict=True)]
    return summarize_lines(numbered, len(tiers.get("words", ())), below=below)


def summarize_lines(lines: Sequence[NumberedLine], words: int, *, below: float = SUSPICIOUS) -> AlignmentSummary:
    """Return the summary of lines that have this many words."""
    _checks.number(below, "below", 0.0, 1.0)
    sure = [each.line.confidence for each in lines if each.line.confidence is not None]
    mean = math.fsum(sure) / len(sure) if sure else None
    return AlignmentSummary(tuple(lines), words, mean, below)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"
