"""The loss, its gradient and its Hessian-vector product on the CPU: tensors in, tensors out, no autograd.

The loss is computed in one of two ways, chosen by ``reduction`` and type:

    fused      "mean", "sum"; float32, float64: the forward pass computes the weighted gradient too; the backward pass
               passes it on. The logits are read once for their normalizer, the gradient is written once.
    two steps  "none", and half precision: the forward pass keeps the normalizers of the frames (8 bytes each), the
               backward pass computes the gradient with each item's upstream gradient as its weight, in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ctckit import _checks
from ctckit.kernels import runtime
from ctckit.kernels.batch import TargetBatch, check_targets, expect_feasible
from ctckit.kernels.loss import BACKENDS, native
from ctckit.loss.options import Options, loss_dtype

Tensor = torch.Tensor

runtime.share_openmp(Path(torch.__file__).parent / "lib")


def is_fused(logits: Tensor, reduction: str) -> bool:
    """Whether the forward pass computes the gradient as well."""
    return reduction != "none" and logits.dtype in (torch.float32, torch.float64)


def compute_loss(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    transitions: Tensor | None,
    options: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # written out, because torch 2.6 reads it as text
    """Return the reduced loss and what its derivatives need.

    Returns:
        The reduced loss; the weighted gradient of the logits (fused), or empty; the normalizers (two steps), or empty;
        the expected counts of the transitions (fused, if they need a gradient), or empty; (B,) the weight of each item
        in the gradient: 0 where the target cannot be emitted, else positive. The gradient is an output like the loss,
        with a derivative of its own, so that autograd can differentiate twice.
    """
    o = Options.decode(options)
    batch = _batch(logits, targets, input_lengths, target_lengths, transitions, o)
    if o.infeasible == "error" and transitions is None:
        expect_feasible(batch)
    tokens = batch.target_lengths if transitions is None else target_lengths.numpy()
    counted = batch.feasible if o.infeasible == "zero" and transitions is None else np.ones(len(batch), dtype=bool)
    weights = _weights(tokens, counted, o.reduction)
    gradient, normalizers, counts = _outputs(logits, transitions, o)
    losses = BACKENDS["native" if o.backend == "auto" else o.backend](
        _array(logits),
        batch,
        input_kind=o.input_kind,
        weights=weights,
        gradient=_array(gradient) if gradient.numel() else None,
        normalizers=normalizers.numpy() if normalizers.numel() else None,
        transitions=None if transitions is None else transitions.detach().numpy(),
        counts=counts.numpy() if counts.numel() else None,
    )
    impossible = np.isposinf(losses)
    if o.infeasible == "error" and impossible.any():
        raise _checks.impossible_items(np.flatnonzero(impossible), o.name)
    if o.infeasible in ("zero", "counted"):
        losses[impossible] = 0
    if o.reduction == "mean" and o.infeasible == "zero":
        # The kernel finds the targets that only a mask or a variant makes impossible; the others share the mean.
        correction = int((weights > 0).sum()) / max(1, int(((weights > 0) & ~impossible).sum()))
        if correction != 1:
            weights = weights * correction
            gradient.mul_(correction)
    loss = _reduced(losses, weights, o.reduction)
    weights = np.where(impossible, 0.0, weights)
    return loss.to(loss_dtype(logits)), gradient, normalizers, counts, torch.from_numpy(weights)


def compute_gradient(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    transitions: Tensor | None,
    weights: Tensor,
    normalizers: Tensor,
    options: str,
) -> tuple[Tensor, Tensor]:
    """Return the gradient of Σ_b weights_b · loss_b by the logits, and the counts of the transitions (or empty)."""
    o = Options.decode(options)
    batch = _batch(logits, targets, input_lengths, target_lengths, transitions, o)
    gradient = _empty_gradient(logits)
    counts = _counts(transitions, o)
    BACKENDS["native" if o.backend == "auto" else o.backend](
        _array(logits),
        batch,
        input_kind=o.input_kind,
        weights=weights.numpy(),
        gradient=_array(gradient),
        normalizers=normalizers.numpy(),
        normalized=True,
        transitions=None if transitions is None else transitions.detach().numpy(),
        counts=counts.numpy() if counts.numel() else None,
    )
    return gradient, counts


def compute_hvp(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    transitions: Tensor | None,
    weights: Tensor,
    direction: Tensor,
    options: str,
) -> Tensor:
    """Return the Hessian-vector product: the derivative of the gradient along ``direction``, (B, T, C)."""
    o = Options.decode(options)
    batch = _batch(logits, targets, input_lengths, target_lengths, transitions, o)
    kind = loss_dtype(logits)
    result = native.ctc_hvp(
        _array(logits.to(kind)),
        batch,
        _array(direction.to(kind)),
        input_kind=o.input_kind,
        weights=weights.numpy(),
        transitions=None if transitions is None else transitions.detach().numpy(),
    )
    return torch.from_numpy(result).to(logits.dtype)


def _batch(
    logits: Tensor, targets: Any, input_lengths: Any, target_lengths: Any, transitions: Tensor | None, o: Options
) -> TargetBatch:
    """Return the batch. The targets of plain CTC are checked here; token graphs were built from checked targets."""
    if transitions is None:
        targets, input_lengths, target_lengths = map(_readable, (targets, input_lengths, target_lengths))
        return check_targets(tuple(logits.shape), targets, input_lengths, target_lengths, o.blank, name=o.name)
    tokens = targets.numpy()
    return TargetBatch(tokens, input_lengths.numpy(), (tokens >= 0).sum(axis=1), o.blank)  # the padding is −1


def _weights(tokens: npt.NDArray[np.int64], counted: npt.NDArray[np.bool_], reduction: str) -> npt.NDArray[np.float64]:
    """Return (B,) the weight of each item's loss in the result; for "mean" 1 / (N_b · number of counted items)."""
    if reduction != "mean":
        return np.ones(len(tokens))
    return np.asarray(counted / (np.maximum(tokens, 1) * max(1, int(counted.sum()))))


def _outputs(logits: Tensor, transitions: Tensor | None, o: Options) -> tuple[Tensor, Tensor, Tensor]:
    """Return memory for gradient, normalizers and counts; empty tensors for those that are not needed."""
    nothing = torch.empty(0)
    gradient, normalizers, counts = nothing.to(logits.dtype), nothing.to(loss_dtype(logits)), nothing.double()
    if o.differentiated and is_fused(logits, o.reduction):
        gradient, counts = _empty_gradient(logits), _counts(transitions, o)
    elif o.differentiated:
        normalizers = torch.zeros((logits.shape[0], 2, logits.shape[1]), dtype=loss_dtype(logits))
    return gradient, normalizers, counts


def _counts(transitions: Tensor | None, o: Options) -> Tensor:
    """Return (B, 7, S) zeros where the transitions need a gradient, else an empty tensor."""
    return torch.zeros(transitions.shape if transitions is not None and o.counted else (0,), dtype=torch.float64)


def _reduced(losses: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], reduction: str) -> Tensor:
    if reduction == "none":
        return torch.from_numpy(losses)
    some = weights > 0
    return torch.tensor(weights[some] @ losses[some])


def _array(tensor: Tensor) -> npt.NDArray[Any]:
    """Return the same memory as an array; the kernels take the bits of bfloat16 as uint16.

    A view that torch negates when it is read (the imaginary part of a conjugate, for example) is copied.
    """
    tensor = _readable(tensor.detach().resolve_neg())
    return tensor.view(torch.int16).numpy().view(np.uint16) if tensor.dtype == torch.bfloat16 else tensor.numpy()


_is_lazy_clone: Callable[[Tensor], Any] = getattr(torch._C, "_is_cow_tensor", lambda _: False)


def _readable(tensor: Tensor) -> Tensor:
    """Return a tensor that NumPy can share without an effect on others: a lazy clone (copy on write) is copied."""
    return tensor.clone() if _is_lazy_clone(tensor) else tensor


def _empty_gradient(logits: Tensor) -> Tensor:
    if logits.dtype == torch.bfloat16:
        bits = native.empty_gradient(tuple(logits.shape), np.int16)
        return torch.from_numpy(bits).view(torch.bfloat16)
    return torch.from_numpy(native.empty_gradient(tuple(logits.shape), _array(logits).dtype))
