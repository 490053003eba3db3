"""N-gram language models: how likely a text is, entry by entry.

p(w₁ … w_n) = Π p(w_i | the N − 1 entries before), where an n-gram that the model does not hold backs off:

    p(w | v₁ … v_k) = p*(v₁ … v_k w)                            if the model holds it
                    = b(v₁ … v_k) · p(w | v₂ … v_k)             otherwise

Entries are words, characters or tokens. The model itself lives in the C++ core (native/lm/ngram.hpp), which also
estimates it (native/lm/train.cpp): interpolated modified Kneser-Ney smoothing,

    p(w | v₁ … v_k) = (a(v₁ … v_k w) − D) / Σ a(v₁ … v_k ·) + γ(v₁ … v_k) · p(w | v₂ … v_k)

with a the count at the highest order, and below it the number of different entries seen before; D = D₁, D₂ or D₃ where
a is 1, 2, or more; γ what is left over. Source: Chen and Goodman 1998; Heafield, Pouzyrevsky, Clark, Koehn 2013, whose
program lmplz this agrees with.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctckit import _checks, _files
from ctckit.errors import DataError, InvalidInputError, ModelFormatError
from ctckit.kernels import ngram as kernel
from ctckit.language_models import files as _model_text

UNITS = ("word", "char", "token")
SPACE = "|"
SPECIAL = ("<s>", "</s>", "<unk>")
MOST_ORDERS = 16


@dataclass(frozen=True)
class Discounts:
    """What training took from the counts of one order.

    Attributes:
        one: D₁, from n-grams seen once.
        two: D₂, from those seen twice.
        more: D₃, from all others.
        fallback: The text was too small, or too regular, to estimate them: these are 0.5, 1 and 1.5.
    """

    one: float
    two: float
    more: float
    fallback: bool


class NGramModel:
    """A back-off n-gram model; made by :meth:`load` or :meth:`train`.

    Attributes:
        order: N: an entry depends on the N − 1 before it.
        unit: What an entry is: "word", "char" or "token".
        space: The entry that stands for a space, where the unit is "char".
        counts: How many n-grams of each order the model holds.
        discounts: Of each order, where the model was trained just now; else None.

    Example:
        >>> model = NGramModel.train(["the cat sat", "the cat ran", "a dog ran"], order=2)
        >>> len(model), model.order, "cat" in model, "cow" in model
        (9, 2, True, False)
        >>> model.log_prob("the cat") > model.log_prob("cat the")
        True
        >>> log_prob, state = model.score(model.start, "the")
        >>> round(log_prob, 3), round(model.log_prob("the", eos=False), 3)
        (-0.936, -0.936)
    """

    discounts: tuple[Discounts, ...] | None = None

    def __init__(self, native: kernel.NGram, *, unit: str, space: str = SPACE, unverified: Path | None = None) -> None:
        self._native = native
        self._unverified = unverified
        self.unit = unit
        self.space = space
        self.order = native.order
        self.counts = tuple(native.counts)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, unit: str | None = None, verify: bool = True) -> NGramModel:
        """Load a model: an ARPA file, plain or compressed by gzip, xz or bzip2, or a file that :meth:`save` wrote.

        Which it is, is told by its content. A file of ctckit's own is mapped into memory, which takes no time whatever
        its size, and several processes share it.

        Args:
            path: The file.
            unit: "word", "char" or "token". By default what ctckit's file says; for an ARPA file, which does not say:
                "char" where every entry is a single character, else "word".
            verify: Check the content of a file of ctckit's own against its checksum, once, when the model is first
                used. Without it, a damaged file may give wrong probabilities (never a crash). Its header and its
                length are checked always.

        Raises:
            DataError: If there is no such file, or it is no language model; says the line.
            ModelFormatError: If a file of ctckit's own is truncated, damaged or of another version. Damage behind the
                header is found at the first use.
            InvalidInputError: If ``unit`` is none of the three.
        """
        if unit is not None:
            _checks.choice(unit, "unit", UNITS)
        path = Path(path)
        if _model_text.is_own_file(path):
            return cls._load_own(path, unit, verify)
        try:
            native = kernel.ngram_from_arpa(_model_text.contents(path))
        except kernel.FormatError as error:
            raise DataError(f"{path}: {error}") from None
        return cls(native, unit=unit or _unit_of(native))

    @classmethod
    def _load_own(cls, path: Path, unit: str | None, verify: bool) -> NGramModel:
        try:
            native = kernel.ngram_from_file(str(path))
        except kernel.FormatError as error:
            raise ModelFormatError(f"{path}: {error}") from None
        try:
            note = json.loads(native.note)
            unit, space = unit or note["unit"], note["space"]
        except (ValueError, KeyError, TypeError):
            raise ModelFormatError(f"{path}: the header is damaged.") from None
        return cls(native, unit=unit, space=space, unverified=path if verify else None)

    @classmethod
    def train(
        cls,
        lines: Iterable[str | Sequence[str]],
        *,
        order: int,
        unit: str = "word",
        space: str = SPACE,
        prune: Sequence[int] = (),
        progress: bool = False,
    ) -> NGramModel:
        """Estimate a model from a text: interpolated modified Kneser-Ney smoothing, as KenLM's lmplz does it.

        Where a text is too small for an order's discounts, they are 0.5, 1 and 1.5 (lmplz refuses, and proposes these):
        see ``discounts``.

        Args:
            lines: The text. A line is a string or the list of its entries. Of a string, the entries are its words
                (between white space), or for unit "char" its characters. Nothing else is done to it: case and
                punctuation stay. Lines without entries are left out.
            order: N, 1 to 16. Usual are 3 to 5 for words, 6 to 8 for characters.
            unit: "word", "char" or "token".
            space: For unit "char": the entry that stands for white space, since ARPA files cannot hold a space.
            prune: For each order from 1 on, n-grams seen this often or less are left out; the last number holds for
                the orders beyond. Never falling, and 0 for order 1. ``(0, 0, 1)`` drops 3-grams seen once.
            progress: Draw a progress bar on standard error, where that is a terminal.

        Raises:
            InvalidInputError: If an argument is out of range, or an entry holds white space.
            DataError: If there is no text, or it holds ``<s>``, ``</s>`` or ``<unk>``.
        """
        _checks.choice(unit, "unit", UNITS)
        _expect_order(order)
        _expect_space(space)
        trainer = kernel.NGramTrainer(order, _checked_prune(prune, order))
        try:
            for characters, text in _model_text.batches(lines, unit == "char", progress=progress):
                trainer.add(text, characters, space)
            with _model_text.spinner("estimating", progress):
                native, discounts = trainer.train()
        except kernel.FormatError as error:
            raise DataError(f"lines: {error}") from None
        model = cls(native, unit=unit, space=space)
        model.discounts = tuple(Discounts(*each) for each in discounts)
        return model

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model: as ARPA where the name ends in .arpa, .arpa.gz or .arpa.xz, else in ctckit's own format.

        The usual ending of the latter is .ctclm. The file is either whole or not there.

        Raises:
            DataError: If it cannot be written.
        """
        path = Path(path)
        native = self.native
        try:
            if _model_text.is_arpa_name(path):
                _files.write_atomically(path, _model_text.compressed(native.arpa(), path))
            else:
                _files.write_atomically(path, native.header(self._note), native.body().data)
        except (OSError, kernel.FormatError) as error:
            raise DataError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error}).") from error

    @property
    def _note(self) -> bytes:
        return json.dumps({"unit": self.unit, "space": self.space}).encode()

    def __reduce__(self) -> tuple[Any, ...]:
        content = self.native.header(self._note) + self.native.body().tobytes()
        return _unpickled, (content, self.unit, self.space, self.discounts)

    @property
    def native(self) -> kernel.NGram:
        """The model in the C++ core; whole, or this raises."""
        if self._unverified is not None:
            if not self._native.is_intact():
                raise ModelFormatError(
                    f"{self._unverified}: the content is damaged: its checksum is not the one it was written with. "
                    "Write it anew (ctckit lm convert MODEL.arpa MODEL.ctclm)."
                )
            self._unverified = None
        return self._native

    @property
    def start(self) -> int:
        """The state after ``<s>``, where texts begin."""
        return self.native.start

    @property
    def empty(self) -> int:
        """The state without context."""
        return self._native.empty

    @property
    def unknown_log_prob(self) -> float:
        """Log p(<unk>) without context, nats."""
        return self.native.unigram(self._native.unknown)

    def log_prob(self, tokens: Sequence[str] | str, *, bos: bool = True, eos: bool = True) -> float:
        """The log-probability of a text, nats.

        Args:
            tokens: Its entries; or the text as one string: its characters where the unit is "char" (white space
                becomes one ``space``, and at the ends nothing), its words where it is "word". Unknown entries count
                as ``<unk>``.
            bos: The text begins here (after ``<s>``); otherwise there is no context before it.
            eos: It ends here: log p(</s> | …) is included.

        Raises:
            InvalidInputError: If ``tokens`` is a string and the unit "token", or holds something else than strings.
        """
        return self.native.log_prob(self.entries(tokens), bos, eos)

    def entries(self, tokens: Sequence[str] | str) -> list[str]:
        """The entries of a text, as :meth:`log_prob` takes them."""
        if not isinstance(tokens, str):
            entries = list(tokens)
            for position, each in enumerate(entries):
                if not isinstance(each, str):
                    raise InvalidInputError(f"tokens[{position}] is {each!r}; expected a string.")
            return entries
        if self.unit == "word":
            return tokens.split()
        if self.unit == "char":
            return [self.space if each == " " else each for each in " ".join(tokens.split())]
        raise InvalidInputError(
            'tokens is a string, but the unit of the model is "token": pass the list of its tokens.'
        )

    def score(self, state: int, entry: str) -> tuple[float, int]:
        """(log p(entry | state) in nats, the state behind it). An unknown entry counts as ``<unk>``."""
        native = self.native
        return native.query(state, native.find(entry))

    def end(self, state: int) -> float:
        """The log-probability, nats, that the text ends in this state: log p(</s> | state)."""
        native = self.native
        return native.query(state, native.end)[0]

    def __len__(self) -> int:
        return len(self._native)

    def __iter__(self) -> Iterator[str]:
        native = self.native
        return (native.word(each) for each in range(len(native)))

    def __contains__(self, entry: object) -> bool:
        return isinstance(entry, str) and self.native.word(self.native.find(entry)) == entry

    def __repr__(self) -> str:
        return f"NGramModel(order={self.order}, unit={self.unit!r}, counts={self.counts})"


def _unpickled(content: bytes, unit: str, space: str, discounts: tuple[Discounts, ...] | None) -> NGramModel:
    try:
        native = kernel.ngram_from_bytes(content)
    except kernel.FormatError as error:
        raise ModelFormatError(f"a pickled NGramModel: {error}") from None
    model = NGramModel(native, unit=unit, space=space)
    model.discounts = discounts
    return model


def _expect_order(order: int) -> None:
    _checks.positive_integer(order, "order")
    if order > MOST_ORDERS:
        raise InvalidInputError(f"order is {order}; expected 1 to {MOST_ORDERS}.")


def _expect_space(space: str) -> None:
    if not isinstance(space, str) or space.split() != [space] or space in SPECIAL:
        raise InvalidInputError(
            f"space is {space!r}; expected a string without white space that is none of {', '.join(SPECIAL)}."
        )


def _checked_prune(prune: Sequence[int], order: int) -> list[int]:
    numbers = list(prune)
    if any(not isinstance(each, int) or isinstance(each, bool) or each < 0 for each in numbers):
        raise InvalidInputError(f"prune is {prune!r}; expected counts of 0 or more, one for each order.")
    if numbers != sorted(numbers) or numbers[:1] not in ([], [0]):
        raise InvalidInputError(f"prune is {prune!r}; expected 0 for order 1 and numbers that never fall after it.")
    if len(numbers) > order:
        raise InvalidInputError(f"prune has {len(numbers)} numbers; the order is {order}.")
    return numbers


def _unit_of(native: kernel.NGram) -> str:
    entries = (native.word(each) for each in range(len(native)))
    return "char" if all(len(each) == 1 for each in entries if each not in SPECIAL) else "word"
