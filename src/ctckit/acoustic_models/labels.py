"""Words whose borders someone has set in Praat: the intervals of a TextGrid."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ctckit.alignment.readers import decoded, praat
from ctckit.errors import DataError

TIERS = ("words", "word")


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
    content = decoded(path)
    try:
        tiers = praat.entries_of(content)
        for name, entries in tiers.items():
            if name.lower() in TIERS and all(len(entry) == 3 for entry in entries):
                return [
                    LabeledWord(each[2].strip(), float(each[0]), float(each[1])) for each in entries if each[2].strip()
                ]
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None
    raise DataError(f"{path}: it has the tiers {', '.join(map(repr, tiers))}; expected one of intervals named 'words'.")
