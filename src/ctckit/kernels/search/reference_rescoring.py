"""The scores of a text on its frames in float64, and the cuts of long items: the definition.

A long item is cut between two frames; a ``Border`` holds what the frames before the cut say about its text:

    α(s)    the probability of all partial paths that are in state s after the last frame before the cut
    log p(text | x) = log_mass + log Σ over the paths through the later frames of α(state before them) · their emissions

The border keeps α around the cut only: the states with a share α(s) · β(s) / p of more than e^−60.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.kernels.confidence.reference import alternative_masses, confidences
from ctckit.kernels.loss import reference
from ctckit.kernels.search.plan import Alignment, Border, Rescoring
from ctckit.topology import IMPOSSIBLE, Topology, ctc_topology

NEGLIGIBLE = -60.0  # log of a share
LEAST_TO_FIX = 1e-2  # share


def log_prob_after(border: Border, log_probs: npt.NDArray[Any], tokens: Sequence[int], blank: int) -> float:
    """Return log p(tokens | x) − the log mass of all borders up to this one, summed over all alignments.

    Args:
        border: The place before the frames; ``Border()`` is the beginning.
        log_probs: (T, C) the frames after it.
        tokens: (N,) the tokens that are not closed; they begin with the fixed ones.
        blank: The class of the blank.
    """
    topology = _topology_after(border, tokens, blank)
    return _log_sum(_forward_after(border, log_probs, topology)[-1] + _end(topology))


def cut(
    border: Border,
    log_probs: npt.NDArray[Any],
    tokens: Sequence[int],
    blank: int,
    *,
    frame: int,
    closed: int,
    agreed: int,
) -> Border:
    """Cut an item before a frame, and close the first tokens.

    Args:
        border: The border before.
        log_probs: (T, C) the frames after that.
        tokens: (N,) the tokens that were not closed by it.
        blank: The class of the blank.
        frame: 0..T, the first frame after the cut.
        closed: How many of the tokens are closed now.
        agreed: Tokens after these may be wrong; at least ``closed``. The new border has them only where the share of
            their states is 1 % or more.
    """
    topology = _topology_after(border, tokens, blank)
    alpha = _forward_after(border, log_probs[:frame], topology)[-1]
    rest = np.asarray(log_probs[frame:], dtype=np.float64)
    beta = reference.backward(rest, topology)
    leaving = beta[:1] + reference.emissions(rest[:1], topology)
    share = alpha + (reference.log_sum(reference.departures(leaving[0], topology)) if len(rest) else _end(topology))
    share = share - _log_sum(share) if _log_sum(share) > IMPOSSIBLE else share
    before = len(border.closed)
    closed, agreed = closed + before, agreed + before
    likely = np.flatnonzero(share > NEGLIGIBLE)
    first = min([closed, *(likely // 2).tolist()])
    past = max([closed, *(k for k in ((likely + 1) // 2).tolist() if k <= agreed)])
    last = len(share) - 1
    while last > 2 * past and np.exp(share[last:]).sum() < LEAST_TO_FIX:
        last -= 1
    past = max(past, (last + 1) // 2)
    states = slice(2 * first, 2 * past + 1)
    mass, kept = _log_sum(alpha[states]), _log_sum(share[states])
    if kept == IMPOSSIBLE:
        return Border(log_mass=IMPOSSIBLE)
    whole = np.append(border.closed, np.asarray(tokens, dtype=np.int32))
    log_mass = mass - kept  # so the text keeps its probability
    return Border(whole[first:past], alpha[states] - mass, past - closed, log_mass)


def _topology_after(border: Border, tokens: Sequence[int], blank: int) -> Topology:
    return ctc_topology(np.append(border.closed, np.asarray(tokens, dtype=np.int64)).astype(np.int64), blank=blank)


def _forward_after(border: Border, log_probs: npt.NDArray[Any], topology: Topology) -> npt.NDArray[np.float64]:
    """Return (T + 1, S): the column of the border, and α of each frame."""
    emission = reference.emissions(np.asarray(log_probs, dtype=np.float64), topology)
    alpha = np.full((len(emission) + 1, len(topology.final)), IMPOSSIBLE)
    alpha[0, : len(border.column)] = border.column[: alpha.shape[1]]
    for t in range(len(emission)):
        alpha[t + 1] = reference.log_sum(reference.arrivals(alpha[t], topology)) + emission[t]
    return alpha


def _end(topology: Topology) -> npt.NDArray[np.float64]:
    """Return (S,) log-weights of ending: in the last label, and in the blanks around it."""
    return np.where(np.arange(len(topology.final)) >= len(topology.final) - 2, 0.0, IMPOSSIBLE)


def _log_sum(terms: npt.NDArray[np.float64]) -> float:
    return float(reference.log_sum(terms))


def rescore(log_probs: npt.NDArray[Any], tokens: Sequence[int], blank: int, border: Border | None = None) -> Rescoring:
    """Score a text exactly on its frames.

    Args:
        log_probs: (T, C) natural log-probabilities.
        tokens: (N,) the text.
        blank: The class of the blank.
        border: A border before the frames. Spans are in the frames all the same.

    Returns:
        The log-probability over all alignments, the spans in the likeliest one (ties as in ``reference.viterbi``), and
        a confidence for each token. Where no alignment exists: −∞, spans [0, 0), −∞ and confidence 0.
    """
    scores = np.asarray(log_probs, dtype=np.float64)
    text = np.asarray(tokens, dtype=np.int64)
    log_prob = log_prob_after(border or Border(), scores, tokens, blank)
    count = len(text)
    starts, ends = align(scores, tokens, blank, border or Border())
    if count > 0 and ends[-1] == 0:  # impossible, or all paths come from before the border
        return Rescoring(log_prob, starts, ends, np.full(count, IMPOSSIBLE), np.zeros(count))
    means = [float(scores[start:end, token].mean()) for token, start, end in zip(text, starts, ends, strict=True)]
    return Rescoring(log_prob, starts, ends, np.array(means), confidences(scores, text, starts, ends, blank=blank))


def align(log_probs: npt.NDArray[Any], tokens: Sequence[int], blank: int, border: Border | None = None) -> Alignment:
    """Return the spans of the tokens in the likeliest alignment.

    Args:
        log_probs: (T, C) natural log-probabilities.
        tokens: (N,) the text.
        blank: The class of the blank.
        border: A border before the frames. A text that is impossible after it has no alignment.
    """
    scores, text = np.asarray(log_probs, dtype=np.float64), np.asarray(tokens, dtype=np.int64)
    starts, ends = np.zeros(len(text), dtype=np.int64), np.zeros(len(text), dtype=np.int64)
    if border is not None and log_prob_after(border, scores, tokens, blank) == IMPOSSIBLE:
        return Alignment(starts, ends)
    path, _ = reference.viterbi(scores, ctc_topology(text, blank=blank))
    for k in range(len(text) if len(path) == len(scores) > 0 else 0):
        frames = np.flatnonzero(path == 2 * k + 1)
        starts[k], ends[k] = frames[0], frames[-1] + 1
    return Alignment(starts, ends)


def propose_refinements(log_probs: npt.NDArray[Any], tokens: Sequence[int], blank: int) -> list[tuple[int, int]]:
    """Return one-token changes with a higher posterior than the text's own token: the best one at each position.

    Args:
        log_probs: (T, C) natural log-probabilities.
        tokens: (N,) the text.
        blank: The class of the blank.

    Returns:
        Positions in the text, and the token to put there; the blank stands for none. The last position comes first.
    """
    scores, text = np.asarray(log_probs, dtype=np.float64), np.asarray(tokens, dtype=np.int64)
    found = rescore(scores, tokens, blank)
    changes = []
    for k in reversed(range(len(text) if found.log_prob > IMPOSSIBLE else 0)):
        mass = alternative_masses(scores, text, found.starts, found.ends, k, blank)
        if mass.max() > mass[text[k]]:
            changes.append((k, int(mass.argmax())))
    return changes


def log_add(a: float, b: float) -> float:
    """Return log(e^a + e^b)."""
    if a < b:
        a, b = b, a
    return a if b == IMPOSSIBLE else a + math.log1p(math.exp(b - a))
