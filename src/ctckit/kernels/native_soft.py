"""The C++ core's execution of reference_soft.py: the same names, in the memory and the time of long recordings.

How often a path takes each arrow into a state is what the loss counts for the gradient by the arrows' weights; their
sum is how long the state lasts. So there is no second recursion here.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _native
from ctckit._checks import TargetBatch
from ctckit.kernels import native
from ctckit.kernels.native_search import single
from ctckit.kernels.reference_soft import WILDCARD
from ctckit.topology import IMPOSSIBLE, Floats, Ints, Topology

__all__ = ["WILDCARD", "confidences", "durations"]

WINDOW = 2048  # frames that are looked at together; between windows the path is held
SEARCHED = 256  # frames before a window's end in which a good place for the cut is looked for
SURE = 2  # frames on both sides of a cut that should be sure


def durations(log_probs: npt.NDArray[Any], topology: Topology, path: Ints, *, window: int = WINDOW) -> Floats:
    """(S,) how many frames each state lasts, averaged over all paths; see ``reference_soft.durations``.

    Beyond ``window`` frames, the average is over the paths that agree with ``path`` at the frames where windows meet:
    those where it is surest.

    Args:
        log_probs: (T, C) natural logarithms.
        topology: The states.
        path: (T,) states of the likeliest path.
        window: Most frames of a window.
    """
    result = np.zeros(topology.num_states)
    cuts = _cuts(log_probs, topology.labels, path, window)
    for start, end in pairwise(cuts):
        first = path[start] if start > 0 else 0
        last = path[end - 1] if end < len(path) else topology.num_states - 1
        low, high = first // 2 * 2, (last + 1) // 2 * 2 + 1
        weights = _between(topology, low, high)
        if start > 0:
            weights[5] = np.where(np.arange(low, high) == first, 0.0, IMPOSSIBLE)
        if end < len(path):
            weights[6] = np.where(np.arange(low, high) == last, 0.0, IMPOSSIBLE)
        result[low:high] += _counted(log_probs[start:end], topology.labels[low:high], weights)
    return result


def _cuts(log_probs: npt.NDArray[Any], labels: Ints, path: Ints, window: int) -> list[int]:
    """Frames where windows begin, 0 and T among them."""
    cuts, frames = [0], len(path)
    while frames - cuts[-1] > window:
        end = cuts[-1] + window
        place = np.arange(end - min(SEARCHED, window // 2), end)
        around = np.clip(place[:, None] + np.arange(-SURE, SURE + 1), 0, frames - 1)
        sure = log_probs[around, labels[path[around]]].min(axis=1)
        cuts.append(int(place[sure.argmax()]))
    return [*cuts, frames]


def _between(topology: Topology, low: int, high: int) -> Floats:
    """(7, high − low) the weights among these states: arrows (none from outside), start, final."""
    weights = np.full((7, high - low), IMPOSSIBLE)
    kinds = len(topology.arrows)
    weights[:kinds] = topology.arrows[:, low:high]
    for k in range(1, kinds):
        weights[k, :k] = IMPOSSIBLE
    weights[5], weights[6] = topology.start[low:high], topology.final[low:high]
    return weights


def _counted(log_probs: npt.NDArray[Any], labels: Ints, weights: Floats) -> Floats:
    """(S,) how often a path is in each state: how often it enters, stays, or starts there."""
    frames, states = len(log_probs), len(labels)
    target = np.ascontiguousarray(labels[1::2], dtype=np.int32)[None]
    batch = TargetBatch(target, np.array([frames]), np.array([target.shape[1]]), int(labels[0]))
    counts, gradient = np.zeros((1, 7, states)), np.empty((1, *log_probs.shape), dtype=log_probs.dtype)
    native.ctc_loss(log_probs[None], batch, rows="scores", gradient=gradient, arrows=weights[None], counts=counts)
    return np.asarray(counts[0, :6].sum(axis=0))


def confidences(
    log_probs: npt.NDArray[Any],
    tokens: npt.NDArray[np.integer[Any]],
    starts: Ints,
    ends: Ints,
    *,
    blank: int,
) -> Floats:
    """(N,) the posterior of each token against its single edits; see ``reference_soft.confidences``."""
    classes = np.ascontiguousarray(tokens, dtype=np.int32)
    first, behind = (np.ascontiguousarray(each, dtype=np.int64) for each in (starts, ends))
    return _native.confidences(single(log_probs), classes, first, behind, blank)
