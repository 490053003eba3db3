"""What the operators of the loss take and give: the same on the CPU and on a GPU.

PyTorch's operators take tensors and plain values only. So ``Options`` travels as one encoded text, behind the five
tensors, and a backward pass returns one entry for each of these six arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import torch

from ctckit.kernels.loss.native import InputKind

Tensor = torch.Tensor


@dataclass(frozen=True)
class Options:
    """What the operators take beside tensors.

    Attributes:
        blank: The class of the blank.
        reduction: "mean", "sum" or "none".
        infeasible: "inf", "zero", "error", or "counted": the loss is 0, but the mean counts the item.
        input_kind: What the input means: "logits", "scores" or "log_probs"; see ``kernels.loss.native.ctc_loss``.
        backend: "auto" or the name of a backend.
        name: What the caller calls the input, for messages.
        validate: Whether targets and lengths that are on a GPU are checked.
        differentiated: Whether the gradient will be asked for.
    """

    blank: int
    reduction: str
    infeasible: str
    input_kind: InputKind
    backend: str = "auto"
    name: str = "logits"
    validate: bool = True
    differentiated: bool = False

    def encode(self) -> str:
        """The options as one text, for an operator of PyTorch."""
        return (
            f"{self.blank} {self.reduction} {self.infeasible} {self.input_kind} {self.backend} {self.name} "
            f"{self.validate:d} {self.differentiated:d}"
        )

    @staticmethod
    @lru_cache(maxsize=256)
    def decode(text: str) -> Options:
        """The options from ``encode()``."""
        blank, reduction, infeasible, kind, backend, name, validate, differentiated = text.split(" ")
        input_kind = cast(InputKind, kind)
        return Options(
            int(blank), reduction, infeasible, input_kind, backend, name, validate == "1", differentiated == "1"
        )


def gradients(of_logits: Tensor | None, of_transitions: Tensor | None = None) -> tuple[Tensor | None, ...]:
    """What the backward pass of a loss operator returns, in the order of its arguments.

    These are logits, targets, input_lengths, target_lengths, transitions, options.
    """
    return of_logits, None, None, None, of_transitions, None


def loss_dtype(logits: Tensor) -> torch.dtype:
    """The type of the loss: half precision is computed, and its loss returned, in float32."""
    return torch.float64 if logits.dtype == torch.float64 else torch.float32


def is_transformed() -> bool:
    """Whether this runs inside torch.func; True where torch does not tell."""
    tell: Any = getattr(torch._C, "_are_functorch_transforms_active", None)
    return True if tell is None else bool(tell())
