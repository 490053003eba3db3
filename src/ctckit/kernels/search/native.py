"""The C++ core's search: the same names as reference.py, and the same texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

import ctckit._native as _native
from ctckit.errors import InvalidInputError
from ctckit.kernels.batch import single, single_or_double
from ctckit.kernels.search.packed import Block, PackedFrames
from ctckit.kernels.search.plan import (
    Alignment,
    Border,
    Candidate,
    Decoded,
    Int64,
    Parts,
    Ragged,
    Rescoring,
    SearchPlan,
)

AnyFrames = npt.NDArray[Any] | PackedFrames


class Decoder:
    """A plan in the C++ core, for any number of items; see ``reference.Decoder``.

    The core's copy of the plan is built when it is first used. It is not pickled: a Decoder that was sent to another
    process builds it again.
    """

    def __init__(self, plan: SearchPlan) -> None:
        self.plan = plan
        self._shared: Decoder | None = None  # has the same plan, but for the hotwords

    @cached_property
    def _core(self) -> _native.Decoder:
        if self._shared is None:
            return _native.Decoder(self.plan)
        return _native.Decoder(self._shared._core, self.plan.hotwords, self.plan.hotword_weights)

    def with_hotwords(self, patterns: Ragged, weights: npt.NDArray[np.float32]) -> Decoder:
        """Return a decoder with other hotwords. Both have one lexicon and one copy of the plan in the core."""
        other = Decoder(replace(self.plan, hotwords=patterns, hotword_weights=weights))
        other._shared = self._shared or self
        return other

    def __reduce__(self) -> tuple[type[Decoder], tuple[SearchPlan]]:
        return type(self), (self.plan,)

    def prepare(self, log_probs: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the scores as float32 with the classes of a frame side by side, a copy only where one is needed."""
        return single(log_probs)

    def search(self) -> Search:
        """Begin the search in one item."""
        return Search(self.plan, self)

    def decode_batch(self, log_probs: npt.NDArray[Any], lengths: Int64, n_best: int) -> list[list[Decoded]]:
        """Return the n best texts of each item by their exact scores; see ``reference.Decoder.decode_batch``."""
        found = self._core.decode(single(log_probs), lengths, n_best)
        return [[_decoded(text) for text in texts] for texts in found]

    def cut(
        self,
        border: Border,
        log_probs: AnyFrames,
        tokens: Sequence[int],
        *,
        frame: int,
        closed: int,
        agreed: int,
    ) -> Border:
        """Cut an item before a frame; see ``cut``."""
        text = np.asarray(tokens, dtype=np.int32)
        late, early = _parts(log_probs)
        return Border(*_native.cut_frames(late, early, text, self.plan.blank, border, frame, closed, agreed))

    def ranked(
        self,
        search: Search,
        log_probs: AnyFrames,
        n_best: int,
        *,
        past: Sequence[int] = (),
        first: int = 0,
        border: Border | None = None,
    ) -> list[Decoded]:
        """Return the n best texts of a search by their exact scores; see ``reference.Decoder.ranked``."""
        before = np.asarray(past, dtype=np.int32)
        found = self._core.ranked(search.core, *_parts(log_probs), before, first, n_best, border or Border())
        return [_decoded(text) for text in found]

    def refined(
        self,
        log_probs: AnyFrames,
        tokens: Sequence[int],
        *,
        past: Sequence[int],
        first: int,
        last: int,
        border: Border | None = None,
    ) -> Decoded:
        """Return one text after refinement; see ``reference.Decoder.refined``."""
        text, before = (np.asarray(each, dtype=np.int32) for each in (tokens, past))
        return _decoded(self._core.refined(*_parts(log_probs), text, before, first, last, border or Border()))

    def score_parts(self, tokens: Sequence[int]) -> Parts:
        """Return the terms of the fusion score of a text."""
        return Parts(*self._core.parts(np.asarray(tokens, dtype=np.int32)))

    def likeliest_word(self, letters: Sequence[int]) -> int:
        """Return the likeliest word that begins with these letters; see ``reference.Decoder.likeliest_word``."""
        return self._core.likeliest_word(np.asarray(letters, dtype=np.int32))

    def rescore(self, log_probs: AnyFrames, tokens: Sequence[int], border: Border | None = None) -> Rescoring:
        """Score a text exactly; see ``rescore``."""
        return rescore(log_probs, tokens, self.plan.blank, border)

    def align(self, log_probs: AnyFrames, tokens: Sequence[int], border: Border | None = None) -> Alignment:
        """Return where the tokens of a text are; see ``align``."""
        return align(log_probs, tokens, self.plan.blank, border)

    def confidences(
        self, log_probs: AnyFrames, tokens: Sequence[int], starts: Int64, ends: Int64
    ) -> npt.NDArray[np.float64]:
        """Return the confidence of each token of an alignment."""
        text = np.asarray(tokens, dtype=np.int32)
        return _native.confidences(*_parts(log_probs), text, starts, ends, self.plan.blank)


class Search:
    """The search in one item, frame by frame; see ``reference.Search``.

    A pickle has the decoder, and the state of the search as bytes, which are checked. With language models in
    Python, it has their states as well.
    """

    def __init__(self, plan: SearchPlan, decoder: Decoder | None = None) -> None:
        self._decoder = Decoder(plan) if decoder is None else decoder
        self.core = _native.Search(self._decoder._core)

    def __reduce__(self) -> tuple[Callable[..., Search], tuple[Any, ...]]:
        sessions = [None if each is None else each.copy() for each in self.core.sessions]
        kept = sessions if any(sessions) else ()
        return _restored, (self._decoder, self.core.state(), *kept)

    def push(self, log_probs: npt.NDArray[Any]) -> None:
        """Continue through (T, C) frames of natural log-probabilities."""
        self.core.push(single(log_probs))

    def best(self, n: int, *, ended: bool = True) -> list[Candidate]:
        """Return the n best texts so far, best first, as if the text ended here or as it is. Changes nothing."""
        return [Candidate(tokens, score) for tokens, score in self.core.best(n, ended)]

    def stable(self) -> tuple[int, ...]:
        """Return the tokens that all texts of the beam begin with, since the last ``forget``."""
        return self.core.stable()

    def recent(self, count: int) -> npt.NDArray[np.int32]:
        """Return the different tokens among the last ``count`` ones of all texts; see ``reference.Search.recent``."""
        return self.core.recent(count)

    def forget(self, count: int) -> None:
        """Remove the first ``count`` stable tokens from all texts."""
        self.core.forget(count)

    def keep_only(self, prefix: tuple[int, ...], *, closed: int, frames: int) -> None:
        """Drop the texts that do not begin with ``prefix``, or do not fit; see ``reference.Search.keep_only``."""
        self.core.keep_only(list(prefix), closed, frames)


def _restored(decoder: Decoder, state: bytes, token_session: Any = None, word_session: Any = None) -> Search:
    """Continue a search from its pickled state, whose bytes are checked; sessions are those with models in Python."""
    search = decoder.search()
    try:
        search.core = _native.Search(decoder._core, state, token_session, word_session)
    except _native.StateError as error:
        raise InvalidInputError(f"a pickled search cannot be restored: {error} Pickle it again.") from None
    return search


def _decoded(text: Any) -> Decoded:
    tokens, rescoring, parts = text
    return Decoded(tokens, Rescoring(*rescoring), Parts(*parts))


def plausible(log_probs: npt.NDArray[Any], lengths: Int64, most: float) -> bool:
    """Tell whether a search in (B, T, C) scores makes sense; see ``reference.plausible``.

    The sum of the exponentials is computed in a few frames only.
    """
    return _native.plausible(single(log_probs), lengths, most)


def rescore(log_probs: AnyFrames, tokens: Sequence[int], blank: int, border: Border | None = None) -> Rescoring:
    """Score a text exactly on its (T, C) frames; see ``reference.rescore``."""
    return Rescoring(*_native.rescore(*_parts(log_probs), np.asarray(tokens, dtype=np.int32), blank, border))


def align(log_probs: AnyFrames, tokens: Sequence[int], blank: int, border: Border | None = None) -> Alignment:
    """Return where the tokens of a text are; see ``reference.align``."""
    return Alignment(*_native.align_text(*_parts(log_probs), np.asarray(tokens, dtype=np.int32), blank, border))


def _parts(log_probs: AnyFrames) -> tuple[npt.NDArray[np.float32], list[Block]]:
    """Return late frames with all classes, and the blocks before them."""
    if isinstance(log_probs, PackedFrames):
        return single(log_probs.late), list(log_probs.early)
    return single(log_probs), []


def log_prob_after(border: Border, log_probs: npt.NDArray[Any], tokens: npt.ArrayLike, blank: int) -> float:
    """Return the log-probability of a text after a border; see ``reference.log_prob_after``."""
    return _native.log_prob_after(single_or_double(log_probs), np.asarray(tokens, dtype=np.int32), blank, border)


def cut(
    border: Border,
    log_probs: npt.NDArray[Any],
    tokens: npt.ArrayLike,
    blank: int,
    *,
    frame: int,
    closed: int,
    agreed: int,
) -> Border:
    """Cut an item before a frame; see ``reference.cut``."""
    text = np.asarray(tokens, dtype=np.int32)
    return Border(*_native.cut(single_or_double(log_probs), text, blank, border, frame, closed, agreed))


def propose_refinements(log_probs: npt.NDArray[Any], tokens: Sequence[int], blank: int) -> list[tuple[int, int]]:
    """Return one-token changes with a higher posterior; see ``reference.propose_refinements``."""
    return _native.find_refinements(single(log_probs), np.asarray(tokens, dtype=np.int32), blank)
