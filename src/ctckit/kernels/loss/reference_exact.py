"""The loss of an item all of whose paths are extremely unlikely: the recursions of ``reference``, in exact sums.

A float64 near 1e20 has steps of 16,384. If every path of a target costs that many nats, the differences between the
paths are lost, and with them the occupancies. Here a log-weight is a fraction, and None is −∞.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from ctckit.topology import FINAL, IMPOSSIBLE, NUM_WEIGHTS, START, Floats, Topology

NEEDED_FROM = 2.0**34 * math.log(2)  # nats; float64 rounds sums of this size by 2e-6
Weight = Fraction | None


class Exact(NamedTuple):
    """The loss of an item, (T, S) the occupancies of the states, (7, S) the expected counts of the transitions."""

    loss: float
    occupancy: Floats
    counts: Floats


def is_needed(scores: Floats, loss: float) -> bool:
    """Whether (T, C) scores with this loss need exact sums: each path costs so much, in itself or beyond the best."""
    best = scores.max(axis=1, initial=IMPOSSIBLE)
    likely = best[best > IMPOSSIBLE].sum()  # of a path through the best classes
    return bool(np.isfinite(loss) and max(abs(loss), abs(loss + likely)) > NEEDED_FROM)


def solve(x: Floats, topology: Topology, *, normalize: bool) -> Exact:
    """Return the loss of (T, C) logits, or of scores where ``normalize`` is false."""
    emission = _emissions(x, topology, normalize)
    alpha, beta = _forward(emission, topology), _backward(emission, topology)
    total = _sum(_product(a, _weight(w)) for a, w in zip(alpha[-1], topology.final, strict=True))
    occupancy, counts = np.zeros((len(x), topology.num_states)), np.zeros((NUM_WEIGHTS, topology.num_states))
    if total is None:
        return Exact(math.inf, occupancy, counts)
    for t, emitted in enumerate(emission):
        for s in range(topology.num_states):
            occupancy[t, s] = _share(_product(alpha[t][s], beta[t][s]), total)
            for k, w in enumerate(topology.transitions[:, s]):
                if t > 0 and k <= s:
                    before = _product(alpha[t - 1][s - k], _weight(w))
                    counts[k, s] += _share(_product(before, emitted[s], beta[t][s]), total)
    for s in range(topology.num_states):
        counts[START, s] = _share(_product(alpha[0][s], beta[0][s]), total)
        counts[FINAL, s] = _share(_product(alpha[-1][s], beta[-1][s]), total)
    return Exact(_as_float(-total), occupancy, counts)


def _emissions(x: Floats, topology: Topology, normalize: bool) -> list[list[Weight]]:
    result = []
    for frame in x:
        weights = [_weight(value) for value in frame]
        normalizer = _sum(weights) if normalize else Fraction(0)
        shift = None if normalizer is None else -normalizer
        result.append([_product(weights[label], shift) for label in topology.labels])
    return result


def _forward(emission: list[list[Weight]], topology: Topology) -> list[list[Weight]]:
    alpha: list[list[Weight]] = []
    for emitted in emission:
        row = []
        for s, here in enumerate(emitted):
            arriving = [_weight(topology.start[s])] if not alpha else []
            if alpha:
                weights = topology.transitions[: s + 1, s]
                arriving = [_product(alpha[-1][s - k], _weight(w)) for k, w in enumerate(weights)]
            row.append(_product(_sum(arriving), here))
        alpha.append(row)
    return alpha


def _backward(emission: list[list[Weight]], topology: Topology) -> list[list[Weight]]:
    beta = [[_weight(w) for w in topology.final]]
    for emitted in reversed(emission[1:]):
        row = []
        for s in range(topology.num_states):
            ahead = range(s, min(s + len(topology.transitions), topology.num_states))
            weights = [_weight(topology.transitions[next_s - s, next_s]) for next_s in ahead]
            leaving = [_product(w, emitted[to], beta[0][to]) for w, to in zip(weights, ahead, strict=True)]
            row.append(_sum(leaving))
        beta.insert(0, row)
    return beta


def _weight(value: float) -> Weight:
    return None if value == IMPOSSIBLE else Fraction(float(value))


def _product(*factors: Weight) -> Weight:
    given = [each for each in factors if each is not None]
    return sum(given, Fraction(0)) if len(given) == len(factors) else None


def _sum(terms: Iterable[Weight]) -> Weight:
    given = [each for each in terms if each is not None]
    if not given:
        return None
    top = max(given)
    return top + Fraction(math.log(sum(_share(each, top) for each in given)))


def _share(paths: Weight, total: Fraction) -> float:
    """Return e^(paths − total)."""
    return 0.0 if paths is None else math.exp(float(max(paths - total, Fraction(-1000))))


def _as_float(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)
