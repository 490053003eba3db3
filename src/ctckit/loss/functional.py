"""``ctc_loss``: the CTC loss for PyTorch. The log-softmax is fused, and the gradient is computed with the loss."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ctckit import _checks
from ctckit.errors import InvalidInputError
from ctckit.kernels.batch import target_batch
from ctckit.kernels.loss import BACKENDS
from ctckit.kernels.loss.native import InputKind
from ctckit.loss import autograd_cpu, autograd_cuda
from ctckit.loss.options import Options
from ctckit.topology import START
from ctckit.variants import CTCVariant, token_graphs

Tensor = torch.Tensor


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
    variant: CTCVariant | None = None,
    transition_weights: Tensor | None = None,
    validate: bool = True,
    arrow_weights: Tensor | None = None,
) -> Tensor:
    r"""Return the negative log-probability of the targets, summed over all alignments.

    With p_t = softmax(logits[b, t]), and π over the sequences of one class per frame that collapse to the target y:

        loss_b = −log Σ_π Π_t p_t(π_t)            ∂loss_b / ∂logits[b, t, c] = p_t(c) − γ_t(c)

    where γ_t(c) is the probability, given y, that frame t emits c (``Lattice.token_occupancy``).

    Args:
        logits: (B, T, C) network output before the softmax, on the CPU or on a GPU. float32 and float64 are computed
            as they are, float16 and bfloat16 in float32. Log-probabilities are accepted too: they are their own
            log-softmax. −∞ masks a class, and so does a logit 1e290 below its frame's maximum (on a GPU: 1e8).
        targets: (B, N) integers, classes other than the blank, padded; entries beyond the lengths are not read. Or all
            targets joined, (Σ N_b,). Or a list of B sequences of different lengths.
        input_lengths: (B,) integers, frames of each item, 0..T. Frames beyond are not read; their gradient is 0.
        target_lengths: (B,) integers, tokens of each item, 0..N.
        blank: The class of the blank.
        reduction: "mean": the mean over items of loss / max(N, 1); "sum"; "none": (B,).
        infeasible: The loss of a target that cannot be emitted (T < N + adjacent repeats, or a mask blocks every path).
            "inf": +∞; "zero": 0, and the mean does not count the item; "error": raise. Its gradient is 0 in each case.
        normalize: False takes ``logits`` as scores that need not sum to 1; the gradient is then −γ.
        backend: "auto", "native" (the C++ core), "triton" (GPUs) or "reference" (float64 NumPy, slow). "auto" is native
            for tensors on the CPU and triton for tensors on a GPU. What the GPU kernels cannot do (float64, second
            derivatives, the gradient of ``transition_weights``, torch.func) is computed on the CPU.
        variant: A variant of CTC: wildcards, priors, delay penalty, durations; see ``CTCVariant``.
        transition_weights: (B, 7, S) or (7, S), added to the log-weights of the transitions s − k → s (k = 0..4), of
            starting and of ending in each of the S = 2N + 1 states (or as many as the variant makes). Forbidden
            transitions stay forbidden. The gradient is minus the expected number of times that each one is taken.
        validate: False skips the checks of targets and lengths that are on a GPU: no host synchronization, as needed
            for the capture of a CUDA graph. A malformed item then has the loss NaN. CPU inputs are always validated.
        arrow_weights: The older name of ``transition_weights``.

    Returns:
        A scalar, or (B,) for "none"; float32 for half-precision logits. An item with NaN or +∞ within its length has
        the loss NaN and the gradient NaN; other items are not affected.

    Raises:
        InvalidInputError: On wrong types, ranks, sizes, lengths, classes; before anything is computed.
        InfeasibleTargetError: With ``infeasible="error"``; names the items.

    Example:
        >>> from ctckit import ctc_loss
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
    input_kind: InputKind = "logits" if _checks.flag(normalize, "normalize") else "scores"
    _checks.flag(validate, "validate")
    expect_variant(variant)
    weights = _one_of(transition_weights, arrow_weights)
    logits = as_logits(logits, "logits", backend)
    options = Options(blank, reduction, infeasible, input_kind, backend, validate=validate)
    integers = targets, input_lengths, target_lengths
    if variant is None and weights is None:
        return reduced_loss(logits, integers, options)
    return _variant_loss(logits, integers, variant or CTCVariant(), weights, options)


def expect_variant(variant: Any) -> CTCVariant | None:
    """Return a variant, or None for plain CTC."""
    if variant is not None and not isinstance(variant, CTCVariant):
        raise InvalidInputError(
            f"variant is {variant!r}; expected a CTCVariant, such as CTCVariant(min_frames=2), or None for plain CTC."
        )
    return variant


def _one_of(transition_weights: Tensor | None, arrow_weights: Tensor | None) -> Tensor | None:
    """Return ``transition_weights``, given by this name or by the older one."""
    if arrow_weights is None:
        return transition_weights
    if transition_weights is not None:
        raise InvalidInputError(
            "transition_weights and arrow_weights are both given; they are two names of one argument. Pass "
            "transition_weights."
        )
    return arrow_weights


def as_logits(values: Any, name: str, backend: str = "auto") -> Tensor:
    """Return logits as a tensor of a type that the kernels take."""
    if not isinstance(values, Tensor):
        array = _checks.as_array(values, name)
        _checks.expect_floating(array.dtype.kind == "f", name, array.dtype)
        _checks.expect_torch_float(array.dtype, name)
        values = torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C"))
    tensor: Tensor = values
    _checks.expect_floating(tensor.is_floating_point(), name, tensor.dtype)
    _checks.expect_dense(tensor, name, on_device=autograd_cuda.is_allowed(tensor, backend))
    known = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    return tensor if tensor.dtype in known else tensor.float()


def reduced_loss(logits: Tensor, target_arguments: tuple[Any, Any, Any], options: Options) -> Tensor:
    """Return the loss of plain CTC; ``ctc_loss`` and ``compat.torch.ctc_loss`` share it.

    Args:
        logits: (B, T, C) from ``as_logits``.
        target_arguments: targets, input_lengths, target_lengths, as the caller passed them.
        options: See ``Options``.
    """
    _checks.expect_rank(tuple(logits.shape), options.name, "(B, T, C)")
    blank = _checks.class_index(options.blank, "blank", logits.shape[2])
    targets, input_lengths, target_lengths = target_arguments
    target_arguments = _checks.padded_targets(targets, target_lengths), input_lengths, target_lengths
    names = ("targets", "input_lengths", "target_lengths")
    on_device = autograd_cuda.is_allowed(logits, options.backend)
    tokens, frames, lengths = (
        _as_integers(each, name, on_device) for each, name in zip(target_arguments, names, strict=True)
    )
    return _applied(logits, (tokens, frames, lengths), None, options.with_blank(blank))


def _applied(
    logits: Tensor,
    integers: tuple[Tensor, Tensor, Tensor],
    transitions: Tensor | None,
    options: Options,
) -> Tensor:
    """Return the loss from the GPU operators where they support the call, otherwise from the CPU operators."""
    if autograd_cuda.serves(logits, transitions, options.backend):
        return autograd_cuda.apply(logits, *integers, transitions, options)
    place = logits.device
    if place.type != "cpu":
        logits, transitions = logits.cpu(), None if transitions is None else transitions.cpu()
        integers = tuple(each.cpu() for each in integers)  # type: ignore[assignment]
    return autograd_cpu.apply(logits, *integers, transitions, options).to(place)


def _as_integers(values: Any, name: str, on_device: bool) -> Tensor:
    """Return integers as a tensor for the operator, which checks their values."""
    if isinstance(values, Tensor):
        _checks.expect_dense(values, name, on_device=on_device)
        return values
    array = _checks.as_array(values, name)
    rank = "(Σ N_b,)" if name == "targets" and array.ndim == 1 else "(B, N)" if name == "targets" else "(B,)"
    array = _checks.integers(array, name, rank)
    beyond_signed = array.dtype.kind == "u" and array.dtype.itemsize == 8  # so that messages show the original values
    return torch.from_numpy(array.astype(np.uint64 if beyond_signed else np.int64))


def _variant_loss(
    logits: Tensor,
    target_arguments: tuple[Any, Any, Any],
    variant: CTCVariant,
    transition_weights: Tensor | None,
    options: Options,
) -> Tensor:
    """Return the loss of token graphs. A wildcard becomes one more class; its score is the log-sum of all others."""
    _checks.expect_rank(tuple(logits.shape), options.name, "(B, T, C)")
    classes = logits.shape[2]
    shape = (*logits.shape[:2], classes + (variant.wildcards is not None))
    targets, input_lengths, target_lengths = (
        each.cpu() if isinstance(each, Tensor) else each for each in target_arguments
    )
    targets = _checks.padded_targets(targets, target_lengths)
    batch = target_batch(shape, targets, input_lengths, target_lengths, options.blank, name=options.name)
    graphs = token_graphs(
        batch.targets, batch.target_lengths, batch.input_lengths, variant, classes=classes, blank=batch.blank
    )
    weights = torch.from_numpy(graphs.weights)
    weights[:, START] += torch.from_numpy(graphs.offset)[:, None]
    weights = weights.to(logits.device)
    if transition_weights is not None:
        _expect_weights(transition_weights, weights)
        weights = weights + transition_weights.double()
    scores = logits if logits.dtype == torch.float64 else logits.float()
    frames = torch.from_numpy(batch.input_lengths)
    if variant.wildcards is not None:
        scores, options = _with_wildcard(scores, frames, options)
    tokens, lengths = torch.from_numpy(graphs.tokens), torch.from_numpy(batch.target_lengths)
    integers = tokens.to(logits.device), frames.to(logits.device), lengths.to(logits.device)
    return _applied(scores, integers, weights, replace(options, blank=batch.blank, validate=True))


def _expect_weights(given: Tensor, weights: Tensor) -> None:
    if tuple(given.shape) not in (tuple(weights.shape), tuple(weights.shape[1:])):
        raise InvalidInputError(
            f"transition_weights has shape {tuple(given.shape)}; expected (B, 7, S) or (7, S) with "
            f"(B, 7, S) = {tuple(weights.shape)}."
        )


def _with_wildcard(scores: Tensor, frames: Tensor, options: Options) -> tuple[Tensor, Options]:
    """Return (B, T, C + 1) scores, with the wildcard as the last class, and the options for scores."""
    beyond = torch.arange(scores.shape[1]) >= frames[:, None]
    # NaN in the padding would give 0 · NaN in the gradient.
    scores = scores.masked_fill(beyond[:, :, None].to(scores.device), 0)
    if options.input_kind == "logits":
        scores = torch.log_softmax(scores, dim=-1)
        options = replace(options, input_kind="scores")
    return torch.cat([scores, torch.logsumexp(scores, dim=-1, keepdim=True)], dim=-1), options
