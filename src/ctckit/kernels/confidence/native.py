"""The C++ core's execution of reference_confidence.py: the same names, in the memory and the time of long recordings.

How often a path takes each arrow into a state is what the loss counts for the gradient by the transitions' weights;
their sum is how long the state lasts. So there is no second recursion here.
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
from ctckit.topology import IMPOSSIBLE, Floats, Ints, Topology

__all__ = ["WILDCARD", "confidences", "durations"]

WINDOW = 2048  # frames that are looked at together; between windows the path is held
SEARCHED = 256  # frames before a window's end in which a good place for the cut is looked for
AROUND = 256  # frames on both sides of these that are looked at for it


def durations(log_probs: npt.NDArray[Any], topology: Topology, path: Ints, *, window: int = WINDOW) -> Floats:
    """(S,) how many frames each state lasts, averaged over all paths; see ``reference_confidence.durations``.

    Beyond ``window`` frames, the average is over the paths that agree with ``path`` at the frames where windows meet:
    those in which it is on a token that most other paths are on, too.

    Args:
        log_probs: (T, C) natural logarithms.
        topology: The states.
        path: (T,) states of the likeliest path.
        window: Most frames of a window.
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
        """The best place for a cut in the ``searched`` frames up to ``end``."""
        first, behind = max(0, end - searched - AROUND), min(len(self.path), end + 1 + AROUND)
        place = np.arange(end - searched, end) + 1
        states = self.path[place]
        share = -self._solve(first, behind)[1][place - first, self.topology.labels[states]]
        return int(place[np.argmax(share * (1 + states % 2))])  # rather on a token: a blank may be before it or behind

    def add_durations(self, start: int, end: int, result: Floats) -> None:
        """Adds how long the states last in frames [start, end)."""
        low, _, counts = self._solve(start, end, counted=True)
        result[low : low + counts.shape[1]] += counts[:6].sum(axis=0)  # it enters a state, stays, or starts there

    def _solve(self, start: int, end: int, *, counted: bool = False) -> tuple[int, npt.NDArray[Any], Floats]:
        """All paths through frames [start, end) that agree with ``path`` at their ends, where these are cuts.

        Returns:
            The first of the states that these paths may be in; (frames, C) −γ; (7, states) how often they take each
            arrow, if that is ``counted``.
        """
        path, labels = self.path, self.topology.labels
        first = int(path[start]) if start > 0 else 0
        last = int(path[end - 1]) if end < len(path) else len(labels) - 1
        low, high = first // 2 * 2, (last + 1) // 2 * 2 + 1
        weights = self._weights(low, high)
        if start > 0:
            weights[5] = np.where(np.arange(low, high) == first, 0.0, IMPOSSIBLE)
        if end < len(path):
            weights[6] = np.where(np.arange(low, high) == last, 0.0, IMPOSSIBLE)
        target = np.ascontiguousarray(labels[low:high][1::2], dtype=np.int32)[None]
        batch = TargetBatch(target, np.array([end - start]), np.array([target.shape[1]]), int(labels[0]))
        rows = self.log_probs[None, start:end]
        gradient, counts = np.empty(rows.shape, dtype=rows.dtype), np.zeros((1, 7, high - low))
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
        """(7, high − low) among these states: transitions (none from outside), start, final."""
        weights, kinds = np.full((7, high - low), IMPOSSIBLE), len(self.topology.transitions)
        weights[:kinds] = self.topology.transitions[:, low:high]
        for k in range(1, kinds):
            weights[k, :k] = IMPOSSIBLE
        weights[5], weights[6] = self.topology.start[low:high], self.topology.final[low:high]
        return weights


def confidences(
    log_probs: npt.NDArray[Any],
    tokens: npt.NDArray[np.integer[Any]],
    starts: Ints,
    ends: Ints,
    *,
    blank: int,
) -> Floats:
    """(N,) the posterior of each token against its single edits; see ``reference_confidence.confidences``."""
    classes = np.ascontiguousarray(tokens, dtype=np.int32)
    first, behind = (np.ascontiguousarray(each, dtype=np.int64) for each in (starts, ends))
    return _native.confidences(single(log_probs), classes, first, behind, blank)
