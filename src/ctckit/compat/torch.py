"""Drop-in replacements for ``torch.nn.functional.ctc_loss`` and ``torch.nn.CTCLoss``: the same results, faster.

The input is time-first log-probabilities. These functions also avoid torch's errors: labels out of range, blanks inside
a target and wrong lengths raise; the gradient of a target that cannot be emitted is 0, never NaN; a masked class (−∞)
gives no NaN.
"""

from __future__ import annotations

from typing import Any

import torch

from ctckit import _checks
from ctckit.errors import InvalidInputError
from ctckit.loss.functional import as_logits, reduced_loss
from ctckit.loss.options import Options

Tensor = torch.Tensor


def ctc_loss(
    log_probs: Tensor,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Return the loss of ``torch.nn.functional.ctc_loss``, with the same signature.

    Args:
        log_probs: (T, B, C), or (T, C) for one item: log-probabilities, as from ``log_softmax``.
        targets: (B, N) padded, or (Σ N_b,) all targets joined.
        input_lengths: (B,) tensor, list or tuple; a number for an unbatched item or a batch of one.
        target_lengths: (B,) tensor, list or tuple; a number for an unbatched item or a batch of one.
        blank: The class of the blank.
        reduction: "mean": the mean over items of loss / max(N, 1); "sum"; "none".
        zero_infinity: Whether infinite losses count as 0.

    Returns:
        A scalar; (B,) for "none", or a scalar where the input is unbatched. The gradient is e^log_probs − γ, as
        in torch. It is correct if ``log_probs`` come from a log-softmax.

    Raises:
        InvalidInputError: On wrong types, ranks, sizes, lengths, classes; before any computation.

    Example:
        >>> import torch
        >>> log_probs = torch.randn(50, 2, 20).log_softmax(2)
        >>> arguments = log_probs, torch.tensor([1, 2, 3, 4, 4]), (50, 40), (3, 2)
        >>> torch.allclose(ctc_loss(*arguments), torch.nn.functional.ctc_loss(*arguments))
        True
    """
    _checks.choice(reduction, "reduction", _checks.REDUCTIONS)
    infeasible = "counted" if _checks.flag(zero_infinity, "zero_infinity") else "inf"
    log_probs = as_logits(log_probs, "log_probs")
    unbatched = log_probs.ndim == 2
    if unbatched:
        log_probs = log_probs[:, None]
        input_lengths = _flat(input_lengths, "input_lengths")
        target_lengths = _flat(target_lengths, "target_lengths")
    elif log_probs.ndim == 3 and log_probs.shape[1] == 1:  # torch accepts a number for a batch of one
        input_lengths = _number_or_lengths(input_lengths, "input_lengths")
        target_lengths = _number_or_lengths(target_lengths, "target_lengths")
    if log_probs.ndim != 3:
        raise InvalidInputError(f"log_probs has shape {tuple(log_probs.shape)}; expected (T, B, C) or (T, C).")
    _expect_time_first(log_probs, input_lengths)
    options = Options(blank, reduction, infeasible, "log_probs", name="log_probs")
    if unbatched:
        on_device = isinstance(targets, Tensor) and targets.device.type != "cpu"
        targets = (targets if on_device else _checks.as_array(targets, "targets"))[None]
    result = reduced_loss(log_probs.transpose(0, 1), (targets, input_lengths, target_lengths), options)
    return result[0] if unbatched and reduction == "none" else result


def _flat(lengths: Any, name: str) -> Any:
    """Return (B,) lengths, also for a single number; a tensor stays on its device."""
    if not isinstance(lengths, Tensor):
        return _checks.as_array(lengths, name).reshape(-1)
    _checks.expect_dense(lengths, name, on_device=True)
    return lengths.reshape(-1)


def _number_or_lengths(lengths: Any, name: str) -> Any:
    """Return (1,) lengths for a single number; all other lengths as they are."""
    is_number = isinstance(lengths, int) or getattr(lengths, "ndim", 1) == 0
    return _flat(lengths, name) if is_number else lengths


def _expect_time_first(log_probs: Tensor, input_lengths: Any) -> None:
    frames, items = log_probs.shape[:2]
    count = len(_flat(input_lengths, "input_lengths"))
    if count != items:
        hint = " It looks batch-first: pass log_probs.transpose(0, 1)." if count == frames else ""
        raise InvalidInputError(
            f"log_probs has shape {tuple(log_probs.shape)} but input_lengths has {count} entries; "
            f"expected (T, B, C).{hint}"
        )


class CTCLoss(torch.nn.Module):
    """``torch.nn.CTCLoss``: the same arguments, the same results.

    Example:
        >>> CTCLoss(blank=9, zero_infinity=True)
        CTCLoss(blank=9, reduction='mean', zero_infinity=True)
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__()
        self.blank = blank
        self.reduction = _checks.choice(reduction, "reduction", _checks.REDUCTIONS)
        self.zero_infinity = _checks.flag(zero_infinity, "zero_infinity")

    def forward(self, log_probs: Tensor, targets: Any, input_lengths: Any, target_lengths: Any) -> Tensor:
        """Return the loss; see ``ctc_loss``."""
        return ctc_loss(
            log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity
        )

    def extra_repr(self) -> str:
        """Return the options as text for ``repr``."""
        return f"blank={self.blank}, reduction={self.reduction!r}, zero_infinity={self.zero_infinity}"
