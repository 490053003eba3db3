"""A batch through the float64 reference, item by item: the other kernels' twin, and ``backend="reference"``."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit._checks import TargetBatch
from ctckit.kernels import reference
from ctckit.topology import ctc_topology


def ctc_loss(
    logits: npt.NDArray[Any],
    batch: TargetBatch,
    *,
    rows: str,
    weights: npt.NDArray[np.float64] | None = None,
    gradient: npt.NDArray[Any] | None = None,
) -> npt.NDArray[np.float64]:
    """Losses of a batch, and their gradient where asked for: see ``native.ctc_loss``."""
    losses = np.empty(len(batch))
    if gradient is not None:
        gradient[...] = 0
    for b, frames in enumerate(batch.input_lengths):
        losses[b], item = _item(logits[b, :frames].astype(np.float64), batch, b, rows)
        if gradient is not None:
            gradient[b, :frames] = item * (1.0 if weights is None else weights[b])
    return losses


def _item(x: npt.NDArray[np.float64], batch: TargetBatch, b: int, rows: str) -> tuple[float, npt.NDArray[np.float64]]:
    topology = ctc_topology(batch.target(b), blank=batch.blank)
    if len(x) < topology.frames_needed:
        return np.inf, np.zeros_like(x)
    if np.isnan(x).any() or np.isposinf(x).any():
        return np.nan, np.full_like(x, np.nan)
    if rows == "logits":
        return reference.logit_gradient(x, topology)
    loss, gradient = reference.score_gradient(x, topology)
    if rows == "log_probs" and np.isfinite(loss):
        gradient += np.exp(x)
    return loss, gradient
