"""The loss as operators of PyTorch: checks and kernel in one opaque call, every derivative registered.

Two ways, chosen by ``reduction`` and type:

    fused      "mean", "sum"; float32, float64: the forward pass computes the gradient too, weighted; the backward pass
               hands it over. The logits are read once for their normaliser and the gradient is written once.
    two steps  "none", and half precision: the forward pass keeps the normalisers of the frames (8 bytes each), the
               backward pass computes the gradient with each item's upstream gradient as its weight, in float32.

Each operator exists twice with the same derivative: compiled code wants it bare, torch.func as a Function. torch.func
inside of compiled code is what torch refuses, as it refuses second derivatives of what it compiled.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from ctckit import _checks
from ctckit.errors import CTCKitError
from ctckit.kernels import runtime
from ctckit.kernels.batch import TargetBatch, expect_feasible, target_batch
from ctckit.kernels.loss import BACKENDS, native
from ctckit.loss.options import Options

Tensor = torch.Tensor

runtime.share_openmp(Path(torch.__file__).parent / "lib")


@dataclass(frozen=True)
class Operators:
    """What a derivative is computed with: the bare operators, or the Functions around them."""

    gradient: Callable[..., Any]
    hvp: Callable[..., Any]


def apply(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    transitions: Tensor | None,
    options: Options,
) -> Tensor:
    """The reduced loss of a batch.

    Args:
        logits: (B, T, C) on the CPU: float16, bfloat16, float32 or float64.
        targets: (B, N) integers, not yet checked; so are the lengths. With ``transitions`` the tokens of the chains.
        input_lengths: (B,).
        target_lengths: (B,) tokens of the targets, which the mean divides by, whatever the chains make of them.
        transitions: (B, 7, S) float64, the weights of other chains than plain CTC's (``variants.TokenGraphs``), or
            None.
        options: Everything else.
    """
    differentiated = torch.is_grad_enabled() and (
        logits.requires_grad or (transitions is not None and transitions.requires_grad)
    )
    o = options
    operator: Callable[..., Any] = _EagerLoss.apply
    if torch.compiler.is_compiling():
        operator = _operator
    elif is_transformed():
        operator = _Loss.apply
    flags = (o.blank, o.reduction, o.infeasible, o.input_kind, o.backend, o.name, differentiated)
    return cast(Tensor, operator(logits, targets, input_lengths, target_lengths, transitions, *flags)[0])


def _is_fused(logits: Tensor, reduction: str) -> bool:
    return reduction != "none" and logits.dtype in (torch.float32, torch.float64)


def _loss_dtype(logits: Tensor) -> torch.dtype:
    """Half precision is computed, and its loss returned, in float32."""
    return torch.float64 if logits.dtype == torch.float64 else torch.float32


def _array(tensor: Tensor) -> npt.NDArray[Any]:
    """The same memory for the kernels, which take the bits of bfloat16 as uint16.

    Only a view that torch negates when it is read, the imaginary part of a conjugate say, is written out.
    """
    tensor = tensor.detach().resolve_neg()
    return tensor.view(torch.int16).numpy().view(np.uint16) if tensor.dtype == torch.bfloat16 else tensor.numpy()


def _empty_gradient(logits: Tensor) -> Tensor:
    if logits.dtype == torch.bfloat16:
        bits = native.empty_gradient(tuple(logits.shape), np.int16)
        return torch.from_numpy(bits).view(torch.bfloat16)
    return torch.from_numpy(native.empty_gradient(tuple(logits.shape), _array(logits).dtype))


def _compute(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    transitions: Tensor | None,
    blank: int,
    reduction: str,
    infeasible: str,
    input_kind: str,
    backend: str,
    name: str,
    differentiated: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The reduced loss; its weighted gradients (fused) or the normalizers; the weights of the items.

    The weights are what each item's gradient counts: 0 for what cannot be emitted, positive for all others.
    What is not asked for is an empty tensor. The gradient is an output like the loss, with a derivative of its own, so
    that autograd can differentiate twice.
    """
    batch = _batch(logits, targets, input_lengths, target_lengths, blank, name, transitions)
    if infeasible == "error" and transitions is None:
        expect_feasible(batch)
    tokens = batch.target_lengths if transitions is None else target_lengths.numpy()
    counted = batch.feasible if infeasible == "zero" and transitions is None else np.ones(len(batch), dtype=bool)
    weights = _weights(tokens, counted, reduction)
    fused = _is_fused(logits, reduction)
    values = _array(logits)
    nothing = torch.empty(0)
    gradient, normalizers, counts = nothing.to(logits.dtype), nothing.to(_loss_dtype(logits)), nothing.double()
    if differentiated and fused:
        gradient = _empty_gradient(logits)
        counts = (
            nothing.double()
            if transitions is None or not transitions.requires_grad
            else torch.zeros(transitions.shape).double()
        )
    elif differentiated:
        normalizers = torch.zeros((values.shape[0], 2, values.shape[1]), dtype=_loss_dtype(logits))
    losses = BACKENDS["native" if backend == "auto" else backend](
        values,
        batch,
        input_kind=input_kind,
        weights=weights,
        gradient=_array(gradient) if gradient.numel() else None,
        normalizers=normalizers.numpy() if normalizers.numel() else None,
        transitions=None if transitions is None else transitions.detach().numpy(),
        counts=counts.numpy() if counts.numel() else None,
    )
    impossible = np.isposinf(losses)
    if infeasible == "error" and impossible.any():
        raise _checks.impossible_items(np.flatnonzero(impossible), name)
    if infeasible in ("zero", "counted"):
        losses[impossible] = 0
    if reduction == "mean" and infeasible == "zero":
        # Targets that only a mask or a variant makes impossible are found by the kernel: the others share the mean.
        correction = int((weights > 0).sum()) / max(1, int(((weights > 0) & ~impossible).sum()))
        if correction != 1:
            weights = weights * correction
            gradient.mul_(correction)
    if reduction == "none":
        loss = torch.from_numpy(losses)
    else:
        some = weights > 0
        loss = torch.tensor(weights[some] @ losses[some])
    weights = np.where(impossible, 0.0, weights)
    return loss.to(_loss_dtype(logits)), gradient, normalizers, counts, torch.from_numpy(weights)


def _batch(
    logits: Tensor,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int,
    name: str,
    transitions: Tensor | None,
) -> TargetBatch:
    """Checked here for plain CTC; chains were built from checked targets, and are as long as their tokens are ≥ 0."""
    if transitions is None:
        return target_batch(tuple(logits.shape), targets, input_lengths, target_lengths, blank, name=name)
    tokens = targets.numpy()
    return TargetBatch(tokens, input_lengths.numpy(), (tokens >= 0).sum(axis=1), blank)


def _weights(tokens: npt.NDArray[np.int64], counted: npt.NDArray[np.bool_], reduction: str) -> npt.NDArray[np.float64]:
    """(B,) what each item's loss counts in the result; for "mean" 1 / (N_b · number counted)."""
    if reduction != "mean":
        return np.ones(len(tokens))
    return np.asarray(counted / (np.maximum(tokens, 1) * max(1, int(counted.sum()))))


_operator = torch.library.custom_op("ctckit::ctc_loss", _compute, mutates_args=())


@_operator.register_fake
def _(
    logits: Tensor, targets: Tensor, il: Tensor, tl: Tensor, transitions: Tensor | None, *options: Any
) -> tuple[Tensor, ...]:
    reduction, differentiated = options[1], options[-1]
    fused, kind = _is_fused(logits, reduction), _loss_dtype(logits)
    loss = logits.new_empty(logits.shape[:1] if reduction == "none" else (), dtype=kind)
    gradient = torch.empty(logits.shape if differentiated and fused else (0,), dtype=logits.dtype, device=logits.device)
    frames = (logits.shape[0], 2, logits.shape[1])
    normalizers = logits.new_empty(frames if differentiated and not fused else (0,), dtype=kind)
    counted = differentiated and fused and transitions is not None and transitions.requires_grad
    counts = logits.new_empty(transitions.shape if counted and transitions is not None else (0,), dtype=torch.float64)
    return loss, gradient, normalizers, counts, logits.new_empty(logits.shape[:1], dtype=torch.float64)


def _compute_gradient(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    transitions: Tensor | None,
    weights: Tensor,
    normalizers: Tensor,
    blank: int,
    input_kind: str,
    backend: str,
    name: str,
) -> tuple[Tensor, Tensor]:
    """The gradient of Σ_b weights_b · loss_b by the logits, and by the transitions (empty if they need none)."""
    batch = _batch(logits, targets, input_lengths, target_lengths, blank, name, transitions)
    gradient = _empty_gradient(logits)
    counted = transitions is not None and transitions.requires_grad
    counts = torch.zeros(transitions.shape if transitions is not None and counted else (0,), dtype=torch.float64)
    BACKENDS["native" if backend == "auto" else backend](
        _array(logits),
        batch,
        input_kind=input_kind,
        weights=weights.numpy(),
        gradient=_array(gradient),
        normalizers=normalizers.numpy(),
        normalized=True,
        transitions=None if transitions is None else transitions.detach().numpy(),
        counts=counts.numpy() if counted else None,
    )
    return gradient, counts


_gradient_operator = torch.library.custom_op("ctckit::ctc_gradient", _compute_gradient, mutates_args=())


@_gradient_operator.register_fake
def _(
    logits: Tensor, targets: Tensor, il: Tensor, tl: Tensor, transitions: Tensor | None, *_: Any
) -> tuple[Tensor, Tensor]:
    counted = transitions is not None and transitions.requires_grad
    counts = logits.new_empty(transitions.shape if transitions is not None and counted else (0,), dtype=torch.float64)
    return torch.empty(logits.shape, dtype=logits.dtype, device=logits.device), counts


def _compute_hvp(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    transitions: Tensor | None,
    weights: Tensor,
    direction: Tensor,
    blank: int,
    input_kind: str,
    name: str,
) -> Tensor:
    """The derivative of the gradient along ``direction``, (B, T, C)."""
    batch = _batch(logits, targets, input_lengths, target_lengths, blank, name, transitions)
    kind = _loss_dtype(logits)
    result = native.ctc_hvp(
        _array(logits.to(kind)),
        batch,
        _array(direction.to(kind)),
        input_kind=input_kind,  # type: ignore[arg-type]
        weights=weights.numpy(),
        transitions=None if transitions is None else transitions.detach().numpy(),
    )
    return torch.from_numpy(result).to(logits.dtype)


_hvp_operator = torch.library.custom_op("ctckit::ctc_hvp", _compute_hvp, mutates_args=())


@_hvp_operator.register_fake
def _(logits: Tensor, *_: Any) -> Tensor:
    return torch.empty(logits.shape, dtype=logits.dtype, device=logits.device)


# --- how it bends -----------------------------------------------------------------------------------------------------


def _third_derivative(ctx: Any, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    raise CTCKitError("Third derivatives of the loss are not there. Differentiate at most twice.")


def _remember_nothing(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    """What cannot be differentiated has nothing to remember."""


_hvp_operator.register_autograd(_third_derivative, setup_context=_remember_nothing)


class _HVP(torch.autograd.Function):
    """The operator where nothing is compiled: torch.func sees through it."""

    @staticmethod
    def forward(*arguments: Any) -> Tensor:
        return _compute_hvp(*arguments)

    setup_context = staticmethod(_remember_nothing)
    backward = staticmethod(_third_derivative)


# --- its gradient -----------------------------------------------------------------------------------------------------


def _remember_gradient(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    *problem, weights, normalizers, blank, input_kind, backend, name = inputs
    ctx.save_for_backward(*problem, weights, normalizers)
    ctx.options = blank, input_kind, backend, name
    ctx.set_materialize_grads(False)


def _gradient_backward(
    ctx: Any, operators: Operators, direction: Tensor | None, _: Tensor | None
) -> tuple[Tensor | None, ...]:
    *problem, weights, normalizers = ctx.saved_tensors
    blank, input_kind, backend, name = ctx.options
    of_logits = of_weights = None
    if direction is not None:
        of_logits = _second(operators, tuple(problem), weights, direction, (blank, input_kind, name))
        ones = torch.ones_like(weights)
        unit, _ = operators.gradient(*problem, ones, normalizers, blank, input_kind, backend, name)
        of_weights = (unit.double() * direction.double()).sum(dim=(1, 2))
    return of_logits, None, None, None, None, of_weights, *(None,) * 5


def _second(
    operators: Operators, problem: tuple[Any, ...], weights: Tensor, direction: Tensor, options: tuple[Any, ...]
) -> Tensor:
    transitions = problem[4]
    if transitions is not None and transitions.requires_grad:
        raise CTCKitError("Second derivatives are not there for arrow weights that want a gradient. Detach them.")
    return cast(Tensor, operators.hvp(*problem, weights, direction, *options))


_gradient_operator.register_autograd(
    lambda ctx, *upstreams: _gradient_backward(ctx, _BARE, *upstreams), setup_context=_remember_gradient
)


class _Gradient(torch.autograd.Function):
    """The same, where nothing is compiled."""

    @staticmethod
    def forward(*arguments: Any) -> tuple[Tensor, Tensor]:
        return _compute_gradient(*arguments)

    setup_context = staticmethod(_remember_gradient)

    @staticmethod
    def backward(ctx: Any, *upstreams: Tensor | None) -> tuple[Tensor | None, ...]:
        return _gradient_backward(ctx, _FUNCTIONS, *upstreams)


# --- the loss ---------------------------------------------------------------------------------------------------------


def _remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    *problem, blank, reduction, _, input_kind, backend, name, _ = inputs
    _, gradient, normalizers, counts, weights = output
    ctx.save_for_backward(*problem, gradient, normalizers, counts, weights)
    ctx.options = blank, input_kind, backend, name
    ctx.fused = _is_fused(inputs[0], reduction)
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, operators: Operators, *upstreams: Tensor | None) -> tuple[Tensor | None, ...]:
    """The derivative by logits and transitions."""
    *problem, gradient, normalizers, counts, weights = ctx.saved_tensors
    upstream, direction = upstreams[:2]
    blank, input_kind, backend, name = ctx.options
    of_logits = of_transitions = None
    if upstream is not None:
        each = torch.where(weights > 0, weights * upstream, 0)  # 0 · ∞ is NaN, but what is impossible pulls nowhere
        if ctx.fused:
            of_logits = gradient * _factors(upstream, gradient, problem[2], weights)
        else:
            of_logits, counts = operators.gradient(*problem, each, normalizers, blank, input_kind, backend, name)
        of_transitions = -counts * each.reshape(-1, 1, 1) if counts.numel() else None
    if direction is not None and ctx.fused:
        second = _second(operators, tuple(problem), weights, direction, (blank, input_kind, name))
        of_logits = second if of_logits is None else of_logits + second
    return (of_logits, None, None, None, of_transitions, *(None,) * 7)


def _factors(upstream: Tensor, gradient: Tensor, input_lengths: Tensor, weights: Tensor) -> Tensor:
    """(B, T, 1) what a fused gradient is multiplied by: ``upstream``, but 0 where the gradient is 0 by definition.

    That is in the padding and in items that cannot be emitted: an upstream of NaN or ∞ would make NaN of their 0.
    """
    read = torch.arange(gradient.shape[1], device=gradient.device) < input_lengths.long()[:, None]
    return torch.where((read & (weights > 0)[:, None])[:, :, None], upstream.to(gradient.dtype), 0)


_operator.register_autograd(lambda ctx, *upstreams: _backward(ctx, _BARE, *upstreams), setup_context=_remember)


class _Loss(torch.autograd.Function):
    """The same, where nothing is compiled; and the gradient is not copied needlessly."""

    @staticmethod
    def forward(*arguments: Any) -> tuple[Tensor, ...]:
        return _compute(*arguments)

    setup_context = staticmethod(_remember)

    @staticmethod
    def backward(ctx: Any, *upstreams: Tensor | None) -> tuple[Tensor | None, ...]:
        upstream, direction = upstreams[:2]
        if upstream is not None and ctx.fused and direction is None and not _graph_is_kept():
            _, _, input_lengths, _, _, gradient, _, counts, weights = ctx.saved_tensors
            if not counts.numel() and not torch.is_grad_enabled():
                # The reduction's weights are in it already, and nobody will ask for it again: it is given away, without
                # the history that it has as an output of this function.
                return _scaled(gradient.detach(), upstream, input_lengths, weights), *(None,) * 11
        return _backward(ctx, _FUNCTIONS, *upstreams)


class _EagerLoss(torch.autograd.Function):
    """The same outside torch.func, without what torch does at each call for functions that it can see through."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, ...]:
        output = _compute(*arguments)
        _remember(ctx, arguments, output)
        return output

    backward = staticmethod(_Loss.backward)


def is_transformed() -> bool:
    """Whether this runs inside torch.func; True where torch does not tell."""
    tell = getattr(torch._C, "_are_functorch_transforms_active", None)
    return True if tell is None else bool(tell())


def _scaled(gradient: Tensor, upstream: Tensor, input_lengths: Tensor, weights: Tensor) -> Tensor:
    """The fused gradient times ``upstream``, in place."""
    value = float(upstream)
    if value == 1:
        return gradient
    return gradient.mul_(upstream if math.isfinite(value) else _factors(upstream, gradient, input_lengths, weights))


def _graph_is_kept() -> bool:
    """Whether the backward pass that is running may be run again (retain_graph); True where torch does not tell."""
    tell = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", None)
    return True if tell is None else bool(tell())


_BARE: Operators = Operators(_gradient_operator, _hvp_operator)
_FUNCTIONS: Operators = Operators(_Gradient.apply, _HVP.apply)
