"""CTC by its definition: each of the Cᵀ paths is listed, collapsed and added up. Shares no line with the package."""

import itertools
import math


def collapse(path, blank):
    """Merge repeats, then drop blanks."""
    merged = [c for c, _ in itertools.groupby(path)]
    return tuple(c for c in merged if c != blank)


def path_probs(probs, target, blank):
    """{path: probability} of all paths that spell the target; probs is a list of rows."""
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
    """[t][c]: the share of the target's probability that passes class c in frame t."""
    found = path_probs(probs, target, blank)
    total = sum(found.values())
    table = [[0.0] * len(row) for row in probs]
    for path, prob in found.items():
        for t, c in enumerate(path):
            table[t][c] += prob / total
    return table


def best_path(probs, target, blank):
    """The likeliest path of classes and its probability."""
    found = path_probs(probs, target, blank)
    return max(found.items(), key=lambda item: item[1])


def entropy(probs, target, blank):
    found = path_probs(probs, target, blank)
    total = sum(found.values())
    return -sum(p / total * math.log(p / total) for p in found.values() if p > 0)
