"""Where a token begins and ends, by three definitions: a CTC spike is often a frame long, whatever the sound was."""

from __future__ import annotations

import numpy as np

from ctckit.errors import InvalidInputError
from ctckit.topology import Floats, Ints

KINDS = ("spike", "midpoint", "occupancy")
REACH = 1.5


def spike(starts: Ints, ends: Ints) -> Floats:
    """(N, 2) the frames of the best path, as they are."""
    return np.stack([starts, ends], axis=1).astype(np.float64)


def midpoint(intervals: Floats, frames: int) -> Floats:
    """(N, 2) neighbours meet halfway between one's end and the other's start, but a long pause is nobody's.

    What lies between two tokens is mostly theirs: CTC says a blank there, too. A pause is not: no border is farther
    from its interval than ``REACH`` times the median of these distances. The outer borders, which no neighbour sets,
    are at the median.

    Args:
        intervals: (N, 2) where each token is, ascending.
        frames: T, the limit of the last border.
    """
    result = intervals.copy()
    half = np.maximum(0.0, intervals[1:, 0] - intervals[:-1, 1]) / 2
    if len(half):
        usual = float(np.median(half))
        reach = np.minimum(half, REACH * usual)
        result[:-1, 1] += reach
        result[1:, 0] -= reach
        result[0, 0] = max(0.0, result[0, 0] - usual)
        result[-1, 1] = min(float(frames), result[-1, 1] + usual)
    return result


def average_spike(durations: Floats) -> Floats:
    """(N, 2) when the average path enters and leaves each token.

    Args:
        durations: (2N + 1,) how long each state lasts, averaged over all paths.
    """
    times = np.cumsum(durations)
    return np.stack([times[0:-1:2], times[1::2]], axis=1)


def expect_kind(kind: str) -> None:
    """One of ``KINDS``."""
    if kind not in KINDS:
        raise InvalidInputError(f"boundaries is {kind!r}; expected one of {KINDS}.")
