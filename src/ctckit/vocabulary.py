"""Tokens and their class indices. Nothing is guessed: the blank is stated, nothing is appended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from ctckit import _checks
from ctckit.errors import CharsetError, InvalidInputError


@dataclass(frozen=True)
class Vocabulary:
    """The C classes of a model: their tokens, in order, and which one is the blank.

    Attributes:
        tokens: C different strings; ``tokens[blank]`` is "".
        blank: The class of the blank.

    Example:
        >>> vocabulary = Vocabulary.from_characters("0123456789")
        >>> len(vocabulary), vocabulary.encode("407")
        (11, [5, 1, 8])
        >>> vocabulary.decode([5, 1, 8])
        '407'
    """

    tokens: tuple[str, ...]
    blank: int = 0

    def __post_init__(self) -> None:
        _checks.class_index(self.blank, "blank", len(self))
        if self.tokens[self.blank] != "":
            raise InvalidInputError(
                f'tokens[{self.blank}] is {self.tokens[self.blank]!r}, but {self.blank} is the blank; expected "".'
            )
        first: dict[str, int] = {}
        for position, token in enumerate(self.tokens):
            if token in first or (token == "" and position != self.blank):
                other = first.get(token, self.blank)
                raise InvalidInputError(f"tokens[{position}] is {token!r}, the same as tokens[{other}].")
            first[token] = position

    @classmethod
    def from_characters(cls, characters: Iterable[str], *, blank: int = 0) -> Vocabulary:
        """A vocabulary of single characters in the order given, with the blank put in at class ``blank``."""
        tokens = list(characters)
        tokens.insert(blank, "")
        return cls(tuple(tokens), blank)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, token: int) -> str:
        return self.tokens[token]

    @property
    def characters(self) -> str:
        """All tokens but the blank, joined."""
        return "".join(self.tokens)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {token: index for index, token in enumerate(self.tokens) if index != self.blank}

    def encode(self, text: str) -> list[int]:
        """The classes of a text's characters.

        Raises:
            CharsetError: If the text holds characters that are not in the vocabulary; names each.
        """
        unknown = sorted({character for character in text if character not in self._index})
        if unknown:
            names = ", ".join(f"{character!r} (U+{ord(character):04X})" for character in unknown)
            raise CharsetError(f"text {text!r} holds characters outside the charset of {len(self) - 1}: {names}.")
        return [self._index[character] for character in text]

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of a list of classes; the blank is written as nothing.

        Raises:
            InvalidInputError: If a class is not in 0..C−1.
        """
        classes = list(tokens)
        for position, token in enumerate(classes):
            _checks.class_index(token, f"tokens[{position}]", len(self))
        return "".join(self.tokens[token] for token in classes)
