"""The flat start: in the first steps of a training, each text is taken to lie evenly over its frames.

A network with random weights learns nothing from the CTC loss until some of its outputs differ between the characters:
all alignments are equally likely, and the blank everywhere is the easiest answer. Evenly spread texts are wrong by a
character or so, but they give every frame something to learn at once. Then the CTC loss finds the true alignment.

Training of hidden Markov models begins in the same way (Young et al., The HTK Book, 8.3, "Flat starting").
"""

from __future__ import annotations

import torch

from ctckit.ocr.data.batches import Batch

WEIGHT = 3.0  # of the first step; the CTC loss has 1
_WIDTH = 0.25  # standard deviation of a token's place, as a share of its frames


def flat_weight(step: int, steps: int) -> float:
    """Return the weight of the flat start in a step, counted from 0: it falls to 0 in a straight line.

    Example:
        >>> [flat_weight(step, 400) for step in (0, 200, 400)]
        [3.0, 1.5, 0.0]
    """
    return WEIGHT * max(0.0, 1.0 - step / steps) if steps else 0.0


def flat_loss(logits: torch.Tensor, batch: Batch, lengths: torch.Tensor, *, blank: int) -> torch.Tensor:
    """Return the cross-entropy between evenly spread texts and the network's output, a mean over all frames, in nats.

    Of the T frames of a line, each of its N tokens has T / N. At u = (t + 1/2) · N / T, frame t belongs to token
    n = ⌊u⌋. It is this token with the probability exp(−(u − n − 1/2)² / (2 · 0.25²)), which is 1 in the middle of the
    token's frames, and otherwise the blank.

    Args:
        logits: (B, T, C) of any floating-point type, on any device.
        batch: The batch, on the CPU.
        lengths: (B,) frames.
        blank: The class of the blank.
    """
    device = logits.device
    log_probs = logits.float().log_softmax(dim=2)
    sizes, frames = batch.target_lengths.to(device)[:, None], lengths.to(device)[:, None]
    frame = torch.arange(logits.shape[1], device=device)[None]
    place = (frame + 0.5) * sizes / frames
    token = place.long().minimum((sizes - 1).clamp(min=0))
    sure = torch.exp(-(((place - token - 0.5) / _WIDTH) ** 2) / 2) * (sizes > 0)
    targets = torch.nn.functional.pad(batch.targets.to(device), (0, 1))  # a batch may have no token at all
    of_token = log_probs.gather(2, targets.gather(1, token)[:, :, None])[:, :, 0]
    entropies = -(sure * of_token + (1.0 - sure) * log_probs[:, :, blank])
    inside = frame < frames
    return torch.where(inside, entropies, 0.0).sum() / inside.sum()
