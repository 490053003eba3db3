"""Where the tokens of a growing text are, at the price of its last part.

From one partial result to the next, most of the text stays, and so do its places: frames that came long after a token
are assumed not to move it. Only the rest is aligned again, from the last sure token on. A token keeps its confidence as
long as its neighbors stay where they are. In a long pause, only the frames that are near to a token count for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from ctckit.kernels.search.packed import PackedFrames
from ctckit.kernels.search.plan import Float64, Int64

Tokens = tuple[int, ...]

LOOK_AHEAD = 64  # frames
REMEMBERED = 256  # confidences


class Kept(NamedTuple):
    """The frames that a stream keeps.

    Attributes:
        last: Returns the last n of them.
        first: The number of the first one.
        now: One past the last one.
        began: The first frame of a token that began before them, or None.
    """

    last: Callable[[int], PackedFrames]
    first: int
    now: int
    began: int | None


class Gap(NamedTuple):
    """What the confidence of a token depends on: its neighbors (None: there is none), and the frames between them."""

    left: int | None
    token: int
    right: int | None
    first: int
    past: int


@dataclass(frozen=True, eq=False)
class Places:
    """Tokens and where they are.

    Attributes:
        tokens: Their classes.
        starts: (N,) int64 first frames, from the beginning of the stream.
        ends: (N,) int64 one past their last frames.
        confidences: (N,) float64; NaN where there is none.
        frames: The number of frames that have been aligned, from the beginning of the stream.
        computed: The confidences that were computed, for tokens of the next text in the same gaps.
    """

    tokens: Tokens = ()
    starts: Int64 = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    ends: Int64 = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    confidences: Float64 = field(default_factory=lambda: np.zeros(0))
    frames: int = 0
    computed: Mapping[Gap, float] = field(default_factory=dict)

    def without(self, first: Tokens) -> Places:
        """Return the places without those of the first tokens; none if the text begins with others."""
        count = len(first)
        if self.tokens[:count] != first:
            return Places(computed=self.computed)
        rest = slice(count, None)
        return replace(
            self,
            tokens=self.tokens[rest],
            starts=self.starts[rest],
            ends=self.ends[rest],
            confidences=self.confidences[rest],
        )

    def after(self, others: Places) -> Places:
        """Return other places and then these."""
        return Places(
            others.tokens + self.tokens,
            np.concatenate([others.starts, self.starts]),
            np.concatenate([others.ends, self.ends]),
            np.concatenate([others.confidences, self.confidences]),
            self.frames,
        )

    def moved(self, tokens: Tokens, kept: Kept, decoder: Any) -> Places:
        """Return the places of the tokens of a later text.

        Args:
            tokens: The text.
            kept: The frames.
            decoder: Aligns tokens with frames, and computes confidences.
        """
        if tokens == self.tokens and kept.now == self.frames:
            return self
        sure = self._sure(tokens)
        begin = max(kept.first, int(self.starts[sure])) if sure else kept.first
        first, past = decoder.align(kept.last(kept.now - begin), tokens[sure:])
        if len(past) and past[-1] == 0:  # no alignment exists
            return Places().moved(tokens, kept, decoder) if sure else _nowhere(tokens, kept.now)
        known = sure + 1 if sure else 0  # the first aligned token stays
        starts = np.concatenate([self.starts[:known], first[known - sure :] + begin])
        ends = np.concatenate([self.ends[:known], past[known - sure :] + begin])
        gaps = _gaps(tokens, starts, ends, known, kept)
        new, computed = self._confidences_of(gaps, decoder, kept)
        confidences = np.append(self.confidences[:known], new)
        if not sure and kept.began is not None and len(starts) and starts[0] == kept.first:
            starts[0] = kept.began
        return Places(tokens, starts, ends, confidences, kept.now, computed)

    def _confidences_of(self, gaps: Sequence[Gap], decoder: Any, kept: Kept) -> tuple[list[float], Mapping[Gap, float]]:
        """Return the confidences of tokens that follow each other, and those to remember."""
        computed = {gap: confidence for gap, confidence in self.computed.items() if gap.past > kept.first}
        missing = [k for k, gap in enumerate(gaps) if gap not in computed]
        for run in np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1) if missing else []:
            some = gaps[run[0] : run[-1] + 1]
            computed |= zip(some, _computed(some, decoder, kept), strict=True)
        return [computed[gap] for gap in gaps], dict(list(computed.items())[-REMEMBERED:])

    def _sure(self, tokens: Tokens) -> int:
        """Return a token, such that it and all before it are at their places."""
        same = min(len(self.tokens), len(tokens))
        if self.tokens[:same] != tokens[:same]:
            same = next(n for n, (a, b) in enumerate(zip(self.tokens, tokens, strict=False)) if a != b)
        ended = int(np.searchsorted(self.ends, self.frames - LOOK_AHEAD))
        return max(0, min(same, ended) - 1)


def _gaps(tokens: Tokens, starts: Int64, ends: Int64, begin: int, kept: Kept) -> tuple[Gap, ...]:
    """Return the gap of each token from ``begin`` on."""
    first = np.maximum(kept.first, starts[begin:] - LOOK_AHEAD)
    past = np.minimum(kept.now, ends[begin:] + LOOK_AHEAD)
    after = first[1:] if begin == 0 else first
    after[:] = np.maximum(after, ends[max(0, begin - 1) : -1])
    past[:-1] = np.minimum(past[:-1], starts[begin + 1 :])
    lefts = (None, *tokens)[begin:]
    return tuple(map(Gap, lefts, tokens[begin:], (*tokens[begin + 1 :], None), first.tolist(), past.tolist()))


def _computed(gaps: Sequence[Gap], decoder: Any, kept: Kept) -> list[float]:
    """Return the confidences of tokens that follow each other."""
    begin, end = gaps[0].first, gaps[-1].past
    # A gap is between the end of the token before it and the start of the next one. Those of the neighbors are empty.
    firsts, pasts = [each.first for each in gaps], [each.past for each in gaps]
    tokens, ends, starts = [each.token for each in gaps], [*firsts[1:], end], [begin, *pasts[:-1]]
    if gaps[0].left is not None:
        tokens, ends, starts = [gaps[0].left, *tokens], [firsts[0], *ends], [begin, *starts]
    if gaps[-1].right is not None:
        tokens, ends, starts = [*tokens, gaps[-1].right], [*ends, end], [*starts, pasts[-1]]
    frames = kept.last(kept.now - begin).first(end - begin)
    found: list[float] = decoder.confidences(frames, tokens, np.array(starts) - begin, np.array(ends) - begin).tolist()
    return found[gaps[0].left is not None :][: len(gaps)]


def _nowhere(tokens: Tokens, frame: int) -> Places:
    """Return empty places."""
    frames = np.full(len(tokens), frame, dtype=np.int64)
    return Places(tokens, frames, frames, np.full(len(tokens), np.nan), frame)
