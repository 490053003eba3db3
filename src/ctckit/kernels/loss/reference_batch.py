"""``backend="reference"``: the loss of a batch from the float64 reference, item by item."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.kernels.batch import TargetBatch
from ctckit.kernels.loss import reference, reference_exact
from ctckit.topology import FINAL, IMPOSSIBLE, NUM_WEIGHTS, START, Topology, ctc_topology


def ctc_loss(
    logits: npt.NDArray[Any],
    batch: TargetBatch,
    *,
    input_kind: str,
    weights: npt.NDArray[np.float64] | None = None,
    gradient: npt.NDArray[Any] | None = None,
    normalizers: npt.NDArray[Any] | None = None,
    normalized: bool = False,
    transitions: npt.NDArray[np.float64] | None = None,
    counts: npt.NDArray[np.float64] | None = None,
) -> npt.NDArray[np.float64]:
    """Return the losses of a batch, as ``native.ctc_loss`` does, but leave ``normalizers`` as they are."""
    losses = np.empty(len(batch))
    if gradient is not None:
        gradient[...] = 0
    for b, frames in enumerate(batch.input_lengths):
        topology = _topology(batch, b, transitions)
        x = as_float64(logits[b, :frames])
        losses[b], item = _item(x, topology, input_kind)
        if gradient is not None:
            _write(gradient[b, :frames], item * (1.0 if weights is None else weights[b]))
        if counts is not None:
            counts[b] = 0
            counts[b, :, : topology.num_states] = _counts(x, topology, input_kind, losses[b])
    return losses


def as_float64(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return an array of any kernel type as float64; uint16 holds bfloat16, the upper bits of a float32."""
    if values.dtype == np.uint16:
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float64)


def _write(target: npt.NDArray[Any], values: npt.NDArray[np.float64]) -> None:
    if target.dtype == np.uint16:
        bits = values.astype(np.float32).view(np.uint32)
        nearest = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
        target[...] = np.where(np.isnan(values), np.uint16(0x7FC0), nearest)
    else:
        target[...] = values


def _topology(batch: TargetBatch, b: int, transitions: npt.NDArray[np.float64] | None) -> Topology:
    plain = ctc_topology(batch.target(b), blank=batch.blank)
    if transitions is None:
        return plain
    weights = transitions[b, :, : plain.num_states]
    start, final = weights[START], weights[FINAL]
    through = (start[0::2] > IMPOSSIBLE) & (final[0::2] > IMPOSSIBLE)  # a path of 0 frames: the same blank twice
    return Topology(plain.labels, weights[:START], start, final, empty=0.0 if through.any() else IMPOSSIBLE)


def _item(x: npt.NDArray[np.float64], topology: Topology, input_kind: str) -> tuple[float, npt.NDArray[np.float64]]:
    if np.isnan(x).any() or np.isposinf(x).any():
        possible = len(x) >= topology.frames_needed
        return (np.nan, np.full_like(x, np.nan)) if possible else (np.inf, np.zeros_like(x))
    scores = reference.log_softmax(x) if input_kind == "logits" else x
    with np.errstate(over="ignore"):  # of occupancies that are computed again
        loss, gradient = reference.score_gradient(scores, topology)
    if reference_exact.is_needed(scores, loss):
        loss, occupancy, _ = reference_exact.solve(x, topology, normalize=input_kind == "logits")
        gradient = reference.class_gradient(occupancy, topology, x.shape[1])
    if input_kind != "scores" and not np.isinf(loss):
        gradient += np.exp(scores)
    return loss, gradient


def _counts(x: npt.NDArray[np.float64], topology: Topology, input_kind: str, loss: float) -> npt.NDArray[np.float64]:
    """Return (7, S) how often, on average, a path of the target takes each transition, and starts and ends in s."""
    result = np.zeros((NUM_WEIGHTS, topology.num_states))
    if not np.isfinite(loss) or not len(x):
        return result
    scores = reference.log_softmax(x) if input_kind == "logits" else x
    if reference_exact.is_needed(scores, loss):
        return reference_exact.solve(x, topology, normalize=input_kind == "logits").counts
    alpha, beta = reference.forward(scores, topology), reference.backward(scores, topology)
    emission = reference.emissions(scores, topology)
    for t in range(1, len(x)):
        result[: len(topology.transitions)] += np.exp(
            reference.arrivals(alpha[t - 1], topology) + emission[t] + beta[t] + loss
        )
    result[START] = np.exp(alpha[0] + beta[0] + loss)
    result[FINAL] = np.exp(alpha[-1] + topology.final + loss)
    return result
