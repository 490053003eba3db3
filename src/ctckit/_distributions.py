"""Do scores look like log-probabilities? A few frames are looked at: enough to notice other numbers, and cheap.

Scores that are not normalized are allowed: some classes may be masked or left out, scores may be scaled. So only what
cannot be meant is an error, and what is probably not meant is a warning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit._warning import warn
from ctckit.errors import InvalidInputError

MOST_FRAMES = 32  # are looked at
LEAST_MASS, MOST_MASS = 0.1, 1.5  # half precision and rounding change the sum of a frame by less than a hundredth

Rows = Callable[[npt.NDArray[np.int64], npt.NDArray[np.int64]], npt.NDArray[Any]]
Position = Callable[[int, int], str]


def position_in_batch(b: int, t: int) -> str:
    """Return what messages call a frame of a batch."""
    return f"log_probs[{b}, {t}]"


def expect_distributions(rows: Rows, lengths: npt.NDArray[np.int64], position: Position = position_in_batch) -> None:
    """Check that scores look like natural logarithms of probabilities.

    In a frame of log-probabilities the sum of their exponentials is 1, and less if classes are left out.

    Args:
        rows: Returns (n, C) frames for (n,) items and (n,) frames within them.
        lengths: (B,) the frames of each item.
        position: What messages call a frame.

    Raises:
        InvalidInputError: If a frame consists of probabilities. An ``InputWarning`` is given if the sum of a frame is
            far above 1, or those of all frames far below.
    """
    items, frames = _places(np.asarray(lengths))
    scores = rows(items, frames).astype(np.float64)
    varied = scores.max(axis=1, initial=-np.inf) > scores.min(axis=1, initial=np.inf)  # equal scores are of no unit
    items, frames, scores = items[varied], frames[varied], scores[varied]
    for k in np.flatnonzero((scores >= 0).all(axis=1))[:1]:
        raise InvalidInputError(
            f"{position(items[k], frames[k])} has values from {scores[k].min():.3g} to {scores[k].max():.3g}, none "
            "below 0; expected natural logarithms of probabilities. For probabilities pass their logarithm."
        )
    mass = np.exp(np.minimum(scores, 1.0)).sum(axis=1)
    for k in np.flatnonzero(mass > MOST_MASS)[:1]:
        return _warn(f"{mass[k]:.3g} in {position(items[k], frames[k])}")
    if len(mass) and (mass < LEAST_MASS).all():
        return _warn(f"at most {mass.max():.2g} in each frame")
    return None


def _places(lengths: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the items and the frames within them that are looked at, spread evenly over all."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    places = np.unique(np.linspace(0, total - 1, min(MOST_FRAMES, total)).astype(np.int64))
    items = np.searchsorted(ends, places, side="right")
    return items, places - (ends - lengths)[items]


def _warn(found: str) -> None:
    warn(
        f"log_probs does not look like natural logarithms of probabilities: their exponentials sum to {found}; "
        "expected 1. For logits pass their log_softmax over the classes, for logarithms to base 10 multiply by ln 10."
    )
