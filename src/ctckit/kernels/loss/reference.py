"""The definition of every quantity, in float64: what the other kernels must agree with.

Read topology.py first. Below, t runs over T frames and s over S states; emission[t, s] is the log-probability, in
frame t, of the class that state s emits. Everything is a natural logarithm, −∞ means impossible.

    alpha[t, s]       all partial paths that are in s at frame t, frame t's emission included
    beta[t, s]        all ways to go on from s at frame t to the end, frame t's emission excluded
    log_likelihood    all complete paths: log Σ_s exp(alpha[t, s] + beta[t, s]), the same at every t
    occupancy[t, s]   exp(alpha + beta − log_likelihood): how likely, given the target, the path is in s at frame t

Each recursion is the same three transitions: stay, advance, skip. "sum" is logaddexp; with the maximum in its place the
forward recursion finds the best single path instead (Viterbi).

Sources: Graves et al. 2006, equations 5–16; Rabiner 1989 for the occupancy. Our beta excludes the emission of its own
frame (Graves includes it), so that α·β needs no division.
"""

from __future__ import annotations

import numpy as np

from ctckit.topology import IMPOSSIBLE, Floats, Ints, Topology


def emissions(log_probs: Floats, topology: Topology) -> Floats:
    """(T, S): the log-probability of each state's class in each frame."""
    return log_probs[:, topology.labels]


def arrivals(before: Floats, topology: Topology) -> Floats:
    """(K, S): what comes into each state by stay, advance, skip (and hop), from the states ``before``."""
    result = np.full(topology.transitions.shape, IMPOSSIBLE)
    for k, weights in enumerate(topology.transitions):
        result[k, k:] = before[: max(len(before) - k, 0)] + weights[k:]
    return result


def departures(after: Floats, topology: Topology) -> Floats:
    """(K, S): what goes out of each state by stay, advance, skip (and hop), into the states ``after``."""
    result = np.full(topology.transitions.shape, IMPOSSIBLE)
    for k, weights in enumerate(topology.transitions):
        result[k, : max(len(after) - k, 0)] = after[k:] + weights[k:]
    return result


def log_sum(terms: Floats) -> Floats:
    """Log Σ exp over the first axis; −∞ where every term is."""
    return np.asarray(np.logaddexp.reduce(terms, axis=0))


def forward(log_probs: Floats, topology: Topology) -> Floats:
    """(T, S): alpha."""
    emission = emissions(log_probs, topology)
    alpha = np.full_like(emission, IMPOSSIBLE)
    for t in range(len(emission)):
        arriving = topology.start if t == 0 else log_sum(arrivals(alpha[t - 1], topology))
        alpha[t] = arriving + emission[t]
    return alpha


def backward(log_probs: Floats, topology: Topology) -> Floats:
    """(T, S): beta."""
    emission = emissions(log_probs, topology)
    beta = np.full_like(emission, IMPOSSIBLE)
    for t in reversed(range(len(emission))):
        last = t == len(emission) - 1
        beta[t] = topology.final if last else log_sum(departures(beta[t + 1] + emission[t + 1], topology))
    return beta


def log_likelihood(alpha: Floats, topology: Topology) -> float:
    """Log p(target): the sum over all complete paths; −∞ where there is none."""
    if len(alpha) == 0:
        return topology.empty
    return float(log_sum(alpha[-1] + topology.final))


def occupancy(alpha: Floats, beta: Floats, total: float) -> Floats:
    """(T, S): the probability of each state in each frame; each frame sums to 1. All 0 where nothing can be emitted."""
    if total == IMPOSSIBLE:
        return np.zeros_like(alpha)
    return np.asarray(np.exp(alpha + beta - total))


def viterbi(log_probs: Floats, topology: Topology) -> tuple[Ints, float]:
    """The best single path, (T,) states, and its log-probability.

    Ties: among equally good transitions into a state, stay wins over advance and advance over skip; of equally good
    ends the later state wins. If no path exists, the log-probability is −∞ and the path is empty.
    """
    emission = emissions(log_probs, topology)
    frames, states = emission.shape
    if frames == 0:
        return np.zeros(0, dtype=np.int64), topology.empty
    best = topology.start + emission[0]
    arrow = np.zeros((frames, states), dtype=np.int64)  # how far back: 0 stay, 1 advance, 2 skip …
    for t in range(1, frames):
        arriving = arrivals(best, topology)
        arrow[t] = arriving.argmax(axis=0)
        best = arriving.max(axis=0) + emission[t]
    ending = best + topology.final
    last = states - 1 - int(ending[::-1].argmax())
    if ending[last] == IMPOSSIBLE:
        return np.zeros(0, dtype=np.int64), IMPOSSIBLE
    path = np.empty(frames, dtype=np.int64)
    path[-1] = last
    for t in reversed(range(1, frames)):
        path[t - 1] = path[t] - arrow[t, path[t]]
    return path, float(ending[last])


def logit_gradient(logits: Floats, topology: Topology) -> tuple[float, Floats]:
    """The loss −log p(target) of softmax(logits), and its gradient with respect to the logits, softmax − occupancy.

    Args:
        logits: (T, C) one item's frames.
        topology: The target's states.

    Returns:
        The loss (+∞ where the target cannot be emitted) and the (T, C) gradient (0 there).
    """
    log_probs = log_softmax(logits)
    loss, gradient = score_gradient(log_probs, topology)
    return loss, gradient if np.isinf(loss) else np.exp(log_probs) + gradient


def score_gradient(scores: Floats, topology: Topology) -> tuple[float, Floats]:
    """The loss −log Σ_paths Π exp(score) and its gradient with respect to the scores: −occupancy of the classes."""
    alpha, beta = forward(scores, topology), backward(scores, topology)
    total = log_likelihood(alpha, topology)
    gradient = np.zeros_like(scores)
    np.add.at(gradient.T, topology.labels, -occupancy(alpha, beta, total).T)
    return -total, gradient


def log_softmax(logits: Floats) -> Floats:
    """(T, C) log-probabilities; a frame whose classes are all masked (−∞) stays all −∞."""
    top = logits.max(axis=-1, keepdims=True)
    shifted = logits - np.where(np.isneginf(top), 0.0, top)
    with np.errstate(divide="ignore", invalid="ignore"):
        normaliser = np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        return np.asarray(np.where(np.isneginf(logits), IMPOSSIBLE, shifted - normaliser))
