"""Lines with the times of their words, for formats that can hold both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ctckit.alignment.spans import TimedText
from ctckit.alignment.writers.tiers import Tiers, joined
from ctckit.errors import InvalidInputError


@dataclass(frozen=True)
class Line:
    """A text with its time, and its words.

    Attributes:
        whole: The text.
        words: Its words; empty if only the text has a time.
    """

    whole: TimedText
    words: tuple[TimedText, ...] = ()

    @property
    def found(self) -> bool:
        """Whether any frame emits it."""
        return self.whole.start_seconds < self.whole.end_seconds

    def rows(self) -> list[list[TimedText]]:
        """Return the words of each row of the text; without words, each row is one."""
        rows = [" ".join(row.split()) for row in self.whole.text.splitlines() if row.strip()]
        if not self.words:
            return [[TimedText(row, self.whole.start_seconds, self.whole.end_seconds, None)] for row in rows]
        rest = list(self.words)
        return [_taken(rest, row) for row in rows]

    def written(self, word: Callable[[TimedText], str], end_of_row: str = "\n") -> str:
        """Return the text with a function of each word in its place."""
        rows = self.rows()
        return end_of_row.join(
            "".join(" " * bool(k and each.before) + word(each) for k, each in enumerate(row)) for row in rows
        )


def lines_with_words(tiers: Tiers) -> tuple[Line, ...]:
    """Return the lines of a file, with their words if there is a tier for them.

    Args:
        tiers: One tier of texts; or "lines" and "words", two tiers of the same text.

    Raises:
        InvalidInputError: If there are other tiers, or the words are not those of the lines.
    """
    if set(tiers.entries) != {"lines", "words"}:
        return tuple(Line(each) for each in tiers.only_tier())
    rest = list(tiers.entries["words"])
    lines = [Line(line, tuple(_taken(rest, line.text))) for line in tiers.entries["lines"]]
    for line in lines:
        if _letters(line.words) != _letters([line.whole]):
            raise InvalidInputError(
                f"{tiers.name}: the line {line.whole.text!r} does not have the next words of tiers['words']; expected "
                "the words of all lines, in order. Pass one of the tiers."
            )
    return tuple(lines)


def cues(tiers: Tiers) -> tuple[Line, ...]:
    """Return the lines of a file in which each line needs a time: a line without frames is in the line before it."""
    groups: list[list[Line]] = []
    for line in lines_with_words(tiers):
        if groups and (not line.found or not any(each.found for each in groups[-1])):
            groups[-1].append(line)
        else:
            groups.append([line])
    return tuple(
        Line(joined([line.whole for line in group]), tuple(word for line in group for word in line.words))
        for group in groups
    )


def _taken(words: list[TimedText], text: str) -> list[TimedText]:
    """Remove the words of a text from the beginning of a list, and return them."""
    taken: list[TimedText] = []
    while words and len(_letters(taken)) < len("".join(text.split())):
        taken.append(words.pop(0))
    return taken


def _letters(texts: Sequence[TimedText]) -> str:
    return "".join("".join(each.text.split()) for each in texts)
