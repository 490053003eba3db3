"""Forced alignment in float64 and plain loops over ``reference.viterbi``: what the fast aligner must agree with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.kernels import reference
from ctckit.topology import IMPOSSIBLE, Ints, Topology, ctc_topology
from ctckit.variants import Chains


@dataclass(frozen=True, eq=False)
class BestPath:
    """The likeliest single path of one item, by its tokens.

    Attributes:
        log_prob: Its score in nats, weights of arrows included, summed in float64.
        starts: (M,) int64, first frame of token i (state 2i + 1).
        ends: (M,) int64, one past its last frame. A token that the path leaves out has starts[i] = ends[i], where it
            would have been.
    """

    log_prob: float
    starts: Ints
    ends: Ints


def align_batch(
    log_probs: npt.NDArray[Any],
    input_lengths: Ints,
    targets: npt.NDArray[np.integer[Any]],
    target_lengths: Ints,
    *,
    blank: int,
    chains: Chains | None = None,
) -> list[BestPath | None]:
    """The best path of each item; None where there is none. Ties as in ``reference.viterbi``.

    Args:
        log_probs: (B, T, C) natural logarithms, −∞ allowed.
        input_lengths: (B,) frames.
        targets: (B, N) integers, padded, checked.
        target_lengths: (B,) tokens.
        blank: The class of the blank.
        chains: Takes the place of the targets. Class C is a wildcard, whose log-probability is 0 in every frame.
    """
    found: list[BestPath | None] = []
    for b, frames in enumerate(input_lengths):
        x = log_probs[b, :frames].astype(np.float64)
        if chains is None:
            found.append(_best_path(x, ctc_topology(targets[b, : target_lengths[b]], blank=blank)))
        else:
            found.append(_best_path(np.pad(x, ((0, 0), (0, 1))), chains.topology(b)))
    return found


def _best_path(log_probs: npt.NDArray[np.float64], topology: Topology) -> BestPath | None:
    path, log_prob = reference.viterbi(log_probs, topology)
    if log_prob == IMPOSSIBLE:
        return None
    tokens = np.arange(1, topology.num_states, 2)
    return BestPath(log_prob, np.searchsorted(path, tokens), np.searchsorted(path, tokens, side="right"))
