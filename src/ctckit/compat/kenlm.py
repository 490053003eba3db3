"""The names of the ``kenlm`` package, on ctckit's n-gram model: ``Model``, ``State``, ``Config`` and the others.

Probabilities are log10, as in KenLM. ``Model`` reads ARPA files, KenLM's binary files and files in ctckit's own format.
Strings may be ``str`` or bytes in UTF-8; a sentence is split at ASCII white space, as in KenLM.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import total_ordering
from typing import Any

from ctckit.compat._errors import ArgumentTypeError
from ctckit.errors import DataError, MissingFileError
from ctckit.language_models.ngram import NGramModel

LN_10 = math.log(10.0)
UNKNOWN = "<unk>"


class ModelReadError(DataError, OSError):
    """A file is no model of words that can be read. It is an ``OSError`` as well, as in KenLM."""


class LoadMethod:
    """How KenLM loads its binary files. Here the methods are accepted and change nothing: they are memory-mapped."""

    LAZY = 0
    POPULATE_OR_LAZY = 1
    POPULATE_OR_READ = 2
    READ = 3
    PARALLEL_READ = 4


class ARPALoadComplain:
    """When KenLM complains about ARPA files. Here the values are accepted, and nothing is printed."""

    ALL = 0
    EXPENSIVE = 1
    NONE = 2


class Config:
    """KenLM's options for loading. They concern its binary files and its messages, so here they change nothing.

    Example:
        >>> from ctckit.compat.kenlm import Config, LoadMethod
        >>> config = Config()
        >>> config.load_method == LoadMethod.POPULATE_OR_READ
        True
    """

    def __init__(self) -> None:
        self.load_method = LoadMethod.POPULATE_OR_READ
        self.show_progress = True
        self.arpa_complain = ARPALoadComplain.ALL


@total_ordering
class State:
    """A context of words; a ``Model`` writes it. States of one model are equal if they predict the same.

    Example:
        >>> from ctckit.compat.kenlm import State
        >>> State() == State()
        True
    """

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0

    def __eq__(self, other: object) -> bool:
        return self.number == other.number if isinstance(other, State) else NotImplemented

    def __lt__(self, other: State) -> bool:
        return self.number < other.number if isinstance(other, State) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.number)

    def __repr__(self) -> str:
        return f"State({self.number})"


@dataclass(frozen=True, slots=True, repr=False)
class FullScoreReturn:
    """The result of ``Model.BaseFullScore``.

    Attributes:
        log_prob: log10 p of the word.
        ngram_length: The number of words in the n-gram of the model that was used, the word included.
        oov: Whether the model does not know the word.

    Example:
        >>> from ctckit.compat.kenlm import FullScoreReturn
        >>> FullScoreReturn(-0.5, 2, False)
        FullScoreReturn(-0.5, 2, False)
    """

    log_prob: float
    ngram_length: int
    oov: bool

    def __repr__(self) -> str:
        return f"FullScoreReturn({self.log_prob!r}, {self.ngram_length!r}, {self.oov!r})"


class Model:
    """A model of words, from a file or already loaded.

    Args:
        path: The file, as for ``NGramModel.load``; or an ``NGramModel``.
        config: Accepted, and without effect.

    Raises:
        MissingFileError: If there is no such file. It is an ``OSError``.
        ModelReadError: If the file is not a model. It is an ``OSError`` and a ``DataError``.
        ArgumentTypeError: If an argument has a wrong type. It is a ``TypeError`` and an ``InvalidInputError``.

    Example:
        >>> from ctckit.compat.kenlm import Model, State
        >>> from ctckit import NGramModel
        >>> model = Model(NGramModel.train(["a rose is a rose"], order=2))
        >>> "rose" in model, b"tulip" in model
        (True, False)
        >>> before, after = State(), State()
        >>> model.BeginSentenceWrite(before)
        >>> model.BaseScore(before, "a", after) > model.BaseScore(before, "rose", State())
        True
        >>> [(length, oov) for _, length, oov in model.full_scores("a tulip")]
        [(2, False), (1, True), (1, False)]
    """

    def __init__(
        self,
        path: str | bytes | os.PathLike[str] | NGramModel,
        config: Config = Config(),  # noqa: B008, as in KenLM
    ) -> None:
        _expect(config, Config, "config")
        if isinstance(path, NGramModel):
            self.ngrams: NGramModel = path
            self.path: bytes | None = None
        else:
            _expect(path, (str, bytes, os.PathLike), "path")
            self.ngrams = _loaded(os.fsdecode(path))
            self.path = os.fsencode(os.path.abspath(path))

    @property
    def order(self) -> int:
        """The longest n-gram."""
        return self.ngrams.order

    def __contains__(self, word: str | bytes) -> bool:
        text = _text(word, "word")
        return text != UNKNOWN and text in self.ngrams

    def BeginSentenceWrite(self, state: State) -> None:  # noqa: N802, KenLM's name
        """Set ``state`` to the state after <s>."""
        state.number = self.ngrams.start

    def NullContextWrite(self, state: State) -> None:  # noqa: N802
        """Set ``state`` to the state without a context."""
        state.number = self.ngrams.empty

    def BaseScore(self, in_state: State, word: str | bytes, out_state: State) -> float:  # noqa: N802
        """Return log10 p(word | in_state) and set ``out_state`` to the state after it; unknown words are <unk>."""
        nats, out_state.number = self.ngrams.score(in_state.number, _text(word, "word"))
        return nats / LN_10

    def BaseFullScore(self, in_state: State, word: str | bytes, out_state: State) -> FullScoreReturn:  # noqa: N802
        """Return log10 p(word | in_state), the length of the n-gram, and whether the word is unknown.

        ``out_state`` is set to the state after the word.
        """
        full, out_state.number = self._full(in_state.number, _text(word, "word"))
        return full

    def _full(self, state: int, word: str) -> tuple[FullScoreReturn, int]:
        native = self.ngrams.native
        entry = native.find(word)
        nats, after = native.query(state, entry)
        full = FullScoreReturn(nats / LN_10, native.match(state, entry), entry == native.unknown)
        return full, after

    def score(self, sentence: str | bytes, bos: bool = True, eos: bool = True) -> float:
        """Return log10 p of a sentence; ``bos``: after <s>, ``eos``: with </s> at its end."""
        return self.ngrams.log_prob(_words(sentence), bos=bos, eos=eos) / LN_10

    def perplexity(self, sentence: str | bytes) -> float:
        """Return 10^(−score / n), where n is the number of words plus one for </s>."""
        return float(10.0 ** (-self.score(sentence) / (len(_words(sentence)) + 1)))

    def full_scores(
        self, sentence: str | bytes, bos: bool = True, eos: bool = True
    ) -> Iterator[tuple[float, int, bool]]:
        """Yield log10 p, the length of the n-gram, and whether the word is unknown, of each word and of </s>."""
        state = self.ngrams.start if bos else self.ngrams.empty
        for word in _words(sentence) + ["</s>"] * bool(eos):
            full, state = self._full(state, word)
            yield full.log_prob, full.ngram_length, full.oov

    def __repr__(self) -> str:
        source = self.ngrams if self.path is None else os.path.basename(self.path)
        return f"<Model from {source!r}>"


LanguageModel = Model


def _loaded(path: str) -> NGramModel:
    try:
        return NGramModel.load(path, unit="word")
    except DataError as error:
        kind = MissingFileError if isinstance(error, MissingFileError) else ModelReadError
        raise kind(f"Cannot read model {path!r} ({error})") from error


def _expect(value: object, kind: Any, name: str) -> None:
    if not isinstance(value, kind):
        kinds = " or ".join(each.__name__ for each in (kind if isinstance(kind, tuple) else (kind,)))
        raise ArgumentTypeError(f"{name} is {value!r}; expected {kinds}.")


def _text(value: str | bytes, name: str) -> str:
    """Return a string; bytes that are not UTF-8 become a string that no model knows."""
    _expect(value, (str, bytes), name)
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def _words(sentence: str | bytes) -> list[str]:
    """Return the words between ASCII white space."""
    return [_text(word, "word") for word in _text(sentence, "sentence").encode("utf-8", "backslashreplace").split()]
