"""Where a token begins and ends, by three definitions: a CTC spike is often a frame long, whatever the sound was."""

from __future__ import annotations

import numpy as np

from ctckit.errors import InvalidInputError
from ctckit.topology import Floats, Ints

KINDS = ("spike", "midpoint", "occupancy")


def spike(starts: Ints, ends: Ints) -> Floats:
    """(N, 2) the frames of the best path, as they are."""
    return np.stack([starts, ends], axis=1).astype(np.float64)


def midpoint(intervals: Floats, frames: int) -> Floats:
    """(N, 2) neighbours meet halfway between one's end and the other's start.

    The outer borders, which no neighbour sets, are as far from their token's middle as its inner border is.

    Args:
        intervals: (N, 2) where each token is.
        frames: T, the limit of the last border.
    """
    result = intervals.copy()
    if len(result) < 2:
        return result
    result[1:, 0] = result[:-1, 1] = (intervals[:-1, 1] + intervals[1:, 0]) / 2
    middle = intervals.mean(axis=1)
    result[0, 0] = max(0.0, min(intervals[0, 0], 2 * middle[0] - result[0, 1]))
    result[-1, 1] = min(float(frames), max(intervals[-1, 1], 2 * middle[-1] - result[-1, 0]))
    return result


def occupancy(durations: Floats) -> Floats:
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
