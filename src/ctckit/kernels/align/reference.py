"""The definition of forced alignment: the most likely path of a target in float64, by ``loss.reference.viterbi``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.kernels.loss import reference
from ctckit.kernels.loss.reference_batch import as_float64
from ctckit.topology import IMPOSSIBLE, Ints, ctc_topology
from ctckit.variants import TokenGraphs


@dataclass(frozen=True, eq=False)
class BestPath:
    """The most likely path of one item, as the frames of its tokens.

    A path never goes back. So the frames of the tokens give its state in each frame: token i in frames [starts[i],
    ends[i]), a blank in the others.

    Attributes:
        log_prob: Its log-probability in nats, summed in float64 along the path, including the weights of transitions.
        starts: (M,) int64 first frame of each token of the token graph (token i is state 2i + 1).
        ends: (M,) int64 one past its last frame. A token that the path omits has an empty span, starts[i] == ends[i],
            at the first frame in which the path is beyond it, or at T.
    """

    log_prob: float
    starts: Ints
    ends: Ints


def align_batch(
    log_probs: npt.NDArray[Any],
    input_lengths: Ints,
    targets: npt.NDArray[np.integer],
    target_lengths: Ints,
    *,
    blank: int,
    graphs: TokenGraphs | None = None,
) -> list[BestPath | None]:
    """Return the most likely path of each item: argmax over paths π that spell the target of Σ_t log p(π_t).

    Ties: among equally good transitions into a state, stay wins over advance, advance over skip, skip over the hops;
    among equally good ends, the later state wins.

    Args:
        log_probs: (B, T, C) float32 or float64, natural logarithms, −∞ allowed; NaN and +∞ are not.
        input_lengths: (B,) frames.
        targets: (B, N) integers, padded.
        target_lengths: (B,) tokens.
        blank: The class of the blank.
        graphs: Token graphs other than plain CTC's, see ``variants.token_graphs``; they replace ``targets``. Class C is
            the wildcard, whose log-probability is 0 in every frame. ``TokenGraphs.offset`` is not added.

    Returns:
        For each item its path, or None if there is none.

    Example:
        >>> log_probs = np.log([[[0.1, 0.8, 0.1], [0.7, 0.2, 0.1], [0.1, 0.2, 0.7]]])
        >>> (path,) = align_batch(log_probs, np.array([3]), np.array([[1, 2]]), np.array([2]), blank=0)
        >>> path.starts.tolist(), path.ends.tolist(), round(float(np.exp(path.log_prob)), 3)
        ([0, 2], [1, 3], 0.392)
    """
    results: list[BestPath | None] = []
    for b, frames in enumerate(input_lengths):
        target = targets[b, : target_lengths[b]]
        topology = ctc_topology(target, blank=blank) if graphs is None else graphs.topology(b)
        x = as_float64(log_probs[b, :frames])
        states, log_prob = reference.viterbi(np.pad(x, ((0, 0), (0, 1))), topology)  # the last class is the wildcard
        labels = np.arange(1, topology.num_states, 2)
        path = BestPath(log_prob, np.searchsorted(states, labels), np.searchsorted(states, labels, side="right"))
        results.append(path if log_prob > IMPOSSIBLE else None)
    return results
