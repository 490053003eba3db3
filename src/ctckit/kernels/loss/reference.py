"""The definition of every quantity, in float64. The other kernels must agree with it.

Read topology.py first. Below, t is one of T frames and s one of S states. emission[t, s] is the log-probability, in
frame t, of the class that state s emits. All quantities are natural logarithms; −∞ means impossible.

    alpha[t, s]       the sum over all partial paths from the start to s in frame t, with the emission of frame t
    beta[t, s]        the sum over all partial paths from s in frame t to the end, without the emission of frame t
    log_likelihood    the sum over all complete paths: log Σ_s exp(alpha[t, s] + beta[t, s]), the same at every t
    occupancy[t, s]   exp(alpha + beta − log_likelihood): the probability, given the target, of state s in frame t

Both recursions use the same transitions: stay, advance, skip, and in variants the hops. Their sum is logaddexp. With a
maximum instead of the sum, the forward recursion finds the best path (Viterbi).

Sources: Graves et al. 2006, equations 5–16; Rabiner 1989 for the occupancy. Our beta excludes the emission of its own
frame (Graves includes it), so that α·β needs no division.
"""

from __future__ import annotations

import numpy as np

from ctckit.topology import IMPOSSIBLE, Floats, Ints, Topology


def emissions(log_probs: Floats, topology: Topology) -> Floats:
    """Return (T, S) the log-probability of each state's class in each frame."""
    return log_probs[:, topology.labels]


def arrivals(before: Floats, topology: Topology) -> Floats:
    """Return (K, S) the scores of arriving in each state by stay, advance, skip (and hop) from the states before."""
    result = np.full(topology.transitions.shape, IMPOSSIBLE)
    for k, weights in enumerate(topology.transitions):
        result[k, k:] = before[: max(len(before) - k, 0)] + weights[k:]
    return result


def departures(after: Floats, topology: Topology) -> Floats:
    """Return (K, S) the scores of leaving each state by stay, advance, skip (and hop) into the states after."""
    result = np.full(topology.transitions.shape, IMPOSSIBLE)
    for k, weights in enumerate(topology.transitions):
        result[k, : max(len(after) - k, 0)] = after[k:] + weights[k:]
    return result


def log_sum(terms: Floats) -> Floats:
    """Return log Σ exp over the first axis; −∞ where every term is −∞."""
    return np.asarray(np.logaddexp.reduce(terms, axis=0))


def forward(log_probs: Floats, topology: Topology) -> Floats:
    """Return (T, S) alpha."""
    emission = emissions(log_probs, topology)
    alpha = np.full_like(emission, IMPOSSIBLE)
    for t in range(len(emission)):
        arriving = topology.start if t == 0 else log_sum(arrivals(alpha[t - 1], topology))
        alpha[t] = arriving + emission[t]
    return alpha


def backward(log_probs: Floats, topology: Topology) -> Floats:
    """Return (T, S) beta."""
    emission = emissions(log_probs, topology)
    beta = np.full_like(emission, IMPOSSIBLE)
    for t in reversed(range(len(emission))):
        last = t == len(emission) - 1
        beta[t] = topology.final if last else log_sum(departures(beta[t + 1] + emission[t + 1], topology))
    return beta


def log_likelihood(alpha: Floats, topology: Topology) -> float:
    """Return log p(target), the sum over all complete paths; −∞ where there is no path."""
    if len(alpha) == 0:
        return topology.empty
    return float(log_sum(alpha[-1] + topology.final))


def occupancy(alpha: Floats, beta: Floats, total: float) -> Floats:
    """Return (T, S) the probability of each state in each frame; a frame sums to 1. All are 0 if there is no path."""
    if total == IMPOSSIBLE:
        return np.zeros_like(alpha)
    return np.asarray(np.exp(alpha + beta - total))


def viterbi(log_probs: Floats, topology: Topology) -> tuple[Ints, float]:
    """Return the best path, (T,) states, and its log-probability.

    Ties: among equally good transitions into a state, stay wins over advance and advance wins over skip. Among equally
    good end states the later one wins. Where there is no path, the log-probability is −∞ and the path is empty.
    """
    emission = emissions(log_probs, topology)
    frames, states = emission.shape
    if frames == 0:
        return np.zeros(0, dtype=np.int64), topology.empty
    best = topology.start + emission[0]
    step = np.zeros((frames, states), dtype=np.int64)  # the best transition into a state: 0 stay, 1 advance, 2 skip …
    for t in range(1, frames):
        arriving = arrivals(best, topology)
        step[t] = arriving.argmax(axis=0)
        best = arriving.max(axis=0) + emission[t]
    ending = best + topology.final
    last = states - 1 - int(ending[::-1].argmax())
    if ending[last] == IMPOSSIBLE:
        return np.zeros(0, dtype=np.int64), IMPOSSIBLE
    path = np.empty(frames, dtype=np.int64)
    path[-1] = last
    for t in reversed(range(1, frames)):
        path[t - 1] = path[t] - step[t, path[t]]
    return path, float(ending[last])


def logit_gradient(logits: Floats, topology: Topology) -> tuple[float, Floats]:
    """Return the loss −log p(target) of softmax(logits), and its gradient by the logits, softmax − occupancy.

    Args:
        logits: (T, C) the frames of one item.
        topology: The states of the target.

    Returns:
        The loss and its (T, C) gradient; +∞ and 0 where the target cannot be emitted.
    """
    log_probs = log_softmax(logits)
    loss, gradient = score_gradient(log_probs, topology)
    return loss, gradient if np.isinf(loss) else np.exp(log_probs) + gradient


def score_gradient(scores: Floats, topology: Topology) -> tuple[float, Floats]:
    """Return the loss −log Σ_paths Π exp(score) and its gradient by the scores, −occupancy of the classes."""
    alpha, beta = forward(scores, topology), backward(scores, topology)
    total = log_likelihood(alpha, topology)
    return -total, class_gradient(occupancy(alpha, beta, total), topology, scores.shape[1])


def class_gradient(state_occupancy: Floats, topology: Topology, classes: int) -> Floats:
    """Return (T, C) the gradient by the scores: minus the occupancy of the class, summed over its states."""
    gradient = np.zeros((len(state_occupancy), classes))
    np.add.at(gradient.T, topology.labels, -state_occupancy.T)
    return gradient


def log_softmax(logits: Floats) -> Floats:
    """Return (T, C) log-probabilities; a frame whose classes are all masked (−∞) stays −∞."""
    top = logits.max(axis=-1, keepdims=True)
    shifted = logits - np.where(np.isneginf(top), 0.0, top)
    with np.errstate(divide="ignore", invalid="ignore"):
        normalizer = np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        return np.asarray(np.where(np.isneginf(logits), IMPOSSIBLE, shifted - normalizer))
