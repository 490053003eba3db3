"""The letters of a vocabulary: what words, lexicons and hotwords are spelled in.

A letter is a character of the tokens; marks of words are not letters. Number 0 is the boundary between words. Where
tokens are bytes, a letter is a byte of UTF-8, and texts that a user gives are in NFC. In a
lexicon that spells its words token by token, with tokens that are not characters (phonemes, say), each token is one
letter.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ctckit import _checks
from ctckit._unicode import CharacterIndex, clusters
from ctckit.errors import InvalidInputError
from ctckit.kernels.search.plan import BOUNDARY, Ragged
from ctckit.vocabulary import Vocabulary

Letters = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Alphabet:
    """The letters of a vocabulary.

    Attributes:
        vocabulary: The vocabulary.
        numbers: The number of each letter; a letter is a character, or a whole token.
        of_classes: The letters of each class.
        by_token: Whether each token is one letter.
    """

    vocabulary: Vocabulary
    numbers: Mapping[str, int]
    of_classes: Ragged
    by_token: bool = False

    @classmethod
    def of(cls, vocabulary: Vocabulary, *, by_token: bool = False) -> Alphabet:
        """Number the letters of a vocabulary: its characters, or its tokens."""
        numbers: dict[str, int] = {}
        classes = []
        for parts in vocabulary.word_parts:
            letters: list[int] = []
            for n, part in enumerate(parts):
                letters += [BOUNDARY] * (n > 0)
                for unit in [part] * (part != "") if by_token else vocabulary.letters(part):
                    letters.append(numbers.setdefault(unit, len(numbers) + 1))
            classes.append(letters)
        return cls(vocabulary, numbers, Ragged.of(classes), by_token)

    @cached_property
    def _characters(self) -> CharacterIndex:
        return CharacterIndex(self.numbers)

    def unknown_in(self, units: str | Iterable[str]) -> list[str]:
        """Return the characters of a text, or those of several tokens, that are not letters.

        A text may encode its characters in another way than the vocabulary.
        """
        if isinstance(units, str) and self.vocabulary.byte_tokens is not None and not self.by_token:
            return (
                [] if self.spell(units) else [each for each in dict.fromkeys(clusters(units)) if not self.spell(each)]
            )
        if isinstance(units, str):
            return self._characters.missing(units)
        return [unit for unit in dict.fromkeys(units) if unit not in self.numbers]

    def spell(self, units: str | Iterable[str]) -> Letters:
        """Return the letters of a text's characters, or of tokens, that are all known."""
        if isinstance(units, str) and self.vocabulary.byte_tokens is not None and not self.by_token:
            letters = self.vocabulary.letters(unicodedata.normalize("NFC", units))
            return tuple(self.numbers[each] for each in letters) if self.numbers.keys() >= set(letters) else ()
        if isinstance(units, str):
            return tuple(self._characters.spell(units) or ())
        return tuple(self.numbers[unit] for unit in units)


def expect_spellable(found: Iterable[tuple[str, list[str]]], name: str, what: str) -> None:
    """Every word can be spelled in the letters of the vocabulary.

    Args:
        found: Pairs of a word and those of its characters (or tokens) that are not letters.
        name: The argument that the words come from.
        what: What one of them is called: "word" or "phrase".

    Raises:
        InvalidInputError: Names the first few words with what is unknown in them.
    """
    offenders = [(word, unknown) for word, unknown in found if unknown]
    if offenders:
        raise InvalidInputError(
            f"{name} has {unspellable(offenders, what)}. Leave them out or spell them in letters of the vocabulary."
        )


def unspellable(offenders: Sequence[tuple[str, list[str]]], what: str) -> str:
    """Return a description of words that cannot be spelled: how many, the first few, and what is unknown in them."""
    few = ", ".join(f"{word!r} ({_named(unknown)})" for word, unknown in offenders[: _checks.MOST_NAMED])
    more = f" and {len(offenders) - _checks.MOST_NAMED} more" if len(offenders) > _checks.MOST_NAMED else ""
    count = f"{len(offenders)} {what}s" if len(offenders) > 1 else f"a {what}"
    return f"{count} with letters that the vocabulary cannot write: {few}{more}"


def _named(units: Sequence[str]) -> str:
    return ", ".join(f"{unit!r} U+{ord(unit):04X}" if len(unit) == 1 else repr(unit) for unit in units)
