"""The arguments and gradients of the loss operators, the same on the CPU and on a GPU.

PyTorch's operators take only tensors and plain values. So ``Options`` is passed as one encoded text, after the five
tensors. A backward pass returns one entry for each of these six arguments.
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
    """The arguments of the operators that are not tensors.

    Attributes:
        blank: The class of the blank.
        reduction: "mean", "sum" or "none".
        infeasible: "inf", "zero", "error", or "counted": the loss is 0, but the mean counts the item.
        input_kind: The meaning of the input: "logits", "scores" or "log_probs"; see ``kernels.loss.native.ctc_loss``.
        backend: "auto" or the name of a backend.
        name: The name of the input in messages.
        validate: Whether targets and lengths that are on a GPU are checked.
        differentiated: Whether a gradient is needed.
        counted: Whether the gradient of the weights of transitions is needed too.
    """

    blank: int
    reduction: str
    infeasible: str
    input_kind: InputKind
    backend: str = "auto"
    name: str = "logits"
    validate: bool = True
    differentiated: bool = False
    counted: bool = False

    def encode(self, *, differentiated: bool | None = None, counted: bool | None = None) -> str:
        """Return the options as one text, for an operator of PyTorch; an argument replaces their own value."""
        differentiated = self.differentiated if differentiated is None else differentiated
        counted = self.counted if counted is None else counted
        return (
            f"{self.blank} {self.reduction} {self.infeasible} {self.input_kind} {self.backend} {self.name} "
            f"{self.validate:d} {differentiated:d} {counted:d}"
        )

    def with_blank(self, blank: int) -> Options:
        """Return the options with another blank. torch.compile of PyTorch 2.6 cannot follow ``dataclasses.replace``."""
        flags = self.validate, self.differentiated, self.counted
        return Options(blank, self.reduction, self.infeasible, self.input_kind, self.backend, self.name, *flags)

    @staticmethod
    @lru_cache(maxsize=256)
    def decode(text: str) -> Options:
        """Return the options that ``encode()`` wrote."""
        blank, reduction, infeasible, kind, backend, name, *flags = text.split(" ")
        validate, differentiated, counted = (flag == "1" for flag in flags)
        input_kind = cast(InputKind, kind)
        return Options(int(blank), reduction, infeasible, input_kind, backend, name, validate, differentiated, counted)


def gradients(of_logits: Tensor | None, of_transitions: Tensor | None = None) -> tuple[Tensor | None, ...]:
    """Return the gradients of a loss operator in the order of its arguments.

    The arguments are logits, targets, input_lengths, target_lengths, transitions, options.
    """
    return of_logits, None, None, None, of_transitions, None


def loss_dtype(logits: Tensor) -> torch.dtype:
    """Return the type of the loss; for half precision the arithmetic and the loss are float32."""
    return torch.float64 if logits.dtype == torch.float64 else torch.float32


def is_transformed() -> bool:
    """Whether a transform of torch.func is active; True where torch has no answer."""
    tell: Any = getattr(torch._C, "_are_functorch_transforms_active", None)
    return True if tell is None else bool(tell())


def is_recorded(*tensors: Tensor) -> bool:
    """Whether calls of operators are recorded or redirected: by torch.compile, a trace, a mode, or a kind of tensor."""
    if torch.compiler.is_compiling() or torch._C._is_tracing() or torch._C._len_torch_dispatch_stack():
        return True
    plain = torch._C._disabled_torch_dispatch_impl
    return any(getattr(each, "__torch_dispatch__", plain) is not plain for each in tensors)
