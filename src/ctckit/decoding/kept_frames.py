"""The frames that a stream keeps, to score its texts: in little memory, also where there are thousands of classes.

Of the last frames, all classes are kept. Earlier frames are packed, 16 at a time: the classes that matter in them keep
their log-probabilities, and each other class has the mean of their probabilities. These classes matter:

-   the blank;
-   the tokens that the search was in, in these frames and the 16 after them, if a text of the beam still has them when
    the frames are packed;
-   those that come nearest to the best class of a frame.

So log p of a text is exact, but for paths that emit a token far from where the search found it, in frames in which its
class is not among the best. With up to 256 classes nothing is packed.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ctckit.kernels.search.packed import Block, Frames, PackedFrames, packed
from ctckit.kernels.search.plan import Int32

BLOCK = 16  # frames
KEPT = 160  # classes in a block
RECENT = 128  # of them, the most that are there for texts of the beam
FEW_CLASSES = 256
LATE = 48  # frames; more where these are less than
LATE_NUMBERS = 1 << 18  # log-probabilities


class KeptFrames:
    """The frames of a stream since its last cut.

    Args:
        none: (0, C) frames, of the type to keep.
        first: The number of the first frame.
        blank: The class of the blank.
        packs: Whether to pack frames at all.
    """

    def __init__(self, none: Frames, first: int, blank: int, *, packs: bool = True) -> None:
        classes = none.shape[1]
        self._blank = blank
        self._early: list[Block] = []
        self._rows = none  # the late frames, and room for more
        self._count = 0
        self._first = first  # the number of the first of these frames
        self._recent: list[Int32] = []  # for each of their blocks that is complete: the last tokens of the beam
        self._late = max(LATE, LATE_NUMBERS // classes // BLOCK * BLOCK) if packs and classes > FEW_CLASSES else None

    def __len__(self) -> int:
        return sum(len(each.values) for each in self._early) + self._count

    def __getstate__(self) -> dict[str, Any]:
        """Return all; what later calls change is copied."""
        changing = {"_early": list(self._early), "_recent": list(self._recent)}
        return {**self.__dict__, **changing, "_rows": self._rows[: self._count].copy()}

    def copy(self) -> KeptFrames:
        """Return the same frames; neither changes with the other."""
        return copy.copy(self)

    @property
    def nbytes(self) -> int:
        """The memory that they take."""
        return self._rows.nbytes + sum(each.values.nbytes + each.classes.nbytes for each in self._early)

    @property
    def frames(self) -> PackedFrames:
        """All of them: views, which are valid until the next change."""
        return PackedFrames(tuple(self._early), self._rows[: self._count])

    def last(self, count: int) -> PackedFrames:
        """Return the last frames: views."""
        return self.frames.without(len(self) - count)

    @property
    def room(self) -> int | None:
        """How many frames can be added before a block ends; None: any number."""
        return None if self._late is None else BLOCK - (self._first + self._count) % BLOCK

    def append(self, rows: Frames) -> None:
        """Add frames, at most as many as there is room for."""
        count = self._count + len(rows)
        if count > len(self._rows):
            larger = np.empty((max(count, len(self._rows) * 9 // 8), rows.shape[1]), rows.dtype)
            larger[: self._count] = self._rows[: self._count]
            self._rows = larger
        self._rows[self._count : count] = rows
        self._count = count

    def end_block(self, search: Any) -> None:
        """Pack frames, if there are enough. Where there is room for some frames only, this follows each block of them.

        Args:
            search: The search after these frames.
        """
        if self._late is None:
            return
        self._recent.append(search.recent(BLOCK + 1))
        while self._count - self._first_block >= self._late:
            rows = self._rows[: self._first_block]
            recent = np.intersect1d(np.concatenate(self._recent[:2]), search.recent(self._late + 2 * BLOCK))
            self._early.append(packed(rows, _classes_that_matter(rows, recent, self._blank)))
            self._drop_rows(self._first_block)

    @property
    def _first_block(self) -> int:
        """The number of rows up to the end of the first block."""
        return BLOCK - self._first % BLOCK

    def drop(self, count: int) -> None:
        """Remove the first frames."""
        rest = self.frames.without(count)
        self._early = list(rest.early)
        self._drop_rows(self._count - len(rest.late))
        self._rows = self._rows[: self._count].copy()  # without the room that it had

    def _drop_rows(self, count: int) -> None:
        self._recent = self._recent[(self._first + count) // BLOCK - self._first // BLOCK :]
        self._first += count
        self._rows[: self._count - count] = self._rows[count : self._count]
        self._count -= count


def _classes_that_matter(rows: Frames, recent: Int32, blank: int) -> Int32:
    """Return the classes that a block of these frames keeps, ascending."""
    least_behind = (rows - rows.max(axis=1, keepdims=True)).max(axis=0)
    kept = np.zeros(rows.shape[1], dtype=bool)
    kept[recent[np.argsort(-least_behind[recent], kind="stable")[:RECENT]]] = True
    kept[blank] = True
    others = np.where(kept, -np.inf, least_behind)
    more = min(KEPT, len(kept)) - int(kept.sum())
    kept[np.argpartition(-others, more - 1)[:more]] = True
    return np.flatnonzero(kept).astype(np.int32)
