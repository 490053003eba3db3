"""The characters of a text, whichever way Unicode encodes them.

Unicode can encode one character in several ways: "é" is one code point, or "e" and a combining mark; "각" is one code
point, or two or three letters. Such encodings are canonically equivalent: they are the same text (UAX #15).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

_HANGUL = r"[\u1100-\u115f\ua960-\ua97c]+[\u1160-\u11a7\ud7b0-\ud7c6]*[\u11a8-\u11ff\ud7cb-\ud7fb]*"
_BASE = re.compile(f"{_HANGUL}|.", re.DOTALL)
_ACCENTS = ("COMBINING ", "VARIATION SELECTOR", "MONGOLIAN FREE VARIATION")  # the beginnings of their names
_SOUND_MARK = 8  # the combining class of the Japanese sound marks
_MOST_MARKS = 5  # no writing system needs more on one letter


def is_mark(character: str) -> bool:
    """Tell whether a code point belongs to the character before it: an accent, a vowel sign, a point."""
    return unicodedata.category(character).startswith("M")


def is_accent(character: str) -> bool:
    """Tell whether a code point is a mark that a text can do without: accents, enclosing marks, variation selectors.

    The Japanese sound mark is none, nor are marks of a single script, such as vowel signs.
    """
    name = unicodedata.name(character, "")
    return name.startswith(_ACCENTS) and unicodedata.combining(character) != _SOUND_MARK


def is_spoken(character: str) -> bool:
    """Tell whether a code point is a letter, a digit or a vowel sign, which all have a sound of their own."""
    vowel_sign = is_mark(character) and unicodedata.combining(character) == 0 and not is_accent(character)
    return character.isalnum() or vowel_sign


def clusters(text: str) -> Iterator[str]:
    """Yield the characters of a text, each with its marks; the letters of one Korean syllable are one character."""
    if text.isascii():
        yield from text
        return
    found = ""
    for base in _BASE.findall(text):
        if found and is_mark(base[0]):
            found += base
            continue
        if found:
            yield found
        found = base
    if found:
        yield found


def decomposed(text: str) -> str:
    """Return a text in the encoding that is the same for all equivalent texts (NFD)."""
    return unicodedata.normalize("NFD", text)


def same_texts(*words: str) -> Iterator[str]:
    """Yield words, each as it is encoded and in the two usual encodings of the same characters (NFC, NFD)."""
    for word in words:
        yield from (word, unicodedata.normalize("NFC", word), unicodedata.normalize("NFD", word))


class CharacterIndex:
    """Finds characters among names, whichever way either is encoded.

    Args:
        numbers: The number of each name.

    Example:
        >>> index = CharacterIndex({"e": 1, "é": 2, "한": 3})
        >>> index.spell("e\u0301"), index.spell(unicodedata.normalize("NFD", "한é")), index.spell("ê")
        ([2], [3, 2], None)
    """

    def __init__(self, numbers: Mapping[str, int]) -> None:
        self._numbers = numbers
        self._equivalent: dict[str, int] = {}
        for name, number in numbers.items():
            self._equivalent.setdefault(decomposed(name), number)

    def spell(self, text: str) -> list[int] | None:
        """Return the numbers of a text's characters; None if one is missing."""
        found = [self.find(cluster) for cluster in clusters(text)]
        return None if None in found else [number for each in found if each is not None for number in each]

    def missing(self, text: str) -> list[str]:
        """Return the characters of a text that are missing, each once."""
        return [cluster for cluster in dict.fromkeys(clusters(text)) if self.find(cluster) is None]

    def find(self, cluster: str) -> list[int] | None:
        """Return the number of a character, or the numbers of the parts that it is made of; None if one is missing."""
        if cluster in self._numbers:
            return [self._numbers[cluster]]
        return self._parts(decomposed(cluster))

    def _parts(self, cluster: str) -> list[int] | None:
        """Return the parts of a decomposed character."""
        if cluster in self._equivalent:
            return [self._equivalent[cluster]]
        if len(cluster) <= 1 + _MOST_MARKS and all(map(is_mark, cluster[1:])):
            for k in reversed(range(1, len(cluster))):  # the letter with its other marks, then this one
                mark = self._equivalent.get(cluster[k])
                rest = None if mark is None else self._parts(cluster[:k] + cluster[k + 1 :])
                if mark is not None and rest is not None:
                    return [*rest, mark]
        elif len(cluster) > 1:
            parts = [self._equivalent.get(each) for each in cluster]
            return None if None in parts else [each for each in parts if each is not None]
        return None
