"""The loss in the C++ core: arrays in, arrays out. The arguments have been checked."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

import ctckit._native as _native
from ctckit.kernels.batch import TargetBatch, rows_contiguous

KEPT_FROM = 1 << 18  # bytes; smaller gradients come from the ordinary allocator, which keeps them anyway
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
    """Losses of a batch, and their gradient where asked for.

    Args:
        logits: (B, T, C) of any strides (copied only where the classes of a frame are not contiguous). float32 and
            float64 are computed as they are, float16 in float32; uint16 stands for the bits of bfloat16.
        batch: Checked targets and lengths.
        input_kind: What a row x means: "logits": emissions log-softmax(x), gradient softmax(x) − γ; "scores": emissions
            x, gradient −γ; "log_probs": emissions x, gradient e^x − γ (torch's).
        weights: (B,) what each item's gradient is multiplied by; 1 by default.
        gradient: (B, T, C) of the same type, C-contiguous: written in full, 0 beyond the lengths. None: not computed.
        normalizers: (B, 2, T) float32, or float64 for such logits: maximum and normaliser of each frame, written for
            a later call to use.
        normalized: The normalisers are known from such a call: the logits are read for the gradient only.
        transitions: (B, 7, S) the weights of other chains than plain CTC's, see ``variants.TokenGraphs``; −∞ forbids.
        counts: (B, 7, S) how often, given the target, a path takes each; written.

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
    """What the core calls float16 is an array of 16-bit integers."""
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
    """How the gradient of each item's weighted loss changes as the logits move: the Hessian times ``direction``.

    With s(π) = Σ_t direction_t(π_t), the occupancies change by their covariance with s under p(π | target).

    Args:
        logits: (B, T, C) float32 or float64, as in ``ctc_loss``.
        batch: Checked targets and lengths.
        direction: (B, T, C) of the same type.
        input_kind: As in ``ctc_loss``.
        weights: (B,) what each item's loss is multiplied by.
        transitions: (B, 7, S) as in ``ctc_loss``; held fixed.

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
    """An uninitialised array, of memory that the last large gradient gave back if there is any.

    One buffer is kept from step to step, so that a training loop does not pay for fresh pages each time.
    """
    kind = np.dtype(dtype)
    bytes_needed = int(np.prod(shape)) * kind.itemsize
    if bytes_needed < KEPT_FROM:
        return np.empty(shape, dtype=kind)
    return _native.buffer(bytes_needed).view(kind).reshape(shape)
