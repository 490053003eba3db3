"""The CTC loss for PyTorch: a thin view of the lattice, the log-softmax fused, the gradient computed along with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from ctckit import _checks
from ctckit._checks import TargetBatch
from ctckit.errors import BackendError
from ctckit.kernels import BACKENDS
from ctckit.kernels.native import Rows

Tensor = torch.Tensor


@dataclass(frozen=True, eq=False)
class Reduction:
    """How a batch of losses becomes what the caller asked for.

    Attributes:
        weights: (B,) what each loss counts in the sum, or None to return them one by one.
        zero_impossible: Whether a target that cannot be emitted costs 0 instead of +∞.
        count_possible: Whether ``weights`` are a mean over those that can be emitted; a target found impossible only by
            its masked classes is then taken out of the mean afterwards.
    """

    weights: np.ndarray[Any, np.dtype[np.float64]] | None
    zero_impossible: bool
    count_possible: bool = False


def mean_weights(batch: TargetBatch, counted: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(B,) 1 / (N_b · number counted): the mean over items of each loss per token."""
    return np.asarray(counted / (np.maximum(batch.target_lengths, 1) * max(1, int(counted.sum()))))


def ctc_loss(
    logits: Tensor,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    *,
    blank: int = 0,
    reduction: str = "mean",
    infeasible: str = "inf",
    normalize: bool = True,
    backend: str = "auto",
) -> Tensor:
    r"""Negative log-probability of the targets, summed over all alignments.

    With p_t = softmax(logits[b, t]) and π over the frame-wise class sequences that collapse to the target y:

        loss_b = −log Σ_π Π_t p_t(π_t)            ∂loss_b / ∂logits[b, t, c] = p_t(c) − γ_t(c)

    where γ_t(c) is the probability, given y, that frame t emits c (``Lattice.token_occupancy``).

    Args:
        logits: (B, T, C) network output before the softmax, on the CPU. float32 and float64 are computed as they are,
            float16 and bfloat16 in float32. Log-probabilities pass too: they are their own log-softmax. −∞ masks a
            class.
        targets: (B, N) integers, classes other than the blank, padded; what is beyond the lengths is not read.
        input_lengths: (B,) integers, frames of each item, 0..T. Frames beyond are not read; their gradient is 0.
        target_lengths: (B,) integers, tokens of each item, 0..N.
        blank: The class of the blank.
        reduction: "mean": the mean over items of loss / max(N, 1); "sum"; "none": (B,).
        infeasible: What a target costs that cannot be emitted (T < N + adjacent repeats, or a mask in every path's
            way): "inf": +∞; "zero": 0, and it does not count in the mean; "error": raise. Its gradient is 0 in every
            case.
        normalize: False takes ``logits`` as scores that need not sum to 1; the gradient is then −γ.
        backend: "auto", "native" (the C++ core) or "reference" (float64 NumPy, slow).

    Returns:
        A scalar, or (B,) for "none". NaN for an item with NaN or +∞ within its length (and its gradient), for no other.

    Raises:
        InvalidInputError: On wrong types, ranks, sizes, lengths, classes; before anything is computed.
        InfeasibleTargetError: With ``infeasible="error"``; names the items.

    Example:
        >>> import torch
        >>> logits = torch.zeros(1, 2, 3, requires_grad=True)        # two frames, uniform over 3 classes
        >>> loss = ctc_loss(logits, [[1]], [2], [1])
        >>> loss.exp().item()                                         # aa, a∅ and ∅a: 3 of 9 paths
        3.0
        >>> loss.backward()
        >>> [round(v, 3) for v in logits.grad[0, 0].tolist()]         # softmax − occupancy
        [0.0, -0.333, 0.333]

    Source: Graves et al., Connectionist Temporal Classification, ICML 2006, equations 8 and 16.
    """
    _checks.choice(reduction, "reduction", _checks.REDUCTIONS)
    _checks.choice(infeasible, "infeasible", _checks.INFEASIBLE)
    _checks.backend(backend, BACKENDS)
    logits = as_logits(logits, "logits")
    batch = _checks.target_batch(tuple(logits.shape), targets, input_lengths, target_lengths, blank, name="logits")
    if infeasible == "error":
        _checks.expect_feasible(batch)
    zero = infeasible == "zero"
    weights = None
    if reduction == "sum":
        weights = np.ones(len(batch))
    elif reduction == "mean":
        weights = mean_weights(batch, batch.feasible if zero else np.ones(len(batch)))
    result, losses = batch_loss(
        logits, batch, Reduction(weights, zero, reduction == "mean"), "logits" if normalize else "scores", backend
    )
    if infeasible == "error" and np.isposinf(losses).any():
        raise _checks.impossible_items(np.flatnonzero(np.isposinf(losses)), "logits")
    return result


class CTCLoss(torch.nn.Module):
    """``ctc_loss`` as a module: the same options, batch first.

    Example:
        >>> import torch
        >>> criterion = CTCLoss(infeasible="zero")
        >>> logits = torch.randn(4, 50, 28, requires_grad=True)
        >>> targets = torch.randint(1, 28, (4, 12))
        >>> loss = criterion(logits, targets, torch.full((4,), 50), torch.tensor([12, 10, 7, 0]))
        >>> loss.backward()
    """

    def __init__(
        self, blank: int = 0, reduction: str = "mean", infeasible: str = "inf", normalize: bool = True
    ) -> None:
        super().__init__()
        self.blank = blank
        self.reduction = _checks.choice(reduction, "reduction", _checks.REDUCTIONS)
        self.infeasible = _checks.choice(infeasible, "infeasible", _checks.INFEASIBLE)
        self.normalize = normalize

    def forward(self, logits: Tensor, targets: Any, input_lengths: Any, target_lengths: Any) -> Tensor:
        """See ``ctc_loss``."""
        return ctc_loss(
            logits,
            targets,
            input_lengths,
            target_lengths,
            blank=self.blank,
            reduction=self.reduction,
            infeasible=self.infeasible,
            normalize=self.normalize,
        )

    def extra_repr(self) -> str:
        """What ``repr`` shows."""
        return (
            f"blank={self.blank}, reduction={self.reduction!r}, infeasible={self.infeasible!r}, "
            f"normalize={self.normalize}"
        )


def as_logits(values: Any, name: str) -> Tensor:
    """A CPU tensor that the kernels take: float32 or float64."""
    tensor = torch.as_tensor(values)
    _checks.expect_floating(tensor.is_floating_point(), name, tensor.dtype)
    if tensor.device.type != "cpu":
        raise BackendError(f"{name} is on {tensor.device}; this build computes on the CPU. Pass {name}.cpu().")
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()


def batch_loss(
    logits: Tensor, batch: TargetBatch, reduction: Reduction, rows: Rows, backend: str = "auto"
) -> tuple[Tensor, np.ndarray[Any, np.dtype[np.float64]]]:
    """The reduced loss (differentiable), and the (B,) losses as the kernel gave them."""
    call = _Call(batch, reduction, rows, "native" if backend == "auto" else backend)
    result = _CTCLoss.apply(logits, call)  # type: ignore[no-untyped-call]
    return result, call.losses


class _Call:
    """What one call hands from forward to backward, beside tensors."""

    def __init__(self, batch: TargetBatch, reduction: Reduction, rows: Rows, backend: str) -> None:
        self.batch = batch
        self.reduction = reduction
        self.rows = rows
        self.backend = backend
        self.losses = np.empty(0)
        self.correction = 1.0  # what the weights turned out to be off by

    def run(self, logits: Tensor, gradient: Tensor | None) -> Tensor:
        reduction = self.reduction
        self.losses = BACKENDS[self.backend](
            logits.detach().numpy(),
            self.batch,
            rows=self.rows,
            weights=reduction.weights,
            gradient=None if gradient is None else gradient.numpy(),
        )
        impossible = np.isposinf(self.losses)
        costs = np.where(impossible, 0.0, self.losses) if reduction.zero_impossible else self.losses
        if reduction.weights is None:
            return torch.from_numpy(costs).to(logits.dtype)
        if reduction.zero_impossible and reduction.count_possible:
            expected = np.count_nonzero(reduction.weights)
            self.correction = expected / max(1, int(np.count_nonzero(~impossible)))
        counted = costs[reduction.weights > 0] * reduction.weights[reduction.weights > 0]
        return torch.tensor(counted.sum() * self.correction, dtype=logits.dtype)


class _CTCLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, call: _Call) -> Tensor:
        gradient = torch.empty(logits.shape, dtype=logits.dtype) if ctx.needs_input_grad[0] else None
        result = call.run(logits, gradient)
        ctx.correction = call.correction
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        factor = upstream * ctx.correction
        if bool((factor == 1).all()):  # the reduction's weights are in the gradient already
            return gradient, None
        return gradient * factor.to(gradient.dtype).reshape(-1, 1, 1), None
