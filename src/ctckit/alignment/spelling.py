"""Words in the tokens of a model."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from ctckit import _checks
from ctckit.errors import CharsetError, InvalidInputError
from ctckit.vocabulary import Vocabulary

ALIKE = str.maketrans(
    {"’": "'", "‘": "'", "ʼ": "'", "`": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‐": "-", "‑": "-"}
)
QUOTES = "’‘`"
DIVIDERS = "-‐‑–—/_"  # divide a word where they stand between letters


@dataclass
class Written:
    """The tokens of a word, and its letters and digits that have none."""

    tokens: list[int] = field(default_factory=list)
    dropped: str = ""


class Speller:
    """Writes words in the tokens of a model.

    Args:
        vocabulary: The texts of the tokens.
        spell: Returns the tokens of a word; used instead of its characters.
    """

    def __init__(self, vocabulary: Vocabulary | None, spell: Callable[[str], Any] | Mapping[str, Any] | None) -> None:
        if vocabulary is None and spell is None:
            raise InvalidInputError("neither vocabulary nor spell is given; expected at least one of them.")
        if vocabulary is not None:
            _checks.expect_instance(vocabulary, "vocabulary", Vocabulary, "a Vocabulary")
        if spell is not None and not callable(spell) and not isinstance(spell, Mapping):
            raise InvalidInputError(
                f"spell is of type {type(spell).__name__}; expected a function or a mapping of words."
            )
        pieces = vocabulary is not None and not (vocabulary.word_start is None and vocabulary.continuation is None)
        if pieces and spell is None:
            raise InvalidInputError(
                "vocabulary has pieces of words, and these can write a text in many ways; expected spell=, the "
                "function of the tokenizer that the model was trained with."
            )
        self._vocabulary, self._spell = vocabulary, spell
        self._index = {} if vocabulary is None else {name: k for k, name in enumerate(vocabulary.tokens) if name}
        mark = " " if vocabulary is None or vocabulary.separator is None else vocabulary.separator
        self.separator = self._index.get(mark)

    def join(self, words: Iterable[str], star: int | None) -> Written:
        """Return the tokens of the words spoken for one written word; without a spelling, ``star`` or nothing."""
        result = Written()
        for word in words:
            one = self._by_spell(word, star) if self._spell is not None else self._by_character(word, star)
            if one.tokens and result.tokens and self.separator is not None:
                result.tokens.append(self.separator)
            result.tokens += one.tokens
            result.dropped += one.dropped
        return result

    def _by_character(self, word: str, star: int | None) -> Written:
        result = Written()
        for k, character in enumerate(word):
            inside = 0 < k < len(word) - 1 and word[k - 1].isalnum() and word[k + 1].isalnum()
            tokens = next((t for t in map(self._tokens, _forms(character)) if t is not None), None)
            if character in QUOTES and not inside and '"' not in self._index:
                tokens = None  # a quotation mark, not an apostrophe, and the model has no quotation marks
            if tokens is not None:
                result.tokens += tokens
            elif character in DIVIDERS and inside and self.separator is not None:
                result.tokens.append(self.separator)
            elif character.isalnum():
                result.dropped += character
                if star is not None and result.tokens[-1:] != [star]:
                    result.tokens.append(star)
        return result

    def _tokens(self, characters: str) -> list[int] | None:
        found = [self._index.get(character) for character in characters]
        known = [each for each in found if each is not None]
        return known if known and len(known) == len(found) else None

    def _by_spell(self, word: str, star: int | None) -> Written:
        whole = self._looked_up(word)
        if whole is not None:
            return Written(whole)
        result, parts = Written(), [bare(part) for part in _divided(word)]
        for part in filter(None, parts):
            tokens = self._looked_up(part) if len(parts) > 1 else None
            if tokens is None:
                result.dropped += part
                tokens = [] if star is None or result.tokens[-1:] == [star] else [star]
            if tokens and result.tokens and self.separator is not None:
                result.tokens.append(self.separator)
            result.tokens += tokens
        return result

    def _looked_up(self, word: str) -> list[int] | None:
        """Return the tokens of a word, or None for an unknown word."""
        if callable(self._spell):
            given = self._spell(bare(word)) if bare(word) else None
        else:
            spell: Mapping[str, Any] = self._spell or {}
            forms = (
                word,
                bare(word),
                bare(word).translate(ALIKE),
                *(bare(word).translate(ALIKE).lower(),),
                bare(word).upper(),
            )
            given = next((spell[form] for form in forms if form in spell), None)
        return None if given is None or not len(given) else self._classes(given, word)

    def _classes(self, given: Sequence[Any], word: str) -> list[int]:
        names = given.split() if isinstance(given, str) else list(given)
        for name in names:
            if isinstance(name, str) and name not in self._index:
                raise CharsetError(f"spell gives {word!r} the token {name!r}, which vocabulary does not have.")
        classes = [self._index[name] if isinstance(name, str) else name for name in names]
        if self._vocabulary is None:
            return [int(each) for each in _checks.integers(np.asarray(classes), f"spell({word!r})", "(N,)")]
        return [
            _checks.class_index(each, f"spell({word!r})[{k}]", len(self._vocabulary)) for k, each in enumerate(classes)
        ]


def bare(word: str) -> str:
    """Return a word without the punctuation before and behind it."""
    letters = [k for k, character in enumerate(word) if character.isalnum()]
    return word[letters[0] : letters[-1] + 1] if letters else ""


def _divided(word: str) -> list[str]:
    for mark in DIVIDERS:
        word = word.replace(mark, " ")
    return word.split()


@lru_cache(maxsize=4096)
def _forms(character: str) -> tuple[str, ...]:
    """Return the ways to write a character, the best one first."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    return tuple(dict.fromkeys(_cases(character.translate(ALIKE), character, plain)))


def _cases(*texts: str) -> Iterator[str]:
    for text in sorted(texts, key=lambda each: texts[1] != each):  # the character itself before similar ones
        yield from (text, text.lower(), text.upper(), text.casefold())
