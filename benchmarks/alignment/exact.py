"""Whether a path collapses to the text, its score, and the score of the best path, in float64.

This code is independent of ctckit's aligner, so that the reported score of no aligner has to be trusted.
"""

from __future__ import annotations

import numpy as np

from benchmarks.common.arrays import Array

CUT_EVERY = 16  # frames
SLACK = 1e-9  # relative to the bound: an allowance for rounding


def collapses_to(path: Array, target: Array, blank: int) -> bool:
    """Return whether the classes of the frames, (T,), collapse to the text."""
    path = np.asarray(path)
    starts = np.append(True, path[1:] != path[:-1])[: len(path)]
    return bool(np.array_equal(path[starts & (path != blank)], target))


def score(log_probs: Array, path: Array) -> float:
    """Return the log-probability of a path, given by its classes."""
    return float(log_probs[np.arange(len(path)), path].astype(np.float64).sum())


def optimum(log_probs: Array, target: Array, blank: int, bound: float = -np.inf) -> float:
    """Return the log-probability of the best path that collapses to the text, by the Viterbi recursion.

    Args:
        log_probs: (T, C).
        target: (N,) classes.
        blank: The class of the blank.
        bound: The log-probability of some path. A state is pruned only if no path through it can reach the bound, even
            if every later frame has the likeliest class of the text. The bound changes the time, not the result.
    """
    labels = np.asarray(target, dtype=np.int64)
    n = len(labels)
    best_to_come = most_to_come(log_probs, labels, blank)
    no_skip = np.zeros(n + 1)
    no_skip[0] = -np.inf
    no_skip[1:n][labels[1:] == labels[:-1]] = -np.inf
    before = np.full(n + 2, -np.inf)  # [1 + i]: the best path that ends in token i; [0] is unused
    blanks = np.full(n + 1, -np.inf)  # [i]: in the blank before token i
    blanks[0] = 0.0  # before frame 0, which is the blank or token 0
    low, high = 0, 1  # only blanks low..high − 1 and tokens low..high − 2 can be alive
    spare = np.empty(n + 1)
    threshold = bound - SLACK * abs(bound) if np.isfinite(bound) else -np.inf
    for t, frame in enumerate(log_probs):
        scores = frame.astype(np.float64)
        last = min(high, n)  # tokens low..last − 1 can be reached
        window, new = slice(low, last), spare[low:last]
        np.add(before[window], no_skip[window], out=new)
        np.maximum(new, blanks[window], out=new)
        np.maximum(new, before[low + 1 : last + 1], out=new)
        new += scores[labels[window]]
        high = min(high + 1, n + 1)
        np.maximum(blanks[low:high], before[low:high], out=blanks[low:high])
        blanks[low:high] += scores[blank]
        before[low + 1 : last + 1] = new
        if t % CUT_EVERY == 0 and threshold > -np.inf:
            low, high = cut(before, blanks, low, high, threshold - best_to_come[t + 1])
    return float(max(blanks[n], before[n])) if n else float(blanks[0])


def cut(before: Array, blanks: Array, low: int, high: int, least: float) -> tuple[int, int]:
    """Return the window without the states at its ends that are below ``least``."""
    alive = np.flatnonzero(np.maximum(blanks[low:high], before[low + 1 : high + 1]) >= least)
    if not len(alive):
        return low, high
    first, end = (
        low + int(alive[0]),
        min(low + int(alive[-1]) + 2, high),
    )  # one more, because the next token can be reached in a frame
    blanks[low:first] = before[low : first + 1] = -np.inf
    blanks[end:high] = before[end + 1 : high + 1] = -np.inf
    return first, end


def most_to_come(log_probs: Array, labels: Array, blank: int) -> Array:
    """Return sums over the frames from t on, (T + 1,), of the likeliest class of the text."""
    used = np.unique(np.append(labels, blank))
    best = log_probs[:, used].max(axis=1).astype(np.float64)
    return np.append(np.cumsum(best[::-1])[::-1], 0.0)
