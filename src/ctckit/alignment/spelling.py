"""Words in the tokens of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import numpy as np

from ctckit import _checks
from ctckit._unicode import (
    CharacterIndex,
    TextIndex,
    clusters,
    encodings,
    is_mark,
    is_read_aloud,
    is_spoken,
    without_accents,
)
from ctckit.alignment.characters import ALIKE, CharacterSpeller
from ctckit.errors import CharsetError, InvalidInputError
from ctckit.vocabulary import Vocabulary

QUOTES = "’‘`"
MOST_PHONETIC = 0.2  # a larger share of phonetic symbols among the letters: sounds. Ewe's alphabet has one in six
DIVIDERS = "-‐‑–—/_"  # divide a word where they stand between letters


@dataclass
class Written:
    """The tokens of a word, and its letters, digits and marks that have none.

    Attributes:
        tokens: Its tokens, with wildcards.
        dropped: What has no tokens.
        spelled: Whether a character has tokens.
    """

    tokens: list[int] = field(default_factory=list)
    dropped: str = ""
    spelled: bool = False


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
        self._spellings = TextIndex[Any](spell.get, spell) if isinstance(spell, Mapping) else None
        self._long = [] if vocabulary is None or spell is not None else _long_tokens(vocabulary)
        self._index = {} if vocabulary is None else {name: k for k, name in enumerate(vocabulary.tokens) if name}
        texts = {} if vocabulary is None else vocabulary.texts
        self._characters = CharacterSpeller(CharacterIndex(texts), None if vocabulary is None else vocabulary.bytes_of)
        mark = " " if vocabulary is None or vocabulary.separator is None else vocabulary.separator
        self.separator = self._index.get(mark, texts.get(mark))
        letters = [name for name in texts if is_spoken(name[0]) and next(clusters(name)) == name]
        if len(self._long) > len(letters):
            raise self._needs_spell()
        self._sounds = spell is None and MOST_PHONETIC * len(letters) < sum(map(_is_phonetic, letters))

    def expect_written(self, words: Sequence[Written]) -> None:
        """Raise an error if no word of a text has tokens because the tokens are no characters.

        Raises:
            InvalidInputError: If ``spell`` is needed.
        """
        if self._long and any(word.dropped for word in words) and not any(word.spelled for word in words):
            raise self._needs_spell()

    def expect_letters(self, text: str) -> None:
        """Raise an error if the tokens are sounds, and a text is written in letters.

        Raises:
            InvalidInputError: If ``spell`` is needed.
        """
        if self._sounds and any(map(str.isalpha, text)) and not any(map(_is_phonetic, text)):
            few = ", ".join(map(repr, [name for name in self._index if _is_phonetic(name)][: _checks.MOST_NAMED]))
            raise InvalidInputError(
                f"vocabulary has sounds ({few}), and the text is written in letters; expected spell=, for example that "
                "of the acoustic model, or a PronouncingDictionary."
            )

    def _needs_spell(self) -> InvalidInputError:
        few = ", ".join(map(repr, self._long[: _checks.MOST_NAMED]))
        return InvalidInputError(
            f"vocabulary has tokens of several letters ({few}), and a text is written in its characters; expected "
            "spell=, a dictionary or a function that gives the tokens of a word."
        )

    def join(self, words: Iterable[str], star: int | None) -> Written:
        """Return the tokens of the words spoken for one written word; without a spelling, ``star`` or nothing."""
        result = Written()
        for word in words:
            one = self._by_spell(word, star) if self._spell is not None else self._by_character(word, star)
            if one.tokens and result.tokens and self.separator is not None:
                result.tokens.append(self.separator)
            result.tokens += one.tokens
            result.dropped += one.dropped
            result.spelled |= one.spelled
        return result

    def _by_character(self, word: str, star: int | None) -> Written:
        result, characters = Written(), list(clusters(word))
        for k, character in enumerate(characters):
            inside = 0 < k < len(characters) - 1 and is_spoken(characters[k - 1][0]) and is_spoken(characters[k + 1][0])
            tokens, lost = self._characters.write(character)
            if character in QUOTES and not inside and '"' not in self._index:
                tokens = None  # a quotation mark, not an apostrophe, and the model has no quotation marks
            if tokens is not None:
                result.tokens += tokens
                result.spelled = True
            elif character in DIVIDERS and inside and self.separator is not None:
                result.tokens.append(self.separator)
            elif is_read_aloud(character[0]):
                lost = character
            result.dropped += lost
            if star is not None and any(map(is_read_aloud, lost)) and result.tokens[-1:] != [star]:
                result.tokens.append(star)
        return result

    def _by_spell(self, word: str, star: int | None) -> Written:
        whole = self._looked_up(word)
        if whole is not None:
            return Written(whole)
        result, parts = Written(), [bare(part) or _symbols(part) for part in _divided(word)]
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
        if self._spellings is not None:
            given = self._spellings.find(*_looked_up_as(word), *_looked_up_as(without_accents(word)))
        else:
            given = self._answer(bare(word))
        return None if given is None or not len(given) else self._classes(given, word)

    def _answer(self, word: str) -> Any:
        """Return what the function says for the first encoding of a word that it knows."""
        answers = (self._spell(form) for form in encodings(word) if callable(self._spell) and form)
        return next((answer for answer in answers if answer is not None and len(answer)), None)

    def _classes(self, given: Sequence[Any], word: str) -> list[int]:
        if not isinstance(given[0], str) and isinstance(given[0], Sequence):
            given = given[0]  # the first of several spellings
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
    if not letters:
        return ""
    marks = takewhile(is_mark, word[letters[-1] + 1 :])
    return word[letters[0] : letters[-1] + 1] + "".join(marks)


def _symbols(word: str) -> str:
    """Return the symbols of a word that are read aloud."""
    return "".join(filter(is_read_aloud, word))


def _is_phonetic(name: str) -> bool:
    """Return whether this is a symbol of the phonetic alphabet that is no Latin letter."""
    return len(name) == 1 and "\u0250" <= name <= "\u02af"


def _long_tokens(vocabulary: Vocabulary) -> list[str]:
    """Return the tokens that are several letters, such as phonemes; not those like "<unk>"."""
    names = [name for name in vocabulary.texts if name and name != vocabulary.separator]
    return [name for name in names if next(clusters(name)) != name and all(is_spoken(c) or is_mark(c) for c in name)]


def _looked_up_as(word: str) -> tuple[str, ...]:
    plain = bare(word).translate(ALIKE)
    return word, bare(word), plain, plain.lower(), bare(word).upper()


def _divided(word: str) -> list[str]:
    for mark in DIVIDERS:
        word = word.replace(mark, " ")
    return word.split()
