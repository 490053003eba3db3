"""The characters of a text in the tokens of a model: each as it is, or as the most similar one that the model has."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations

from ctckit._unicode import CharacterIndex, decomposed, is_accent, is_mark, is_spoken

ALIKE = str.maketrans(
    {"’": "'", "‘": "'", "ʼ": "'", "`": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‐": "-", "‑": "-"}
)
# Letters of Latin alphabets that Unicode does not decompose.
_LATIN = str.maketrans(
    {"œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"}
    | {"đ": "d", "Đ": "D", "ħ": "h", "Ħ": "H", "ı": "i"}
)
_MOST_MARKS = 4  # which of more marks a model has is not searched for


@dataclass(frozen=True)
class Form:
    """A way to write a character.

    Attributes:
        text: The characters to write.
        dropped: The marks that it lacks, without accents.
    """

    text: str
    dropped: str = ""


class CharacterSpeller:
    """Writes characters in the tokens of a model.

    Args:
        index: The tokens of the model.
        bytes_of: Returns the tokens of a text's bytes, or None; used for letters that have no similar token.
    """

    def __init__(self, index: CharacterIndex, bytes_of: Callable[[str], list[int] | None] | None = None) -> None:
        self._index = index
        self._bytes_of = bytes_of
        self._written: dict[str, tuple[list[int] | None, str]] = {}

    def write(self, cluster: str) -> tuple[list[int] | None, str]:
        """Return the tokens of a character with its marks, None if it has none; and the marks that they lack."""
        if cluster not in self._written:
            self._written[cluster] = self._best(cluster)
        return self._written[cluster]

    def _best(self, cluster: str) -> tuple[list[int] | None, str]:
        for form in (Form(cluster), *_forms(cluster)):
            tokens = self._index.spell(form.text)
            if tokens:
                return tokens, form.dropped
        return None if self._bytes_of is None or not is_spoken(cluster[0]) else self._bytes_of(cluster), ""


def _forms(cluster: str) -> tuple[Form, ...]:
    """Return the ways to write a character, the best one first: itself, similar characters, fewer marks."""
    similar = [Form(text) for text in _similar(cluster)]
    plainer = [Form(text, lost) for fewer, lost in _with_fewer_marks(cluster) for text in _similar(fewer)]
    return tuple(dict.fromkeys(form for form in similar + plainer if not any(map(str.isspace, form.text))))


def _similar(text: str) -> Iterator[str]:
    """Yield a text and those that differ in case, in the kind of apostrophe or dash, or in ligatures."""
    for each in (text, text.translate(ALIKE), unicodedata.normalize("NFKD", text), text.translate(_LATIN)):
        folded = each.casefold().translate(ALIKE)  # "ŉ" has an apostrophe then
        yield from (each, each.lower(), each.upper(), folded, folded.upper())


def _with_fewer_marks(cluster: str) -> Iterator[tuple[str, str]]:
    """Yield a character without some of its marks, and those marks except accents; the most similar ones first."""
    for text in (decomposed(cluster), unicodedata.normalize("NFKD", cluster)):
        marks = [k for k, character in enumerate(text) if k > 0 and is_mark(character)]
        counts = range(1, len(marks) + 1) if len(marks) <= _MOST_MARKS else (len(marks),)
        for without in (chosen for count in counts for chosen in combinations(marks, count)):
            lost = "".join(text[k] for k in without if not is_accent(text[k]))
            yield "".join(character for k, character in enumerate(text) if k not in without), lost
