"""Hotwords: words and phrases to favor, as patterns of letters with weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.decoding.alphabet import Alphabet, Letters, expect_spellable
from ctckit.decoding.lexicon import Lexicon, checked_words
from ctckit.decoding.settings import MAX_WEIGHT
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
        if not self.alphabet.vocabulary.has_words:
            return self.alphabet.unknown_in(phrase)
        unlisted = [word for word in phrase.split() if not self._listed(word)]
        return unlisted if self.alphabet.by_token else self.alphabet.unknown_in("".join(unlisted))

    def patterns(self, phrase: str) -> list[Letters]:
        """Return one pattern for each way to spell the words of a phrase."""
        if not self.alphabet.vocabulary.has_words:
            return [self.alphabet.spell(phrase)]
        choices = [self._listed(word) or [self.alphabet.spell(word)] for word in phrase.split()]
        return [(BOUNDARY, *(letter for word in words for letter in (*word, BOUNDARY))) for words in product(*choices)]

    def _listed(self, word: str) -> list[Letters]:
        return [] if self.lexicon is None else self.lexicon.spelled(word)


def hotwords_of(
    given: Iterable[str] | Mapping[str, float], weight: float, spelling: PhraseSpelling
) -> tuple[Ragged, npt.NDArray[np.float32]]:
    """Return the patterns of letters of the hotwords that a user gives, and their weights.

    Raises:
        InvalidInputError: If one is empty or cannot be spelled, or a weight is not in 0..60.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InvalidInputError(f"hotwords is {given!r}; expected strings, or a mapping from strings to weights.")
    phrases = checked_words(given, "hotwords") if given else []
    weights = {phrase: given[phrase] if isinstance(given, Mapping) else weight for phrase in phrases}
    for phrase, each in weights.items():
        _expect_weight(each, f"hotwords[{phrase!r}]" if isinstance(given, Mapping) else "hotword_weight")
    expect_spellable(((phrase, spelling.unknown_in(phrase)) for phrase in weights), "hotwords", "phrase")
    heaviest: dict[Letters, float] = {}
    for phrase, each in weights.items():
        for pattern in spelling.patterns(phrase):
            heaviest[pattern] = max(heaviest.get(pattern, 0.0), float(each))
    return Ragged.of(list(heaviest)), np.array(list(heaviest.values()), dtype=np.float32)


def _expect_weight(weight: Any, name: str) -> None:
    number = isinstance(weight, (int, float, np.number)) and not isinstance(weight, bool)
    if not number or not 0 < weight <= MAX_WEIGHT:
        raise InvalidInputError(
            f"{name} is {weight!r}; expected nats for one occurrence, a number above 0 and at most {MAX_WEIGHT:g}."
        )
