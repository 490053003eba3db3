"""Weights are tuned for each half of the items: those that are best on the other half."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from benchmarks.common.arrays import Array
from benchmarks.decoding.peers.base import Parameters

HALVES = {"even": 0, "odd": 1}  # of the items; a weight tuned on one is used on the other
OTHER = {"even": "odd", "odd": "even"}

Grid = dict[str, tuple[float, ...]]


def combinations(grid: Grid) -> list[Parameters]:
    """Return all combinations of values."""
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def half(items: int, name: str) -> list[int]:
    """Return the items of a half."""
    return list(range(HALVES[name], items, 2))


def best(errors: Array, sizes: Sequence[int]) -> int:
    """Return the setting with the smallest sum of error rates; the first of equal ones.

    Args:
        errors: (settings, kinds) edits of tokens and of words.
        sizes: (kinds,) tokens and words of the references.
    """
    return int((errors / np.maximum(sizes, 1)).sum(axis=1).argmin())


def cross_validated(grid: Grid, errors_of: Callable[[Parameters], Array], sizes: Array) -> dict[str, Parameters]:
    """Return the weights for each half, tuned on the other. Every setting decodes every item once.

    Args:
        grid: Values of each weight.
        errors_of: Returns the edits with some weights, (items, kinds).
        sizes: Sizes of the references, (items, kinds).
    """
    settings = combinations(grid)
    errors = np.array([errors_of(each) for each in settings])
    items = len(sizes)
    return {
        name: settings[best(errors[:, half(items, other)].sum(axis=1), sizes[half(items, other)].sum(axis=0))]
        for name, other in OTHER.items()
    }
