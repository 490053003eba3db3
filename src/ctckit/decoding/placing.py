"""Where the tokens of a growing text are, at the price of its last part.

From one partial result to the next, most of the text stays, and so do its places: frames that came long after a token
are assumed not to move it. Only the rest is aligned again, from the last sure token on. A token keeps its confidence as
long as its neighbors stay where they are. In a long pause, only the frames that are near to a token count for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ctckit.kernels.search.packed import PackedFrames
from ctckit.kernels.search.plan import Float64, Int64

Tokens = tuple[int, ...]

LOOK_AHEAD = 64  # frames


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


@dataclass(frozen=True, eq=False)
class Places:
    """Tokens and where they are.

    Attributes:
        tokens: Their classes.
        starts: (N,) int64 first frames, from the beginning of the stream.
        ends: (N,) int64 one past their last frames.
        confidences: (N,) float64; NaN where there is none.
        frames: The number of frames that have been aligned, from the beginning of the stream.
    """

    tokens: Tokens = ()
    starts: Int64 = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    ends: Int64 = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    confidences: Float64 = field(default_factory=lambda: np.zeros(0))
    frames: int = 0

    def without(self, first: Tokens) -> Places:
        """Return the places without those of the first tokens; none if the text begins with others."""
        count = len(first)
        if self.tokens[:count] != first:
            return Places()
        rest = slice(count, None)
        return Places(self.tokens[rest], self.starts[rest], self.ends[rest], self.confidences[rest], self.frames)

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
        new = self._first_changed(tokens, starts, ends, known)
        confidences = np.concatenate([self.confidences[:new], _confidences(tokens, starts, ends, new, kept, decoder)])
        if not sure and kept.began is not None and len(starts) and starts[0] == kept.first:
            starts[0] = kept.began
        return Places(tokens, starts, ends, confidences, kept.now)

    def _first_changed(self, tokens: Tokens, starts: Int64, ends: Int64, known: int) -> int:
        """Return the first token whose confidence has changed: it depends on the neighbors and the frames between."""
        count = min(len(self.tokens), len(tokens))
        places = zip(
            zip(self.tokens, self.starts.tolist(), self.ends.tolist(), strict=True),
            zip(tokens, starts.tolist(), ends.tolist(), strict=True),
            strict=False,
        )
        same = next((n for n, (before, now) in enumerate(places) if before != now), count)
        return max(known, min(same, count) - 1)

    def _sure(self, tokens: Tokens) -> int:
        """Return a token, such that it and all before it are at their places."""
        pairs = enumerate(zip(self.tokens, tokens, strict=False))
        same = next((n for n, (a, b) in pairs if a != b), min(len(self.tokens), len(tokens)))
        ended = int(np.searchsorted(self.ends, self.frames - LOOK_AHEAD))
        return max(0, min(same, ended) - 1)


def _confidences(tokens: Tokens, starts: Int64, ends: Int64, new: int, kept: Kept, decoder: Any) -> Float64:
    """Return the confidences of the tokens from ``new`` on."""
    if new == len(tokens):
        return np.zeros(0)
    left = max(0, new - 1)  # the neighbor
    begin = max(kept.first, int(starts[left] if new else starts[0] - LOOK_AHEAD))
    end = min(kept.now, int(ends[-1]) + LOOK_AHEAD)
    near_starts, near_ends = starts[left:] - begin, ends[left:] - begin
    near_ends[:-1] = np.maximum(near_ends[:-1], near_starts[1:] - LOOK_AHEAD)
    near_starts[1:] = np.minimum(near_starts[1:], ends[left:-1] - begin + LOOK_AHEAD)
    frames = kept.last(kept.now - begin).first(end - begin)
    confidences: Float64 = decoder.confidences(frames, tokens[left:], near_starts, near_ends)[new - left :]
    return confidences


def _nowhere(tokens: Tokens, frame: int) -> Places:
    """Return empty places."""
    frames = np.full(len(tokens), frame, dtype=np.int64)
    return Places(tokens, frames, frames, np.full(len(tokens), np.nan), frame)
