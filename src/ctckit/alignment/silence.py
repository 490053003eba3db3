"""The quiet parts of a recording, by their level."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.topology import Floats

HOP_SECONDS = 0.005
SMOOTHED = 3  # hops whose mean is the level of the middle one; so a quiet part seems to be a hop shorter at each end
GATE = 10.0  # decibels below the mean level: what is lower does not count in the mean level of the speech
BELOW = 23.0  # decibels below the mean level of the speech
ABOVE_FLOOR, FLOOR = 6.0, 5  # decibels above the level that so many percent of the recording do not reach
AT_LEAST_BELOW = 10.0
SHORTEST_SECONDS = 0.05


def quiet_spans(pieces: Iterable[npt.NDArray[np.floating[Any]]], rate: int) -> Floats:
    """Return the quiet parts of a recording.

    A part is quiet where the level is 23 dB below that of the speech, or, in noise, near the lowest level. The level is
    that of the differences of neighboring samples, in which fricatives are as loud as vowels.

    Args:
        pieces: The samples in −1..1, in pieces of any length.
        rate: Samples per second.

    Returns:
        (K, 2) start and end of each part of at least 50 ms, in seconds, ascending.

    Example:
        >>> import numpy as np
        >>> from ctckit.alignment import quiet_spans
        >>> rng = np.random.default_rng(0)
        >>> samples = rng.normal(0, 0.1, 16000)
        >>> samples[4000:8000] /= 1000
        >>> quiet_spans([samples], 16000).round(2).tolist()
        [[0.25, 0.5]]
    """
    power = _power(pieces, max(1, round(HOP_SECONDS * rate)))
    if len(power) < SMOOTHED:
        return np.zeros((0, 2))
    if not power.any():
        return np.array([[0.0, len(power) * HOP_SECONDS]])
    level = 10 * np.log10(np.maximum(np.convolve(power, np.ones(SMOOTHED) / SMOOTHED, mode="same"), 1e-20))
    loud = power[level > 10 * np.log10(power.mean()) - GATE]
    speech = 10 * np.log10(loud.mean())
    threshold = min(max(speech - BELOW, float(np.percentile(level, FLOOR)) + ABOVE_FLOOR), speech - AT_LEAST_BELOW)
    changes = np.diff(np.concatenate([[0], level < threshold, [0]]).astype(np.int8))
    spans = np.stack([np.flatnonzero(changes > 0), np.flatnonzero(changes < 0)], axis=1)
    long = spans[:, 1] - spans[:, 0] >= round(SHORTEST_SECONDS / HOP_SECONDS)
    found: Floats = np.clip(spans[long] + np.array([-1, 1]), 0, len(power)) * HOP_SECONDS
    return found


def _power(pieces: Iterable[npt.NDArray[np.floating[Any]]], hop: int) -> Floats:
    """Return the mean power of each hop, of the differences of neighboring samples."""
    found, rest, last = [], np.zeros(0), 0.0
    for piece in pieces:
        if not len(piece):
            continue
        rest = np.concatenate([rest, np.diff(piece.astype(np.float64), prepend=last)])
        last = float(piece[-1])
        whole = len(rest) // hop * hop
        found.append((rest[:whole].reshape(-1, hop) ** 2).mean(axis=1))
        rest = rest[whole:]
    return np.concatenate(found) if found else np.zeros(0)
