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
    arrays = [_checks.as_array(each, f"{name}[{b}]") for b, each in enumerate(items)]
    if not arrays:
        raise InvalidInputError(f"{name} has no items; expected at least one.")
    widths = [array.shape[1] for array in arrays if array.ndim == 2]
    arrays = [array.reshape(0, widths[0]) if widths and array.shape == (0,) else array for array in arrays]
    arrays = [_checks.floats(array, f"{name}[{b}]", "(T, C)") for b, array in enumerate(arrays)]
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


def frames_of_items(log_probs: Any, input_lengths: Any) -> tuple[Any, Any]:
    """Return log-probabilities and lengths; a list of (T_b, C) items of different lengths becomes a batch.

    All else is returned as it is. Items are arrays, tensors on the CPU, or lists of frames.

    Raises:
        InvalidInputError: If the items cannot be padded, or a length is above that of its item.

    Example:
        >>> batch, lengths = frames_of_items([[[-0.1, -2.4]], [[-0.1, -2.4], [-0.7, -0.7]]], None)
        >>> batch.shape, lengths.tolist()
        ((2, 2, 2), [1, 2])
    """
    if not _are_items(log_probs):
        return log_probs, input_lengths
    batch, own = pad_frames(log_probs)
    if input_lengths is None:
        return batch, own
    given = _checks.integers(input_lengths, "input_lengths", "(B,)")
    if len(given) == len(own):
        for b in np.flatnonzero(given > own)[:1]:
            raise InvalidInputError(
                f"input_lengths[{b}] is {given[b]}; log_probs[{b}] has T = {own[b]} frames, so it must be in "
                f"0..{own[b]}."
            )
    return batch, given


def _are_items(values: Any) -> bool:
    """Tell whether this is a list of (T, C) items that NumPy cannot join by itself."""
    if not isinstance(values, (list, tuple)) or not any(map(_has_frames, values)):
        return False
    lengths = {len(each) if hasattr(each, "__len__") else -1 for each in values}
    return len(lengths) > 1 or any(hasattr(each, "detach") for each in values)


def _has_frames(item: Any) -> bool:
    if isinstance(item, (list, tuple)):
        return len(item) > 0 and hasattr(item[0], "__len__")
    return getattr(item, "ndim", 0) == 2
