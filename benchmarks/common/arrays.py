"""Arrays of NumPy: their type, and padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def padded(items: Sequence[Array], dtype: npt.DTypeLike) -> tuple[Array, Array]:
    """Return arrays of different lengths as one array, (B, longest, …), and their lengths, (B,).

    The padding is 0.
    """
    lengths = np.array([len(item) for item in items])
    batch = np.zeros((len(items), lengths.max(), *items[0].shape[1:]), dtype=dtype)
    for place, item in zip(batch, items, strict=True):
        place[: len(item)] = item
    return batch, lengths
