"""A lexicon: the known words and their spellings, as the user or a model of words gives them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ctckit._unicode import decomposed
from ctckit.decoding.alphabet import Alphabet, Letters, expect_spellable
from ctckit.errors import InvalidInputError
from ctckit.kernels.search.plan import Ragged
from ctckit.language_models.base import LanguageModelLike
from ctckit.language_models.ngram import SPECIAL
from ctckit.vocabulary import Vocabulary

Spellings = Mapping[str, "str | Sequence[str] | Sequence[Sequence[str]]"]

_INSIDE = "a boundary inside"  # stands for a boundary among the letters of a word; no letter has this name


@dataclass(frozen=True, eq=False)
class Lexicon:
    """Words and their spellings, in the order given.

    Attributes:
        alphabet: The letters of the spellings.
        words: The word of each spelling.
        spellings: In letters, without boundaries.
        own_spellings: Whether the user gave the spellings. Texts are then written in the lexicon's words.
        oov_words: How many of the last words are out of vocabulary: their letters are charged, but a model of words is
            asked for their entries, not for <unk>.
    """

    alphabet: Alphabet
    words: tuple[str, ...]
    spellings: tuple[Letters, ...]
    own_spellings: bool = False
    oov_words: int = 0

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    @cached_property
    def _spellings_of(self) -> dict[str, list[Letters]]:
        found: dict[str, list[Letters]] = {}
        for word, spelling in zip(self.words, self.spellings, strict=True):
            found.setdefault(decomposed(word), []).append(spelling)
        return found

    @property
    def names(self) -> Ragged:
        """The characters of each spelling's word, as numbers; none where words are written as they are spelled."""
        letters = self.alphabet.vocabulary.letters
        return Ragged.of([[ord(each) for each in letters(word)] for word in self.words] if self.own_spellings else [])

    def spelled(self, word: str) -> list[Letters]:
        """Return all spellings of a word; none if the lexicon does not have the word."""
        return self._spellings_of.get(decomposed(word), [])


def lexicon_of(given: Iterable[str] | Spellings, vocabulary: Vocabulary) -> Lexicon:
    """Return the lexicon that a user gives: words, or words with spellings.

    A spelling is a string (its characters are the letters) or a list of tokens; a list of such lists is several
    spellings.

    Raises:
        InvalidInputError: If the vocabulary has no mark of words, a word or a spelling is empty, or one has letters
            that the vocabulary cannot write; names the first few.
    """
    if not vocabulary.has_words:
        raise InvalidInputError(
            "lexicon is given, but vocabulary has no mark of words, so that no word ever ends. Say separator=…, "
            "word_start=… or continuation=… of the Vocabulary."
        )
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InvalidInputError(f"lexicon is {given!r}; expected words, or a mapping from words to their spellings.")
    words = checked_words(given, "lexicon")
    if isinstance(given, Mapping):
        return _with_spellings(words, given, vocabulary)
    alphabet = Alphabet.of(vocabulary)
    words = _different(words)
    expect_spellable(((word, alphabet.unknown_in(word)) for word in words), "lexicon", "word")
    return Lexicon(alphabet, tuple(words), tuple(alphabet.spell(word) for word in words))


def lexicon_of_model(model: LanguageModelLike, vocabulary: Vocabulary) -> Lexicon:
    """Return the words of a model of words that the vocabulary can write.

    Raises:
        InvalidInputError: If there are none, or the model cannot list its words.
    """
    if not isinstance(model, Iterable):
        raise InvalidInputError(
            f"language_model is a {type(model).__name__}, which does not list its words (it has no __iter__); expected "
            "a lexicon: pass lexicon=…, the words that texts may have."
        )
    alphabet = Alphabet.of(vocabulary)
    listed = list(model)
    for position, word in enumerate(listed):
        if not isinstance(word, str):
            raise InvalidInputError(f"language_model lists {word!r} as its word {position}; expected strings.")
    words = [word for word in listed if word not in SPECIAL and not alphabet.unknown_in(word)]
    if not words:
        raise InvalidInputError(
            "language_model has no word that the vocabulary can write. Is it of another language, or in capitals?"
        )
    return Lexicon(alphabet, tuple(words), tuple(alphabet.spell(word) for word in words))


def lexicon_with_oov(known: Sequence[str], others: Sequence[str], vocabulary: Vocabulary) -> Lexicon:
    """Return the lexicon of known words and of ``others``, which are charged and scored by a model of words.

    There may be no words at all. The vocabulary must be able to write all of them.
    """
    alphabet = Alphabet.of(vocabulary)
    words = (*known, *others)
    return Lexicon(alphabet, words, tuple(alphabet.spell(word) for word in words), oov_words=len(others))


def checked_words(given: Iterable[Any], name: str) -> list[str]:
    """Return words as a list, all of them strings that are not empty.

    Raises:
        InvalidInputError: Names the first that is not; or if there are no words.
    """
    words = list(given)
    for position, word in enumerate(words):
        if not isinstance(word, str) or not word.strip():
            raise InvalidInputError(f"{name}[{position}] is {word!r}; expected a word, a string that is not empty.")
    if not words:
        raise InvalidInputError(f"{name} is empty; expected at least one word, or None.")
    return words


def _different(words: Iterable[str]) -> list[str]:
    """Return each word once, in its first encoding."""
    found: dict[str, str] = {}
    for word in words:
        found.setdefault(decomposed(word), word)
    return list(found.values())


def _with_spellings(words: Sequence[str], given: Spellings, vocabulary: Vocabulary) -> Lexicon:
    spelled = [(word, spelling) for word in words for spelling in _checked_spellings(word, given[word])]
    lists = any(not isinstance(spelling, str) for _, spelling in spelled)
    characters = all(len(part) <= 1 for parts in vocabulary.word_parts for part in parts)
    by_token = lists and not characters and vocabulary.separator is not None
    alphabet = Alphabet.of(vocabulary, by_token=by_token)
    letters = {
        token: [[part] if part and by_token else list(vocabulary.letters(part)) for part in parts]
        for token, parts in zip(vocabulary.tokens, vocabulary.word_parts, strict=True)
    }
    units = [(word, _units(spelling, letters)) for word, spelling in spelled]
    for word, each in units:
        if not each:
            raise InvalidInputError(f"lexicon[{word!r}] has an empty spelling; expected at least one letter.")
    expect_spellable(((word, alphabet.unknown_in(each)) for word, each in units), "lexicon", "word")
    names = {decomposed(word): word for word in _different(words)}
    pairs = list(dict.fromkeys((names[decomposed(word)], alphabet.spell(each)) for word, each in units))
    return Lexicon(alphabet, tuple(word for word, _ in pairs), tuple(letters for _, letters in pairs), True)


def _checked_spellings(word: str, value: Any) -> list[str | Sequence[str]]:
    """Return the one spelling or the several spellings of a word."""
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


def _units(spelling: str | Sequence[str], letters: Mapping[str, Sequence[list[str]]]) -> str | list[str]:
    """Return the letters of a spelling. Unknown tokens stay as they are; boundaries at the ends are left out.

    Args:
        spelling: A string or a list of tokens.
        letters: The letters of each token, in parts with a boundary between each two.
    """
    if isinstance(spelling, str):
        return spelling
    units: list[str] = []
    for token in spelling:
        for n, part in enumerate(letters.get(token, [[token]])):
            units += [_INSIDE] * (n > 0) + part
    inside = [n for n, unit in enumerate(units) if unit != _INSIDE]
    return units[inside[0] : inside[-1] + 1] if inside else []
