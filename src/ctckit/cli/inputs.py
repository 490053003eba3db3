"""The files of words that commands read: texts, hotwords, lexicons."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ctckit._files import read_text as read_text
from ctckit.errors import DataError


def read_lines(path: Path) -> Iterator[str]:
    """Return the lines that are not empty. Only line feeds separate lines: a token may be any other white space."""
    return (line.rstrip("\r") for line in read_text(path).split("\n") if line.strip())


def read_lexicon(path: Path) -> list[str] | dict[str, list[list[str]]]:
    """Return the words of a lexicon, or its words with their spellings; a word on several lines has several."""
    lines = [line.split("\t") for line in read_lines(path)]
    if all(len(line) == 1 for line in lines):
        return _words(path, [word for (word,) in lines])
    spelled: dict[str, list[list[str]]] = {}
    for n, line in enumerate(lines, 1):
        if len(line) != 2 or not line[1].split():
            raise DataError(f"{path}: line {n} is {chr(9).join(line)!r}; expected a word, a tab and its tokens.")
        spelled.setdefault(line[0], []).append(line[1].split())
    return spelled


def _words(path: Path, words: list[str]) -> list[str]:
    """Return the words of a lexicon without spellings; check that they are words."""
    for n, word in enumerate(words, 1):
        if len(word.split()) > 1:
            raise DataError(
                f"{path}: line {n} is {word!r}, and no line has a tab; expected one word a line, or a word, a tab and "
                "its tokens with spaces between them."
            )
    return words


def read_hotwords(path: Path, weight: float | None) -> dict[str, float | None]:
    """Return the hotwords of a file with their weights; ``weight`` is for lines that have none."""
    found: dict[str, float | None] = {}
    for n, line in enumerate(read_lines(path), 1):
        phrase, tab, own = line.partition("\t")
        try:
            found[phrase] = float(own) if tab else weight
        except ValueError:
            raise DataError(f"{path}: line {n} is {line!r}; expected a phrase, or a phrase, a tab and nats.") from None
    return found
