"""Drop-in replacements for ``torch.nn.functional.ctc_loss`` and ``torch.nn.CTCLoss``: the same results, faster.

The input is time-first log-probabilities. These functions also avoid torch's errors: labels out of range, blanks inside
a target and wrong lengths raise; the gradient of a target that cannot be emitted is 0, never NaN; a masked class (−∞)
gives no NaN.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ctckit import _checks
from ctckit.errors import InvalidInputError
from ctckit.loss.functional import as_logits, reduced_loss
from ctckit.loss.options import Options

Tensor = torch.Tensor


class LossInputError(InvalidInputError, RuntimeError):
    """An argument is wrong. It is a ``RuntimeError`` as well, because torch raises that type."""


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
        LossInputError: On wrong types, ranks, sizes, lengths, classes; before any computation.

    Example:
        >>> from ctckit.compat.torch import ctc_loss
        >>> import torch
        >>> log_probs = torch.randn(50, 2, 20).log_softmax(2)
        >>> arguments = log_probs, torch.tensor([1, 2, 3, 4, 4]), (50, 40), (3, 2)
        >>> torch.allclose(ctc_loss(*arguments), torch.nn.functional.ctc_loss(*arguments))
        True
    """
    if torch.jit.is_scripting():  # type: ignore[attr-defined]
        return _scripted_loss(log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity)
    else:  # noqa: RET505, TorchScript would compile what follows the return
        return _eager_loss(log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity)


def _eager_loss(*arguments: Any) -> Tensor:
    with _torch_errors():
        return _loss(*arguments)


@contextmanager
def _torch_errors() -> Iterator[None]:
    """Raise every error of an argument as a ``RuntimeError`` as well."""
    try:
        yield
    except InvalidInputError as error:
        raise LossInputError(str(error)) from None


def _loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: Any,
    reduction: str,
    zero_infinity: bool,
) -> Tensor:
    _checks.choice(reduction, "reduction", _checks.REDUCTIONS)
    infeasible = "counted" if _checks.flag(zero_infinity, "zero_infinity") else "inf"
    log_probs = as_logits(log_probs, "log_probs")
    unbatched = log_probs.ndim == 2
    if unbatched:
        log_probs, targets = log_probs[:, None], _flat(targets, "targets")[None]
    if log_probs.ndim != 3:
        raise InvalidInputError(f"log_probs has shape {tuple(log_probs.shape)}; expected (T, B, C) or (T, C).")
    input_lengths, target_lengths = _flat(input_lengths, "input_lengths"), _flat(target_lengths, "target_lengths")
    _expect_time_first(log_probs, input_lengths)
    options = Options(_class(blank), reduction, infeasible, "log_probs", name="log_probs")
    arguments = _whole_numbers(targets), input_lengths, target_lengths
    result = reduced_loss(log_probs.transpose(0, 1), arguments, options)
    return result[0] if unbatched and reduction == "none" else result


def _flat(values: Any, name: str) -> Any:
    """Return a vector, also of a single number; a tensor stays a tensor, on its device."""
    if not isinstance(values, Tensor):
        return _checks.as_array(values, name).reshape(-1)
    _checks.expect_dense(values, name, on_device=True)
    return values.reshape(-1)


def _class(blank: Any) -> Any:
    """Return a class that is given as a tensor as an integer; torch accepts both."""
    return blank.item() if isinstance(blank, Tensor) and blank.numel() == 1 else blank


def _whole_numbers(targets: Any) -> Any:
    """Return targets of a floating-point type as integers, if they are whole numbers; torch converts them."""
    if not isinstance(targets, Tensor) or not targets.is_floating_point():
        return targets
    whole = targets.long()
    return whole if (whole == targets).all() else targets


def _scripted_loss(
    log_probs: Tensor,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int,
    reduction: str,
    zero_infinity: bool,
) -> Tensor:
    """Return the loss in TorchScript, which calls the operator; all arguments with values are tensors there."""
    assert isinstance(targets, Tensor)
    assert isinstance(input_lengths, Tensor)
    assert isinstance(target_lengths, Tensor)
    assert reduction in ("mean", "sum", "none"), "reduction is unknown"
    unbatched = log_probs.dim() == 2
    if unbatched:
        log_probs, targets = log_probs.unsqueeze(1), targets.reshape(1, -1)
    infeasible = "counted" if zero_infinity else "inf"
    differentiated = int(torch.is_grad_enabled() and log_probs.requires_grad)
    options = f"{blank} {reduction} {infeasible} log_probs auto log_probs 1 {differentiated} 0"  # as Options.encode
    losses = torch.ops.ctckit.ctc_loss(
        log_probs.cpu().transpose(0, 1),
        targets.cpu(),
        input_lengths.cpu().reshape(-1),
        target_lengths.cpu().reshape(-1),
        None,
        options,
    )
    loss: Tensor = losses[0].to(log_probs.device)
    return loss[0] if unbatched and reduction == "none" else loss


def _expect_time_first(log_probs: Tensor, input_lengths: Any) -> None:
    frames, items = log_probs.shape[:2]
    count = input_lengths.shape[0]
    if count != items:
        hint = " It looks batch-first: pass log_probs.transpose(0, 1)." if count == frames else ""
        raise InvalidInputError(
            f"log_probs has shape {tuple(log_probs.shape)} but input_lengths has {count} entries; "
            f"expected (T, B, C).{hint}"
        )


class CTCLoss(torch.nn.Module):
    """``torch.nn.CTCLoss``: the same arguments, the same results.

    Example:
        >>> from ctckit.compat.torch import CTCLoss
        >>> CTCLoss(blank=9, zero_infinity=True)
        CTCLoss(blank=9, reduction='mean', zero_infinity=True)
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__()
        self.blank = blank
        with _torch_errors():
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
