"""The loss on a GPU: launches the Triton kernels, with their block sizes and memory.

    link_targets   one program for each item     targets.py
    normalizers    frames                        softmax.py      reads the logits
    sweep          two programs for each item    sweep.py
    occupancies    tiles of 8 or 4 frames        occupancy.py    only if there is a gradient
    reduce         one program                   reduce.py
    gradient       frames × classes              gradient.py     reads the logits, writes their gradient

All data stays on the device, without host synchronization, so a CUDA graph can capture the calls. One program writes
each entry of the output: the same input gives the same bits.

Memory besides the gradient: 8 bytes for each frame (normalizers), 4 (N + 1) bytes for each frame (occupancies), and 4 C
bytes for each item (the tokens of each class). Until the forward computation ends, another 8 bytes for each frame, and
4 (N + 1) for the checkpoints (2 · 2 numbers of 8 bytes for each pair, every eighth frame; twice that for targets of 512
tokens and more).
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import triton
from triton.runtime.interpreter import InterpretedFunction

from ctckit.kernels.batch import TargetBatch
from ctckit.kernels.loss.triton.common import FEWEST_PAIRS, FRAMES, MOST_PAIRS, ROUNDING, Input, Sizes, Targets
from ctckit.kernels.loss.triton.gradient import Occupied, Scale
from ctckit.kernels.loss.triton.gradient import gradient as gradient_kernel
from ctckit.kernels.loss.triton.occupancy import occupancies
from ctckit.kernels.loss.triton.reduce import reduce as reduce_kernel
from ctckit.kernels.loss.triton.softmax import normalizers
from ctckit.kernels.loss.triton.sweep import Checkpoints, sweep
from ctckit.kernels.loss.triton.targets import FACTS, Given, link_targets
from ctckit.topology import ADVANCE, FINAL, HOP_TO_BLANK, HOP_TO_TOKEN, SKIP, START, STAY

Tensor = torch.Tensor

KINDS = (torch.float32, torch.float16, torch.bfloat16)

MOST_CLASSES = 8192  # the classes of a frame stay in the registers of a program up to this number
TILE = 4096  # entries of a softmax or gradient tile
CLASS_BLOCK = 1024  # classes of a gradient tile at most

# The rows of ``packed_transitions``: which weight of variants.TokenGraphs, and whether that of the pair's token.
ROWS = (
    (STAY, False), (ADVANCE, False), (HOP_TO_BLANK, False),
    (STAY, True), (ADVANCE, True), (SKIP, True), (HOP_TO_TOKEN, True),
    (START, False), (START, True), (FINAL, False), (FINAL, True),
)  # fmt: skip
BLANK_START, BLANK_FINAL = ROWS.index((START, False)), ROWS.index((FINAL, False))


@dataclass(frozen=True)
class Forward:
    """The results of the forward computation that the gradient needs; they stay on the device.

    Attributes:
        losses: (B,) float64; +∞ where the target cannot be emitted, NaN where a logit is NaN or +∞ or the item is
            malformed.
        normalizers: (B, 2, T) float32, maximum and normalizer of each frame.
        facts: (B, 4) int32: frames, tokens, frames needed, well formed.
        head: (B, C) int32 first token of each class, −1: none.
        following: (B, N) int32 next token of the same class.
        occupancy: (B, T, N) float32 of the tokens, or empty.
        blanks: (B, T, W) float32 of the blank, as W summands, or empty.
    """

    losses: Tensor
    normalizers: Tensor
    facts: Tensor
    head: Tensor
    following: Tensor
    occupancy: Tensor
    blanks: Tensor


def on_device_of(tensor: Tensor) -> AbstractContextManager[None]:
    """Return a context in which the device of ``tensor`` is the current one, where Triton launches kernels."""
    context: AbstractContextManager[None] = torch.cuda.device_of(tensor)  # type: ignore[no-untyped-call]
    return context


def is_interpreted() -> bool:
    """Whether kernels run on the CPU, in NumPy (TRITON_INTERPRET=1)."""
    return isinstance(sweep, InterpretedFunction)


def forward(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    *,
    blank: int,
    input_kind: str,
    differentiated: bool,
    transitions: Tensor | None = None,
) -> Forward:
    """Return the loss of each item and, with ``differentiated``, the quantities that its gradient needs.

    Args:
        logits: (B, T, C) float32, float16 or bfloat16; the last axis is contiguous.
        targets: (B, N) integers on the same device; the last axis is contiguous.
        input_lengths: (B,) integers on the same device.
        target_lengths: (B,) integers on the same device.
        blank: The class of the blank.
        input_kind: "logits", "scores", "log_probs" as in ``native.ctc_loss``.
        differentiated: Whether a gradient is needed.
        transitions: (B, 7, 2N + 1) float64 on the same device, the weights of other token graphs than plain CTC's.
    """
    items, frames, classes = logits.shape
    tokens = targets.shape[1]
    pairs = pairs_of(tokens)
    halo = halo_of(tokens, transitions is not None)
    width = windows(tokens, halo)
    tile = tile_of(pairs)
    tiles = triton.cdiv(frames, tile)

    def empty(*shape: int, dtype: torch.dtype) -> Tensor:
        return torch.empty(shape, dtype=dtype, device=logits.device)

    result = empty_results(logits, tokens, width, differentiated)
    if items == 0:
        return result
    labels = empty(items, tokens, dtype=torch.int32)
    shift = empty(items, frames, dtype=torch.float64)
    sizes = Sizes(frames, tokens, tiles + 1 if differentiated else 2)
    states = (items, sizes.checkpoints, 2, tokens + 1)
    checkpoints = Checkpoints(
        alpha_ptr=empty(*(states if differentiated or halo else (0,)), dtype=torch.int64),
        beta_ptr=empty(*(states if differentiated else (0,)), dtype=torch.int64),
        likelihood_ptr=empty(items, dtype=torch.int64),
    )
    weights, needed = (labels, labels) if transitions is None else packed_transitions(transitions)
    given = Input(logits, result.normalizers, shift, logits.stride(0), logits.stride(1), blank)
    linked = Targets(labels, result.following, result.head, result.facts)

    with on_device_of(logits):
        link_targets[(items,)](
            Given(targets, input_lengths, target_lengths, needed), linked, sizes, blank, classes, targets.stride(0),
            BLOCK=token_block(tokens), CLASS_BLOCK=1024, GRAPHS=transitions is not None, num_warps=4, **ROUNDING,
        )  # fmt: skip
        if frames:
            one_block = classes <= MOST_CLASSES
            block = triton.next_power_of_2(classes) if one_block else TILE
            height = max(1, min(TILE // 2 // block, 32))
            normalizers[(items * triton.cdiv(frames, height),)](
                given, result.facts, frames, classes,
                IS_LOGITS=input_kind == "logits", BLOCK=height, CLASS_BLOCK=block, ONE_BLOCK=one_block,
                num_warps=8 if block > 2048 else 4, **ROUNDING,
            )  # fmt: skip
        sweep[(items, 2 if differentiated else 1)](
            given, linked, checkpoints, result.losses, weights, sizes,
            IS_LOGITS=input_kind == "logits", KEEP=differentiated, WINDOWED=halo > 0, PAIRS=pairs, FRAMES=tile,
            WEIGHTED=transitions is not None, num_warps=warps(pairs), **ROUNDING,
        )  # fmt: skip
        if differentiated and frames:
            occupancies[(items * tiles, width)](
                given, linked, checkpoints, weights, result.occupancy, result.blanks, sizes,
                HALO=halo, PAIRS=pairs, FRAMES=tile, WEIGHTED=transitions is not None, num_warps=warps(pairs),
                **ROUNDING,
            )  # fmt: skip
    return result


def empty_results(logits: Tensor, tokens: int, width: int, differentiated: bool) -> Forward:
    """Return uninitialized memory for the results of ``forward``; ``width`` is W."""
    items, frames, classes = logits.shape

    def empty(*shape: int, dtype: torch.dtype) -> Tensor:
        return torch.empty(shape, dtype=dtype, device=logits.device)

    return Forward(
        losses=empty(items, dtype=torch.float64),
        normalizers=empty(items, 2, frames, dtype=torch.float32),
        facts=empty(items, FACTS, dtype=torch.int32),
        head=empty(items, classes, dtype=torch.int32),
        following=empty(items, tokens, dtype=torch.int32),
        occupancy=empty(items, frames, tokens if differentiated else 0, dtype=torch.float32),
        blanks=empty(items, frames, width if differentiated else 0, dtype=torch.float32),
    )


def packed_transitions(transitions: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weights of token graphs in the form that the kernels read.

    Args:
        transitions: (B, 7, 2N + 1) natural logarithms: transitions s − k → s for k = 0..4, start, final.

    Returns:
        (B, 11, N + 1) int64, numbers as in common.py: for each pair the rows of ``ROWS``; and (B,) int32, a
        lower bound of the frames needed: 0 where a path may start and end in the same blank, else 1.
    """
    tokens = torch.nn.functional.pad(transitions[:, :, 1::2], (0, 1), value=-torch.inf)
    logs = torch.stack([(tokens if is_token else transitions[:, :, 0::2])[:, k] for k, is_token in ROWS], dim=1)
    power = logs / math.log(2)
    possible = power > -(2.0**27)
    whole = torch.where(possible, power, 0).floor()
    mantissa = torch.where(possible, torch.exp2(power - whole), 0).float()
    exponent = torch.where(possible, whole, 0).long()
    through = possible[:, BLANK_START] & possible[:, BLANK_FINAL]
    return (exponent << 32) | mantissa.view(torch.int32).long(), (~through.any(dim=1)).int()


def pairs_of(tokens: int) -> int:
    """Return the pairs of states in a program: a power of two."""
    return int(min(max(triton.next_power_of_2(tokens + 1), FEWEST_PAIRS), MOST_PAIRS))


def tile_of(pairs: int) -> int:
    """Return the frames of a tile; fewer where the pairs of a program leave too few registers for eight frames."""
    return FRAMES if pairs < MOST_PAIRS else max(1, FRAMES // 2)


def token_block(tokens: int) -> int:
    """Return the number of tokens that targets.py compares at once."""
    return int(min(max(triton.next_power_of_2(tokens), 16), 64))


def halo_of(tokens: int, weighted: bool) -> int:
    """Return the pairs that windows share at each end: as far as a path moves in a tile. 0: there is one window."""
    return 0 if tokens + 1 <= MOST_PAIRS else tile_of(MOST_PAIRS) * (2 if weighted else 1)


def windows(tokens: int, halo: int) -> int:
    """Return W, the number of programs that share the pairs of a tile in occupancy.py."""
    return 1 if halo == 0 else triton.cdiv(tokens + 1, MOST_PAIRS - 2 * halo)


def warps(pairs: int) -> int:
    """Return the warps of a program: one pair for each lane, with at most 16 warps."""
    return min(pairs // 32, 16)


def reduce(losses: Tensor, target_lengths: Tensor, reduction: str, infeasible: str) -> tuple[Tensor, Tensor]:
    """Return the reduced loss, float32, and the weight of each item's gradient in it, (B,) float64."""
    items = len(losses)
    weights = torch.empty_like(losses)
    shape = (items,) if reduction == "none" else ()
    if items == 0:
        return losses.new_zeros(shape, dtype=torch.float32), weights
    result = losses.new_empty(shape, dtype=torch.float32)
    with on_device_of(losses):
        reduce_kernel[(1,)](
            losses, target_lengths, weights, result, items,
            MEAN=reduction == "mean", EACH=reduction == "none", FREE=infeasible in ("zero", "counted"),
            UNCOUNTED=infeasible == "zero", BLOCK=min(max(triton.next_power_of_2(items), 16), 1024),
            num_warps=4, **ROUNDING,
        )  # fmt: skip
    return result, weights


def gradient(
    logits: Tensor, found: Forward, weights: Tensor, upstream: Tensor, *, blank: int, input_kind: str
) -> Tensor:
    """Return the gradient of Σ_b weights_b · upstream_b · loss_b: (B, T, C) of the logits' type, contiguous.

    Args:
        logits: As in ``forward``.
        found: The result of ``forward``.
        weights: (B,) float64.
        upstream: () or (B,).
        blank: The class of the blank.
        input_kind: As in ``forward``.
    """
    items, frames, classes = logits.shape
    result = torch.empty(logits.shape, dtype=logits.dtype, device=logits.device)
    if result.numel() == 0:
        return result
    block = min(triton.next_power_of_2(classes), CLASS_BLOCK)
    height = max(1, min(TILE // block, 32))
    with on_device_of(logits):
        gradient_kernel[(items * triton.cdiv(frames, height) * triton.cdiv(classes, block),)](
            Input(logits, found.normalizers, found.normalizers, logits.stride(0), logits.stride(1), blank),
            Targets(found.following, found.following, found.head, found.facts),
            Occupied(found.occupancy, found.blanks, found.blanks.shape[2]),
            Scale(found.losses, weights, upstream, upstream.stride(0) if upstream.ndim else 0),
            result, Sizes(frames, found.following.shape[1]), classes,
            KIND=input_kind, BLOCK=height, CLASS_BLOCK=block, num_warps=8, **ROUNDING,
        )  # fmt: skip
    return result


def losses(logits: Tensor, batch: TargetBatch, *, input_kind: str) -> npt.NDArray[np.float64]:
    """Return (B,) the losses of a checked batch; the logits are on the device, of any floating type and strides."""
    x = (logits if logits.dtype in KINDS else logits.float()).contiguous()
    arrays = (batch.targets, batch.input_lengths, batch.target_lengths)
    targets, frames, tokens = (torch.from_numpy(each).to(x.device) for each in arrays)
    found = forward(x, targets, frames, tokens, blank=batch.blank, input_kind=input_kind, differentiated=False)
    return found.losses.cpu().numpy()


def ctc_loss(
    logits: npt.NDArray[Any],
    batch: TargetBatch,
    *,
    input_kind: str,
    weights: npt.NDArray[np.float64] | None = None,
    gradient: npt.NDArray[Any] | None = None,
    transitions: npt.NDArray[np.float64] | None = None,
) -> npt.NDArray[np.float64]:
    """Return the losses of a batch of NumPy arrays, and write their gradient; see ``native.ctc_loss``."""
    device = "cpu" if is_interpreted() else "cuda"
    x = torch.from_numpy(logits).to(device)
    targets, *lengths = (
        torch.from_numpy(each).to(device) for each in (batch.targets, batch.input_lengths, batch.target_lengths)
    )
    weights_there = None if transitions is None else torch.from_numpy(transitions).to(device)
    found = forward(
        x,
        targets,
        *lengths,
        blank=batch.blank,
        input_kind=input_kind,
        differentiated=gradient is not None,
        transitions=weights_there,
    )
    if gradient is not None:
        each = torch.ones_like(found.losses) if weights is None else torch.from_numpy(weights).to(device)
        one = torch.ones((), device=device)
        gradient[...] = _gradient(x, found, each, one, blank=batch.blank, input_kind=input_kind).cpu().numpy()
    return found.losses.cpu().numpy()


_gradient = gradient
