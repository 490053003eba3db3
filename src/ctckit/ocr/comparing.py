"""Texts compared with what was read in their place: errors of characters and words, counted by jiwer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import jiwer


@dataclass(frozen=True)
class ErrorCounts:
    """The errors between true texts and read ones, counted in characters or in words.

    Attributes:
        right: Read as they are.
        substitutions: Read as others.
        deletions: Not read.
        insertions: Read without being there.
    """

    right: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def true(self) -> int:
        """The number of characters or words in the true texts."""
        return self.right + self.substitutions + self.deletions

    @property
    def errors(self) -> int:
        """All errors."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors per true character or word. It may exceed 1. Without any true ones: the number of errors."""
        return self.errors / max(1, self.true)

    def __add__(self, other: ErrorCounts) -> ErrorCounts:
        return ErrorCounts(
            self.right + other.right,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )


@dataclass(frozen=True)
class ComparedLine:
    """The text of a line, and what was read.

    Attributes:
        name: The source of the line.
        text: Its text.
        read: What was read.
        characters: Errors of characters; spaces are characters.
        words: Errors of words; spaces separate words.
        document: Its document.
        confidence: The confidence of the reading, 0..1; None if it is not known.
    """

    name: str
    text: str
    read: str
    characters: ErrorCounts
    words: ErrorCounts
    document: str = ""
    confidence: float | None = None

    @property
    def exact(self) -> bool:
        """Whether it was read without any error."""
        return self.text == self.read

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True)
class ErrorRates:
    """The errors of several lines together.

    Attributes:
        lines: The number of lines.
        exact_lines: Those without any error.
        characters: Errors of characters.
        words: Errors of words.
    """

    lines: int
    exact_lines: int
    characters: ErrorCounts
    words: ErrorCounts

    @classmethod
    def of(cls, lines: Sequence[ComparedLine]) -> ErrorRates:
        """Return the errors of lines."""
        return cls(
            len(lines),
            sum(line.exact for line in lines),
            sum((line.characters for line in lines), ErrorCounts()),
            sum((line.words for line in lines), ErrorCounts()),
        )

    @property
    def cer(self) -> float:
        """Character errors per true character."""
        return self.characters.rate

    @property
    def wer(self) -> float:
        """Word errors per true word."""
        return self.words.rate

    @property
    def exact(self) -> float:
        """The share of lines without any error, 0..1."""
        return self.exact_lines / max(1, self.lines)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {
            "lines": self.lines,
            "cer": self.cer,
            "wer": self.wer,
            "exact": self.exact,
            "exact_lines": self.exact_lines,
            "characters": {"true": self.characters.true, **asdict(self.characters)},
            "words": {"true": self.words.true, **asdict(self.words)},
        }


@dataclass(frozen=True)
class Confusion:
    """A character that was read as another one.

    Attributes:
        true: The character; "" if there is none: an insertion.
        read: What was read; "" if nothing was: a deletion.
        count: How often.
    """

    true: str
    read: str
    count: int


def compare_characters(truths: Sequence[str], reads: Sequence[str]) -> jiwer.CharacterOutput:
    """Return the errors between texts, by character; spaces count as characters, also at the ends."""
    whole = jiwer.Compose([jiwer.ReduceToListOfListOfChars()])
    return jiwer.process_characters(list(truths), list(reads), reference_transform=whole, hypothesis_transform=whole)


def compare_lines(names: Sequence[str], truths: Sequence[str], reads: Sequence[str]) -> list[ComparedLine]:
    """Return lines with their errors of characters and of words.

    Args:
        names: The sources of the lines.
        truths: Their texts.
        reads: What was read.

    Example:
        >>> from ctckit.ocr.comparing import compare_lines
        >>> (line,) = compare_lines(["a.png"], ["to be"], ["to bee"])
        >>> line.characters.rate, line.words.rate
        (0.2, 0.5)
    """
    if not names:
        return []
    characters = compare_characters(truths, reads).alignments
    words = jiwer.process_words(list(truths), list(reads)).alignments
    return [
        ComparedLine(name, truth, read, _counts(by_character), _counts(by_word))
        for name, truth, read, by_character, by_word in zip(names, truths, reads, characters, words, strict=True)
    ]


def _counts(chunks: Iterable[jiwer.AlignmentChunk]) -> ErrorCounts:
    counts: Counter[str] = Counter()
    for chunk in chunks:
        counts[chunk.type] += max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)
    return ErrorCounts(counts["equal"], counts["substitute"], counts["delete"], counts["insert"])


def find_confusions(truths: Sequence[str], reads: Sequence[str]) -> tuple[Confusion, ...]:
    """Return the characters that were misread, the most frequent confusion first.

    Example:
        >>> from ctckit.ocr.comparing import find_confusions
        >>> find_confusions(["1234", "11"], ["1334", "1"])
        (Confusion(true='1', read='', count=1), Confusion(true='2', read='3', count=1))
    """
    counts: Counter[tuple[str, str]] = Counter()
    for truth, read in aligned_pieces(truths, reads):
        if truth != read:
            length = max(len(truth), len(read))
            counts.update(zip(truth or [""] * length, read or [""] * length, strict=True))
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return tuple(Confusion(truth, read, count) for (truth, read), count in ordered)


def aligned_pieces(truths: Sequence[str], reads: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield pieces of texts beside what was read in their place.

    The two are equal, or of the same length, or one is empty.

    Example:
        >>> from ctckit.ocr.comparing import aligned_pieces
        >>> list(aligned_pieces(["gray cat"], ["grey cats"]))
        [('gr', 'gr'), ('a', 'e'), ('y cat', 'y cat'), ('', 's')]
    """
    alignments = compare_characters(truths, reads).alignments if truths else ()
    for truth, read, chunks in zip(truths, reads, alignments, strict=True):
        for chunk in chunks:
            yield (
                truth[chunk.ref_start_idx : chunk.ref_end_idx],
                read[chunk.hyp_start_idx : chunk.hyp_end_idx],
            )
