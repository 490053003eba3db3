"""The CTC loss for PyTorch: a thin view of the lattice, the log-softmax fused, the gradient computed along with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from ctckit import _checks
from ctckit._checks import TargetBatch
from ctckit.kernels import BACKENDS, native

Tensor = torch.Tensor

native.share_openmp(Path(torch.__file__).parent / "lib")


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
    rows: native.Rows = "logits" if normalize else "scores"
    return reduced_loss(
        logits, (targets, input_lengths, target_lengths), blank, reduction, infeasible, rows, backend=backend
    )


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
    if not isinstance(values, Tensor):
        array = _checks.as_array(values, name)
        _checks.expect_floating(array.dtype.kind == "f", name, array.dtype)
        values = torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C"))
    tensor: Tensor = values
    _checks.expect_floating(tensor.is_floating_point(), name, tensor.dtype)
    _checks.expect_cpu(tensor.device, name)
    _checks.expect_strided(tensor.layout == torch.strided, name, tensor.layout)
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()


def reduced_loss(
    logits: Tensor,
    target_arguments: tuple[Any, Any, Any],
    blank: int,
    reduction: str,
    infeasible: str,
    rows: native.Rows,
    *,
    backend: str = "auto",
    name: str = "logits",
) -> Tensor:
    """The loss of a batch through the operator below: what ``ctc_loss`` and ``compat.torch.ctc_loss`` share.

    Args:
        logits: (B, T, C) float32 or float64, on the CPU.
        target_arguments: targets, input_lengths, target_lengths.
        blank: The class of the blank.
        reduction: "mean", "sum", "none".
        infeasible: "inf", "zero", "error", or "counted": 0, but counted by the mean.
        rows: What a row of logits means, see ``kernels.native.ctc_loss``.
        backend: Which kernel.
        name: What the caller calls ``logits``, for messages.
    """
    _checks.expect_rank(tuple(logits.shape), name, "(B, T, C)")
    blank = _checks.class_index(blank, "blank", logits.shape[2])
    expected = (("targets", "(B, N)"), ("input_lengths", "(B,)"), ("target_lengths", "(B,)"))
    integers = (_as_integers(each, *which) for each, which in zip(target_arguments, expected, strict=True))
    with_gradient = logits.requires_grad and torch.is_grad_enabled()
    # Compiled code wants the operator bare, torch.func a Function; both have the same derivative.
    operator: Callable[..., Any] = _operator if torch.compiler.is_compiling() else _Function.apply
    loss, _, _ = operator(logits, *integers, blank, reduction, infeasible, rows, backend, name, with_gradient)
    return cast(Tensor, loss)


def _as_integers(values: Any, name: str, shape: str) -> Tensor:
    """A CPU tensor for the operator; what else may be wrong with it is said by the checks inside."""
    if isinstance(values, Tensor):
        _checks.expect_cpu(values.device, name)
        return values
    return torch.from_numpy(_checks.integers(values, name, shape).astype(np.int64))


def _compute(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    blank: int,
    reduction: str,
    infeasible: str,
    rows: str,
    backend: str,
    name: str,
    with_gradient: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """The reduced loss, its gradient with respect to the logits (an empty tensor where not asked for), the weights.

    The gradient is an output like the loss, with a derivative of its own, so that autograd can differentiate twice.
    Checks and kernel are one opaque operator, so that ``torch.compile(fullgraph=True)`` has nothing to look into.
    """
    batch = _checks.target_batch(tuple(logits.shape), targets, input_lengths, target_lengths, blank, name=name)
    if infeasible == "error":
        _checks.expect_feasible(batch)
    weights = _weights(batch, reduction, infeasible)
    values = logits.detach().numpy()
    gradient = torch.from_numpy(native.empty_gradient(values.shape if with_gradient else (0,), values.dtype))
    losses = BACKENDS["native" if backend == "auto" else backend](
        values, batch, rows=rows, weights=weights, gradient=gradient.numpy() if with_gradient else None
    )
    impossible = np.isposinf(losses)
    if infeasible == "error" and impossible.any():
        raise _checks.impossible_items(np.flatnonzero(impossible), name)
    if infeasible in ("zero", "counted"):
        losses[impossible] = 0
    if reduction == "none":
        return torch.from_numpy(losses).to(logits.dtype), gradient, torch.from_numpy(weights)
    if reduction == "mean" and infeasible == "zero":
        # Targets that only a mask makes impossible are found by the kernel: the others share the mean without them.
        correction = int((weights > 0).sum()) / max(1, int(((weights > 0) & ~impossible).sum()))
        if correction != 1:
            weights = weights * correction
            gradient.mul_(correction)
    counted = weights > 0
    loss = torch.tensor(weights[counted] @ losses[counted], dtype=logits.dtype)
    return loss, gradient, torch.from_numpy(weights)


_operator = torch.library.custom_op("ctckit::ctc_loss", _compute, mutates_args=())


def _weights(batch: TargetBatch, reduction: str, infeasible: str) -> npt.NDArray[np.float64]:
    """(B,) what each item's loss counts in the result; for "mean" 1 / (N_b · number counted)."""
    counted = np.ones(len(batch))
    if reduction != "mean":
        return counted
    if infeasible == "zero":
        counted = batch.feasible.astype(np.float64)
    return np.asarray(counted / (np.maximum(batch.target_lengths, 1) * max(1, int(counted.sum()))))


@_operator.register_fake
def _(logits: Tensor, targets: Tensor, *options: Any) -> tuple[Tensor, Tensor, Tensor]:
    reduction, with_gradient = options[3], options[-1]
    loss = logits.new_empty(logits.shape[:1] if reduction == "none" else ())
    gradient = torch.empty(logits.shape if with_gradient else (0,), dtype=logits.dtype, device=logits.device)
    return loss, gradient, logits.new_empty(logits.shape[:1], dtype=torch.float64)


@torch.library.custom_op("ctckit::ctc_curvature", mutates_args=())
def _curvature(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    weights: Tensor,
    direction: Tensor,
    blank: int,
    rows: str,
    name: str,
) -> Tensor:
    """The derivative of the operator's gradient along ``direction``, (B, T, C)."""
    batch = _checks.target_batch(tuple(logits.shape), targets, input_lengths, target_lengths, blank, name=name)
    result = native.ctc_curvature(logits.numpy(), batch, direction.numpy(), rows=rows, weights=weights.numpy())  # type: ignore[arg-type]
    return torch.from_numpy(result)


@_curvature.register_fake
def _(logits: Tensor, *_: Any) -> Tensor:
    return torch.empty(logits.shape, dtype=logits.dtype, device=logits.device)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    logits, targets, input_lengths, target_lengths, blank, _, _, rows, _, name, _ = inputs
    _, gradient, weights = output
    ctx.save_for_backward(logits, targets, input_lengths, target_lengths, weights, gradient)
    ctx.options = blank, rows, name
    ctx.set_materialize_grads(False)


def _backward(
    ctx: Any, upstream: Tensor | None, gradient_upstream: Tensor | None, _: Tensor | None
) -> tuple[Tensor | None, ...]:
    *problem, gradient = ctx.saved_tensors
    result = None
    if upstream is not None:
        result = gradient * upstream.to(gradient.dtype).reshape(-1, 1, 1)
    if gradient_upstream is not None:
        second = _curvature(*problem, gradient_upstream, *ctx.options)
        result = second if result is None else result + second
    return result, *(None,) * 10


_operator.register_autograd(_backward, setup_context=_remember)


class _Function(torch.autograd.Function):
    """The operator where nothing is compiled: torch.func sees through it, and a gradient of weight 1 is not copied."""

    @staticmethod
    def forward(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
        return _compute(*arguments)

    setup_context = staticmethod(_remember)

    @staticmethod
    def backward(
        ctx: Any, upstream: Tensor | None, gradient_upstream: Tensor | None, _: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        gradient = ctx.saved_tensors[-1]
        if upstream is not None and gradient_upstream is None and bool((upstream == 1).all()):
            # The weights of the reduction are in it already. What will be asked for again must not be given away.
            return gradient.clone() if _graph_is_kept() else gradient, *(None,) * 10
        if upstream is not None and upstream.ndim and not bool(upstream.isfinite().all()):
            # Such as of the square of an infinite loss: what cannot be emitted pulls nowhere all the same.
            upstream = torch.where(gradient.flatten(1).any(dim=1), upstream, 0)
        return _backward(ctx, upstream, gradient_upstream, None)


def _graph_is_kept() -> bool:
    """Whether the backward pass that is running may be run again (retain_graph); True where torch does not tell."""
    tell = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", None)
    return True if tell is None else bool(tell())
