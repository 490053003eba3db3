"""N-gram language models: an entry depends on the N − 1 entries before it.

p(w₁ … w_n) = Π p(w_i | the N − 1 entries before w_i). The model stores p* for the n-grams that it holds and a back-off
weight b for their contexts:

    p(w | v₁ … v_k) = p*(v₁ … v_k w)                            if the model holds v₁ … v_k w
                    = b(v₁ … v_k) · p(w | v₂ … v_k)             otherwise

Entries are words, characters or tokens. The model itself lives in the C++ core (native/lm/ngram.hpp; in few bits,
native/lm/compact.hpp; a file of KenLM in native/lm/kenlm/), which also estimates it (native/lm/train.cpp): interpolated
modified Kneser-Ney smoothing,

    p(w | v₁ … v_k) = (a(v₁ … v_k w) − D) / Σ a(v₁ … v_k ·) + γ(v₁ … v_k) · p(w | v₂ … v_k)

where a(v₁ … v_k w) is the count of the n-gram at the highest order, and below it the number of different entries seen
before the n-gram; the discount D is D₁, D₂ or D₃ where a is 1, 2, or more; γ is the mass that the discounts leave.
Source: Chen and Goodman 1998; Heafield, Pouzyrevsky, Clark, Koehn 2013. The results agree with their program lmplz.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctckit import _checks, _files
from ctckit._unicode import clusters
from ctckit.errors import DataError, InvalidInputError, ModelFormatError
from ctckit.kernels import ngram as kernel
from ctckit.language_models import files as _files_of_models
from ctckit.language_models.base import SPACE, UNITS, UNKNOWN, LanguageModel

SPECIAL = ("<s>", "</s>", UNKNOWN)
SPACES = ("<space>", "<SPACE>", "[space]")  # names of the space in character models of other programs
MAX_ORDER = 16
LAYOUTS = ("compact", "fast")
QUANTIZED_BITS = range(2, 17)

_BRACKETED = re.compile(r"<.+>|\[.+\]")


@dataclass(frozen=True)
class Discounts:
    """The discounts of one order: what training subtracts from the counts.

    Attributes:
        one: D₁, for n-grams seen once.
        two: D₂, for n-grams seen twice.
        more: D₃, for all others.
        fallback: True where the text was too small, or too regular, to estimate them: they are then 0.5, 1 and 1.5.

    Example:
        >>> from ctckit import NGramModel
        >>> model = NGramModel.train(["a cat", "a hat", "the cat"], order=1, unit="word")
        >>> [(each.two, each.fallback) for each in model.discounts]
        [(1.5, False)]
    """

    one: float
    two: float
    more: float
    fallback: bool


class NGramModel(LanguageModel[int]):
    """A back-off n-gram model. :meth:`load` and :meth:`train` make one.

    Attributes:
        order: N: an entry depends on the N − 1 entries before it.
        unit: What an entry is: "word", "char" or "token".
        space: The entry that stands for a space, where the unit is "char".
        counts: The number of n-grams of each order.
        discounts: The discounts of each order, if this object was made by :meth:`train`; else None.

    Example:
        >>> from ctckit import NGramModel
        >>> model = NGramModel.train(["the cat sat", "the cat ran", "a dog ran"], order=2)
        >>> len(model), model.order, "cat" in model, "cow" in model
        (9, 2, True, False)
        >>> model.log_prob("the cat") > model.log_prob("cat the")
        True
        >>> log_prob, state = model.score(model.begin(), "the")
        >>> round(log_prob, 3), round(model.log_prob("the", eos=False), 3)
        (-0.936, -0.936)
    """

    discounts: tuple[Discounts, ...] | None = None

    def __init__(
        self, native: kernel.LanguageModel, *, unit: str, space: str = SPACE, unverified: Path | None = None
    ) -> None:
        self._native = native
        self._unverified = unverified
        self.unit = unit
        self.space = space
        self.order = native.order
        self.counts = tuple(native.counts)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        unit: str | None = None,
        space: str | None = None,
        unigrams: Iterable[str] | None = None,
        verify: bool = True,
    ) -> NGramModel:
        """Load a model: an ARPA file, plain or compressed; a binary file of KenLM; or a file that :meth:`save` wrote.

        The content of the file decides, not its name. ARPA files may be compressed by gzip, xz or bzip2. Files in
        ctckit's own format and KenLM's binary files (format version 5, all six kinds) are memory-mapped: loading takes
        no time at any size, and several processes share the memory. A mapped KenLM file gives KenLM's own scores.
        Pickles of a model in a mapped file hold the path of the file and a fingerprint of its content, not the content.

        Args:
            path: The file.
            unit: "word", "char" or "token". By default, the unit that a file in ctckit's format names. Other files
                name none: the default is then "char" if every entry is a single character (entries in brackets, such
                as "<space>" or "[UNK]", do not count), else "word".
            space: For unit "char": the entry that stands for a space. By default, the one that a file in ctckit's
                format names; in other files "<space>" or "[space]" if there is this entry, else "|". If the file has
                none of them but "_" or "▁", say which entry it is.
            unigrams: The words, for a KenLM binary file without them (``build_binary -v``): such a file holds hashes
                only. It still scores any text without the list, but cannot say its words, so that neither a lexicon
                nor another file can be made of it. Words that the model does not have are ignored. Files with words
                need no list, and ignore it.
            verify: Compare the content of a file in ctckit's format with its checksum, once, when the model is first
                used. Without it, a damaged file may give wrong probabilities (never a crash). The header and the
                length of the file are always checked.

        Raises:
            DataError: If there is no such file, or it is no language model; names the line.
            ModelFormatError: If a binary file is truncated, damaged, of another version or of another kind of machine.
                In ctckit's format, damage after the header is found when the model is first used. KenLM's files have
                no checksum: a changed probability cannot be found (and never leads to a crash).
            InvalidInputError: If a KenLM file does not hold its words, and neither ``unigrams`` nor ``unit`` is given;
                if ``unit`` is none of the three, or ``space`` holds white space.
        """
        if unit is not None:
            _checks.choice(unit, "unit", UNITS)
        if space is not None:
            _expect_space(space)
        path = Path(path)
        if _files_of_models.is_own_file(path):
            return cls._load_own(path, unit, space, verify)
        native = _files_of_models.read(path, unit, unigrams)
        named = space or next((each for each in SPACES if native.find(each) != native.unknown), SPACE)
        return cls(native, unit=unit or _unit_of(native, named), space=named)

    @classmethod
    def _load_own(cls, path: Path, unit: str | None, space: str | None, verify: bool) -> NGramModel:
        try:
            native = kernel.ngram_from_file(os.path.abspath(path))
        except kernel.FormatError as error:
            raise ModelFormatError(f"{path}: {error}") from None
        try:
            note = json.loads(native.note)
            unit, space = unit or note["unit"], space or note["space"]
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
        """Estimate a model from a text, with interpolated modified Kneser-Ney smoothing as in KenLM's lmplz.

        If the text is too small to estimate the discounts of an order, they are 0.5, 1 and 1.5; see ``discounts``.
        (lmplz stops in this case and proposes the same values.)

        Args:
            lines: The text. A line is a string or a list of entries. The entries of a string are its words (between
                white space), or its characters for unit "char". Nothing else is changed: case and punctuation stay.
                Lines without entries are skipped.
            order: N, 1 to 16. Usual are 3 to 5 for words, 6 to 8 for characters.
            unit: "word", "char" or "token".
            space: For unit "char": the entry that stands for white space, because ARPA files cannot hold a space.
            prune: One count for each order from 1 on: n-grams seen this often or less are dropped. The last count also
                holds for the higher orders. Counts must not decrease, and the first must be 0. ``(0, 0, 1)`` drops
                3-grams seen once.
            progress: Draw a progress bar on standard error, if that is a terminal.

        Raises:
            InvalidInputError: If an argument is out of range, or an entry contains white space.
            DataError: If there is no text, or it contains ``<s>``, ``</s>`` or ``<unk>``.
        """
        _checks.choice(unit, "unit", UNITS)
        _expect_order(order)
        _expect_space(space)
        trainer = kernel.NGramTrainer(order, _checked_prune(prune, order))
        try:
            for characters, text in _files_of_models.batches(lines, unit == "char", progress=progress):
                trainer.add(text, characters, space)
            with _files_of_models.spinner("estimating", progress):
                native, discounts = trainer.train()
        except kernel.FormatError as error:
            raise DataError(f"lines: {error}") from None
        model = cls(native, unit=unit, space=space)
        model.discounts = tuple(Discounts(*each) for each in discounts)
        return model

    def save(self, path: str | os.PathLike[str], *, layout: str = "compact", quantize: int | None = None) -> None:
        """Write the model as ARPA if the name ends in .arpa, .arpa.gz or .arpa.xz, else in ctckit's own format.

        Names of files in ctckit's format usually end in .ctclm. The file is written atomically: if writing fails, an
        older file of that name is unchanged.

        Args:
            path: The file.
            layout: The layout of ctckit's own format. "compact" packs all numbers into few bits: the file of a word
                3-gram is a sixth of a "fast" one, and a beam search with it takes 2 % to 5 % longer, with a model of
                characters 15 % to 30 %. Both are memory-mapped, and both give exactly the log-probabilities of this
                model.
            quantize: A number of bits, 2 to 16, usually 8, for layout "compact": log-probabilities and back-offs are
                replaced by the nearest of 2^quantize values each, so that the file is smaller still. With 8 bits, they
                usually change by less than 0.05 nats. By default, nothing changes.

        Raises:
            InvalidInputError: If ``layout`` or ``quantize`` is out of range, or ``quantize`` is given with another
                format.
            DataError: If it cannot be written.
        """
        path = Path(path)
        _checks.choice(layout, "layout", LAYOUTS)
        bits = _expect_bits(quantize, layout, path)
        native = _files_of_models.automaton(self.native)
        try:
            if _files_of_models.is_arpa_name(path):
                _files.write_atomically(path, _files_of_models.compressed(native.arpa(), path))
            else:
                stored = native.compacted(bits) if layout == "compact" else native
                _files.write_atomically(path, stored.header(self._note), stored.body().data)
        except (OSError, kernel.FormatError) as error:
            raise DataError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error}).") from error

    @property
    def _note(self) -> bytes:
        return json.dumps({"unit": self.unit, "space": self.space}).encode()

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self.native, self.unit, self.space, self.discounts)

    def __deepcopy__(self, memo: Any) -> NGramModel:
        return self  # a model never changes

    @property
    def native(self) -> kernel.LanguageModel:
        """The model in the C++ core, verified at the first use.

        Raises:
            ModelFormatError: If the content of the file is damaged.
        """
        if self._unverified is not None:
            native = self._native
            if isinstance(native, kernel.NGram | kernel.CompactNGram) and not native.is_intact():
                raise ModelFormatError(
                    f"{self._unverified}: the content is damaged: its checksum is not the one it was written with. "
                    "Write it again (ctckit lm convert MODEL.arpa MODEL.ctclm)."
                )
            self._unverified = None
        return self._native

    def begin(self) -> int:
        """Return the state after ``<s>``, where texts begin."""
        return self.native.start

    @property
    def start(self) -> int:
        """The state after ``<s>``; the same as :meth:`begin`."""
        return self.native.start

    @property
    def empty(self) -> int:
        """The state without any context."""
        return self._native.empty

    @property
    def has_names(self) -> bool:
        """Whether the model can say its entries. Only a KenLM file without its words, loaded without a list, cannot."""
        native = self._native
        return not isinstance(native, kernel.KenlmModel) or native.has_names

    @property
    def source(self) -> str | None:
        """The path of the KenLM file that is mapped; None for other models."""
        native = self._native
        return native.path if isinstance(native, kernel.KenlmModel) else None

    @property
    def unknown_log_prob(self) -> float:
        """The log-probability of ``<unk>`` without context, nats."""
        return self.native.unigram(self._native.unknown)

    def log_prob(self, tokens: Sequence[str] | str, *, bos: bool = True, eos: bool = True) -> float:
        """Return the log-probability of a text in nats.

        Args:
            tokens: The entries of the text, or the text as one string. For unit "word" the entries of a string are its
                words; for unit "char" they are its characters, where white space becomes one ``space`` and is dropped
                at both ends. Unknown entries count as ``<unk>``.
            bos: True: the text begins here (after ``<s>``). False: there is no context before it.
            eos: True: the text ends here, and log p(</s> | …) is included.

        Raises:
            InvalidInputError: If ``tokens`` is a string and the unit is "token", or an entry is not a string.
        """
        return self.native.log_prob(self.entries(tokens), bos, eos)

    def entries(self, tokens: Sequence[str] | str) -> list[str]:
        """Return the entries of a text; :meth:`log_prob` says what they are."""
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
        """Return log p(entry | state) in nats, and the state after it. An unknown entry counts as ``<unk>``."""
        native = self.native
        return native.query(state, native.find(entry))

    def end(self, state: int) -> float:
        """Return log p(</s> | state) in nats: the log-probability that the text ends in this state."""
        native = self.native
        return native.query(state, native.end)[0]

    def unigram(self, entry: str) -> float:
        """Return log p(entry) without context in nats. An unknown entry counts as ``<unk>``."""
        native = self.native
        return native.unigram(native.find(entry))

    def without_context(self) -> int:
        """Return the state without any context; the same as ``empty``."""
        return self._native.empty

    def __len__(self) -> int:
        return len(self._native)

    def __iter__(self) -> Iterator[str]:
        native = self.native
        _files_of_models.expect_names(native)
        return (word for each in range(len(native)) if (word := native.word(each)))

    def __contains__(self, entry: object) -> bool:
        native = self.native
        return isinstance(entry, str) and (entry == UNKNOWN or native.find(entry) != native.unknown)

    def __repr__(self) -> str:
        return f"NGramModel(order={self.order}, unit={self.unit!r}, counts={self.counts})"


def _unpickled(
    native: kernel.LanguageModel, unit: str, space: str, discounts: tuple[Discounts, ...] | None
) -> NGramModel:
    model = NGramModel(native, unit=unit, space=space)
    model.discounts = discounts
    return model


def _expect_order(order: int) -> None:
    _checks.positive_integer(order, "order")
    if order > MAX_ORDER:
        raise InvalidInputError(f"order is {order}; expected 1 to {MAX_ORDER}.")


def _expect_bits(quantize: int | None, layout: str, path: Path) -> int:
    if quantize is None:
        return 0
    _checks.positive_integer(quantize, "quantize")
    if quantize not in QUANTIZED_BITS:
        raise InvalidInputError(
            f"quantize is {quantize}; expected {QUANTIZED_BITS.start} to {QUANTIZED_BITS.stop - 1} bits."
        )
    if layout != "compact" or _files_of_models.is_arpa_name(path):
        other = "ARPA" if _files_of_models.is_arpa_name(path) else f'layout "{layout}"'
        raise InvalidInputError(f'quantize is {quantize}, but {path} is {other}; only layout "compact" is quantized.')
    return quantize


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
        raise InvalidInputError(f"prune is {prune!r}; expected 0 for order 1 and then counts that do not decrease.")
    if len(numbers) > order:
        raise InvalidInputError(f"prune has {len(numbers)} numbers; the order is {order}.")
    return numbers


def _unit_of(native: kernel.LanguageModel, space: str) -> str:
    """Tell a model of characters by its entries; those in brackets, such as "<pad>" or "[UNK]", are of any model."""
    entries = (native.word(each) for each in range(len(native)))
    counted = (each for each in entries if each and each != space and not _BRACKETED.fullmatch(each))
    return "char" if all(len(each) == 1 or len(list(clusters(each))) == 1 for each in counted) else "word"
