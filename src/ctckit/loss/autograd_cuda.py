"""The loss on a GPU as operators of PyTorch: the Triton kernels, with a first derivative.

    ctckit::ctc_loss_on_device       the reduced loss     derivative: ctckit::ctc_gradient_on_device
    ctckit::ctc_gradient_on_device   the gradient

The forward pass keeps on the device what the gradient needs (``launch.Forward``). The backward pass needs no host
synchronization. Where the gradient will itself be differentiated (``create_graph=True``), the CPU's operator computes
it. The operators take the same arguments as those of the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch

from ctckit.errors import BackendError, InvalidInputError
from ctckit.loss import autograd_cpu
from ctckit.loss.compute_cuda import KINDS, compute_gradient, compute_loss, windows
from ctckit.loss.options import Options, gradients, is_transformed

Tensor = torch.Tensor


def is_allowed(tensor: Tensor, backend: str) -> bool:
    """Whether a tensor need not be on the CPU: with the backend "triton", or with "auto" for a tensor on a GPU."""
    return backend == "triton" or (backend == "auto" and tensor.device.type == "cuda")


def serves(logits: Tensor, transitions: Tensor | None, backend: str) -> bool:
    """Whether these operators compute a call: the backend is "triton", or it is "auto" and they support the call."""
    if backend != "auto" or logits.device.type != "cuda":
        return backend == "triton"
    fixed = transitions is None or not transitions.requires_grad
    return logits.dtype in KINDS and fixed and not is_transformed()


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
        logits: (B, T, C) float32, float16 or bfloat16.
        targets: (B, N) or (Σ N_b,) integers, on the CPU or on the device.
        input_lengths: (B,) integers, on the CPU or on the device.
        target_lengths: (B,) integers, on the CPU or on the device.
        transitions: (B, 7, S) float64, the weights of other token graphs than plain CTC's, or None. With them,
            ``targets`` are the checked tokens of the graphs, padded with −1, and everything is on the device.
        options: Everything else.
    """
    if transitions is not None and torch.is_grad_enabled() and transitions.requires_grad:
        raise BackendError(
            'backend="triton" has no gradient of transition_weights. Detach them, or use backend="auto", which '
            "computes it on the CPU."
        )
    if is_transformed():
        raise BackendError('backend="triton" does not work within torch.func. Use backend="auto".')
    if options.infeasible == "error" and not options.validate:
        raise InvalidInputError('infeasible="error" reads lengths and losses, which validate=False forbids.')
    operator: Callable[..., Any] = _loss_operator if torch.compiler.is_compiling() else _EagerLoss.apply
    text = options.encode(differentiated=torch.is_grad_enabled() and logits.requires_grad)
    return cast(Tensor, operator(logits, targets, input_lengths, target_lengths, transitions, text)[0])


# --- the loss ---------------------------------------------------------------------------------------------------------

_loss_operator = torch.library.custom_op("ctckit::ctc_loss_on_device", compute_loss, mutates_args=())


@_loss_operator.register_fake
def _(
    logits: Tensor, targets: Tensor, il: Tensor, tl: Tensor, transitions: Tensor | None, options: str
) -> tuple[Tensor, ...]:
    o = Options.decode(options)
    items, frames, classes = logits.shape
    joined = targets.ndim == 1
    tokens = torch.library.get_ctx().new_dynamic_size() if joined else targets.shape[1]

    def empty(*shape: Any, dtype: torch.dtype = torch.float32) -> Tensor:
        return logits.new_empty(shape, dtype=dtype)

    programs: Any = 0
    if o.differentiated and joined:
        programs = torch.library.get_ctx().new_dynamic_size()
    elif o.differentiated:
        programs = windows(targets.shape[1], transitions is not None)
    return (
        empty(*((items,) if o.reduction == "none" else ())),
        empty(items, dtype=torch.float64),
        empty(items, 2, frames),
        empty(items, 4, dtype=torch.int32),
        empty(items, classes, dtype=torch.int32),
        empty(items, tokens, dtype=torch.int32),
        empty(items, frames, tokens if o.differentiated else 0),
        empty(items, frames, programs),
        empty(items, dtype=torch.float64),
    )


def _remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    *problem, ctx.options = inputs
    ctx.save_for_backward(*problem, *output[1:])
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(*output[1:])


def _backward(ctx: Any, upstream: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
    if upstream is None:
        return gradients(None)
    logits, targets, input_lengths, target_lengths, transitions, *found = ctx.saved_tensors
    if torch.compiler.is_compiling():
        return gradients(_gradient_operator(logits, *found, upstream, ctx.options))
    if torch.is_grad_enabled():  # the gradient will be differentiated
        integers = targets, input_lengths, target_lengths
        return gradients(_differentiable_gradient(logits, integers, transitions, found[-1], upstream, ctx.options))
    return gradients(compute_gradient(logits, *found, upstream, ctx.options))  # type: ignore[call-arg]


def _differentiable_gradient(
    logits: Tensor,
    integers: tuple[Tensor, Tensor, Tensor],
    transitions: Tensor | None,
    weights: Tensor,
    upstream: Tensor,
    options: str,
) -> Tensor:
    """Return the gradient from the CPU operator, as a differentiable function of logits and ``upstream``."""
    on_cpu = replace(Options.decode(options), reduction="none", infeasible="inf", backend="auto")
    targets, input_lengths, target_lengths = (each.cpu() for each in integers)
    weights_there = None if transitions is None else transitions.cpu()
    losses = autograd_cpu.apply(logits.cpu(), targets, input_lengths, target_lengths, weights_there, on_cpu)
    counted = torch.where(weights > 0, weights * upstream, 0).cpu()
    total = (torch.where(weights.cpu() > 0, losses, 0) * counted).sum()  # ∞ where the weight is 0
    return torch.autograd.grad(total, logits, create_graph=True)[0]


class _EagerLoss(torch.autograd.Function):
    """The operator without torch's overhead for each call of an operator."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, ...]:
        output = compute_loss(*arguments)
        _remember(ctx, arguments, output)
        return output

    backward = staticmethod(_backward)
    jvp = staticmethod(autograd_cpu.no_forward_mode)


_loss_operator.register_autograd(
    lambda ctx, *upstreams: _backward(ctx, *upstreams),
    setup_context=lambda ctx, inputs, output: _remember(ctx, inputs, output),
)


# --- its gradient -----------------------------------------------------------------------------------------------------

_gradient_operator = torch.library.custom_op("ctckit::ctc_gradient_on_device", compute_gradient, mutates_args=())


@_gradient_operator.register_fake
def _(logits: Tensor, *_: Any) -> Tensor:
    return torch.empty(logits.shape, dtype=logits.dtype, device=logits.device)
