"""The loss on a GPU as operators of PyTorch: checks, the launches of kernels/loss/triton/launch.py, their derivative.

Always in two steps: the forward pass computes the losses and what the tokens' occupancies are, the backward pass writes
the gradient, already multiplied by what comes from above. So the gradient is written once, whatever stands behind the
loss, and nothing waits for a number from the device. A gradient that will be differentiated (create_graph) is that of
the CPU's operator.

What a check has to know stands in memory. Lengths and targets on the CPU are checked there; those on the device are
fetched first, which waits for all that the device still has to do. ``validate=False`` leaves that out: a malformed item
then has the loss NaN and the gradient NaN, and no kernel reads outside of what it was given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch

from ctckit import _checks
from ctckit.errors import BackendError, InvalidInputError
from ctckit.kernels.batch import TargetBatch, expect_feasible, target_batch
from ctckit.loss import autograd_cpu
from ctckit.loss.options import Options

Tensor = torch.Tensor
Outputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]

KINDS = (torch.float32, torch.float16, torch.bfloat16)


def is_allowed(tensor: Tensor, backend: str) -> bool:
    """Whether a tensor may be elsewhere than on the CPU: on a GPU, if the backend is "triton" or left to us."""
    return backend == "triton" or (backend == "auto" and tensor.device.type == "cuda")


def serves(logits: Tensor, transitions: Tensor | None, backend: str) -> bool:
    """Whether a call is for these kernels: asked for by name, or on a GPU and nothing that only the CPU's core can."""
    if backend != "auto" or logits.device.type != "cuda":
        return backend == "triton"
    fixed = transitions is None or not transitions.requires_grad
    return logits.dtype in KINDS and fixed and not autograd_cpu.is_transformed()


def apply(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    transitions: Tensor | None,
    options: Options,
    validate: bool,
) -> Tensor:
    """The reduced loss of a batch.

    Args:
        logits: (B, T, C) float32, float16 or bfloat16.
        targets: (B, N) or (Σ N_b,) integers, on the CPU or on the device.
        input_lengths: (B,) likewise.
        target_lengths: (B,) likewise.
        transitions: (B, 7, S) float64, the weights of other chains than plain CTC's, or None. With them, ``targets``
            are the tokens of the chains, checked, −1 behind them, and everything is on the device.
        options: As for ``autograd_cpu.apply``.
        validate: Whether contents are checked that are on the device.
    """
    if transitions is not None and torch.is_grad_enabled() and transitions.requires_grad:
        raise BackendError(
            'backend="triton" has no gradient of arrow_weights. Detach them, or use backend="auto", which has it from '
            "the CPU."
        )
    if autograd_cpu.is_transformed():
        raise BackendError('backend="triton" does not work within torch.func. Use backend="auto".')
    if options.infeasible == "error" and not validate:
        raise InvalidInputError('infeasible="error" looks at lengths and losses, which validate=False forbids.')
    differentiated = torch.is_grad_enabled() and logits.requires_grad
    o = options
    operator: Callable[..., Any] = _operator if torch.compiler.is_compiling() else _EagerLoss.apply
    flags = (o.blank, o.reduction, o.infeasible, o.input_kind, o.name, validate, differentiated)
    return cast(Tensor, operator(logits, targets, input_lengths, target_lengths, transitions, *flags)[0])


def _expect_device(logits: Tensor, name: str) -> None:
    try:
        from ctckit.kernels.loss.triton import launch as triton_loss
    except ModuleNotFoundError as error:
        raise _checks.missing(error, "The loss on a GPU", "gpu") from None
    if logits.device.type != "cuda" and not triton_loss.is_interpreted():
        raise BackendError(
            f'backend="triton" needs CUDA tensors, {name} is on {logits.device}. Move it, or use backend="auto".'
        )
    if logits.dtype not in KINDS:
        raise BackendError(
            f'{name} has dtype {logits.dtype}; backend="triton" takes float32, float16 and bfloat16. Pass '
            f'{name}.float(), or use backend="auto", which computes float64 on the CPU.'
        )


@dataclass(frozen=True)
class _Problem:
    """Checked, on the device."""

    logits: Tensor
    targets: Tensor
    input_lengths: Tensor
    target_lengths: Tensor
    batch: TargetBatch | None  # the same for the CPU, if it was looked at


def _problem(
    logits: Tensor, integers: tuple[Tensor, Tensor, Tensor], blank: int, name: str, validate: bool
) -> _Problem:
    on_device = any(each.device.type != "cpu" for each in integers)
    batch = None
    if validate or not on_device:
        if on_device and torch.cuda.is_current_stream_capturing():
            raise BackendError(
                "Targets and lengths on a device cannot be checked while a CUDA graph is captured. Pass validate=False."
            )
        tokens, frames, lengths = (each.cpu() for each in integers)
        batch = target_batch(tuple(logits.shape), tokens, frames, lengths, blank, name=name)
        host = (torch.from_numpy(each) for each in (batch.targets, batch.input_lengths, batch.target_lengths))
        placed = [
            given if given.device == logits.device and given.ndim == checked.ndim else checked.to(logits.device)
            for given, checked in zip(integers, host, strict=True)
        ]
    else:
        _expect_shapes(logits, integers, name)
        _expect_what_is_here(logits, integers, blank, name)
        placed = [each.to(logits.device, non_blocking=True) for each in integers]
        if placed[0].ndim == 1:
            placed[0], placed[2] = _padded(placed[0], placed[2], logits.shape[1])
    targets, input_lengths, target_lengths = placed
    return _Problem(
        _side_by_side(logits), _side_by_side(targets), input_lengths.contiguous(), target_lengths.contiguous(), batch
    )


def _side_by_side(input_kind: Tensor) -> Tensor:
    """The same with the entries of each row side by side, as the kernels read them."""
    return input_kind if input_kind.stride(-1) == 1 or input_kind.shape[-1] <= 1 else input_kind.contiguous()


def _expect_shapes(logits: Tensor, integers: tuple[Tensor, Tensor, Tensor], name: str) -> None:
    """What can be said of integers without reading them."""
    items = logits.shape[0]
    for each, its_name in zip(integers, ("targets", "input_lengths", "target_lengths"), strict=True):
        if each.is_floating_point() or each.is_complex() or each.dtype == torch.bool:
            raise InvalidInputError(f"{its_name} has dtype {each.dtype}; expected integers.")
        ranks = (1, 2) if its_name == "targets" else (1,)
        if each.ndim not in ranks or (each.shape[0] != items and (its_name != "targets" or each.ndim == 2)):
            expected = "(B, N) or (Σ N_b,)" if its_name == "targets" else "(B,)"
            raise InvalidInputError(
                f"{its_name} has shape {tuple(each.shape)}; expected {expected} with B = {items}, as in {name}."
            )


def _expect_what_is_here(logits: Tensor, integers: tuple[Tensor, Tensor, Tensor], blank: int, name: str) -> None:
    """The integers that are on the CPU, as far as they can be judged without those on the device."""
    tokens, input_lengths, target_lengths = integers
    items, frames, classes = logits.shape
    if input_lengths.device.type == "cpu":
        _checks.lengths(input_lengths, "input_lengths", items, frames, f"{name} has T = {frames} frames")
    if target_lengths.device.type == "cpu":
        most = tokens.shape[-1]
        limit = f"targets has N = {most} columns" if tokens.ndim == 2 else f"targets has {most} entries"
        counts = _checks.lengths(target_lengths, "target_lengths", items, most, limit)
        if tokens.device.type == "cpu":
            array = _checks.as_array(tokens, "targets")
            array = array if array.ndim == 2 else _checks.padded(array, counts, items)
            _checks.expect_classes(array, counts, classes, blank)


def _padded(tokens: Tensor, target_lengths: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """(B, N) from (Σ N_b,), and their lengths, without a look at these: more tokens than frames cannot be emitted.

    −1, which is no class, stands where there is no token. T + 1 of more tokens are enough to be too many.
    """
    width = min(len(tokens), frames + 1)
    lengths = target_lengths.long()
    taken = lengths.clamp(min=0)
    place = (taken.cumsum(0) - taken)[:, None] + torch.arange(width, device=tokens.device)
    if len(tokens) == 0:
        return tokens.new_zeros((len(lengths), 0)), lengths
    found = tokens.long()[place.clamp(0, len(tokens) - 1)]
    enough = torch.where(taken.cumsum(0) <= len(tokens), lengths.clamp(max=width), lengths)
    return torch.where(place < len(tokens), found, -1), enough


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
    name: str,
    validate: bool,
    differentiated: bool,
) -> Outputs:
    """The reduced loss, the seven tensors of ``triton_loss.Forward``, and the items' weights."""
    _expect_device(logits, name)
    from ctckit.kernels.loss.triton import launch as triton_loss

    if transitions is None:
        problem = _problem(logits, (targets, input_lengths, target_lengths), blank, name, validate)
    else:
        problem = _Problem(_side_by_side(logits), targets, input_lengths, (targets >= 0).sum(dim=1), None)
    if infeasible == "error" and problem.batch is not None:
        expect_feasible(problem.batch)
    found = triton_loss.forward(
        problem.logits,
        problem.targets,
        problem.input_lengths,
        problem.target_lengths,
        blank=blank,
        input_kind=input_kind,
        differentiated=differentiated,
        transitions=transitions,
    )
    if infeasible == "error":
        impossible = found.losses.isposinf()
        if bool(impossible.any()):
            raise _checks.impossible_items(impossible.nonzero()[:, 0].cpu().numpy(), name)
    counted = problem.target_lengths if transitions is None else target_lengths
    loss, weights = triton_loss.reduce(found.losses, counted, reduction, infeasible)
    f = found
    return loss, f.losses, f.normalizers, f.facts, f.head, f.following, f.occupancy, f.blanks, weights


_operator = torch.library.custom_op("ctckit::ctc_loss_on_device", _compute, mutates_args=())


@_operator.register_fake
def _(
    logits: Tensor, targets: Tensor, il: Tensor, tl: Tensor, transitions: Tensor | None, *options: Any
) -> tuple[Tensor, ...]:
    reduction, differentiated = options[1], options[-1]
    items, frames, classes = logits.shape
    joined = targets.ndim == 1
    tokens = torch.library.get_ctx().new_dynamic_size() if joined else targets.shape[1]

    def empty(*shape: Any, dtype: torch.dtype = torch.float32) -> Tensor:
        return logits.new_empty(shape, dtype=dtype)

    width = tokens if differentiated else 0
    windows: Any = 0
    if differentiated:
        windows = (
            torch.library.get_ctx().new_dynamic_size()
            if joined
            else _windows(targets.shape[1], transitions is not None)
        )
    return (
        empty(*((items,) if reduction == "none" else ())),
        empty(items, dtype=torch.float64),
        empty(items, 2, frames),
        empty(items, 4, dtype=torch.int32),
        empty(items, classes, dtype=torch.int32),
        empty(items, tokens, dtype=torch.int32),
        empty(items, frames, width),
        empty(items, frames, windows),
        empty(items, dtype=torch.float64),
    )


def _windows(tokens: int, weighted: bool) -> int:
    from ctckit.kernels.loss.triton import launch as triton_loss

    return triton_loss.windows(tokens, triton_loss.halo_of(tokens, weighted))


def _compute_gradient(
    logits: Tensor,
    losses: Tensor,
    normalizers: Tensor,
    facts: Tensor,
    head: Tensor,
    following: Tensor,
    occupancy: Tensor,
    blanks: Tensor,
    weights: Tensor,
    upstream: Tensor,
    blank: int,
    input_kind: str,
) -> Tensor:
    """The gradient of Σ_b weights_b · upstream_b · loss_b by the logits."""
    from ctckit.kernels.loss.triton import launch as triton_loss

    found = triton_loss.Forward(losses, normalizers, facts, head, following, occupancy, blanks)
    return triton_loss.gradient(_side_by_side(logits), found, weights, upstream, blank=blank, input_kind=input_kind)


_gradient_operator = torch.library.custom_op("ctckit::ctc_gradient_on_device", _compute_gradient, mutates_args=())


@_gradient_operator.register_fake
def _(logits: Tensor, *_: Any) -> Tensor:
    return torch.empty(logits.shape, dtype=logits.dtype, device=logits.device)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Outputs) -> None:
    *problem, blank, _, _, input_kind, name, _, _ = inputs
    ctx.save_for_backward(*problem, *output[1:])
    ctx.options = blank, input_kind, name
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(*output[1:])


def _backward(ctx: Any, upstream: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
    nothing = (None,) * 11
    if upstream is None:
        return (None, *nothing)
    logits, targets, input_lengths, target_lengths, transitions, *found = ctx.saved_tensors
    blank, input_kind, name = ctx.options
    if torch.compiler.is_compiling():
        gradient = _gradient_operator(logits, *found, upstream, blank, input_kind)
    elif torch.is_grad_enabled():  # it will be differentiated
        options = Options(blank, "none", "inf", input_kind, "auto", name)
        integers = targets, input_lengths, target_lengths
        gradient = _differentiable_gradient(logits, integers, transitions, found[-1], upstream, options)
    else:
        gradient = _compute_gradient(logits, *found, upstream, blank, input_kind)  # type: ignore[call-arg]
    return (gradient, *nothing)


def _differentiable_gradient(
    logits: Tensor,
    integers: tuple[Tensor, Tensor, Tensor],
    transitions: Tensor | None,
    weights: Tensor,
    upstream: Tensor,
    options: Options,
) -> Tensor:
    """The gradient by the CPU's operator, as a function of logits and ``upstream``."""
    targets, input_lengths, target_lengths = (each.cpu() for each in integers)
    chains = None if transitions is None else transitions.cpu()
    losses = autograd_cpu.apply(logits.cpu(), targets, input_lengths, target_lengths, chains, options)
    counted = torch.where(weights > 0, weights * upstream, 0).cpu()
    total = (torch.where(weights.cpu() > 0, losses, 0) * counted).sum()  # ∞ where the weight is 0
    return torch.autograd.grad(total, logits, create_graph=True)[0]


_operator.register_autograd(
    lambda ctx, *upstreams: _backward(ctx, *upstreams),
    setup_context=lambda ctx, inputs, output: _remember(ctx, inputs, output),
)


class _EagerLoss(torch.autograd.Function):
    """The operator without what torch does around operators at each call."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, ...]:
        output = _compute(*arguments)
        _remember(ctx, arguments, output)
        return output

    backward = staticmethod(_backward)
