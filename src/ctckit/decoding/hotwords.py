"""Hotwords: words and phrases to favor, as patterns of letters with weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, product
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit._unicode import decomposed
from ctckit._warning import warn
from ctckit.decoding.alphabet import Alphabet, Letters, expect_spellable, unspellable
from ctckit.decoding.lexicon import Lexicon, checked_words
from ctckit.decoding.settings import FULL_HOTWORD_NATS, FULL_HOTWORD_WEIGHT, MAX_WEIGHT
from ctckit.errors import InvalidInputError
from ctckit.kernels.search.plan import BOUNDARY, Ragged
from ctckit.vocabulary import Vocabulary


@dataclass(frozen=True)
class PhraseSpelling:
    """The spellings of phrases: by the lexicon where it has spellings of its own, else letter by letter.

    Attributes:
        alphabet: The letters.
        lexicon: A lexicon with spellings of its own, or None.
    """

    alphabet: Alphabet
    lexicon: Lexicon | None

    @classmethod
    def of(cls, vocabulary: Vocabulary, lexicon: Lexicon | None) -> PhraseSpelling:
        """Return the spelling for the known words of a decoder."""
        if lexicon is None:
            return cls(Alphabet.of(vocabulary), None)
        return cls(lexicon.alphabet, lexicon if lexicon.own_spellings else None)

    def unknown_in(self, phrase: str) -> list[str]:
        """Return what cannot be spelled in a phrase: characters, or whole words where letters are tokens."""
        if self._of_tokens(phrase):
            return []
        if not self.alphabet.vocabulary.has_words:
            return self.alphabet.unknown_in(phrase)
        unlisted = [word for word in phrase.split() if not self._listed(word)]
        return unlisted if self.alphabet.by_token else self.alphabet.unknown_in("".join(unlisted))

    def patterns(self, phrase: str) -> list[Letters]:
        """Return one pattern for each way to spell a phrase that can be spelled."""
        return list(dict.fromkeys([*self._of_words(phrase), *self._of_tokens(phrase)]))

    def _of_words(self, phrase: str) -> list[Letters]:
        if not self.alphabet.vocabulary.has_words:
            return [] if self.alphabet.unknown_in(phrase) else [self.alphabet.spell(phrase)]
        choices = [self._listed(word) or self._spelled(word) for word in phrase.split()]
        return [_of_spellings(words) for words in product(*choices)]

    def _spelled(self, word: str) -> list[Letters]:
        unknown = self.alphabet.by_token or self.alphabet.unknown_in(word)
        return [] if unknown else [self.alphabet.spell(word)]

    def _of_tokens(self, phrase: str) -> list[Letters]:
        """Return the pattern of a phrase that is a list of tokens with spaces between them, such as "HH AH L OW"."""
        names, vocabulary = [decomposed(name) for name in phrase.split()], self.alphabet.vocabulary
        mark = decomposed(vocabulary.word_start or vocabulary.continuation or "")
        several = any(mark in name for name in names) if mark else self._has_long_tokens
        if len(names) < 2 or not several or not self._classes.keys() >= set(names):
            return []
        letters = [letter for name in names for letter in self.alphabet.of_classes[self._classes[name]]]
        if not vocabulary.has_words:
            return [tuple(letters)]
        return [_of_spellings([tuple(group) for boundary, group in groupby(letters, BOUNDARY.__eq__) if not boundary])]

    @cached_property
    def _classes(self) -> dict[str, int]:
        return {decomposed(token): number for number, token in enumerate(self.alphabet.vocabulary.tokens) if token}

    @cached_property
    def _has_long_tokens(self) -> bool:
        return any(len(part) > 1 for parts in self.alphabet.vocabulary.word_parts for part in parts)

    def _listed(self, word: str) -> list[Letters]:
        return [] if self.lexicon is None else self.lexicon.spelled(word)

    def default_weight(self, pattern: Letters) -> float:
        """Return the nats of a hotword without a weight of its own: more for more letters, and in larger alphabets."""
        letters = sum(letter != BOUNDARY for letter in pattern)
        share = letters * math.log(1 + len(self.alphabet.numbers)) / FULL_HOTWORD_NATS
        return FULL_HOTWORD_WEIGHT * min(1.0, share) ** 2


def _of_spellings(words: Iterable[Iterable[int]]) -> Letters:
    """Return the pattern of words: their letters, with a boundary before, between and behind them."""
    return (BOUNDARY, *(letter for word in words for letter in (*word, BOUNDARY)))


def hotwords_of(
    given: Iterable[str] | Mapping[str, float | None], weight: float | None, spelling: PhraseSpelling
) -> tuple[Ragged, npt.NDArray[np.float32]]:
    """Return the patterns of letters of the hotwords that a user gives, and their weights.

    Args:
        given: Hotwords, or a mapping from each to its weight; None: the default weight.
        weight: The weight of hotwords that are given without one; None: the default weight.
        spelling: How hotwords are spelled.

    Raises:
        InvalidInputError: If one is empty, a weight is not in 0..60, or none can be spelled. Hotwords that cannot be
            spelled are left out, with an ``InputWarning``.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InvalidInputError(f"hotwords is {given!r}; expected strings, or a mapping from strings to weights.")
    phrases = checked_words(given, "hotwords") if given else []
    weights = {phrase: given[phrase] if isinstance(given, Mapping) else weight for phrase in phrases}
    for phrase, each in weights.items():
        _expect_weight(each, f"hotwords[{phrase!r}]" if isinstance(given, Mapping) else "hotword_weight")
    heaviest: dict[Letters, float] = {}
    for phrase in _spellable(weights, spelling):
        for pattern in spelling.patterns(phrase):
            own = weights[phrase]
            nats = spelling.default_weight(pattern) if own is None else float(own)
            heaviest[pattern] = max(heaviest.get(pattern, 0.0), nats)
    return Ragged.of(list(heaviest)), np.array(list(heaviest.values()), dtype=np.float32)


def _spellable(phrases: Iterable[str], spelling: PhraseSpelling) -> list[str]:
    """Return the phrases that can be spelled; warn of the others, or raise an error if there are no others."""
    unknown = {phrase: spelling.unknown_in(phrase) for phrase in phrases}
    usable = [phrase for phrase in unknown if not unknown[phrase]]
    if not usable:
        expect_spellable(unknown.items(), "hotwords", "phrase")
    elif len(usable) < len(unknown):
        left_out = unspellable([(phrase, parts) for phrase, parts in unknown.items() if parts], "phrase")
        warn(f"hotwords has {left_out}. They are left out.")
    return usable


def _expect_weight(weight: Any, name: str) -> None:
    number = isinstance(weight, (int, float, np.number)) and not isinstance(weight, bool)
    if weight is not None and not (number and 0 < weight <= MAX_WEIGHT):
        raise InvalidInputError(
            f"{name} is {weight!r}; expected nats for one occurrence, a number above 0 and at most {MAX_WEIGHT:g}."
        )
