"""The loss of a batch of lines, on the device where the network has computed its logits."""

from __future__ import annotations

import torch

from ctckit.loss import ctc_loss
from ctckit.ocr.data.batches import Batch

_DEVICES = ("cpu", "cuda")


def compute_loss(logits: torch.Tensor, batch: Batch, lengths: torch.Tensor, *, blank: int) -> torch.Tensor:
    """Return the loss of a batch, computed on the device of the logits; on the CPU if the loss has no kernels for it.

    Args:
        logits: (B, T, C) of any floating-point type, on any device.
        batch: The batch, on the CPU.
        lengths: (B,) frames.
        blank: The class of the blank.

    Returns:
        The loss, on the device where it was computed.

    Raises:
        InvalidInputError: If a text does not fit into its frames, or a shape is wrong.
    """
    device = logits.device if logits.device.type in _DEVICES else torch.device("cpu")
    targets, target_lengths = batch.targets.to(device), batch.target_lengths.to(device)
    return ctc_loss(
        logits.float().to(device), targets, lengths.to(device), target_lengths, blank=blank, infeasible="error"
    )
