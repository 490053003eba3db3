"""The weights of a decoder: for each half of the items those that read the other half best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from benchmarks.decoding.peers.base import Parameters
from benchmarks.loss.workloads import Array

HALVES = {"even": 0, "odd": 1}  # of the items; a weight tuned on one is used on the other
OTHER = {"even": "odd", "odd": "even"}

Grid = dict[str, tuple[float, ...]]


def combinations(grid: Grid) -> list[Parameters]:
    """All of the grid."""
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def half(items: int, name: str) -> list[int]:
    """The items of a half."""
    return list(range(HALVES[name], items, 2))


def best(errors: Array, sizes: Sequence[int]) -> int:
    """The setting with the least sum of error rates, the first one of equals.

    Args:
        errors: (settings, kinds) edits of tokens and of words.
        sizes: (kinds,) tokens and words of the references.
    """
    return int((errors / np.maximum(sizes, 1)).sum(axis=1).argmin())


def cross_validated(grid: Grid, errors_of: Callable[[Parameters], Array], sizes: Array) -> dict[str, Parameters]:
    """Weights for each half, tuned on the other; every setting reads every item once.

    Args:
        grid: Values of each weight.
        errors_of: (items, kinds) edits with some weights.
        sizes: (items, kinds) sizes of the references.
    """
    settings = combinations(grid)
    errors = np.array([errors_of(each) for each in settings])
    items = len(sizes)
    return {
        name: settings[best(errors[:, half(items, other)].sum(axis=1), sizes[half(items, other)].sum(axis=0))]
        for name, other in OTHER.items()
    }
