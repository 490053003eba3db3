"""The characters of a text, whichever way Unicode encodes them.

Unicode can encode one character in several ways: "é" is one code point, or "e" and a combining mark; "각" is one code
point, or two or three letters. Such encodings are canonically equivalent: they are the same text (UAX #15).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import combinations
from typing import Generic, TypeVar

T = TypeVar("T")

# The letters of Korean syllables: leading consonants, vowels, trailing consonants. They join to one character. Composed
# syllables join with them, too; one such syllable in 28 has no trailing consonant, so that vowels may follow.
_L, _V, _T = "[\u1100-\u115f\ua960-\ua97c]", "[\u1160-\u11a7\ud7b0-\ud7c6]", "[\u11a8-\u11ff\ud7cb-\ud7fb]"
_OPEN = f"[{''.join(map(chr, range(0xAC00, 0xD7A4, 28)))}]"
_HANGUL = f"{_L}*(?:{_OPEN}{_V}*|[\uac00-\ud7a3]){_T}*|{_L}+{_V}*{_T}*"
_JOINING = re.compile(f"{_L}|{_V}|{_T}")
_BASE = re.compile(f"{_HANGUL}|.", re.DOTALL)
_ACCENTS = ("COMBINING ", "VARIATION SELECTOR", "MONGOLIAN FREE VARIATION")  # the beginnings of their names
_MODIFIERS = frozenset(map(chr, (*range(0x02B0, 0x0300), *range(0x1D2C, 0x1D6B), *range(0x1D9B, 0x1DC0))))
_SOUND_MARK = 8  # the combining class of the Japanese sound marks
_READ = frozenset("&%‰@§°+=×÷")
_MOST_MARKS = 5  # no writing system needs more on one letter
_MOST_POINTS = 16  # characters of more code points are not searched for names of several of them


def is_mark(character: str) -> bool:
    """Tell whether a code point belongs to the character before it: an accent, a vowel sign, a point."""
    return unicodedata.category(character).startswith("M")


def is_modifier(text: str) -> bool:
    """Tell whether a text only changes the sound before it: marks, and phonetic modifiers such as "ː" and "ʰ"."""
    return bool(text) and all(is_mark(each) or each in _MODIFIERS for each in text)


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


def is_read_aloud(character: str) -> bool:
    """Tell whether a code point is spoken: letters, digits, vowel signs, and symbols that are words (&, %, €)."""
    return is_spoken(character) or character in _READ or unicodedata.category(character) == "Sc"


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


def _stands_alone(point: str) -> bool:
    """Tell whether a code point is no mark and no letter of a syllable: it is a character of its own beside others."""
    return not is_mark(point) and _JOINING.fullmatch(point) is None


def decomposed(text: str) -> str:
    """Return a text in the encoding that is the same for all equivalent texts (NFD)."""
    return unicodedata.normalize("NFD", text)


def without_accents(text: str) -> str:
    """Return a text without its accents, composed (NFC); other marks, such as vowel signs, stay."""
    plain = "".join(character for character in decomposed(text) if not is_accent(character))
    return unicodedata.normalize("NFC", plain)


def encodings(text: str) -> tuple[str, ...]:
    """Return a text as it is, composed (NFC), decomposed (NFD) and without accents, each different one once."""
    if text.isascii():
        return (text,)
    return tuple(dict.fromkeys((text, unicodedata.normalize("NFC", text), decomposed(text), without_accents(text))))


class TextIndex(Generic[T]):
    """Finds texts in a mapping, whichever way they and the mapping's texts are encoded.

    Args:
        get: Returns what belongs to a text in the encoding of the mapping; None if it has no such text.
        texts: The texts of the mapping.
    """

    def __init__(self, get: Callable[[str], T | None], texts: Iterable[str]) -> None:
        self._get, self._texts = get, texts

    def find(self, *words: str) -> T | None:
        """Return what belongs to the first of these words that has anything; None if none has."""
        return next((found for word in words if (found := self._find(word)) is not None), None)

    def _find(self, word: str) -> T | None:
        forms = (word,) if word.isascii() else (word, unicodedata.normalize("NFC", word), decomposed(word))
        found = next((each for form in forms if (each := self._get(form)) is not None), None)
        if found is not None or word.isascii() or decomposed(word) not in self._unusual:
            return found
        return self._get(self._unusual[decomposed(word)])

    @cached_property
    def _unusual(self) -> dict[str, str]:
        """The texts that are in neither of the two usual encodings, NFC and NFD, by their decomposed form."""
        composed = (text for text in self._texts if not unicodedata.is_normalized("NFD", text))
        return {decomposed(text): text for text in composed if not unicodedata.is_normalized("NFC", text)}


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
        self._alone = {name: number for name, number in numbers.items() if len(name) == 1 and _stands_alone(name)}

    def spell(self, text: str) -> list[int] | None:
        """Return the numbers of a text's characters; None if one is missing."""
        try:
            return list(map(self._alone.__getitem__, text))
        except KeyError:  # one is missing, or is encoded in another way
            pass
        found = [self.find(cluster) for cluster in clusters(text)]
        return None if None in found else [number for each in found if each is not None for number in each]

    def missing(self, text: str) -> list[str]:
        """Return the characters of a text that are missing, each once."""
        if self._alone.keys() >= set(text):
            return []
        return [cluster for cluster in dict.fromkeys(clusters(text)) if self.find(cluster) is None]

    def find(self, cluster: str) -> list[int] | None:
        """Return the number of a character, or the numbers of the parts that it is made of; None if one is missing.

        All encodings of a character have the same parts, the largest ones. Marks whose order has no meaning stay in the
        order in which they are written.
        """
        if cluster in self._numbers:
            return [self._numbers[cluster]]
        parts = self._parts(decomposed(cluster))
        if parts is None:
            return None
        numbers = [self._equivalent[part] for part in parts]
        written = [self._numbers.get(point, -1) for point in cluster]
        return written if sorted(written) == sorted(numbers) else numbers

    def _parts(self, cluster: str) -> list[str] | None:
        """Return names whose decomposed forms make up a decomposed character, preferring long ones."""
        if cluster in self._equivalent:
            return [cluster]
        if len(cluster) > _MOST_POINTS:
            return list(cluster) if self._equivalent.keys() >= set(cluster) else None
        others = range(1, min(len(cluster), 1 + _MOST_MARKS))  # the name of the first letter may skip some of these
        for size in reversed(range(len(others) + 1)):
            for chosen in combinations(others, size):
                name = "".join(cluster[k] for k in (0, *chosen))
                rest = "".join(cluster[k] for k in range(1, len(cluster)) if k not in chosen)
                if name not in self._equivalent or decomposed(name + rest) != cluster:
                    continue
                parts = self._parts(rest) if rest else []
                if parts is not None:
                    return [name, *parts]
        return None
