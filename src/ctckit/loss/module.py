"""``CTCLoss``: the loss as a module."""

from __future__ import annotations

from typing import Any

import torch

from ctckit import _checks
from ctckit.kernels.loss import BACKENDS
from ctckit.loss.functional import ctc_loss, expect_variant
from ctckit.variants import CTCVariant

Tensor = torch.Tensor


class CTCLoss(torch.nn.Module):
    """``ctc_loss`` as a module: the same options, batch first.

    Example:
        >>> from ctckit import CTCLoss
        >>> import torch
        >>> criterion = CTCLoss(infeasible="zero")
        >>> logits = torch.randn(4, 50, 28, requires_grad=True)
        >>> targets = torch.randint(1, 28, (4, 12))
        >>> loss = criterion(logits, targets, torch.full((4,), 50), torch.tensor([12, 10, 7, 0]))
        >>> loss.backward()
    """

    def __init__(
        self,
        blank: int = 0,
        reduction: str = "mean",
        infeasible: str = "inf",
        normalize: bool = True,
        variant: CTCVariant | None = None,
        validate: bool = True,
        backend: str = "auto",
    ) -> None:
        super().__init__()
        self.blank = blank
        self.reduction = _checks.choice(reduction, "reduction", _checks.REDUCTIONS)
        self.infeasible = _checks.choice(infeasible, "infeasible", _checks.INFEASIBLE)
        self.normalize = _checks.flag(normalize, "normalize")
        self.variant = expect_variant(variant)
        self.validate = _checks.flag(validate, "validate")
        self.backend = _checks.backend(backend, BACKENDS)

    def forward(self, logits: Tensor, targets: Any, input_lengths: Any, target_lengths: Any) -> Tensor:
        """Return the loss; see ``ctc_loss``."""
        return ctc_loss(
            logits,
            targets,
            input_lengths,
            target_lengths,
            blank=self.blank,
            reduction=self.reduction,
            infeasible=self.infeasible,
            normalize=self.normalize,
            variant=self.variant,
            validate=self.validate,
            backend=self.backend,
        )

    def extra_repr(self) -> str:
        """Return all options as text for ``repr``."""
        names = ("blank", "reduction", "infeasible", "normalize", "variant", "validate", "backend")
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
