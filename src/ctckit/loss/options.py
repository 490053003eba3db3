"""``Options``: what the operators take beside tensors."""

from __future__ import annotations

from dataclasses import dataclass

from ctckit.kernels.loss.native import InputKind


@dataclass(frozen=True)
class Options:
    """What the operators take beside tensors."""

    blank: int
    reduction: str  # "mean", "sum", "none"
    infeasible: str  # "inf", "zero", "error", or "counted": 0, but counted by the mean
    input_kind: InputKind
    backend: str = "auto"
    name: str = "logits"  # what the caller calls them
