"""The definition of durations and confidences: the average frames of each state over all paths, and token posteriors.

In float64, from the whole lattice at once. ``native`` must agree with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.kernels.loss import reference
from ctckit.topology import IMPOSSIBLE, Floats, Ints, Topology

WILDCARD = -1  # the number of a wildcard among the tokens


def durations(log_probs: npt.NDArray[Any], topology: Topology) -> Floats:
    """Return (S,) D_s = Σ_t γ_t(s): the frames that state s lasts, averaged over all paths.

    A path visits the states in order. So Σ_{s' < s} D_{s'} is the average frame at which a path reaches s.

    Args:
        log_probs: (T, C) natural logarithms.
        topology: The states.
    """
    scores = np.asarray(log_probs, dtype=np.float64)
    alpha, beta = reference.forward(scores, topology), reference.backward(scores, topology)
    occupancy = reference.occupancy(alpha, beta, reference.log_likelihood(alpha, topology))
    return np.asarray(occupancy.sum(axis=0))


def confidences(
    log_probs: npt.NDArray[Any],
    tokens: npt.NDArray[np.integer[Any]],
    starts: Ints,
    ends: Ints,
    *,
    blank: int,
) -> Floats:
    """Return (N,) the posterior of each token against its alternatives: another token in its place, or none.

    The neighbors keep the frames of the most likely alignment. The frames between them are ∅…∅ c…c ∅…∅ for one token c,
    or all ∅. mass(c) and mass(none) are the sums of the probabilities of all such paths. The posterior is
    mass(y_k) / (Σ_c mass(c) + mass(none)). A token equal to a neighbor needs a blank between the two. The first and the
    last token have all frames up to the edge.

    Args:
        log_probs: (T, C) natural logarithms.
        tokens: (N,) classes; −1 is a wildcard: its posterior is NaN, and as a neighbor it keeps its frames, whatever
            these emit.
        starts: (N,) first frame of each.
        ends: (N,) one past its last frame.
        blank: The class of the blank.
    """
    scores = np.asarray(log_probs, dtype=np.float64)
    sure = np.full(len(tokens), np.nan)
    for k in np.flatnonzero(np.asarray(tokens) != WILDCARD).tolist():
        mass = alternative_masses(scores, tokens, starts, ends, k, blank)
        sure[k] = np.exp(mass[tokens[k]] - np.logaddexp.reduce(mass))
    return sure


def alternative_masses(
    log_probs: Floats, tokens: npt.NDArray[np.integer[Any]], starts: Ints, ends: Ints, k: int, blank: int
) -> Floats:
    """Return (C,) log-masses of each class in the place of token k, see ``confidences``; at the blank that of none."""
    first = ends[k - 1] if k > 0 else 0
    behind = starts[k + 1] if k + 1 < len(tokens) else len(log_probs)
    window = log_probs[first:behind]
    blanks = window[:, blank]
    before = np.zeros(window.shape[1])  # log-sums over the frames so far, for each class c: before c,
    on = np.full(window.shape[1], IMPOSSIBLE)  # in c,
    after = np.full(window.shape[1], IMPOSSIBLE)  # behind c
    if k > 0 and tokens[k - 1] != WILDCARD:
        before[tokens[k - 1]] = IMPOSSIBLE
    for t, frame in enumerate(window):
        after = np.logaddexp(after, on) + blanks[t]
        on = np.logaddexp(on, before) + frame
        before = np.full(window.shape[1], blanks[: t + 1].sum())
    if k + 1 < len(tokens) and tokens[k + 1] != WILDCARD:
        on[tokens[k + 1]] = IMPOSSIBLE
    mass = np.logaddexp(on, after)
    mass[blank] = blanks.sum()  # none
    return np.asarray(mass)
