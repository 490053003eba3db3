"""The best paths of a batch on the device: reference.viterbi, for CUDA tensors."""

from __future__ import annotations

import torch

from ctckit.kernels import triton_loss
from ctckit.kernels.triton_common import FRAMES
from ctckit.kernels.triton_targets import FACTS, link_targets
from ctckit.kernels.triton_viterbi import best_paths

Tensor = torch.Tensor


def viterbi(
    log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, *, blank: int
) -> tuple[Tensor, Tensor]:
    """The best path of each item and its log-probability; the bits of ``reference.viterbi``.

    Args:
        log_probs: (B, T, C) of any floating type, computed in float64; classes side by side.
        targets: (B, N) integers on the same device.
        input_lengths: (B,) likewise.
        target_lengths: (B,) likewise.
        blank: The class of the blank.

    Returns:
        (B, T) int32 states, −1 beyond the length and everywhere where there is no path; (B,) float64, −∞ where there is
        none, NaN where an item is malformed. Memory: a byte for each frame and state.
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
    arrows = empty(items, frames, 2, tokens + 1, dtype=torch.int8)
    with triton_loss.on_device_of(log_probs):
        link_targets[(items,)](
            targets, input_lengths, target_lengths, labels, labels, following, head, facts,
            blank, frames, tokens, classes, targets.stride(0),
            BLOCK=triton_loss.token_block(tokens), CLASS_BLOCK=1024, CHAINS=False, num_warps=4,
        )  # fmt: skip
        best_paths[(items,)](
            log_probs, labels, facts, states, arrows, paths, found,
            blank, frames, tokens, log_probs.stride(0), log_probs.stride(1),
            WINDOWED=tokens + 1 > pairs, PAIRS=pairs, FRAMES=FRAMES, num_warps=triton_loss.warps(pairs),
        )  # fmt: skip
    return paths, found
