"""The C++ core's search: the same names as reference_search.py, and the same texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

import ctckit._native as _native
from ctckit.kernels.batch import single
from ctckit.kernels.search.plan import Decoded, Description, Found, Int64, Parts, SearchPlan


class Search:
    """One item, frame by frame; see ``reference_search.Search``."""

    def __init__(self, plan: SearchPlan) -> None:
        self._search = _native.Search(decoder_of(plan))

    def push(self, log_probs: npt.NDArray[Any]) -> None:
        """Searches on through (T, C) frames of natural log-probabilities."""
        self._search.push(single(log_probs))

    def best(self, n: int, *, ended: bool = True) -> list[Found]:
        """The n best texts so far, best first; as if the text ended here, or as it is. Changes nothing."""
        return [Found(tokens, score) for tokens, score in self._search.best(n, ended)]

    def contenders(self, n: int) -> list[Found]:
        """The n best texts, and those that the exact scores may put before them."""
        return [Found(tokens, score) for tokens, score in self._search.contenders(n)]

    def stable(self) -> tuple[int, ...]:
        """The tokens that all texts of the beam begin with, since the last ``forget``."""
        return self._search.stable()

    def forget(self, count: int) -> None:
        """The first ``count`` stable tokens will not be asked for again."""
        self._search.forget(count)

    def keep_only(self, prefix: tuple[int, ...]) -> None:
        """Drops the texts that do not begin with ``prefix``."""
        self._search.keep_only(list(prefix))


def plausible(log_probs: npt.NDArray[Any], lengths: Int64, most: float) -> bool:
    """Whether each frame has a possible class, and no NaN and nothing above ``most``; see ``reference_search``."""
    return _native.plausible(single(log_probs), lengths, most)


def score_parts(plan: SearchPlan, tokens: Sequence[int]) -> Parts:
    """What ``score`` adds to log p(tokens | x), by walking the tokens once."""
    return Parts(*decoder_of(plan).parts(np.asarray(tokens, dtype=np.int32)))


def describe(log_probs: npt.NDArray[Any], tokens: Sequence[int], blank: int) -> Description:
    """A text held against its (T, C) frames; see ``reference_search.describe``."""
    return Description(*_native.describe(single(log_probs), np.asarray(tokens, dtype=np.int32), blank))


def better_edits(log_probs: npt.NDArray[Any], tokens: Sequence[int], blank: int) -> list[tuple[int, int]]:
    """Single edits that the frames speak for, the last token's first; see ``reference_search.better_edits``."""
    return _native.better_edits(single(log_probs), np.asarray(tokens, dtype=np.int32), blank)


def decode_batch(plan: SearchPlan, log_probs: npt.NDArray[Any], lengths: Int64, n_best: int) -> list[list[Decoded]]:
    """The n best texts of each item, complete, by their exact score; see ``reference_search.decode_batch``."""
    found = decoder_of(plan).decode(single(log_probs), lengths, n_best)
    return [
        [Decoded(tokens, Description(*description), Parts(*parts)) for tokens, description, parts in texts]
        for texts in found
    ]


def decoder_of(plan: SearchPlan) -> _native.Decoder:
    """The core's copy of a plan: made once, kept with it."""
    kept = plan.__dict__.get("_decoder")
    if kept is None:
        kept = _native.Decoder(plan)
        object.__setattr__(plan, "_decoder", kept)
    return kept
