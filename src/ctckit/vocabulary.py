"""Tokens and their class indices. The caller states the blank and the word marks; ctckit never guesses them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cached_property

from ctckit import _checks
from ctckit._unicode import CharacterIndex
from ctckit.errors import CharsetError, InvalidInputError


@dataclass(frozen=True)
class Vocabulary:
    """The C classes of a model: their tokens in order, the blank, and the mark of words.

    At most one of the three marks may be given. Without a mark, a text has no words.

    Attributes:
        tokens: C different strings; ``tokens[blank]`` is "". A mapping from each token to its class is accepted too.
        blank: The class of the blank.
        separator: The token between words, such as "|" or " ".
        word_start: The prefix of tokens that begin a word, such as SentencePiece's "▁".
        continuation: The prefix of tokens that continue a word, such as WordPiece's "##"; other tokens begin a word.

    Example:
        >>> vocabulary = Vocabulary.from_characters("0123456789")
        >>> len(vocabulary), vocabulary.encode("407")
        (11, [5, 1, 8])
        >>> vocabulary.decode([5, 1, 8])
        '407'
        >>> Vocabulary(("", "▁the", "▁cat", "s"), word_start="▁").decode([1, 2, 3])
        'the cats'
    """

    tokens: tuple[str, ...]
    blank: int = 0
    separator: str | None = None
    word_start: str | None = None
    continuation: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", _strings(self.tokens))
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
        self._check_marks()

    def _check_marks(self) -> None:
        marks = {name: getattr(self, name) for name in ("separator", "word_start", "continuation")}
        given = {name: mark for name, mark in marks.items() if mark is not None}
        if len(given) > 1:
            names = " and ".join(f"{name}={mark!r}" for name, mark in given.items())
            raise InvalidInputError(f"{names} are given; expected at most one mark of words.")
        for name, mark in given.items():
            if not isinstance(mark, str) or not mark:
                raise InvalidInputError(f"{name} is {mark!r}; expected a string that is not empty, or None.")
        if self.separator is not None and self.separator not in self._index:
            raise InvalidInputError(f"separator is {self.separator!r}, which is not among the tokens.")
        if self.word_start is not None and not any(self.word_start in token for token in self.tokens):
            raise InvalidInputError(f"word_start is {self.word_start!r}, which no token holds.")
        if self.continuation is not None and not any(token.startswith(self.continuation) for token in self.tokens):
            raise InvalidInputError(f"continuation is {self.continuation!r}, which no token begins with.")

    @classmethod
    def from_characters(cls, characters: Iterable[str], *, blank: int = 0, separator: str | None = None) -> Vocabulary:
        """Return a vocabulary of single characters in the given order, with the blank inserted as class ``blank``."""
        tokens = list(characters)
        tokens.insert(blank, "")
        return cls(tuple(tokens), blank, separator)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, token: int) -> str:
        return self.tokens[token]

    @property
    def characters(self) -> str:
        """All tokens except the blank, joined."""
        return "".join(self.tokens)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {token: index for index, token in enumerate(self.tokens) if index != self.blank}

    @cached_property
    def _characters(self) -> CharacterIndex:
        return CharacterIndex(self._index)

    def encode(self, text: str) -> list[int]:
        """Return the classes of a text's characters; a space becomes the separator if the vocabulary has one.

        The text may be encoded in another way than the tokens: "é" is one code point, or "e" and a mark. Where tokens
        can write a character in several ways, the way with the largest parts is taken: "é" rather than "e" and a mark.

        Raises:
            CharsetError: If the vocabulary does not have all characters of the text; names each missing one.
            InvalidInputError: If the tokens are pieces of words; a text has many spellings then.
        """
        if self.word_start is not None or self.continuation is not None:
            raise InvalidInputError(
                "encode takes vocabularies of characters; in pieces of words a text can be written in many ways. "
                "Use the tokenizer that the model was trained with."
            )
        if self.separator is not None and " " not in self._index:
            text = text.replace(" ", self.separator)
        classes = self._characters.spell(text)
        if classes is None:
            names = ", ".join(map(_named, sorted(self._characters.missing(text))))
            raise CharsetError(f"text {text!r} holds characters outside the charset of {len(self) - 1}: {names}.")
        return classes

    def decode(self, tokens: Iterable[int]) -> str:
        """Return the text of a list of classes, without blanks and with one space between words.

        Raises:
            InvalidInputError: If a class is not in 0..C−1.
        """
        classes = list(tokens)
        for position, token in enumerate(classes):
            _checks.class_index(token, f"tokens[{position}]", len(self))
        return " ".join(word for word in self._split(classes) if word)

    @property
    def has_words(self) -> bool:
        """Whether the vocabulary has a mark of words."""
        return not (self.separator is None and self.word_start is None and self.continuation is None)

    @cached_property
    def word_parts(self) -> tuple[tuple[str, ...], ...]:
        """(C,) each token, split where a word begins or ends, without the marks.

        With ``word_start="▁"``, "s" is ("s",), "▁cat" is ("", "cat") and "▁" is ("", "").
        """
        return tuple(self._parts(token) for token in self.tokens)

    def _parts(self, token: str) -> tuple[str, ...]:
        if token == self.separator:
            return ("", "")
        if self.word_start is not None:
            return tuple(token.split(self.word_start))
        if self.continuation is not None and token:
            return (token[len(self.continuation) :],) if token.startswith(self.continuation) else ("", token)
        return (token,)

    def _split(self, classes: Iterable[int]) -> list[str]:
        """Return the words of a list of classes; some may be empty."""
        words = [[""]]
        for each in classes:
            first, *others = self.word_parts[each]
            words[-1].append(first)
            words += [[part] for part in others]
        return ["".join(word) for word in words]


def blank_of(blank: int | None, vocabulary: Vocabulary | None) -> int:
    """Return the blank: the one that is stated, or that of the vocabulary, or 0.

    Raises:
        InvalidInputError: If a blank is stated and the vocabulary has another one.
    """
    if vocabulary is None:
        return 0 if blank is None else blank
    _checks.expect_instance(vocabulary, "vocabulary", Vocabulary, "a Vocabulary")
    if blank is not None and blank != vocabulary.blank:
        raise InvalidInputError(
            f"blank is {blank}, but vocabulary says {vocabulary.blank}; expected the same class. Leave blank out."
        )
    return vocabulary.blank


def _named(character: str) -> str:
    """Return a character, which may be a letter with marks, with its code points."""
    return f"{character!r} ({' '.join(f'U+{ord(point):04X}' for point in character)})"


def _strings(tokens: Iterable[str]) -> tuple[str, ...]:
    if isinstance(tokens, str):
        raise InvalidInputError(
            f"tokens is the string {tokens!r}; expected a sequence of strings. "
            "For single characters use Vocabulary.from_characters."
        )
    if isinstance(tokens, Set):
        raise InvalidInputError(
            f"tokens is a {type(tokens).__name__}, which has no order; expected a sequence of strings."
        )
    result = _by_class(tokens) if isinstance(tokens, Mapping) else tuple(tokens)
    for position, token in enumerate(result):
        if not isinstance(token, str):
            raise InvalidInputError(f"tokens[{position}] is {token!r}; expected a string.")
    return result


def _by_class(classes: Mapping[str, int]) -> tuple[str, ...]:
    """Return the tokens of a mapping from each token to its class, in the order of the classes."""
    for token, each in classes.items():
        _checks.class_index(each, f"tokens[{token!r}]", len(classes))
    owners: dict[int, str] = {}
    for token, each in classes.items():
        if each in owners:
            raise InvalidInputError(f"tokens[{token!r}] and tokens[{owners[each]!r}] are both {each}.")
        owners[each] = token
    return tuple(sorted(classes, key=lambda token: classes[token]))
