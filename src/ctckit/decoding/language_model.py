"""N-gram language models: how likely a text is, entry by entry.

p(w₁ … w_n) = Π p(w_i | the N − 1 entries before), where an n-gram that the model does not hold backs off:

    p(w | v₁ … v_k) = p*(v₁ … v_k w)                            if the model holds it
                    = b(v₁ … v_k) · p(w | v₂ … v_k)             otherwise

Entries are words, characters or tokens. The model itself lives in the C++ core (native/ngram.hpp).
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import mmap
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _native
from ctckit.errors import DataError, InvalidInputError

UNITS = ("word", "char", "token")
SPACE = "|"
SPECIAL = ("<s>", "</s>", "<unk>")

_KENLM = b"mmap lm http://kheafield.com/code"


class NGramModel:
    """A back-off n-gram model; made by :meth:`load`.

    Attributes:
        order: N: an entry depends on the N − 1 before it.
        unit: What an entry is: "word", "char" or "token".
        space: The entry that stands for a space, where the unit is "char".
        counts: How many n-grams of each order the model holds.
        start: The state after ``<s>``, where texts begin.
        empty: The state without context.
        unknown_log_prob: log p(<unk>) without context, nats.
        native: The model in the C++ core.
    """

    def __init__(self, native: _native.NGram, *, unit: str, space: str = SPACE) -> None:
        self.native = native
        self.unit = unit
        self.space = space
        self.order = native.order
        self.counts = tuple(native.counts)
        self.start = native.start
        self.empty = native.empty
        self.unknown_log_prob = native.unigram(native.unknown)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, unit: str | None = None) -> NGramModel:
        """Load an ARPA file: plain, or compressed by gzip, xz or bzip2; told by its content, not by its name.

        Args:
            path: The file.
            unit: "word", "char" or "token". By default "char" where every entry is a single character, else "word".

        Raises:
            DataError: If there is no such file, or it is no language model; says the line.
            InvalidInputError: If ``unit`` is none of the three.
        """
        if unit is not None:
            _expect_unit(unit)
        path = Path(path)
        try:
            native = _native.ngram_from_arpa(_contents(path))
        except _native.FormatError as error:
            raise DataError(f"{path}: {error}") from None
        return cls(native, unit=unit or _unit_of(native))

    def log_prob(self, tokens: Sequence[str] | str, *, bos: bool = True, eos: bool = True) -> float:
        """log p of a text, nats.

        Args:
            tokens: Its entries; or the text as one string: its characters where the unit is "char" (a space becomes
                ``space``), its words where it is "word". Unknown entries count as ``<unk>``.
            bos: The text begins here (after ``<s>``); otherwise there is no context before it.
            eos: It ends here: log p(</s> | …) is included.
        """
        return self.native.log_prob(self._entries(tokens), bos, eos)

    def score(self, state: int, entry: str) -> tuple[float, int]:
        """(log p(entry | state) in nats, the state behind it). An unknown entry counts as ``<unk>``."""
        return self.native.query(state, self.native.find(entry))

    def end(self, state: int) -> float:
        """log p(</s> | state), nats."""
        return self.native.query(state, self.native.end)[0]

    def __len__(self) -> int:
        return len(self.native)

    def __iter__(self) -> Iterator[str]:
        return (self.native.word(each) for each in range(len(self)))

    def __contains__(self, entry: object) -> bool:
        return isinstance(entry, str) and self.native.word(self.native.find(entry)) == entry

    def __repr__(self) -> str:
        return f"NGramModel(order={self.order}, unit={self.unit!r}, counts={self.counts})"

    def _entries(self, tokens: Sequence[str] | str) -> list[str]:
        if not isinstance(tokens, str):
            return list(tokens)
        if self.unit == "word":
            return tokens.split()
        if self.unit == "char":
            return [self.space if each == " " else each for each in tokens]
        raise InvalidInputError('tokens is a string, but the model\'s unit is "token": pass the list of its tokens.')


def _expect_unit(unit: str) -> None:
    if unit not in UNITS:
        raise InvalidInputError(f"unit is {unit!r}; expected one of {', '.join(map(repr, UNITS))}.")


def _unit_of(native: _native.NGram) -> str:
    entries = (native.word(each) for each in range(len(native)))
    return "char" if all(len(each) == 1 for each in entries if each not in SPECIAL) else "word"


def _contents(path: Path) -> npt.NDArray[np.uint8]:
    """The bytes of a file, unpacked where it is compressed; mapped where it is not."""
    try:
        with path.open("rb") as file:
            begin = file.read(len(_KENLM))
            file.seek(0)
            if begin.startswith(_KENLM):
                raise DataError(
                    f"{path}: KenLM's binary format, which depends on the KenLM that wrote it. Load the ARPA file "
                    "that it was built from, and save it in ctckit's format: ctckit lm convert MODEL.arpa MODEL.ctclm"
                )
            unpack: Any = None
            if begin.startswith(b"\x1f\x8b"):
                unpack = gzip.decompress
            elif begin.startswith(b"\xfd7zXZ\x00"):
                unpack = lzma.decompress
            elif begin.startswith(b"BZh"):
                unpack = bz2.decompress
            if unpack is not None:
                return np.frombuffer(unpack(file.read()), np.uint8)
            if not begin:
                return np.empty(0, np.uint8)
            return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
    except (EOFError, OSError, lzma.LZMAError) as error:
        raise DataError(f"{path}: cannot be read ({error}).") from error
