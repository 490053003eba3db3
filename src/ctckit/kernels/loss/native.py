"""The loss in the C++ core: arrays in, arrays out. The caller has checked the arguments."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

import ctckit._native as _native
from ctckit.kernels.batch import TargetBatch, rows_contiguous

KEPT_FROM = 1 << 18  # bytes; for smaller gradients the ordinary allocator already reuses memory
InputKind = Literal["logits", "scores", "log_probs"]
INPUT_KINDS: tuple[InputKind, ...] = get_args(InputKind)


def ctc_loss(
    logits: npt.NDArray[Any],
    batch: TargetBatch,
    *,
    input_kind: InputKind,
    weights: npt.NDArray[np.float64] | None = None,
    gradient: npt.NDArray[Any] | None = None,
    normalizers: npt.NDArray[Any] | None = None,
    normalized: bool = False,
    transitions: npt.NDArray[np.float64] | None = None,
    counts: npt.NDArray[np.float64] | None = None,
) -> npt.NDArray[np.float64]:
    """Return the losses of a batch, and write their gradient where there is an array for it.

    Args:
        logits: (B, T, C) of any strides (copied only where the classes of a frame are not contiguous). float32 and
            float64 are computed as they are, float16 in float32; uint16 stands for the bits of bfloat16.
        batch: Checked targets and lengths.
        input_kind: The meaning of a frame x: "logits": emissions log-softmax(x), gradient softmax(x) − γ; "scores":
            emissions x, gradient −γ; "log_probs": emissions x, gradient e^x − γ (as in torch).
        weights: (B,) the factor of each item's gradient; 1 by default.
        gradient: (B, T, C) of the same type, C-contiguous. All entries are written; those beyond the lengths are 0.
            None: the gradient is not computed.
        normalizers: (B, 2, T) float32, or float64 for float64 logits: maximum and normalizer of each frame, written for
            a later call.
        normalized: Whether ``normalizers`` come from an earlier call. The logits are then read for the gradient only.
        transitions: (B, 7, S) the weights of other token graphs than plain CTC's, see ``variants.TokenGraphs``;
            −∞ forbids a transition.
        counts: (B, 7, S), written: the expected number of times that a path of the target takes each transition.

    Returns:
        (B,) float64 −log p(target): +∞ where it cannot be emitted (gradient 0), NaN where a logit within the length is
        NaN or +∞ (gradient NaN).
    """
    logits = rows_contiguous(logits)
    losses = np.empty(len(batch), dtype=np.float64)
    if weights is None:
        weights = np.ones(len(batch))
    _KERNELS[logits.dtype.name](
        _bits(logits),
        batch.targets,
        batch.input_lengths,
        batch.target_lengths,
        batch.blank,
        input_kind,
        weights,
        losses,
        None if gradient is None else _bits(gradient),
        normalizers,
        normalized,
        transitions,
        counts,
    )
    return losses


_KERNELS = {
    "float32": _native.ctc_loss_float32,
    "float64": _native.ctc_loss_float64,
    "float16": _native.ctc_loss_float16,
    "uint16": _native.ctc_loss_bfloat16,
}


def _bits(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return an array as the core takes it: float16 as 16-bit integers."""
    return array.view(np.uint16) if array.dtype == np.float16 else array


def ctc_hvp(
    logits: npt.NDArray[Any],
    batch: TargetBatch,
    direction: npt.NDArray[Any],
    *,
    input_kind: InputKind,
    weights: npt.NDArray[np.float64],
    transitions: npt.NDArray[np.float64] | None = None,
) -> npt.NDArray[Any]:
    """Return the Hessian-vector product of each item's weighted loss with ``direction``.

    This is the derivative of the gradient along ``direction``. With s(π) = Σ_t direction_t(π_t), the derivative of an
    occupancy is its covariance with s under p(π | target).

    Args:
        logits: (B, T, C) float32 or float64, as in ``ctc_loss``.
        batch: Checked targets and lengths.
        direction: (B, T, C) of the same type.
        input_kind: As in ``ctc_loss``.
        weights: (B,) the factor of each item's loss.
        transitions: (B, 7, S) as in ``ctc_loss``; they are constants here.

    Returns:
        (B, T, C) of the same type; 0 beyond the lengths and for targets that cannot be emitted.
    """
    logits = rows_contiguous(logits)
    result = np.empty(logits.shape, dtype=logits.dtype)
    _native.ctc_hvp(
        logits,
        batch.targets,
        batch.input_lengths,
        batch.target_lengths,
        batch.blank,
        input_kind,
        weights,
        np.ascontiguousarray(direction, dtype=logits.dtype),
        result,
        transitions,
    )
    return result


def empty_gradient(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return an uninitialized array, in the memory of the last large gradient if that is free.

    One buffer is kept from step to step, so that a training loop does not need new memory pages for each step.
    """
    kind = np.dtype(dtype)
    bytes_needed = int(np.prod(shape)) * kind.itemsize
    if bytes_needed < KEPT_FROM:
        return np.empty(shape, dtype=kind)
    return _native.buffer(bytes_needed).view(kind).reshape(shape)
