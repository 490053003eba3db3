"""``BatchFunction``: a batch of columns in, the same batch with more columns out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ctckit.bulk.pipeline import Work, rows_of
from ctckit.bulk.rows import Row
from ctckit.distributed.threads import start_for_good
from ctckit.errors import InvalidInputError

Batch = Mapping[str, Any]
"""Columns by name, of one length: a dictionary of NumPy arrays, or a DataFrame of pandas."""


class BatchFunction(ABC):
    """A function of batches. Its models are loaded at the first batch, in the process that has it.

    It can be pickled. A pickle has the arguments, not the models that were loaded.

    Args:
        columns: The columns that it adds, with the types of their values; ``float`` becomes a column of float64, where
            NaN stands for nothing, all else one of objects, where None does.
        threads: How many threads compute in this process.
    """

    _consumed: ClassVar[frozenset[str]] = frozenset()
    """The columns that are not in the result: they are large."""

    def __init__(self, columns: Mapping[str, Any], threads: int) -> None:
        self._columns = {"error": dict, **columns}
        self._threads = threads

    def __call__(self, batch: Batch) -> dict[str, npt.NDArray[Any]]:
        """Return the columns of a batch and those that were found.

        Raises:
            InvalidInputError: If a column is missing.
        """
        names, given = self._inputs(batch)
        at_once = self._work.at_once
        parts = [slice(start, start + at_once) for start in range(0, len(names), at_once)]
        rows = [row for part in parts for row in rows_of(self._work, names[part], given[part])]
        kept = {name: np.asarray(values) for name, values in batch.items() if name not in self._consumed}
        return {**kept, **{name: _column(rows, name, kind) for name, kind in self._columns.items()}}

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_work"}

    @cached_property
    def _work(self) -> Work:
        return start_for_good(self._start, self._threads)

    @abstractmethod
    def _start(self) -> Work:
        """Load the models."""

    @abstractmethod
    def _inputs(self, batch: Batch) -> tuple[Sequence[str], Sequence[Any]]:
        """Return what errors call the inputs, and what the work loads."""


def column(batch: Batch, *names: str) -> tuple[str, list[Any]]:
    """Return the first of these columns that a batch has: its name and its values.

    Raises:
        InvalidInputError: If it has none of them.
    """
    for name in names:
        if name in batch:
            return name, list(batch[name])
    raise InvalidInputError(f"the batch has the columns {', '.join(batch)}; expected one named {' or '.join(names)}.")


def numbered(name: str, values: Sequence[Any]) -> list[str]:
    """Return what errors call the values of a column: paths by themselves, all others by their places."""
    return [str(each) if name == "path" else f"{name}[{n}]" for n, each in enumerate(values)]


def _column(rows: Iterable[Row], name: str, kind: Any) -> npt.NDArray[Any]:
    values = [row.error if name == "error" else row.found.get(name) for row in rows]
    if kind is float:
        return np.array([np.nan if each is None else each for each in values], dtype=np.float64)
    filled = np.empty(len(values), dtype=object)
    for n, each in enumerate(values):  # an assignment of all would make an array of lists of one length
        filled[n] = each
    return filled
