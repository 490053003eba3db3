"""Where a token begins and ends, by three definitions. A CTC spike is often one frame long, even for a long sound."""

from __future__ import annotations

import numpy as np

from ctckit.errors import InvalidInputError
from ctckit.topology import Floats, Ints

KINDS = ("spike", "midpoint", "occupancy")
REACH = 1.5


def spike(starts: Ints, ends: Ints) -> Floats:
    """Return (N, 2) the first frame and the end of each token on the best path."""
    return np.stack([starts, ends], axis=1).astype(np.float64)


def midpoint(intervals: Floats, frames: int) -> Floats:
    """Return (N, 2) intervals whose borders are halfway between neighbors; a long pause belongs to no token.

    The frames between two tokens mostly belong to the tokens, although CTC emits blanks there. A pause does not: no
    border moves farther than ``REACH`` times the median of these half distances. The first start and the last end have
    no neighbor; they move by the median.

    Args:
        intervals: (N, 2) start and end of each token, ascending.
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
    """Return (N, 2) the times at which the average path enters and leaves each token.

    Args:
        durations: (2N + 1,) frames that each state lasts, averaged over all paths.
    """
    times = np.cumsum(durations)
    return np.stack([times[0:-1:2], times[1::2]], axis=1)


def expect_kind(kind: str, kinds: tuple[str, ...] = KINDS) -> None:
    """Raise an error unless this is one of ``kinds``."""
    if kind not in kinds:
        raise InvalidInputError(f"boundaries is {kind!r}; expected one of {kinds}.")
