"""From texts to numbers: letters, lexicon, hotwords and language models as the arrays of a ``SearchPlan``.

A letter is a character of the tokens, marks of words left out; 0 is the boundary between words. Where a lexicon spells
its words token by token, and the tokens are not characters (phonemes, say), each token is one letter of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from ctckit import _checks
from ctckit.errors import InvalidInputError
from ctckit.kernels.search.plan import Ragged
from ctckit.language_models.ngram import SPECIAL, NGramModel
from ctckit.vocabulary import Vocabulary

BOUNDARY = 0
HEAVIEST = 60.0  # nats; a factor of 10²⁶ leaves nothing for the recording to say

Letters = tuple[int, ...]
Spellings = Mapping[str, "str | Sequence[str] | Sequence[Sequence[str]]"]


@dataclass(frozen=True, eq=False)
class Alphabet:
    """The letters of a vocabulary.

    Attributes:
        vocabulary: The vocabulary.
        numbers: The number of each letter: of characters, or of whole tokens.
        of_classes: The letters of each class.
        by_token: Whether each token is a letter of its own.
    """

    vocabulary: Vocabulary
    numbers: Mapping[str, int]
    of_classes: Ragged
    by_token: bool = False

    @classmethod
    def of(cls, vocabulary: Vocabulary, *, by_token: bool = False) -> Alphabet:
        """Characters as letters, or tokens."""
        numbers: dict[str, int] = {}
        classes = []
        for parts in vocabulary.word_parts:
            letters: list[int] = []
            for n, part in enumerate(parts):
                letters += [BOUNDARY] * (n > 0)
                for unit in [part] * (part != "") if by_token else part:
                    letters.append(numbers.setdefault(unit, len(numbers) + 1))
            classes.append(letters)
        return cls(vocabulary, numbers, Ragged.of(classes), by_token)

    def unknown_in(self, units: Iterable[str]) -> list[str]:
        """The characters (or tokens) that are not letters."""
        return [unit for unit in dict.fromkeys(units) if unit not in self.numbers]

    def spell(self, units: Iterable[str]) -> Letters:
        """The letters of characters (or tokens) that are all known."""
        return tuple(self.numbers[unit] for unit in units)


@dataclass(frozen=True, eq=False)
class Lexicon:
    """Words and their spellings, in the order given.

    Attributes:
        alphabet: The letters used.
        words: The word of each spelling.
        spellings: In letters, without boundaries.
        own_spellings: Whether words were given with spellings, and are to be written in texts as they are called.
    """

    alphabet: Alphabet
    words: tuple[str, ...]
    spellings: tuple[Letters, ...]
    own_spellings: bool = False
    _of_word: dict[str, list[Letters]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for word, spelling in zip(self.words, self.spellings, strict=True):
            self._of_word.setdefault(word, []).append(spelling)

    def spelled(self, word: str) -> list[Letters]:
        """All spellings of a word; none if it is not here."""
        return self._of_word.get(word, [])


def lexicon_of(given: Iterable[str] | Spellings, vocabulary: Vocabulary) -> Lexicon:
    """A lexicon as users give it: words, or words with spellings.

    A spelling is a string (its characters are the letters) or a list of tokens; a list of such lists is several
    spellings.

    Raises:
        InvalidInputError: If the vocabulary has no marks of words, a word or a spelling is empty, or holds letters that
            the vocabulary cannot write; names the first few.
    """
    if not vocabulary.has_words:
        raise InvalidInputError(
            "lexicon is given, but vocabulary has no mark of words, so that no word ever ends. Say separator=…, "
            "word_start=… or continuation=… of the Vocabulary."
        )
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InvalidInputError(f"lexicon is {given!r}; expected words, or a mapping from words to their spellings.")
    if isinstance(given, Mapping):
        return _with_spellings(given, vocabulary)
    alphabet = Alphabet.of(vocabulary)
    words = list(dict.fromkeys(_words(given, "lexicon")))
    _expect_spellable(((word, alphabet.unknown_in(word)) for word in words), "lexicon", "word")
    return Lexicon(alphabet, tuple(words), tuple(alphabet.spell(word) for word in words))


def _words(given: Iterable[Any], name: str) -> list[str]:
    words = list(given)
    for position, word in enumerate(words):
        if not isinstance(word, str) or not word.strip():
            raise InvalidInputError(f"{name}[{position}] is {word!r}; expected a word, a string that is not empty.")
    if not words:
        raise InvalidInputError(f"{name} is empty; expected at least one word, or None.")
    return words


def _with_spellings(given: Spellings, vocabulary: Vocabulary) -> Lexicon:
    words = _words(given, "lexicon")
    spelled = [(word, spelling) for word in words for spelling in _spellings_of(word, given[word])]
    lists = any(not isinstance(spelling, str) for _, spelling in spelled)
    characters = all(len(part) <= 1 for parts in vocabulary.word_parts for part in parts)
    by_token = lists and not characters and vocabulary.separator is not None
    alphabet = Alphabet.of(vocabulary, by_token=by_token)
    letters = {
        token: [[part] if part and by_token else list(part) for part in parts]
        for token, parts in zip(vocabulary.tokens, vocabulary.word_parts, strict=True)
    }
    units = [(word, _units(spelling, letters)) for word, spelling in spelled]
    for word, each in units:
        if not each:
            raise InvalidInputError(f"lexicon[{word!r}] has an empty spelling; expected at least one letter.")
    _expect_spellable(((word, alphabet.unknown_in(each)) for word, each in units), "lexicon", "word")
    pairs = list(dict.fromkeys((word, alphabet.spell(each)) for word, each in units))
    return Lexicon(alphabet, tuple(word for word, _ in pairs), tuple(letters for _, letters in pairs), True)


def _spellings_of(word: str, value: Any) -> list[str | Sequence[str]]:
    """One spelling, or several: told apart by what they hold."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Iterable):
        items = list(value)
        if items and all(isinstance(item, str) for item in items):
            return [items]
        if items and all(not isinstance(item, str) and isinstance(item, Iterable) for item in items):
            return [list(item) for item in items]
    raise InvalidInputError(
        f"lexicon[{word!r}] is {value!r}; expected a string, a list of tokens, or a list of such lists for several "
        "spellings."
    )


def _units(spelling: str | Sequence[str], letters: Mapping[str, Sequence[list[str]]]) -> list[str]:
    """The letters of a spelling, unknown tokens as they are; boundaries at its ends are left out.

    Args:
        spelling: As a string or as tokens.
        letters: Of each token, in parts: between these are boundaries.
    """
    if isinstance(spelling, str):
        return list(spelling)
    units: list[str] = []
    for token in spelling:
        for n, part in enumerate(letters.get(token, [[token]])):
            units += [_INSIDE] * (n > 0) + part
    inside = [n for n, unit in enumerate(units) if unit != _INSIDE]
    return units[inside[0] : inside[-1] + 1] if inside else []


_INSIDE = "a boundary inside"  # no letter is called so


def _expect_spellable(found: Iterable[tuple[str, list[str]]], name: str, what: str) -> None:
    offenders = [(word, unknown) for word, unknown in found if unknown]
    if not offenders:
        return
    few = ", ".join(f"{word!r} ({_named(unknown)})" for word, unknown in offenders[: _checks.MOST_NAMED])
    more = f" and {len(offenders) - _checks.MOST_NAMED} more" if len(offenders) > _checks.MOST_NAMED else ""
    count = f"{len(offenders)} {what}s" if len(offenders) > 1 else f"a {what}"
    raise InvalidInputError(
        f"{name} has {count} with letters that the vocabulary cannot write: {few}{more}. Leave them out or spell them "
        "in letters of the vocabulary."
    )


def _named(units: Sequence[str]) -> str:
    return ", ".join(f"{unit!r} U+{ord(unit):04X}" if len(unit) == 1 else repr(unit) for unit in units)


def lexicon_of_model(model: NGramModel, vocabulary: Vocabulary) -> Lexicon:
    """The entries of a model of words that the vocabulary can write.

    Raises:
        InvalidInputError: If there are none.
    """
    alphabet = Alphabet.of(vocabulary)
    known = alphabet.numbers
    words = [word for word in model if word not in SPECIAL and all(letter in known for letter in word)]
    if not words:
        raise InvalidInputError(
            "language_model has no word that the vocabulary can write. Is it of another language, or in capitals?"
        )
    return Lexicon(alphabet, tuple(words), tuple(alphabet.spell(word) for word in words))


def hotwords_of(
    given: Iterable[str] | Mapping[str, float], weight: float, alphabet: Alphabet, lexicon: Lexicon | None
) -> tuple[Ragged, np.ndarray[Any, np.dtype[np.float32]]]:
    """Hotwords as users give them: patterns of letters and their weights.

    Raises:
        InvalidInputError: If one is empty or cannot be spelled, or a weight is not in 0..60.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InvalidInputError(f"hotwords is {given!r}; expected strings, or a mapping from strings to weights.")
    phrases = _words(given, "hotwords") if given else []
    weights = {phrase: given[phrase] if isinstance(given, Mapping) else weight for phrase in phrases}
    for phrase, each in weights.items():
        _hotword_weight(each, f"hotwords[{phrase!r}]" if isinstance(given, Mapping) else "hotword_weight")
    spelling = _Phrases(alphabet, lexicon if lexicon is not None and lexicon.own_spellings else None)
    _expect_spellable(((phrase, spelling.unknown_in(phrase)) for phrase in weights), "hotwords", "phrase")
    heaviest: dict[Letters, float] = {}
    for phrase, each in weights.items():
        for pattern in spelling.patterns(phrase):
            heaviest[pattern] = max(heaviest.get(pattern, 0.0), float(each))
    return Ragged.of(list(heaviest)), np.array(list(heaviest.values()), dtype=np.float32)


def _hotword_weight(weight: Any, name: str) -> None:
    number = isinstance(weight, (int, float, np.number)) and not isinstance(weight, bool)
    if not number or not 0 < weight <= HEAVIEST:
        raise InvalidInputError(
            f"{name} is {weight!r}; expected nats for one occurrence, a number above 0 and at most {HEAVIEST:g}."
        )


@dataclass(frozen=True)
class _Phrases:
    """How phrases are spelled: as the lexicon's own spellings have it, else letter by letter."""

    alphabet: Alphabet
    lexicon: Lexicon | None

    def unknown_in(self, phrase: str) -> list[str]:
        """What of a phrase cannot be spelled: characters, or whole words where the letters are tokens."""
        if not self.alphabet.vocabulary.has_words:
            return self.alphabet.unknown_in(phrase)
        strange = [word for word in phrase.split() if not self._given(word)]
        return strange if self.alphabet.by_token else self.alphabet.unknown_in("".join(strange))

    def patterns(self, phrase: str) -> list[Letters]:
        """One for each way to spell its words."""
        if not self.alphabet.vocabulary.has_words:
            return [self.alphabet.spell(phrase)]
        choices = [self._given(word) or [self.alphabet.spell(word)] for word in phrase.split()]
        return [(BOUNDARY, *(letter for word in words for letter in (*word, BOUNDARY))) for words in product(*choices)]

    def _given(self, word: str) -> list[Letters]:
        return [] if self.lexicon is None else self.lexicon.spelled(word)


def fine_ids_of(model: NGramModel, vocabulary: Vocabulary) -> tuple[Ragged, int]:
    """The numbers that a model of characters or tokens is asked for, for each class; and that of the boundary, or −1.

    Raises:
        InvalidInputError: If no token is known to the model, or it has no space for the boundary between words.
    """
    asks = _tokens_asked if model.unit == "token" else _characters_asked
    ids, space = asks(model, vocabulary)
    unknown = model.native.unknown
    if all(each in (unknown, space) for one in ids for each in one):
        example = next((token for token in vocabulary.tokens if token), "")
        raise InvalidInputError(
            f"language_model knows no token of the vocabulary ({example!r}, for one). Is it of another language, in "
            f'capitals, or of another unit than "{model.unit}"?'
        )
    return Ragged.of(ids), space


def _tokens_asked(model: NGramModel, vocabulary: Vocabulary) -> tuple[list[list[int]], int]:
    return [[model.native.find(token)] if token else [] for token in vocabulary.tokens], -1


def _characters_asked(model: NGramModel, vocabulary: Vocabulary) -> tuple[list[list[int]], int]:
    """Where the space is written by another character, that character itself is unknown to the model."""
    native, unknown = model.native, model.native.unknown
    space = native.find(model.space)
    if vocabulary.has_words and space == unknown:
        raise InvalidInputError(
            f"language_model has no entry {model.space!r} for the boundary between words. Train it on texts with "
            "spaces, or use a vocabulary without marks of words."
        )

    def find(character: str) -> int:
        if character == " ":
            return space
        return unknown if character == model.space else native.find(character)

    ids = []
    for first, *others in vocabulary.word_parts:
        asked = [find(character) for character in first]
        for part in others:
            asked += [space, *(find(character) for character in part)]
        ids.append(asked)
    return ids, space if vocabulary.has_words else -1


def word_ids_of(model: NGramModel | None, lexicon: Lexicon) -> np.ndarray[Any, np.dtype[np.int32]]:
    """(W,) the number of each word of the lexicon in a model of words; −1 without one."""
    ids = [-1 if model is None else model.native.find(word) for word in lexicon.words]
    return np.array(ids, dtype=np.int32)
