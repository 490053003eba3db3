"""The scores of a text on its frames in float64: exact, and on a window around a change.

Scoring a text exactly costs T · N. A text that differs from a known one in a few tokens is scored on a window: the
tokens that differ, some tokens on both sides, and the frames of all these in the known text's likeliest alignment.

    log p(other | x) ≈ log p(text | x) + log p(other's window | x's window) − log p(text's window | x's window)

It is exact if the window is the whole text. Otherwise it assumes that the change says nothing about frames outside of
the window. So a window ends with a sure token: one that has a frame with probability 0.999 or more. Without such tokens
it has 16 on each side. A window that costs as much as the whole text is not used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.kernels.confidence.reference import alternative_masses, confidences
from ctckit.kernels.loss import reference
from ctckit.kernels.search.plan import Rescoring
from ctckit.topology import IMPOSSIBLE, ctc_topology

LEAST_CONTEXT, MOST_CONTEXT = 2, 16  # tokens on each side of a change
SURE = -1e-3


def log_prob_of(log_probs: npt.NDArray[Any], tokens: Sequence[int], blank: int) -> float:
    """Return log p(tokens | x), summed over all alignments in (T, C) frames."""
    topology = ctc_topology(np.asarray(tokens, dtype=np.int64), blank=blank)
    return reference.log_likelihood(reference.forward(np.asarray(log_probs, dtype=np.float64), topology), topology)


def rescore(log_probs: npt.NDArray[Any], tokens: Sequence[int], blank: int) -> Rescoring:
    """Score a text exactly on its frames.

    Args:
        log_probs: (T, C) natural log-probabilities.
        tokens: (N,) the text.
        blank: The class of the blank.

    Returns:
        The log-probability over all alignments, the spans in the likeliest one (ties as in ``reference.viterbi``), and
        a confidence for each token. Where no alignment exists: −∞, spans [0, 0), −∞ and confidence 0.
    """
    scores = np.asarray(log_probs, dtype=np.float64)
    text = np.asarray(tokens, dtype=np.int64)
    topology = ctc_topology(text, blank=blank)
    log_prob = log_prob_of(scores, tokens, blank)
    count = len(text)
    starts, ends = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    if log_prob == IMPOSSIBLE:
        return Rescoring(log_prob, starts, ends, np.full(count, IMPOSSIBLE), np.zeros(count))
    path, _ = reference.viterbi(scores, topology)
    for k in range(count):
        frames = np.flatnonzero(path == 2 * k + 1)
        starts[k], ends[k] = frames[0], frames[-1] + 1
    means = [float(scores[start:end, token].mean()) for token, start, end in zip(text, starts, ends, strict=True)]
    return Rescoring(log_prob, starts, ends, np.array(means), confidences(scores, text, starts, ends, blank=blank))


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


def log_prob_near(
    log_probs: npt.NDArray[Any], known: Sequence[int], found: Rescoring, other: Sequence[int], blank: int
) -> float:
    """Return log p(other | x), computed on the window of the tokens that differ from a known text.

    Args:
        log_probs: (T, C) natural log-probabilities.
        known: The known text.
        found: Its log-probability and alignment.
        other: The other text.
        blank: The class of the blank.
    """
    first = _common(known, other)
    last = len(known) - _common(known[first:][::-1], other[first:][::-1])
    if found.log_prob == IMPOSSIBLE:
        return log_prob_of(log_probs, other, blank)
    sure = [log_probs[a:b, token].max() >= SURE for token, a, b in zip(known, found.starts, found.ends, strict=True)]
    first, last = _widened(first, sure[::-1]), len(known) - _widened(len(known) - last, sure)
    after = len(known) - last
    start = int(found.ends[first - 1]) if first > 0 else 0
    end = int(found.starts[last]) if after > 0 else len(log_probs)
    if 2 * (end - start) * (last - first) >= len(log_probs) * len(known):
        return log_prob_of(log_probs, other, blank)
    window = log_probs[start:end]
    change = log_prob_of(window, other[first : len(other) - after], blank)
    return found.log_prob + change - log_prob_of(window, known[first:last], blank)


def _widened(edge: int, sure: Sequence[bool]) -> int:
    """Return how many tokens on one side of a change stay outside of the window.

    Args:
        edge: The number of tokens on this side.
        sure: Whether each token of the text is sure, those on this side last.
    """
    outside = max(0, edge - LEAST_CONTEXT)
    while outside > 0 and edge - outside < MOST_CONTEXT and not sure[len(sure) - outside - 1]:
        outside -= 1
    return outside


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """Return the number of first tokens that two texts share."""
    return next((n for n, pair in enumerate(zip(a, b, strict=False)) if pair[0] != pair[1]), min(len(a), len(b)))


def log_sum(a: float, b: float) -> float:
    """Return log(e^a + e^b)."""
    if a < b:
        a, b = b, a
    return a if b == IMPOSSIBLE else a + math.log1p(math.exp(b - a))
