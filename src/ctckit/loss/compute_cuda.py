"""The loss and its gradient on a GPU: tensors in, tensors out, no autograd.

A check needs the values in the CPU's memory. Lengths and targets that are on the CPU are checked there. Those that are
on the device are copied first, which waits for the device to finish its queue. ``validate=False`` leaves these checks
out: a malformed item then has the loss NaN and the gradient NaN, and no kernel reads outside its input.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ctckit import _checks
from ctckit.errors import BackendError, InvalidInputError
from ctckit.kernels.batch import TargetBatch, check_targets, expect_feasible
from ctckit.loss.options import Options

Tensor = torch.Tensor

KINDS = (torch.float32, torch.float16, torch.bfloat16)


def compute_loss(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    transitions: Tensor | None,
    options: str,
) -> tuple[
    Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor
]:  # written out, because torch 2.6 reads it as text
    """Return the reduced loss, the seven tensors of ``launch.Forward``, and the weights of the items."""
    o = Options.decode(options)
    _expect_device(logits, o.name)
    from ctckit.kernels.loss.triton import launch

    if transitions is None:
        problem = _problem(logits, (targets, input_lengths, target_lengths), o)
    else:
        problem = _Problem(_last_axis_contiguous(logits), targets, input_lengths, (targets >= 0).sum(dim=1), None)
    if o.infeasible == "error" and problem.batch is not None:
        expect_feasible(problem.batch)
    found = launch.forward(
        problem.logits,
        problem.targets,
        problem.input_lengths,
        problem.target_lengths,
        blank=o.blank,
        input_kind=o.input_kind,
        differentiated=o.differentiated,
        transitions=transitions,
    )
    if o.infeasible == "error":
        impossible = found.losses.isposinf()
        if bool(impossible.any()):
            raise _checks.impossible_items(impossible.nonzero()[:, 0].cpu().numpy(), o.name)
    counted = problem.target_lengths if transitions is None else target_lengths
    loss, weights = launch.reduce(found.losses, counted, o.reduction, o.infeasible)
    f = found
    return loss, f.losses, f.normalizers, f.facts, f.head, f.following, f.occupancy, f.blanks, weights


def compute_gradient(
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
    options: str,
) -> Tensor:
    """Return the gradient of Σ_b weights_b · upstream_b · loss_b by the logits."""
    from ctckit.kernels.loss.triton import launch

    o = Options.decode(options)
    found = launch.Forward(losses, normalizers, facts, head, following, occupancy, blanks)
    x = _last_axis_contiguous(logits)
    return launch.gradient(x, found, weights, upstream, blank=o.blank, input_kind=o.input_kind)


def windows(tokens: int, weighted: bool) -> int:
    """Return W, the number of programs that share the tokens of a tile."""
    from ctckit.kernels.loss.triton import launch

    return launch.windows(tokens, launch.halo_of(tokens, weighted))


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
    """The arguments of the kernels: checked, and on the device."""

    logits: Tensor
    targets: Tensor
    input_lengths: Tensor
    target_lengths: Tensor
    batch: TargetBatch | None  # the same on the CPU, if targets and lengths were checked there


def _problem(logits: Tensor, integers: tuple[Tensor, Tensor, Tensor], o: Options) -> _Problem:
    on_device = any(each.device.type != "cpu" for each in integers)
    batch = None
    if o.validate or not on_device:
        if on_device and torch.cuda.is_current_stream_capturing():
            raise BackendError(
                "Targets and lengths on a device cannot be checked while a CUDA graph is captured. Pass validate=False."
            )
        tokens, frames, counts = (each.cpu() for each in integers)
        batch = check_targets(tuple(logits.shape), tokens, frames, counts, o.blank, name=o.name)
        host = (torch.from_numpy(each) for each in (batch.targets, batch.input_lengths, batch.target_lengths))
        placed = [
            given if given.device == logits.device and given.ndim == checked.ndim else checked.to(logits.device)
            for given, checked in zip(integers, host, strict=True)
        ]
    else:
        _expect_shapes(logits, integers, o.name)
        _expect_host_integers(logits, integers, o)
        placed = [each.to(logits.device, non_blocking=True) for each in integers]
        if placed[0].ndim == 1:
            placed[0], placed[2] = _padded(placed[0], placed[2], logits.shape[1])
    targets, input_lengths, target_lengths = placed
    lengths = input_lengths.contiguous(), target_lengths.contiguous()
    return _Problem(_last_axis_contiguous(logits), _last_axis_contiguous(targets), *lengths, batch)


def _last_axis_contiguous(tensor: Tensor) -> Tensor:
    """Return a tensor with the same entries whose last axis is contiguous, as the kernels need it."""
    return tensor if tensor.stride(-1) == 1 or tensor.shape[-1] <= 1 else tensor.contiguous()


def _expect_shapes(logits: Tensor, integers: tuple[Tensor, Tensor, Tensor], name: str) -> None:
    """Check the types and shapes of the integers; this does not read their values."""
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


def _expect_host_integers(logits: Tensor, integers: tuple[Tensor, Tensor, Tensor], o: Options) -> None:
    """Check the integers that are on the CPU, as far as that is possible without reading those on the device."""
    tokens, input_lengths, target_lengths = integers
    items, frames, classes = logits.shape
    if input_lengths.device.type == "cpu":
        _checks.lengths(input_lengths, "input_lengths", items, frames, f"{o.name} has T = {frames} frames")
    if target_lengths.device.type == "cpu":
        most = tokens.shape[-1]
        limit = f"targets has N = {most} columns" if tokens.ndim == 2 else f"targets has {most} entries"
        counts = _checks.lengths(target_lengths, "target_lengths", items, most, limit)
        if tokens.device.type == "cpu":
            array = _checks.as_array(tokens, "targets")
            array = array if array.ndim == 2 else _checks.padded(array, counts, items)
            _checks.expect_classes(array, counts, classes, o.blank)


def _padded(tokens: Tensor, target_lengths: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """Return (B, N) targets from joined ones, (Σ N_b,), and their lengths, without reading values on the host.

    N is at most T + 1: a target of more than T tokens cannot be emitted, so T + 1 of its tokens are enough. Entries
    without a token are −1, which is not a class.
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
