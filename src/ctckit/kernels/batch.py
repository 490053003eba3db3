"""``TargetBatch``: the checked targets and lengths that every kernel takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.errors import InfeasibleTargetError, InvalidInputError


@dataclass(frozen=True, eq=False)
class TargetBatch:
    """The checked targets and lengths that every kernel takes.

    Attributes:
        targets: (B, N) int32, C-contiguous, padded; entries beyond the lengths are arbitrary.
        input_lengths: (B,) int64, frames.
        target_lengths: (B,) int64, tokens.
        blank: The class of the blank.
    """

    targets: npt.NDArray[np.int32]
    input_lengths: npt.NDArray[np.int64]
    target_lengths: npt.NDArray[np.int64]
    blank: int

    def __len__(self) -> int:
        return len(self.input_lengths)

    def target(self, item: int) -> npt.NDArray[np.int32]:
        """Return (N_b,) the tokens of one item, without the padding."""
        return self.targets[item, : self.target_lengths[item]]

    @property
    def repeats(self) -> npt.NDArray[np.int64]:
        """(B,) the number of adjacent repeats in each target."""
        same = self.targets[:, 1:] == self.targets[:, :-1]
        inside = np.arange(1, self.targets.shape[1]) < self.target_lengths[:, None]
        return np.asarray((same & inside).sum(axis=1), dtype=np.int64)

    @property
    def feasible(self) -> npt.NDArray[np.bool_]:
        """(B,) whether there are enough frames for the target: T ≥ N + adjacent repeats."""
        return np.asarray(self.input_lengths >= self.target_lengths + self.repeats)


def target_batch(
    shape: tuple[int, ...], targets: Any, input_lengths: Any, target_lengths: Any, blank: Any, *, name: str
) -> TargetBatch:
    """Return targets and lengths, checked against the shape (B, T, C) of the array called ``name``.

    Raises:
        InvalidInputError: On the first error, with its position.
    """
    _checks.expect_rank(shape, name, "(B, T, C)")
    blank = _checks.class_index(blank, "blank", shape[2])
    return check_targets(shape, targets, input_lengths, target_lengths, blank, name=name)


def check_targets(
    shape: tuple[int, ...], targets: Any, input_lengths: Any, target_lengths: Any, blank: int, *, name: str
) -> TargetBatch:
    """Return the same as ``target_batch``, for a rank and a blank that have been checked."""
    items, frames, classes = shape
    _checks.expect_batch_first(shape, input_lengths, name)
    array = _checks.as_array(targets, "targets")
    array = _checks.integers(array, "targets", "(Σ N_b,)" if array.ndim == 1 else "(B, N)")
    if array.ndim == 1:
        array = _checks.padded(array, target_lengths, items)
    if len(array) != items:
        raise InvalidInputError(f"targets has shape {array.shape}; expected (B, N) with B = {items}, as in {name}.")
    input_lengths = _checks.lengths(input_lengths, "input_lengths", items, frames, f"{name} has T = {frames} frames")
    tokens = array.shape[1]
    target_lengths = _checks.lengths(
        target_lengths, "target_lengths", items, tokens, f"targets has N = {tokens} columns"
    )
    _checks.expect_classes(array, target_lengths, classes, blank)
    return TargetBatch(np.ascontiguousarray(array, dtype=np.int32), input_lengths, target_lengths, blank)


def expect_feasible(batch: TargetBatch) -> None:
    """Check that every item has enough frames for its target.

    Raises:
        InfeasibleTargetError: If not; it names these items with T, N and repeats.
    """
    bad = np.flatnonzero(~batch.feasible)
    if not bad.size:
        return
    repeats = batch.repeats
    lines = [
        f"targets[{b}] cannot be emitted: {batch.target_lengths[b]} tokens with {repeats[b]} adjacent repeats need "
        f"{batch.target_lengths[b] + repeats[b]} frames, input_lengths[{b}] is {batch.input_lengths[b]}."
        for b in bad[: _checks.MOST_NAMED]
    ]
    if bad.size > _checks.MOST_NAMED:
        lines.append(f"… and {bad.size - _checks.MOST_NAMED} more of {len(batch)} items: {bad.tolist()}.")
    raise InfeasibleTargetError("\n".join(lines), tuple(int(b) for b in bad))


def rows_contiguous(logits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return an array whose last axis is contiguous; a copy only where that of ``logits`` is not."""
    whole = all(stride % logits.itemsize == 0 for stride in logits.strides)
    if whole and (logits.strides[-1] == logits.itemsize or logits.shape[-1] <= 1):
        return logits
    return np.ascontiguousarray(logits)


def single_or_double(log_probs: npt.NDArray[Any]) -> npt.NDArray[np.float32] | npt.NDArray[np.float64]:
    """Return float32 or float64 log-probabilities whose last axis is contiguous; a copy only where necessary."""
    kept = log_probs.dtype in (np.float32, np.float64)
    return rows_contiguous(log_probs if kept else np.asarray(log_probs, dtype=np.float32))


def single(log_probs: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return float32 log-probabilities whose last axis is contiguous; a copy only where necessary."""
    result = np.asarray(log_probs, dtype=np.float32)
    contiguous = result.strides[-1] == result.itemsize or result.shape[-1] <= 1
    return result if contiguous else np.ascontiguousarray(result)
