"""What is known about an aligned recording of a corpus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ctckit.alignment.summary import NumberedLine


@dataclass(frozen=True)
class Record:
    """A recording of a corpus, after its turn.

    Attributes:
        name: Its path in the corpus, without an ending.
        key: What it was made from; a record with another key is out of date.
        words: The number of its words.
        lines: Its lines with their times.
        unspelled: Its words that the model cannot spell.
        problem: Why it could not be aligned; None if it was.
    """

    name: str
    key: str
    words: int = 0
    lines: tuple[NumberedLine, ...] = ()
    unspelled: tuple[str, ...] = ()
    problem: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the record as an object for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Record:
        """Return the record of an object from ``to_dict``."""
        lines = tuple(NumberedLine.from_dict(line) for line in data["lines"])
        return cls(data["name"], data["key"], data["words"], lines, tuple(data["unspelled"]), data["problem"])
