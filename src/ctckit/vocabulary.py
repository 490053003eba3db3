"""Tokens, their class indices and their text. The blank and the mark of words are stated, not guessed."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from ctckit import _checks
from ctckit._unicode import CharacterIndex, clusters
from ctckit.errors import CharsetError, InvalidInputError
from ctckit.vocabulary_files import BYTE_PIECE, MARKS, SURROGATE, has_mark, read_token_file

BYTE_TOKENS = ("fallback", "level")
_LOOSE_BYTE = re.compile("[\udc80-\udcff]")  # Python's escape of a byte that is no part of a character (PEP 383)
_MOST_OPEN = 3  # bytes at the end of a text that may begin a character


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
        silent: Tokens without a text, such as "<unk>" and "</s>": results, searches and alignments spell them as "".
        byte_tokens: Which tokens are bytes of UTF-8. "fallback": those like "<0xE7>" are one byte each, as in
            SentencePiece. "level": all, in the alphabet of GPT-2, where "Ġ" is the space (byte-level BPE).
            Bytes become characters where they are joined; each byte that is no part of a character becomes U+FFFD
            ("level": each beginning of a character). None: no token is.

    Example:
        >>> from ctckit import Vocabulary
        >>> vocabulary = Vocabulary.from_characters("0123456789")
        >>> len(vocabulary), vocabulary.encode("407")
        (11, [5, 1, 8])
        >>> vocabulary.decode([5, 1, 8])
        '407'
        >>> Vocabulary(("", "▁the", "▁cat", "s"), word_start="▁").decode([1, 2, 3])
        'the cats'
        >>> Vocabulary(("", "<unk>", "<0xC3>", "<0xA9>"), silent=("<unk>",), byte_tokens="fallback").decode([1, 2, 3])
        'é'
    """

    tokens: tuple[str, ...]
    blank: int = 0
    separator: str | None = None
    word_start: str | None = None
    continuation: str | None = None
    silent: tuple[str, ...] = ()
    byte_tokens: str | None = None

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
        self._check_texts()

    def _check_marks(self) -> None:
        marks = {name: getattr(self, name) for name in MARKS}
        given = {name: mark for name, mark in marks.items() if mark is not None}
        if len(given) > 1:
            names = " and ".join(f"{name}={mark!r}" for name, mark in given.items())
            raise InvalidInputError(f"{names} are given; expected at most one mark of words.")
        for name, mark in given.items():
            if not isinstance(mark, str) or not mark:
                raise InvalidInputError(f"{name} is {mark!r}; expected a string that is not empty, or None.")
            if not any(has_mark(token, name, mark) for token in self.tokens):
                missing = {"separator": "is not among the tokens", "word_start": "no token holds"}
                raise InvalidInputError(f"{name} is {mark!r}, which {missing.get(name, 'no token begins with')}.")

    def _check_texts(self) -> None:
        silent: Any = self.silent
        if isinstance(silent, str) or not isinstance(silent, Iterable):
            raise InvalidInputError(f"silent is {silent!r}; expected a sequence of tokens.")
        object.__setattr__(self, "silent", tuple(silent))
        for n, token in enumerate(self.silent):
            if token not in self._index:
                raise InvalidInputError(f"silent[{n}] is {token!r}, which is not among the tokens.")
            if token == self.separator:
                raise InvalidInputError(f"silent[{n}] is {token!r}, the separator; expected tokens without a text.")
        if self.byte_tokens is None:
            return
        _checks.choice(self.byte_tokens, "byte_tokens", BYTE_TOKENS)
        if self.byte_tokens == "fallback" and not any(map(BYTE_PIECE.fullmatch, self.tokens)):
            raise InvalidInputError('byte_tokens is "fallback", but no token is a byte, such as <0xE7>.')
        for position, token in enumerate(self.tokens):
            if SURROGATE.search(token):
                raise InvalidInputError(f"tokens[{position}] is {token!r}, which holds a half of a character.")

    @classmethod
    def load(
        cls,
        path: str | PathLike[str],
        *,
        blank: int | None = None,
        separator: str | None = None,
        word_start: str | None = None,
        continuation: str | None = None,
        silent: Iterable[str] = (),
        byte_tokens: str | None = None,
    ) -> Vocabulary:
        r"""Return the vocabulary of a file.

        =====================  ====================================================================================
        file                   what is read
        =====================  ====================================================================================
        ``vocab.json``         an object that gives each token its class, or a list of tokens
        ``tokenizer.json``     of Hugging Face: BPE, WordPiece, WordLevel and Unigram, with the added tokens
        ``*.vocab``            of SentencePiece: a piece, a tab and its score on each line
        ``tokens.txt``         of k2 and sherpa: a token, a space or tab and its class on each line
        another text           a token on each line
        =====================  ====================================================================================

        Args:
            path: The file, in UTF-8.
            blank: The class of the blank; the name of this token does not matter. The number of tokens: the blank comes
                after those of the file. None: the token with a usual name of the blank: empty, "<blank>", "[blank]",
                "<blk>", "<ctc_blank>", "<ctc>", "<eps>", "<epsilon>", "<pad>" or "[PAD]", in this order, in any case.
            separator: See the attributes. If none of the three marks is given, it is that of the file: "▁" in the
                formats of SentencePiece, and what a ``tokenizer.json`` states.
            word_start: See ``separator``.
            continuation: See ``separator``.
            silent: See the attributes; the name of the blank may be among them.
            byte_tokens: See the attributes. None: "level" where a ``tokenizer.json`` states it, "fallback" where a
                token is like "<0xE7>".

        Raises:
            DataError: If the file is missing or in no such format, or its classes have gaps or duplicates.
            InvalidInputError: If an argument does not fit the file.

        Example:
            >>> from pathlib import Path
            >>> from ctckit import Vocabulary
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     size = Path(folder, "tokens.txt").write_text("<blk> 0\n<unk> 1\n▁a 2\nb 3\n", encoding="utf-8")
            ...     vocabulary = Vocabulary.load(f"{folder}/tokens.txt", word_start="▁", silent=["<unk>"])
            >>> vocabulary.tokens, vocabulary.blank, vocabulary.decode([2, 1, 3, 2])
            (('', '<unk>', '▁a', 'b'), 0, 'ab a')
        """
        path = Path(path)
        file = read_token_file(path)
        tokens = list(file.tokens)
        blank = file.class_of_blank(path) if blank is None else _checks.class_index(blank, "blank", len(tokens) + 1)
        name = tokens[blank] if blank < len(tokens) else ""
        tokens[blank : blank + 1] = [""]
        given = {"separator": separator, "word_start": word_start, "continuation": continuation}
        marks = given if any(mark is not None for mark in given.values()) else file.marks
        others: Any = silent  # one string is refused below
        if isinstance(silent, Iterable) and not isinstance(silent, str):
            others = tuple(each for each in silent if each != name)
        return cls(tuple(tokens), blank, **marks, silent=others, byte_tokens=byte_tokens or file.byte_tokens)

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
    def texts(self) -> dict[str, int]:
        """The class of each text that a token is by itself; without silent tokens, and bytes of no character."""
        tokens = [token for token in self._index if token not in self.silent]
        if self.byte_tokens == "fallback":
            tokens = [token for token in tokens if not BYTE_PIECE.fullmatch(token)]
        found: dict[str, int] = {}
        for token in tokens:
            found.setdefault(self._text(token), self._index[token])
        return {
            text: index for text, index in found.items() if self.byte_tokens is None or not _LOOSE_BYTE.search(text)
        }

    def text_of(self, token: int) -> str:
        """Return the text of one token, with its marks; "" if it is silent. Loose bytes are as in ``word_parts``."""
        name = self.tokens[token]
        return "" if name in self.silent else self._text(name)

    def _text(self, token: str) -> str:
        if self.byte_tokens == "fallback" and (piece := BYTE_PIECE.fullmatch(token)):
            return bytes([int(piece[1], 16)]).decode("utf-8", "surrogateescape")
        if self.byte_tokens == "level" and _BYTE_OF.keys() >= set(token):
            return bytes(_BYTE_OF[character] for character in token).decode("utf-8", "surrogateescape")
        return token

    @cached_property
    def _characters(self) -> CharacterIndex:
        return CharacterIndex(self.texts)

    @cached_property
    def _byte_classes(self) -> dict[bytes, int]:
        """The class of each byte that is a token."""
        kept = [] if self.byte_tokens is None else [token for token in self._index if token not in self.silent]
        if self.byte_tokens == "fallback":
            kept = [token for token in kept if BYTE_PIECE.fullmatch(token)]
        spelled = {self._text(token).encode("utf-8", "surrogateescape"): self._index[token] for token in kept}
        return {content: index for content, index in spelled.items() if len(content) == 1}

    def bytes_of(self, text: str) -> list[int] | None:
        """Return the classes of the bytes of a text; None if not all of them are tokens."""
        content = text.encode("utf-8", "surrogatepass")
        found = [self._byte_classes.get(content[k : k + 1]) for k in range(len(content))]
        return None if None in found else [each for each in found if each is not None]

    def encode(self, text: str) -> list[int]:
        """Return the classes of a text's characters; a space becomes the separator if the vocabulary has one.

        The text may be encoded in another way than the tokens: "é" is one code point, or "e" and a mark. Where tokens
        can write a character in several ways, the way with the largest parts is taken: "é" rather than "e" and a mark.
        A character that has no token is written in its bytes, if these are tokens.

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
        classes, missing = self._characters.spell(text), set[str]()
        if classes is None:
            spelled = [(each, self._characters.find(each) or self.bytes_of(each)) for each in clusters(text)]
            missing = {each for each, tokens in spelled if tokens is None}
            classes = [token for _, tokens in spelled for token in tokens or ()]
        if missing:
            names = ", ".join(map(_named, sorted(missing)))
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
        return self.spelled(" ".join(word for word in self._split(classes) if word))

    def spelled(self, text: str, *, complete: bool = True) -> str:
        """Return the text of joined ``word_parts``. All texts of results are made here.

        Args:
            text: Parts of tokens, joined.
            complete: False: more tokens may come. Bytes at the end that may begin a character are left out, so that the
                result is the beginning of every later one.
        """
        if self.byte_tokens is None or text.isascii():
            return text
        content = text.encode("utf-8", "surrogateescape")
        if not complete:
            content = content[: len(content) - _open_bytes(content)]
        if self.byte_tokens == "level":
            return content.decode("utf-8", "replace")
        return _LOOSE_BYTE.sub("\ufffd", content.decode("utf-8", "surrogateescape"))

    def name(self, token: int) -> str:
        """Return how one token is shown by itself: as in ``tokens``; in byte-level BPE as its text, if it is whole."""
        name = self.tokens[token]
        text = self._text(name) if self.byte_tokens == "level" else name
        return name if _LOOSE_BYTE.search(text) else text

    def letters(self, text: str) -> str:
        """Return what texts are compared by: their characters; where tokens are bytes, their bytes as characters."""
        return text if self.byte_tokens is None else text.encode("utf-8", "surrogateescape").decode("latin-1")

    @property
    def has_words(self) -> bool:
        """Whether the vocabulary has a mark of words."""
        return not (self.separator is None and self.word_start is None and self.continuation is None)

    @cached_property
    def word_parts(self) -> tuple[tuple[str, ...], ...]:
        """(C,) each token, split where a word begins or ends, without the marks.

        With ``word_start="▁"``, "s" is ("s",), "▁cat" is ("", "cat") and "▁" is ("", ""). A silent token is ("",).
        Bytes that are no whole character by themselves are written as U+DC80 to U+DCFF (PEP 383); ``spelled`` makes
        characters of them.
        """
        silent = set(self.silent)
        return tuple(("",) if token in silent else tuple(map(self._text, self._parts(token))) for token in self.tokens)

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


def _open_bytes(content: bytes) -> int:
    """Return how many bytes at the end may begin a character that is not complete yet."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    decoder.decode(content[-_MOST_OPEN:])
    return len(decoder.getstate()[0])


def _byte_alphabet() -> dict[str, int]:
    """Return the byte of each character in the alphabet of GPT-2.

    Bytes that are visible characters in Latin-1 are written as these, the others as U+0100 and on, in their order.
    """
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [value for value in range(256) if value not in visible]
    return {chr(value): value for value in visible} | {chr(256 + n): value for n, value in enumerate(others)}


_BYTE_OF = _byte_alphabet()


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
