"""Items of different lengths as one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.errors import InvalidInputError


def pad_frames(items: Sequence[Any], name: str = "log_probs") -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Return a (B, T, C) batch and its (B,) lengths from B arrays (T_b, C); frames beyond the lengths are 0.

    Raises:
        InvalidInputError: If an item does not have two axes, or the numbers of classes differ.

    Example:
        >>> batch, lengths = pad_frames([np.zeros((3, 2)), np.zeros((5, 2))])
        >>> batch.shape, lengths.tolist()
        ((2, 5, 2), [3, 5])
    """
    arrays = [
        _checks.floats(_checks.as_array(each, f"{name}[{b}]"), f"{name}[{b}]", "(T, C)") for b, each in enumerate(items)
    ]
    if not arrays:
        raise InvalidInputError(f"{name} has no items; expected at least one.")
    classes = arrays[0].shape[1]
    for b, array in enumerate(arrays):
        if array.shape[1] != classes:
            raise InvalidInputError(
                f"{name}[{b}] has C = {array.shape[1]} classes and {name}[0] has {classes}; expected as many in each."
            )
    lengths = np.array([len(array) for array in arrays], dtype=np.int64)
    batch = np.zeros((len(arrays), int(lengths.max()), classes), dtype=np.result_type(*arrays))
    for item, array in zip(batch, arrays, strict=True):
        item[: len(array)] = array
    return batch, lengths
