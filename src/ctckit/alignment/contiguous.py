"""Sounds that follow each other without gaps, from where their spikes are. Silence is kept.

A network shows a sound by a spike after the sound has begun: by the lag of the model, and later in slow speech. The
rule was fitted on recordings other than those that it is tested on (docs/benchmarks/boundaries.md).
"""

from __future__ import annotations

import numpy as np

from ctckit.topology import Floats

SHARE = 1 / 4  # of the time between two spikes: by so much the later sound begins before its spike less the lag
SLOWEST_SECONDS = 0.2  # a longer time between spikes counts as this
PAUSE_SECONDS = 0.15  # a shorter quiet part between two sounds may be the closure of a "t"
LONG_SECONDS = 0.5  # no sound lasts longer
FINAL_LENGTH = 1.5  # of a sound before a pause, in median times between spikes
EARLY_SECONDS = 0.15  # what is loud so long before the spike of a first sound is noise


def contiguous(spikes: Floats, lag: float, quiet: Floats | None = None) -> Floats:
    """Return (N, 2) the start and end of each sound: it lasts until the next one begins, or until a pause.

    Args:
        spikes: (N,) the start of each sound's spike, in seconds, ascending.
        lag: The lag of the model, in seconds.
        quiet: (K, 2) start and end of the quiet parts of the recording, see ``quiet_spans``. One of 150 ms between two
            sounds is a pause, and so is that before the first one and behind the last one. Without it, sounds more than
            half a second apart have a pause between them.

    Example:
        >>> contiguous(np.array([0.1, 0.2, 0.3, 1.0]), 0.05).round(3).tolist()
        [[0.05, 0.125], [0.125, 0.225], [0.225, 0.4], [0.95, 1.1]]
    """
    if not len(spikes):
        return np.zeros((0, 2))
    begins, steps = spikes - lag, np.diff(spikes)
    starts = begins - SHARE * np.append(0.0, np.minimum(steps, SLOWEST_SECONDS))
    usual = FINAL_LENGTH * float(np.median(steps)) if len(steps) else 2 * lag
    finals = begins + min(usual, LONG_SECONDS)  # the ends of sounds before a pause
    far = np.append(steps > LONG_SECONDS, True)
    ends = np.where(far, finals, np.append(starts[1:], 0.0))
    starts[1:] = np.where(far[:-1], begins[1:], starts[1:])
    if quiet is not None:
        _keep_pauses(starts, ends, spikes, lag, quiet)
    starts = np.maximum.accumulate(starts)
    ends = np.maximum(starts, ends)
    return np.stack([starts, np.minimum(ends, np.append(starts[1:], np.inf))], axis=1)


def _keep_pauses(starts: Floats, ends: Floats, spikes: Floats, lag: float, quiet: Floats) -> None:
    """Move the borders at pauses to where it gets quiet and loud."""
    pauses = quiet[quiet[:, 1] - quiet[:, 0] >= PAUSE_SECONDS]
    for k in range(len(spikes) - 1):
        inside = pauses[(pauses[:, 1] > spikes[k]) & (pauses[:, 0] < spikes[k + 1] - lag)]
        if len(inside):
            ends[k] = _end(inside[0, 0], spikes[k], ends[k])
            starts[k + 1] = _start(inside[-1, 1], spikes[k + 1], lag)
    before = quiet[quiet[:, 0] < spikes[0] - lag]
    if len(before):
        starts[0] = _start(before[-1, 1], spikes[0], lag)
    behind = quiet[quiet[:, 1] > spikes[-1]]
    if len(behind):
        ends[-1] = _end(behind[0, 0], spikes[-1], ends[-1])


def _start(loud_from: float, spike: float, lag: float) -> float:
    """Return the start of a sound after silence: the mean of where it gets loud and where its spike puts it."""
    begin = spike - lag
    return begin if loud_from < begin - EARLY_SECONDS else (min(loud_from, spike) + begin) / 2


def _end(quiet_from: float, spike: float, otherwise: float) -> float:
    """Return the end of a sound before silence: where it gets quiet, unless that is far behind its spike."""
    return max(quiet_from, spike) if quiet_from < spike + LONG_SECONDS else otherwise
