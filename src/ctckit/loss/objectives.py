"""Training objectives on top of ``ctc_loss``: short functions for PyTorch.

focal            gives hard items more weight
path_entropy     rewards many alignments (EnCTC), against peaky outputs
consistency      makes the outputs for two views of a recording agree (CR-CTC); ``time_mask`` makes a view
"""

from __future__ import annotations

from typing import Any

import torch

from ctckit import _checks
from ctckit.loss.functional import ctc_loss

Tensor = torch.Tensor

__all__ = ["consistency", "focal", "path_entropy", "time_mask"]


def focal(losses: Tensor, target_lengths: Any | None = None, *, focus: float = 2.0) -> Tensor:
    """Return the focal loss (1 − p_b)^focus · loss_b with p_b = exp(−loss_b), or exp(−loss_b / N_b) with lengths.

    The likelihood of a whole target is nearly 0 unless the target is short. The likelihood per token separates easy
    items from hard ones.

    Args:
        losses: (B,) from ``ctc_loss(..., reduction="none")``; +∞ stays +∞.
        target_lengths: (B,) tokens.
        focus: ≥ 0; with 0 the losses do not change.

    Returns:
        (B,) the focal losses.

    Example:
        >>> from ctckit.objectives import focal
        >>> import torch
        >>> [round(value, 4) for value in focal(torch.tensor([0.1, 2.0])).tolist()]
        [0.0009, 1.4953]

    Source: Feng et al. 2019, Focal CTC Loss for Chinese Optical Character Recognition.
    """
    each = losses
    if target_lengths is not None:
        lengths = torch.as_tensor(_checks.integers(target_lengths, "target_lengths", "(B,)"))
        each = losses / lengths.clamp(min=1)
    weight: Tensor = -torch.expm1(-each)
    return weight**focus * losses


def path_entropy(log_probs: Tensor, targets: Any, input_lengths: Any, target_lengths: Any, *, blank: int = 0) -> Tensor:
    """Return the entropy, in nats, of the alignments of each target: H_b = −Σ_π p(π | y_b) log p(π | y_b).

    H = log Z − E[score(π)] = −loss − Σ_{t,c} γ_t(c) log_probs[t, c]. Its gradient needs a second derivative of the
    loss. Subtract a part of the entropy from the loss to reward the network for several likely alignments.

    Args:
        log_probs: (B, T, C) from a log-softmax.
        targets: As in ``ctc_loss``.
        input_lengths: As in ``ctc_loss``.
        target_lengths: As in ``ctc_loss``.
        blank: The class of the blank.

    Returns:
        (B,), 0 where one alignment has all the probability; NaN where a target cannot be emitted.

    Example:
        >>> from ctckit.objectives import path_entropy
        >>> import torch
        >>> log_probs = torch.full((1, 2, 2), 0.5).log()
        >>> path_entropy(log_probs, [[1]], [2], [1]).exp().item()  # three alignments, equally likely
        3.0

    Source: Liu et al. 2018, Connectionist Temporal Classification with Maximum Entropy Regularization.
    """
    with torch.enable_grad():
        scores = log_probs if log_probs.requires_grad else log_probs.detach().requires_grad_()
        losses = ctc_loss(
            scores, targets, input_lengths, target_lengths, blank=blank, reduction="none", normalize=False
        )
        (slope,) = torch.autograd.grad(losses.sum(), scores, create_graph=log_probs.requires_grad)  # −γ
    used = torch.where(slope == 0, 0.0, scores)  # −∞ and the padding do not count
    entropy = (slope * used).sum(dim=(1, 2)) - losses
    return torch.where(losses.isinf(), torch.nan, entropy) if log_probs.requires_grad else entropy.detach()


def consistency(logits: Tensor, other_logits: Tensor, input_lengths: Any, *, reduction: str = "mean") -> Tensor:
    """Return the divergence of two views of the same items: ½ Σ_t [KL(q_t ‖ p_t) + KL(p_t ‖ q_t)].

    p and q are the softmaxes of the two views. In each divergence the first distribution is a fixed reference without
    gradient. CR-CTC trains with ½ (ctc_loss(logits) + ctc_loss(other_logits)) plus about
    0.2 · consistency(…, reduction="sum") / B. The two views are one recording with two random draws of ``time_mask``.

    Args:
        logits: (B, T, C) of one view.
        other_logits: (B, T, C) of the other view.
        input_lengths: (B,) frames; the padding does not count and may be NaN.
        reduction: "mean" over all frames, "sum", or "none": (B,), the sum over the frames of each item.

    Example:
        >>> from ctckit.objectives import consistency
        >>> import torch
        >>> consistency(torch.zeros(1, 4, 3), torch.zeros(1, 4, 3), [4]).item()
        0.0

    Source: Yao et al. 2024, CR-CTC: Consistency regularization on CTC for improved speech recognition.
    """
    _checks.choice(reduction, "reduction", _checks.REDUCTIONS)
    _checks.expect_rank(tuple(logits.shape), "logits", "(B, T, C)")
    if logits.shape != other_logits.shape:
        raise _checks.differing_shapes("other_logits", tuple(other_logits.shape), "logits", tuple(logits.shape))
    items, frames, _ = logits.shape
    limit = f"logits has T = {frames} frames"
    lengths = torch.from_numpy(_checks.lengths(input_lengths, "input_lengths", items, frames, limit))
    inside = (torch.arange(frames) < lengths[:, None]).to(logits.device)
    p, q = (each.masked_fill(~inside[..., None], 0).log_softmax(dim=-1) for each in (logits, other_logits))
    divergence = 0.5 * (_divergence(q.detach(), p) + _divergence(p.detach(), q)) * inside
    if reduction == "none":
        return divergence.sum(dim=1)
    return divergence.sum() / (inside.sum().clamp(min=1) if reduction == "mean" else 1)


def _divergence(reference: Tensor, found: Tensor) -> Tensor:
    """Return (B, T) KL(reference ‖ found) of log-probabilities; a class masked in the reference adds 0."""
    difference = torch.where(reference == -torch.inf, 0.0, reference - found)
    return (reference.exp() * difference).sum(dim=-1)


def time_mask(
    features: Tensor,
    input_lengths: Any,
    *,
    masks: int = 10,
    longest: int = 25,
    most: float = 0.4,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return a copy of the features in which random stretches of frames are 0; each item has its own stretches.

    Args:
        features: (B, T, F) input of the network.
        input_lengths: (B,) frames.
        masks: The number of stretches of each item.
        longest: The length of a stretch, in frames, is uniform in 0..longest.
        most: The largest share of an item's frames that may be masked; longer stretches are shortened.
        generator: The source of random numbers.

    Example:
        >>> from ctckit.objectives import time_mask
        >>> import torch
        >>> time_mask(torch.ones(1, 100, 2), [100], generator=torch.Generator().manual_seed(0)).mean().item() < 1
        True

    Source: Park et al. 2019, SpecAugment.
    """
    _checks.expect_rank(tuple(features.shape), "features", "(B, T, F)")
    items, frames, _ = features.shape
    limit = f"features has T = {frames} frames"
    lengths = torch.from_numpy(_checks.lengths(input_lengths, "input_lengths", items, frames, limit))
    widths = torch.randint(0, longest + 1, (items, masks), generator=generator)
    widths = torch.minimum(widths, (most * lengths / max(masks, 1)).long()[:, None])
    starts = (torch.rand(items, masks, generator=generator) * (lengths[:, None] - widths + 1)).long()
    t = torch.arange(frames)[None, :, None]
    hidden = ((t >= starts[:, None]) & (t < (starts + widths)[:, None])).any(dim=-1)
    return features.masked_fill(hidden[..., None].to(features.device), 0)
