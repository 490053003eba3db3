"""Reads the batch leniently: mistakes are recorded, and unmistakable ones are corrected for the rest of the page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.kernels.batch import TargetBatch
from ctckit.topology import Floats, Ints, frames_needed

# From this multiple of T on, a length is in another unit (pixels, samples). Below, it is a frame or two of rounding.
OTHER_UNIT = 1.5


@dataclass(frozen=True, eq=False)
class Problem:
    """A batch whose arrays have matching ranks and counts; the content may be wrong.

    Attributes:
        logits: (B, T, C) of the type given.
        targets: (B, N) int64.
        input_lengths: (B,) int64, as given.
        target_lengths: (B,) int64, as given.
        blank: The class of the blank.
        frames: (B,) int64 the input lengths that are used: as given, or corrected.
        axes: "" or the order in which the axes were given: "time-major", "classes-not-last".
        swapped: Whether the two lengths were given in the wrong order.
        unit: Units of ``input_lengths`` for each frame if they are not frames; 1 otherwise.
    """

    logits: npt.NDArray[Any]
    targets: Ints
    input_lengths: Ints
    target_lengths: Ints
    blank: int
    frames: Ints
    axes: str = ""
    swapped: bool = False
    unit: float = 1.0

    @property
    def shape(self) -> tuple[int, int, int]:
        """(B, T, C)."""
        items, frames, classes = self.logits.shape
        return items, frames, classes

    @property
    def read_as(self) -> tuple[str, ...]:
        """The corrections, in words."""
        notes = []
        if self.axes:
            notes.append(f"logits transposed to (B, T, C) = {self.shape}")
        if self.swapped:
            notes.append("input_lengths and target_lengths exchanged")
        if self.unit > 1:
            notes.append(f"input_lengths divided by {self.unit:.4g}, rounded up")
        return tuple(notes)

    def tokens(self, item: int) -> Ints:
        """Return the (N_b,) tokens of an item, at most as many as there are columns."""
        return self.targets[item, : max(0, int(self.target_lengths[item]))]

    def scores(self, item: int) -> Floats | None:
        """Return (T_b, C) float64 log-probabilities of an item; None for an impossible length or frames not finite."""
        count = int(self.frames[item])
        if not 0 <= count <= self.shape[1]:
            return None
        x = self.logits[item, :count].astype(np.float64)
        top = x.max(axis=1, keepdims=True, initial=-np.inf)
        if not np.isfinite(top).all():  # a maximum that is NaN, +∞, or −∞ (all classes masked)
            return None
        x -= top
        x -= np.log(np.exp(x).sum(axis=1, keepdims=True))
        return x

    def length_is_possible(self, item: int) -> bool:
        """Return whether both lengths lie within their arrays."""
        _, frames, _ = self.shape
        tokens = int(self.target_lengths[item])
        return 0 <= int(self.frames[item]) <= frames and 0 <= tokens <= self.targets.shape[1]


def read_problem(logits: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: Any) -> Problem:
    """Return a batch from arrays, tensors or lists; unmistakable errors in axes, lengths and units are corrected.

    Raises:
        InvalidInputError: On wrong ranks and types, different numbers of items, a blank that is not a class.
    """
    array = _checks.floats(_checks.as_array(_on_host(logits), "logits"), "logits", "(B, T, C)")
    labels = _checks.integers(_on_host(targets), "targets", "(B, N)").astype(np.int64)
    frames = _checks.integers(_on_host(input_lengths), "input_lengths", "(B,)").astype(np.int64)
    tokens = _checks.integers(_on_host(target_lengths), "target_lengths", "(B,)").astype(np.int64)
    items = len(frames)
    _checks.expect_entries(len(tokens), "target_lengths", items)
    _checks.expect_entries(len(labels), "targets", items)
    axes = _axes(array.shape, frames, labels)
    if axes:
        array = array.transpose(1, 0, 2) if axes == "time-major" else array.transpose(0, 2, 1)
    _checks.expect_entries(len(array), "logits", items)
    blank = _checks.class_index(blank, "blank", array.shape[2])
    problem = Problem(array, labels, frames, tokens, blank, frames, axes)
    if _look_swapped(problem):
        problem = replace(problem, input_lengths=tokens, target_lengths=frames, frames=tokens, swapped=True)
    unit = _unit(problem)
    if unit > 1:
        problem = replace(problem, unit=unit, frames=_divided(problem.input_lengths, unit))
    return problem


def one_item(scores: Floats, tokens: Ints, blank: int) -> TargetBatch:
    """Return a batch of one item, as the kernels take it."""
    frames, count = (np.array([len(each)], dtype=np.int64) for each in (scores, tokens))
    return TargetBatch(np.ascontiguousarray(tokens[None], dtype=np.int32), frames, count, blank)


def _on_host(values: Any) -> Any:
    """Return a tensor on the CPU. A diagnosis is rare, so the copy does not matter."""
    return values.detach().cpu() if hasattr(values, "detach") else values


def _axes(shape: tuple[int, ...], lengths: Ints, labels: Ints) -> str:
    """Return the order of the logits' axes: "" for (B, T, C)."""
    items, second, last = len(lengths), shape[1], shape[2]
    if shape[0] != items and second == items:
        return "time-major"  # (T, B, C)
    longest, highest = int(lengths.max(initial=0)), int(labels.max(initial=0))
    if shape[0] == items and longest > second and longest == last and highest < second:
        return "classes-not-last"  # (B, C, T), as a convolution over time returns it
    return ""


def _look_swapped(problem: Problem) -> bool:
    """Return whether some item does not fit as given, and all items fit with the lengths exchanged.

    This alone could be data without enough frames. But such data has no target length of exactly T, and none beyond the
    columns of ``targets``.
    """
    _, most_frames, _ = problem.shape
    frames, tokens = problem.input_lengths, problem.target_lengths
    columns = problem.targets.shape[1]
    if not len(frames) or frames.min() < 1 or tokens.max() > most_frames or frames.max() > columns:
        return False
    if tokens.max() <= columns and (tokens.max() != most_frames or frames.max() == most_frames):
        return False
    return all(t >= frames_needed(labels[:n]) for labels, t, n in zip(problem.targets, tokens, frames, strict=True))


def _divided(lengths: Ints, unit: float) -> Ints:
    """Return lengths in units of ``unit``, rounded up; a rounding error of the division does not round up."""
    return np.ceil(lengths / unit - 1e-9).astype(np.int64)


def _unit(problem: Problem) -> float:
    """Return how many units of ``input_lengths`` a frame has, if most lengths are far beyond T; 1 otherwise.

    The longest item has T frames.
    """
    most = problem.shape[1]
    longest = int(problem.input_lengths.max(initial=0))
    if most == 0 or longest < OTHER_UNIT * most or np.median(problem.input_lengths) <= most:
        return 1.0
    whole = round(longest / most)
    return float(whole) if whole > 1 and -(-longest // whole) == most else longest / most
