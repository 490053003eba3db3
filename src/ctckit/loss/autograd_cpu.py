"""The loss on the CPU as operators of PyTorch, with first and second derivatives.

    ctckit::ctc_loss       the reduced loss            derivative: ctckit::ctc_gradient, or the gradient kept (fused)
    ctckit::ctc_gradient   the gradient                derivative: ctckit::ctc_hvp
    ctckit::ctc_hvp        Hessian-vector product      derivative: refused

Each operator exists in two forms with one derivative. Code that records operators (compiled code, traces, fake tensors
and other tensors with ``__torch_dispatch__``) needs the bare operator, torch.func a ``torch.autograd.Function``.
torch.compile accepts neither torch.func nor second derivatives of compiled code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch

from ctckit.errors import MissingDerivativeError
from ctckit.loss.compute_cpu import compute_gradient, compute_hvp, compute_loss, is_fused
from ctckit.loss.options import Options, gradients, is_recorded, is_transformed, loss_dtype

Tensor = torch.Tensor


@dataclass(frozen=True)
class Operators:
    """The operators that a derivative calls: the bare operators, or the Functions around them."""

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
    """Return the reduced loss of a batch.

    Args:
        logits: (B, T, C) on the CPU: float16, bfloat16, float32 or float64.
        targets: (B, N) integers, not yet checked, like the lengths. With ``transitions``: the tokens of the token
            graphs.
        input_lengths: (B,).
        target_lengths: (B,) tokens of the targets, which the mean divides by, also where a token graph has more.
        transitions: (B, 7, S) float64 weights of other token graphs than plain CTC's (``variants.TokenGraphs``), or
            None.
        options: Everything else.
    """
    counted = transitions is not None and (transitions.requires_grad or is_transformed())
    wanted = logits.requires_grad or counted
    operator: Callable[..., Any] = _EagerLoss.apply
    if is_recorded(logits, targets, input_lengths, target_lengths):
        operator = _loss_operator
    elif is_transformed():
        operator, wanted = _Loss.apply, True  # a batched tensor does not say whether an outer transform differentiates
    text = options.encode(differentiated=torch.is_grad_enabled() and wanted, counted=counted)
    return cast(Tensor, operator(logits, targets, input_lengths, target_lengths, transitions, text)[0])


# --- what torch.func needs --------------------------------------------------------------------------------------------


def no_forward_mode(ctx: Any, *tangents: Any) -> Any:
    """Refuse forward-mode derivatives, in the words of torch."""
    raise MissingDerivativeError(
        "Trying to use forward AD with ctc_loss that does not support it because it has not been implemented. "
        "Use reverse mode: torch.func.grad, vjp or jacrev."
    )


class _Function(torch.autograd.Function):
    """A function that torch.func can map: one call for each slice."""

    @classmethod
    def vmap(cls, info: Any, dims: tuple[int | None, ...], *arguments: Any) -> tuple[Any, Any]:
        """Return the results for all slices, stacked along new first axes, and these axes."""
        apply: Callable[..., Any] = cls.apply
        pairs = list(zip(arguments, dims, strict=True))
        slices = [
            apply(*(each if dim is None else each.select(dim, k) for each, dim in pairs))
            for k in range(info.batch_size)
        ]
        if isinstance(slices[0], Tensor):
            return torch.stack(slices), 0
        return tuple(torch.stack(each) for each in zip(*slices, strict=True)), (0,) * len(slices[0])

    jvp = staticmethod(no_forward_mode)


# --- the loss ---------------------------------------------------------------------------------------------------------

_loss_operator = torch.library.custom_op("ctckit::ctc_loss", compute_loss, mutates_args=())


@_loss_operator.register_fake
def _(
    logits: Tensor, targets: Tensor, il: Tensor, tl: Tensor, transitions: Tensor | None, options: str
) -> tuple[Tensor, ...]:
    o = Options.decode(options)
    fused, kind = is_fused(logits, o.reduction), loss_dtype(logits)
    items = logits.shape[:1]
    loss = logits.new_empty(items if o.reduction == "none" else (), dtype=kind)
    gradient = logits.new_empty(logits.shape if o.differentiated and fused else (0,))
    frames = (logits.shape[0], 2, logits.shape[1])
    normalizers = logits.new_empty(frames if o.differentiated and not fused else (0,), dtype=kind)
    counts = _fake_counts(logits, transitions if o.differentiated and fused else None, o)
    return loss, gradient, normalizers, counts, logits.new_empty(items, dtype=torch.float64)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    *problem, options = inputs
    ctx.save_for_backward(*problem, *output[1:])
    ctx.options = options
    ctx.fused = is_fused(inputs[0], Options.decode(options).reduction)
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, operators: Operators, *upstreams: Tensor | None) -> tuple[Tensor | None, ...]:
    """Return the derivatives with respect to logits and transitions."""
    *problem, gradient, normalizers, counts, weights = ctx.saved_tensors
    upstream, direction = upstreams[:2]
    of_logits = of_transitions = None
    if upstream is not None:
        each = torch.where(weights > 0, weights * upstream, 0)  # 0 · ∞ is NaN; an infeasible item has the gradient 0
        if ctx.fused:
            of_logits = gradient * _scales(upstream, gradient, problem[2], weights)
        else:
            of_logits, counts = operators.gradient(*problem, each, normalizers, ctx.options)
        of_transitions = -counts * each.reshape(-1, 1, 1) if counts.numel() else None
    if direction is not None and ctx.fused:
        second = _second(operators, tuple(problem), weights, direction, ctx.options)
        of_logits = second if of_logits is None else of_logits + second
    return gradients(of_logits, of_transitions)


def _scales(upstream: Tensor, gradient: Tensor, input_lengths: Tensor, weights: Tensor) -> Tensor:
    """Return (B, T, 1) the factor of a fused gradient: ``upstream``, or 0 where the gradient is 0 by definition.

    That is the case in the padding and in infeasible items, where an upstream of NaN or ∞ would turn 0 into NaN.
    """
    inside = torch.arange(gradient.shape[1], device=gradient.device) < input_lengths.long()[:, None]
    return torch.where((inside & (weights > 0)[:, None])[:, :, None], upstream.to(gradient.dtype), 0)


class _Loss(_Function):
    """The operator for torch.func. It passes the fused gradient on without a copy where that is safe."""

    @staticmethod
    def forward(*arguments: Any) -> tuple[Tensor, ...]:
        return compute_loss(*arguments)

    setup_context = staticmethod(_remember)

    @staticmethod
    def backward(ctx: Any, *upstreams: Tensor | None) -> tuple[Tensor | None, ...]:
        upstream, direction = upstreams[:2]
        operators = _operators(*upstreams)
        is_plain = operators is _FUNCTIONS and not is_transformed()
        if is_plain and upstream is not None and ctx.fused and direction is None and not _graph_is_kept():
            _, _, input_lengths, _, _, gradient, _, counts, weights = ctx.saved_tensors
            if not counts.numel() and not torch.is_grad_enabled():
                # The gradient already contains the weights of the reduction, and no later call reads it. It is
                # detached, because an output of this function has an autograd history.
                return gradients(_scaled(gradient.detach(), upstream, input_lengths, weights))
        return _backward(ctx, operators, *upstreams)


class _EagerLoss(torch.autograd.Function):
    """The operator outside torch.func, without the overhead of functions that torch.func can transform."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, ...]:
        output = compute_loss(*arguments)
        _remember(ctx, arguments, output)
        return output

    backward = staticmethod(_Loss.backward)
    jvp = staticmethod(no_forward_mode)


def _scaled(gradient: Tensor, upstream: Tensor, input_lengths: Tensor, weights: Tensor) -> Tensor:
    """Multiply the fused gradient by ``upstream`` in place and return it."""
    value = float(upstream)
    if value == 1:
        return gradient
    return gradient.mul_(upstream if math.isfinite(value) else _scales(upstream, gradient, input_lengths, weights))


def _graph_is_kept() -> bool:
    """Whether the current backward pass may be repeated (retain_graph); True where torch has no answer."""
    tell = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", None)
    return True if tell is None else bool(tell())


# --- its gradient -----------------------------------------------------------------------------------------------------

_gradient_operator = torch.library.custom_op("ctckit::ctc_gradient", compute_gradient, mutates_args=())


@_gradient_operator.register_fake
def _(
    logits: Tensor, targets: Tensor, il: Tensor, tl: Tensor, transitions: Tensor | None, *rest: Any
) -> tuple[Tensor, Tensor]:
    counts = _fake_counts(logits, transitions, Options.decode(rest[-1]))
    return torch.empty(logits.shape, dtype=logits.dtype, device=logits.device), counts


def _fake_counts(logits: Tensor, transitions: Tensor | None, o: Options) -> Tensor:
    shape = transitions.shape if transitions is not None and o.counted else (0,)
    return logits.new_empty(shape, dtype=torch.float64)


def _remember_gradient(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    *tensors, ctx.options = inputs
    ctx.save_for_backward(*tensors)
    ctx.set_materialize_grads(False)


def _gradient_backward(
    ctx: Any, operators: Operators, direction: Tensor | None, _: Tensor | None
) -> tuple[Tensor | None, ...]:
    *problem, weights, normalizers = ctx.saved_tensors
    of_logits = of_weights = None
    if direction is not None:
        of_logits = _second(operators, tuple(problem), weights, direction, ctx.options)
        unit, _ = operators.gradient(*problem, torch.ones_like(weights), normalizers, ctx.options)
        of_weights = (unit.double() * direction.double()).sum(dim=(1, 2))
    *of_problem, of_options = gradients(of_logits)
    return *of_problem, of_weights, None, of_options  # weights and normalizers are arguments before the options


def _second(operators: Operators, problem: tuple[Any, ...], weights: Tensor, direction: Tensor, options: str) -> Tensor:
    transitions = problem[4]
    if transitions is not None and transitions.requires_grad:
        raise MissingDerivativeError(
            "Second derivatives are not available for transition_weights that need a gradient. Detach them."
        )
    return cast(Tensor, operators.hvp(*problem, weights, direction, options))


class _Gradient(_Function):
    """The operator for torch.func."""

    @staticmethod
    def forward(*arguments: Any) -> tuple[Tensor, Tensor]:
        return compute_gradient(*arguments)

    setup_context = staticmethod(_remember_gradient)

    @staticmethod
    def backward(ctx: Any, *upstreams: Tensor | None) -> tuple[Tensor | None, ...]:
        return _gradient_backward(ctx, _operators(*upstreams), *upstreams)


# --- its Hessian-vector product ---------------------------------------------------------------------------------------

_hvp_operator = torch.library.custom_op("ctckit::ctc_hvp", compute_hvp, mutates_args=())


@_hvp_operator.register_fake
def _(logits: Tensor, *_: Any) -> Tensor:
    return torch.empty(logits.shape, dtype=logits.dtype, device=logits.device)


def _third_derivative(ctx: Any, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    raise MissingDerivativeError("The loss has no third derivatives. Differentiate at most twice.")


def _remember_nothing(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    """Save nothing, because there is no derivative."""


class _HVP(_Function):
    """The operator for torch.func."""

    @staticmethod
    def forward(*arguments: Any) -> Tensor:
        return compute_hvp(*arguments)

    setup_context = staticmethod(_remember_nothing)
    backward = staticmethod(_third_derivative)


# --- the bare operators' derivatives ----------------------------------------------------------------------------------

_BARE = Operators(_gradient_operator, _hvp_operator)
_FUNCTIONS = Operators(_Gradient.apply, _HVP.apply)


def _operators(*upstreams: Tensor | None) -> Operators:
    """Return the operators for a backward pass with these upstream gradients."""
    given = [each for each in upstreams if each is not None]
    return _BARE if is_recorded(*given) or any(_is_mapped_by_autograd(each) for each in given) else _FUNCTIONS


_is_legacy_batch: Callable[[Tensor], Any] = getattr(torch._C._functorch, "is_legacy_batchedtensor", lambda _: False)


def _is_mapped_by_autograd(tensor: Tensor) -> bool:
    """Whether this is a batch of ``torch.autograd.grad(is_grads_batched=True)``, which can map only bare operators."""
    return bool(_is_legacy_batch(tensor))


_loss_operator.register_autograd(lambda ctx, *upstreams: _backward(ctx, _BARE, *upstreams), setup_context=_remember)
_gradient_operator.register_autograd(
    lambda ctx, *upstreams: _gradient_backward(ctx, _BARE, *upstreams), setup_context=_remember_gradient
)
_hvp_operator.register_autograd(_third_derivative, setup_context=_remember_nothing)
