"""The log-probabilities of one item in little memory: all classes of late frames, some classes of early ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ctckit.kernels.search.plan import Int32

Frames = npt.NDArray[Any]


class Block(NamedTuple):
    """Some frames.

    Attributes:
        classes: (k,) int32, ascending: the classes that have numbers of their own.
        values: (n, k + 1) their log-probabilities in n frames, and that of each other class.
    """

    classes: Int32
    values: Frames

    def all_classes(self, classes: int) -> Frames:
        """Return (n, C)."""
        rows = np.repeat(self.values[:, -1:], classes, axis=1)
        rows[:, self.classes] = self.values[:, :-1]
        return rows


@dataclass(frozen=True, eq=False)
class PackedFrames:
    """Frames of an item: blocks of early ones, and then late ones with all classes.

    The implementations of the search take it in place of a (T, C) array, to score texts; ``np.asarray`` makes it one.

    Attributes:
        early: The blocks.
        late: (n, C).
    """

    early: tuple[Block, ...]
    late: Frames

    def __len__(self) -> int:
        return sum(len(each.values) for each in self.early) + len(self.late)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Frames:
        classes = self.late.shape[1]
        whole = np.concatenate([*(each.all_classes(classes) for each in self.early), self.late])
        return whole if dtype is None else whole.astype(dtype)

    def without(self, count: int) -> PackedFrames:
        """Return the frames after the first ``count``: views."""
        rest: list[Block] = []
        for block in self.early:
            here = min(count, len(block.values))
            count -= here
            if here < len(block.values):
                rest.append(block._replace(values=block.values[here:]))
        return PackedFrames(tuple(rest), self.late[count:])

    def first(self, count: int) -> PackedFrames:
        """Return the first ``count`` frames: views."""
        some: list[Block] = []
        for block in self.early:
            here = min(count, len(block.values))
            count -= here
            if here > 0:
                some.append(block._replace(values=block.values[:here]))
        return PackedFrames(tuple(some), self.late[:count])


def packed(rows: Frames, classes: Sequence[int] | Int32) -> Block:
    """Return a block of frames in which these classes have numbers of their own.

    Each other class has the logarithm of the mean of their probabilities, so that the sum of all stays.

    Args:
        rows: (n, C) log-probabilities.
        classes: Ascending.
    """
    chosen = np.asarray(classes, dtype=np.int32)
    others = rows.copy()
    others[:, chosen] = -np.inf
    top = others.max(axis=1)
    top[np.isneginf(top)] = 0
    sums = np.exp(others - top[:, None]).sum(axis=1)
    with np.errstate(divide="ignore"):
        mean = top + np.log(sums / max(1, rows.shape[1] - len(chosen)))
    return Block(chosen, np.ascontiguousarray(np.column_stack([rows[:, chosen], mean.astype(rows.dtype)])))
