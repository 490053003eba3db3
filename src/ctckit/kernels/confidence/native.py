"""Durations and confidences in the C++ core: the names of ``reference``, with little memory for long recordings.

For the gradient by the weights of transitions, the loss computes the expected count of each transition into a state.
The sum of these counts is the duration of the state. So this module needs no recursion of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import ctckit._native as _native
from ctckit.kernels.batch import TargetBatch, single
from ctckit.kernels.confidence.reference import WILDCARD
from ctckit.kernels.loss import native
from ctckit.topology import FINAL, IMPOSSIBLE, NUM_WEIGHTS, START, Floats, Ints, Topology

__all__ = ["WILDCARD", "confidences", "durations"]

WINDOW = 2048  # frames that are computed together; at the cut between two windows the path is fixed
SEARCHED = 256  # frames before the end of a window among which the best cut is chosen
AROUND = 256  # frames on either side of these that are included to rate the cuts


def durations(log_probs: npt.NDArray[Any], topology: Topology, path: Ints, *, window: int = WINDOW) -> Floats:
    """Return (S,) the frames that each state lasts, averaged over all paths; see ``reference.durations``.

    Beyond ``window`` frames, the average is over the paths that agree with ``path`` at the cuts between windows. A cut
    is at a frame in which ``path`` is on a token that most other paths are on too.

    Args:
        log_probs: (T, C) natural logarithms.
        topology: The states.
        path: (T,) states of the most likely path.
        window: Largest number of frames of a window.
    """
    item, result, start = _Item(log_probs, topology, path), np.zeros(topology.num_states), 0
    while len(path) - start > window:
        end = item.cut(start + window, min(SEARCHED, max(1, window // 2)))
        item.add_durations(start, end, result)
        start = end
    item.add_durations(start, len(path), result)
    return result


@dataclass(frozen=True, eq=False)
class _Item:
    log_probs: npt.NDArray[Any]
    topology: Topology
    path: Ints

    def cut(self, end: int, searched: int) -> int:
        """Return the best place for a cut in the ``searched`` frames up to ``end``."""
        first, behind = max(0, end - searched - AROUND), min(len(self.path), end + 1 + AROUND)
        place = np.arange(end - searched, end) + 1
        states = self.path[place]
        share = -self._solve(first, behind)[1][place - first, self.topology.labels[states]]
        return int(place[np.argmax(share * (1 + states % 2))])  # tokens rather than blanks

    def add_durations(self, start: int, end: int, result: Floats) -> None:
        """Add the durations of the states in frames [start, end)."""
        low, _, counts = self._solve(start, end, counted=True)
        result[low : low + counts.shape[1]] += counts[:FINAL].sum(axis=0)  # transitions into a state, and starts in it

    def _solve(self, start: int, end: int, *, counted: bool = False) -> tuple[int, npt.NDArray[Any], Floats]:
        """Compute all paths through frames [start, end) that agree with ``path`` at the cuts among their ends.

        Returns:
            The first state that these paths can be in; (frames, C) −γ; (7, states) the expected count of each
            transition, if ``counted``.
        """
        path, labels = self.path, self.topology.labels
        first = int(path[start]) if start > 0 else 0
        last = int(path[end - 1]) if end < len(path) else len(labels) - 1
        low, high = first // 2 * 2, (last + 1) // 2 * 2 + 1
        weights = self._weights(low, high)
        if start > 0:
            weights[START] = np.where(np.arange(low, high) == first, 0.0, IMPOSSIBLE)
        if end < len(path):
            weights[FINAL] = np.where(np.arange(low, high) == last, 0.0, IMPOSSIBLE)
        target = np.ascontiguousarray(labels[low:high][1::2], dtype=np.int32)[None]
        batch = TargetBatch(target, np.array([end - start]), np.array([target.shape[1]]), int(labels[0]))
        rows = self.log_probs[None, start:end]
        gradient, counts = np.empty(rows.shape, dtype=rows.dtype), np.zeros((1, NUM_WEIGHTS, high - low))
        native.ctc_loss(
            rows,
            batch,
            input_kind="scores",
            gradient=gradient,
            transitions=weights[None],
            counts=counts if counted else None,
        )
        return low, gradient[0], counts[0]

    def _weights(self, low: int, high: int) -> Floats:
        """Return (7, high − low) weights of these states: transitions (none from other states), start, final."""
        weights, kinds = np.full((NUM_WEIGHTS, high - low), IMPOSSIBLE), len(self.topology.transitions)
        weights[:kinds] = self.topology.transitions[:, low:high]
        for k in range(1, kinds):
            weights[k, :k] = IMPOSSIBLE
        weights[START], weights[FINAL] = self.topology.start[low:high], self.topology.final[low:high]
        return weights


def confidences(
    log_probs: npt.NDArray[Any],
    tokens: npt.NDArray[np.integer[Any]],
    starts: Ints,
    ends: Ints,
    *,
    blank: int,
) -> Floats:
    """Return (N,) the posterior of each token against its alternatives; see ``reference.confidences``."""
    classes = np.ascontiguousarray(tokens, dtype=np.int32)
    first, behind = (np.ascontiguousarray(each, dtype=np.int64) for each in (starts, ends))
    return _native.confidences(single(log_probs), [], classes, first, behind, blank)
