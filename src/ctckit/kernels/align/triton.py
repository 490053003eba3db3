"""Alignment of CUDA tensors: the same functions as in reference.py, and the same paths.

The paths and one number for each frame are copied to the CPU. The log-probabilities stay on the GPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ctckit.kernels.align.reference import BestPath
from ctckit.kernels.align.triton_viterbi import Scores, best_paths
from ctckit.kernels.loss.triton import launch as triton_loss
from ctckit.kernels.loss.triton.common import ROUNDING, Sizes, Targets
from ctckit.kernels.loss.triton.targets import FACTS, Given, link_targets

Tensor = torch.Tensor

LARGEST_TABLE = 1 << 30  # bytes of the table of transitions; the C++ core needs no table


def is_small(shape: tuple[int, ...], tokens: int) -> bool:
    """Whether the table of transitions of a (B, T, C) batch is small enough: a byte for each frame and state."""
    return shape[0] * shape[1] * 2 * (tokens + 1) <= LARGEST_TABLE


def align_batch(
    log_probs: Tensor, input_lengths: Tensor, targets: Tensor, target_lengths: Tensor, *, blank: int
) -> tuple[list[BestPath | None], npt.NDArray[Any]]:
    """Return the most likely path of each item; see ``reference.align_batch``.

    Args:
        log_probs: (B, T, C) on the device, of any floating type and strides.
        input_lengths: (B,) frames, checked, on the CPU.
        targets: (B, N) integers, padded, on the CPU.
        target_lengths: (B,) tokens, on the CPU.
        blank: The class of the blank.

    Returns:
        The path of each item, or None where there is no path; and (B, T) float64, the log-probabilities on the paths,
        arbitrary where there is no path.
    """
    scores = log_probs if log_probs.stride(2) == 1 or log_probs.shape[2] == 1 else log_probs.contiguous()
    on_device = [each.to(scores.device) for each in (targets.int(), input_lengths, target_lengths)]
    paths, totals = viterbi(scores, *on_device, blank=blank)
    tokens = torch.nn.functional.pad(on_device[0].long(), (0, 1), value=blank)
    on_token = (paths >= 0) & (paths % 2 == 1)
    classes = torch.where(on_token, tokens.gather(1, (paths.long() // 2).clamp(min=0)), blank)
    passed = scores.gather(2, classes[:, :, None])[:, :, 0].double()
    states = paths.cpu().numpy()
    result: list[BestPath | None] = []
    for b, total in enumerate(totals.tolist()):
        path = states[b, : input_lengths[b]]
        labels = np.arange(1, 2 * int(target_lengths[b]), 2)
        spans = np.searchsorted(path, labels), np.searchsorted(path, labels, side="right")
        result.append(BestPath(total, *spans) if total > -np.inf else None)
    return result, passed.cpu().numpy()


def viterbi(
    log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, *, blank: int
) -> tuple[Tensor, Tensor]:
    """Return the best path of each item and its log-probability: the same bits as ``reference.viterbi``.

    Args:
        log_probs: (B, T, C) of any floating type, computed in float64; the last axis is contiguous.
        targets: (B, N) integers on the same device; the last axis is contiguous.
        input_lengths: (B,) integers on the same device, contiguous.
        target_lengths: (B,) integers on the same device, contiguous.
        blank: The class of the blank.

    Returns:
        (B, T) int32 states, −1 beyond the length and where there is no path; (B,) float64, −∞ where there is no path,
        NaN where an item is malformed. Memory: a byte for each frame and state.
    """
    items, frames, classes = log_probs.shape
    tokens = targets.shape[1]
    pairs = triton_loss.pairs_of(tokens)

    def empty(*shape: int, dtype: torch.dtype) -> Tensor:
        return torch.empty(shape, dtype=dtype, device=log_probs.device)

    paths, found = empty(items, frames, dtype=torch.int32), empty(items, dtype=torch.float64)
    if items == 0:
        return paths, found
    labels, following = empty(items, tokens, dtype=torch.int32), empty(items, tokens, dtype=torch.int32)
    head, facts = empty(items, classes, dtype=torch.int32), empty(items, FACTS, dtype=torch.int32)
    states = empty(items, 2, 2, tokens + 1, dtype=torch.float64)
    steps = empty(items, frames, 2, tokens + 1, dtype=torch.int8)
    linked, sizes = Targets(labels, following, head, facts), Sizes(frames, tokens)
    with triton_loss.on_device_of(log_probs):
        link_targets[(items,)](
            Given(targets, input_lengths, target_lengths, labels), linked, sizes, blank, classes, targets.stride(0),
            BLOCK=triton_loss.token_block(tokens), CLASS_BLOCK=1024, GRAPHS=False, num_warps=4, **ROUNDING,
        )  # fmt: skip
        best_paths[(items,)](
            Scores(log_probs, log_probs.stride(0), log_probs.stride(1), blank), linked, states, steps, paths, found,
            sizes, WINDOWED=tokens + 1 > pairs, PAIRS=pairs, FRAMES=triton_loss.tile_of(pairs),
            num_warps=triton_loss.warps(pairs), **ROUNDING,
        )  # fmt: skip
    return paths, found
