"""CTC by its definition: lists all Cᵀ paths, collapses each and sums. It shares no code with the package."""

import itertools
import math
from fractions import Fraction


def collapse(path, blank):
    """Return a path with repeats merged and then blanks removed."""
    merged = [c for c, _ in itertools.groupby(path)]
    return tuple(c for c in merged if c != blank)


def path_probs(probs, target, blank):
    """Return {path: probability} of all paths that collapse to the target; probs is a list of frames."""
    classes = range(len(probs[0]) if probs else 0)
    found = {}
    for path in itertools.product(classes, repeat=len(probs)):
        if collapse(path, blank) == tuple(target):
            found[path] = math.prod(row[c] for row, c in zip(probs, path, strict=True))
    return found


def loss(probs, target, blank):
    total = sum(path_probs(probs, target, blank).values())
    return -math.log(total) if total > 0 else math.inf


def class_occupancy(probs, target, blank):
    """Return [t][c]: the probability, given the target, that frame t emits class c."""
    found = path_probs(probs, target, blank)
    total = sum(found.values())
    table = [[0.0] * len(row) for row in probs]
    for path, prob in found.items():
        for t, c in enumerate(path):
            table[t][c] += prob / total
    return table


def best_path(probs, target, blank):
    """Return the most likely path of classes and its probability."""
    found = path_probs(probs, target, blank)
    return max(found.items(), key=lambda item: item[1])


def entropy(probs, target, blank):
    found = path_probs(probs, target, blank)
    total = sum(found.values())
    return -sum(p / total * math.log(p / total) for p in found.values() if p > 0)


def variant_alignments(elements, frames, *, min_frames=1, use_blank=True, optional=False):
    """Yield every alignment of a target with the frames: lists of (symbol, start, end), without blanks.

    elements: tokens, and "*" for a wildcard; ``optional`` wildcards may be omitted. A token lasts min_frames or more
    frames, a wildcard one or more. Two equal tokens, and no others, need a blank between them.
    """

    def lay(rest, start, previous):
        if not rest:
            if start == frames or use_blank or not elements:
                yield []
            return
        symbol, *more = rest
        if symbol == "*" and optional:
            yield from lay(more, start, previous)
        least = 1 if symbol == previous and use_blank else 0
        for begin in range(start + least, frames if use_blank else start + 1):
            for end in range(begin + (1 if symbol == "*" else min_frames), frames + 1):
                for tail in lay(more, end, symbol):
                    yield [(symbol, begin, end), *tail]

    yield from lay(list(elements), 0, None)


def exact_log_softmax(logits):
    """Return a list of frames of fractions, of logits of any size; −∞ is None."""
    frames = []
    for row in logits:
        given = [Fraction(float(x)) for x in row if x != -math.inf]
        top = max(given)
        normalizer = top + Fraction(math.log(sum(_power(x - top) for x in given)))
        frames.append([None if x == -math.inf else Fraction(float(x)) - normalizer for x in row])
    return frames


def exact_posterior(scores, target, blank):
    """Return the loss as a fraction, and {path: probability given the target}, of scores that are fractions or None."""
    sums = {}
    for path in itertools.product(range(len(scores[0])), repeat=len(scores)):
        terms = [row[c] for row, c in zip(scores, path, strict=True)]
        if collapse(path, blank) == tuple(target) and None not in terms:
            sums[path] = sum(terms, Fraction(0))
    if not sums:
        return math.inf, {}
    top = max(sums.values())
    weights = {path: _power(each - top) for path, each in sums.items()}
    total = sum(weights.values())
    return -top - Fraction(math.log(total)), {path: weight / total for path, weight in weights.items()}


def exact_class_occupancy(scores, target, blank):
    """Return the loss, and [t][c]: the probability, given the target, that frame t emits class c."""
    loss, posterior = exact_posterior(scores, target, blank)
    table = [[0.0] * len(row) for row in scores]
    for path, prob in posterior.items():
        for t, c in enumerate(path):
            table[t][c] += prob
    return loss, table


def _power(x):
    """Return e^x of a fraction x ≤ 0."""
    return math.exp(float(max(x, Fraction(-1000))))
