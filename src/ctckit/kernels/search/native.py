"""The C++ core's search: the same names as reference.py, and the same texts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

import ctckit._native as _native
from ctckit.kernels.batch import single
from ctckit.kernels.search.plan import Candidate, Decoded, Int64, Parts, Rescoring, SearchPlan


class Decoder:
    """A plan in the C++ core, for any number of items; see ``reference.Decoder``.

    The core's copy of the plan is built when it is first used. It is not pickled: a Decoder that was sent to another
    process builds it again.
    """

    def __init__(self, plan: SearchPlan) -> None:
        self.plan = plan

    @cached_property
    def _core(self) -> _native.Decoder:
        return _native.Decoder(self.plan)

    def __reduce__(self) -> tuple[type[Decoder], tuple[SearchPlan]]:
        return type(self), (self.plan,)

    def prepare(self, log_probs: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the scores as float32 with the classes of a frame side by side, a copy only where one is needed."""
        return single(log_probs)

    def search(self) -> Search:
        """Begin the search in one item."""
        return Search(self.plan, self._core)

    def decode_batch(self, log_probs: npt.NDArray[Any], lengths: Int64, n_best: int) -> list[list[Decoded]]:
        """Return the n best texts of each item by their exact scores; see ``reference.Decoder.decode_batch``."""
        found = self._core.decode(single(log_probs), lengths, n_best)
        return [
            [Decoded(tokens, Rescoring(*rescoring), Parts(*parts)) for tokens, rescoring, parts in texts]
            for texts in found
        ]

    def score_parts(self, tokens: Sequence[int]) -> Parts:
        """Return the terms of the fusion score of a text."""
        return Parts(*self._core.parts(np.asarray(tokens, dtype=np.int32)))

    def rescore(self, log_probs: npt.NDArray[Any], tokens: Sequence[int]) -> Rescoring:
        """Score a text exactly; see ``rescore``."""
        return rescore(log_probs, tokens, self.plan.blank)

    def propose_refinements(self, log_probs: npt.NDArray[Any], tokens: Sequence[int]) -> list[tuple[int, int]]:
        """Return the one-token changes to try; see ``propose_refinements``."""
        return propose_refinements(log_probs, tokens, self.plan.blank)


class Search:
    """The search in one item, frame by frame; see ``reference.Search``."""

    def __init__(self, plan: SearchPlan, core: _native.Decoder | None = None) -> None:
        self._search = _native.Search(_native.Decoder(plan) if core is None else core)

    def push(self, log_probs: npt.NDArray[Any]) -> None:
        """Continue through (T, C) frames of natural log-probabilities."""
        self._search.push(single(log_probs))

    def best(self, n: int, *, ended: bool = True) -> list[Candidate]:
        """Return the n best texts so far, best first, as if the text ended here or as it is. Changes nothing."""
        return [Candidate(tokens, score) for tokens, score in self._search.best(n, ended)]

    def contenders(self, n: int) -> list[Candidate]:
        """Return the n best texts, and those that exact scores may rank before them."""
        return [Candidate(tokens, score) for tokens, score in self._search.contenders(n)]

    def stable(self) -> tuple[int, ...]:
        """Return the tokens that all texts of the beam begin with, since the last ``forget``."""
        return self._search.stable()

    def forget(self, count: int) -> None:
        """Remove the first ``count`` stable tokens from all texts."""
        self._search.forget(count)

    def keep_only(self, prefix: tuple[int, ...]) -> None:
        """Drop the texts that do not begin with ``prefix``."""
        self._search.keep_only(list(prefix))


def plausible(log_probs: npt.NDArray[Any], lengths: Int64, most: float) -> bool:
    """Tell whether each frame has a possible class, no NaN and nothing above ``most``; see ``reference.plausible``."""
    return _native.plausible(single(log_probs), lengths, most)


def rescore(log_probs: npt.NDArray[Any], tokens: Sequence[int], blank: int) -> Rescoring:
    """Score a text exactly on its (T, C) frames; see ``reference.rescore``."""
    return Rescoring(*_native.rescore(single(log_probs), np.asarray(tokens, dtype=np.int32), blank))


def propose_refinements(log_probs: npt.NDArray[Any], tokens: Sequence[int], blank: int) -> list[tuple[int, int]]:
    """Return one-token changes with a higher posterior; see ``reference.propose_refinements``."""
    return _native.find_refinements(single(log_probs), np.asarray(tokens, dtype=np.int32), blank)
