"""Hotwords: words and phrases to favor, as patterns of letters with weights."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
from ctckit.decoding.settings import LETTER_SHARE, MAX_DEFAULT_HOTWORD_WEIGHT, MAX_WEIGHT
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
        if self._of_tokens(phrase.split()):
            return []
        if not self.alphabet.vocabulary.has_words:
            return self.alphabet.unknown_in(phrase)
        unlisted = [word for word in phrase.split() if not self._listed(word)]
        return unlisted if self.alphabet.by_token else self.alphabet.unknown_in("".join(unlisted))

    def patterns(self, phrase: str) -> list[Letters]:
        """Return one pattern for each way to spell a phrase; none if it cannot be spelled."""
        words = phrase.split()
        if len(words) == 1 and self._letter_by_letter:
            spelling = self.alphabet.spell(words[0])
            return [(BOUNDARY, *spelling, BOUNDARY)] if spelling else []
        found = self._of_words(words) if self.alphabet.vocabulary.has_words else self._spelled(phrase)
        of_tokens = self._of_tokens(words)
        return list(dict.fromkeys([*found, *of_tokens])) if of_tokens else found

    def _of_words(self, words: Sequence[str]) -> list[Letters]:
        choices = [self._listed(word) or self._spelled(word) for word in words]
        return [_of_spellings(spellings) for spellings in product(*choices)]

    def _spelled(self, word: str) -> list[Letters]:
        spelling = () if self.alphabet.by_token else self.alphabet.spell(word)
        return [spelling] if spelling else []

    def _of_tokens(self, words: Sequence[str]) -> list[Letters]:
        """Return the pattern of a phrase that is a list of tokens with spaces between them, such as "HH AH L OW"."""
        vocabulary = self.alphabet.vocabulary
        mark = decomposed(vocabulary.word_start or vocabulary.continuation or "")
        if len(words) < 2 or not (mark or self._has_long_tokens):
            return []
        names = [decomposed(word) for word in words]
        if (mark and not any(mark in name for name in names)) or not self._classes.keys() >= set(names):
            return []
        letters = [letter for name in names for letter in self.alphabet.of_classes[self._classes[name]]]
        if not vocabulary.has_words:
            return [tuple(letters)]
        return [_of_spellings([tuple(group) for boundary, group in groupby(letters, BOUNDARY.__eq__) if not boundary])]

    @cached_property
    def _letter_by_letter(self) -> bool:
        """Whether each word has one spelling, which is its letters."""
        return self.alphabet.vocabulary.has_words and self.lexicon is None and not self.alphabet.by_token

    @cached_property
    def _classes(self) -> dict[str, int]:
        return {decomposed(token): number for number, token in enumerate(self.alphabet.vocabulary.tokens) if token}

    @cached_property
    def _has_long_tokens(self) -> bool:
        return any(len(part) > 1 for parts in self.alphabet.vocabulary.word_parts for part in parts)

    def _listed(self, word: str) -> list[Letters]:
        return [] if self.lexicon is None else self.lexicon.spelled(word)

    def default_weights(self, patterns: Sequence[Letters]) -> npt.NDArray[np.float32]:
        """Return the weight of each pattern of a set if it has none of its own; see ``default_weight``."""
        letters = [len(pattern) - pattern.count(BOUNDARY) for pattern in patterns]
        places = {length: 1 if self.alphabet.vocabulary.has_words else length for length in letters}
        weight = {
            length: default_weight(length, count * places[length], len(self.alphabet.numbers))
            for length, count in Counter(letters).items()
        }
        return np.array([weight[length] for length in letters], dtype=np.float32)


def default_weight(letters: int, rivals: int, alphabet: int) -> float:
    """Return the nats of a hotword without a weight of its own.

    They say how many times likelier its letters are at a place of the text because of the hotwords:

        weight = ln((p + 1/(n + 1)) / p), at most 10, with p = A^(−0.36 · l)

    p: other text has these l letters. A letter costs about 0.36 · ln A nats if those before it are known.
    1/(n + 1): the hotword is there. It is as likely as each of its n − 1 rivals, and as none of them. So the more
    hotwords there are, the more often one is found by chance, and the less each of them weighs.

    Args:
        letters: l, the letters of the hotword without boundaries.
        rivals: n, the hotwords with as many letters. Where there are no words, each can begin at l places: n · l.
        alphabet: A − 1, the number of different letters; one more event is as likely as each of them.
    """
    nats = letters * LETTER_SHARE * math.log(1 + alphabet) - math.log(rivals + 1)
    return min(float(np.logaddexp(0, nats)), MAX_DEFAULT_HOTWORD_WEIGHT)


def _of_spellings(words: Iterable[Iterable[int]]) -> Letters:
    """Return the pattern of words: their letters, with a boundary before, between and behind them."""
    letters = [BOUNDARY]
    for word in words:
        letters += word
        letters.append(BOUNDARY)
    return tuple(letters)


def hotwords_of(
    given: Iterable[str] | Mapping[str, float | None],
    spelling: PhraseSpelling,
    *,
    weight: float | None,
    on_unspellable: str,
) -> tuple[Ragged, npt.NDArray[np.float32]]:
    """Return the patterns of letters of the hotwords that a user gives, and their weights.

    Args:
        given: Hotwords, or a mapping from each to its weight; None: the default weight.
        spelling: How hotwords are spelled.
        weight: The weight of hotwords that are given without one; None: the default weight.
        on_unspellable: What happens with hotwords that cannot be spelled. "warn": they are left out, with an
            ``InputWarning`` that names them. "error": they are an error.

    Raises:
        InvalidInputError: If one is empty, or a weight is 0 or not in −60..60.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InvalidInputError(f"hotwords is {given!r}; expected strings, or a mapping from strings to weights.")
    phrases = checked_words(given, "hotwords") if given else []
    _expect_weight(weight, "hotword_weight")
    weights = dict.fromkeys(phrases, weight)
    if isinstance(given, Mapping):
        weights = {phrase: given[phrase] for phrase in phrases}
        for phrase, each in weights.items():
            _expect_weight(each, f"hotwords[{phrase!r}]")
    heaviest: dict[Letters, float] = {}
    by_default: set[Letters] = set()
    unspelled = []
    for phrase, own in weights.items():
        patterns = spelling.patterns(phrase)
        if not patterns:
            unspelled.append(phrase)
        for pattern in patterns:
            if own is None:
                heaviest.setdefault(pattern, -math.inf)
                by_default.add(pattern)
            else:
                heaviest[pattern] = max(heaviest.get(pattern, -math.inf), float(own))
    if unspelled:
        _leave_out(unspelled, spelling, on_unspellable)
    found = list(heaviest)
    nats = np.array(list(heaviest.values()), dtype=np.float32)
    if by_default:
        defaults = spelling.default_weights(found)
        has_default = np.fromiter(map(by_default.__contains__, found), dtype=bool, count=len(found))
        nats = np.where(has_default, np.maximum(nats, defaults), nats)
    return Ragged.of(found), nats


def _leave_out(phrases: Sequence[str], spelling: PhraseSpelling, on_unspellable: str) -> None:
    """Warn of phrases that cannot be spelled, or raise an error."""
    unknown = [(phrase, spelling.unknown_in(phrase)) for phrase in phrases]
    if on_unspellable == "error":
        expect_spellable(unknown, "hotwords", "phrase")
    warn(f"hotwords has {unspellable(unknown, 'phrase')}. They are left out.")


def _expect_weight(weight: Any, name: str) -> None:
    number = isinstance(weight, (int, float, np.number)) and not isinstance(weight, bool)
    if weight is not None and not (number and 0 < abs(weight) <= MAX_WEIGHT):
        raise InvalidInputError(
            f"{name} is {weight!r}; expected nats for one occurrence, a number in −{MAX_WEIGHT:g}..{MAX_WEIGHT:g} that "
            "is not 0."
        )
