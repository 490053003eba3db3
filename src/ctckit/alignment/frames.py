"""The log-probabilities that targets are aligned to, in memory or on a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit._distributions import expect_distributions
from ctckit.kernels.align import native as native_align
from ctckit.kernels.align.reference import BestPath
from ctckit.kernels.batch import TargetBatch
from ctckit.kernels.search.native import plausible
from ctckit.topology import Floats, Ints

Tokens = Sequence[npt.NDArray[np.integer[Any]]]


def frames_of(log_probs: Any) -> Frames | DeviceFrames:
    """Return checked frames for log-probabilities of shape (B, T, C), or (T, C) for one item."""
    if getattr(log_probs, "is_cuda", False):
        return DeviceFrames(_checks.frames_on_device(log_probs), single=log_probs.ndim == 2)
    array = _checks.as_array(log_probs, "log_probs")
    single = array.ndim == 2
    return Frames(_checks.floats(array[None] if single else array, "log_probs", "(B, T, C)"), single=single)


class Frames:
    """(B, T, C) log-probabilities in memory."""

    def __init__(self, scores: npt.NDArray[Any], *, single: bool) -> None:
        self.scores = scores if scores.dtype.itemsize > 2 else scores.astype(np.float32)
        self.single = single  # whether it was given as one item
        self.shape: tuple[int, ...] = scores.shape

    def expect_alignable(self, input_lengths: Ints) -> None:
        """Raise an error on NaN, +∞ and values above 0; see ``_checks``, and ``_distributions`` for other numbers."""
        _checks.expect_alignable(self.scores, input_lengths)
        if self.scores.dtype != np.float32 or not plausible(self.scores, input_lengths, np.inf):
            expect_distributions(lambda items, frames: self.scores[items, frames], input_lengths)

    def best_paths(self, batch: TargetBatch) -> tuple[list[BestPath | None], list[Floats]]:
        """Return for each item its path, or None; and (N_b,) mean log-probabilities of its tokens over their frames."""
        tokens = [batch.target(b) for b in range(len(batch))]
        paths = native_align.align_batch(
            self.scores, batch.input_lengths, batch.targets, batch.target_lengths, blank=batch.blank
        )
        return paths, mean_log_probs(self.scores, tokens, paths)

    def in_memory(self) -> Frames:
        """Return these frames; they are in memory already."""
        return self

    def item(self, b: int, length: int) -> npt.NDArray[Any]:
        """Return (T_b, C) the frames of one item."""
        found: npt.NDArray[Any] = self.scores[b, :length]
        return found


class DeviceFrames:
    """(B, T, C) log-probabilities on a GPU. Only a state and a number for each frame are copied to the CPU."""

    def __init__(self, scores: Any, *, single: bool) -> None:
        self.scores = scores
        self.single = single
        self.shape: tuple[int, ...] = tuple(scores.shape)

    def expect_alignable(self, input_lengths: Ints) -> None:
        """See ``Frames``. The maximum of each frame is checked; all values are copied only to describe an error."""
        if 0 in self.shape:
            return
        top = self.scores.amax(dim=2).float().cpu().numpy()[:, :, None]  # NaN wherever there is one
        beyond = np.arange(self.shape[1]) >= input_lengths[:, None]
        top[beyond] = 0
        if not (top <= _checks.LOG_PROB_SLACK).all():
            self.in_memory().expect_alignable(input_lengths)
        expect_distributions(self._rows, input_lengths)

    def _rows(self, items: Ints, frames: Ints) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = self.scores[items.tolist(), frames.tolist()].float().cpu().numpy()
        return found

    def best_paths(self, batch: TargetBatch) -> tuple[list[BestPath | None], list[Floats]]:
        """See ``Frames``. If the table of transitions is too large for the GPU, the batch is aligned on the CPU."""
        import torch

        try:
            from ctckit.kernels.align import triton as triton_align
        except ModuleNotFoundError as error:
            raise _checks.missing(error, "Alignment on a GPU", "gpu") from None
        if not triton_align.is_small(self.shape, batch.targets.shape[1]):
            return self.in_memory().best_paths(batch)
        integers = (torch.from_numpy(each) for each in (batch.input_lengths, batch.targets, batch.target_lengths))
        paths, passed = triton_align.align_batch(self.scores, *integers, blank=batch.blank)
        only_class = [np.zeros(count, dtype=np.int64) for count in batch.target_lengths.tolist()]
        return paths, mean_log_probs(passed[:, :, None], only_class, paths)

    def in_memory(self) -> Frames:
        """Return a copy on the CPU."""
        return Frames(_checks.as_array(self.scores.cpu(), "log_probs"), single=self.single)

    def item(self, b: int, length: int) -> Any:
        """Return (T_b, C) the frames of one item, a tensor on the GPU."""
        return self.scores[b, :length]


def mean_log_probs(scores: npt.NDArray[Any], tokens: Tokens, paths: Sequence[BestPath | None]) -> list[Floats]:
    """Return for each item (N_b,) the mean log-probability of each token over its frames, in one pass over the batch.

    Args:
        scores: (B, T, C).
        tokens: (N_b,) classes, for each item.
        paths: The frames of the tokens. The result of an item without a path is empty.
    """
    there = [b for b, path in enumerate(paths) if path is not None]
    spans = [(path.starts, path.ends) for path in paths if path is not None]
    counts = np.array([len(starts) for starts, _ in spans], dtype=np.int64)
    result = [np.zeros(0) for _ in paths]
    if not counts.sum():
        return result
    starts, ends = (np.concatenate(parts) for parts in zip(*spans, strict=True))
    lengths = ends - starts
    places = np.cumsum(lengths) - lengths
    of_token = np.repeat(np.arange(len(lengths)), lengths)
    frame = np.arange(len(of_token)) + (starts - places)[of_token]
    item, label = np.repeat(there, counts)[of_token], np.concatenate([tokens[b] for b in there])[of_token]
    sums = np.add.reduceat(scores[item, frame, label].astype(np.float64), places)
    for b, means in zip(there, np.split(sums / lengths + 0.0, np.cumsum(counts)[:-1]), strict=True):
        result[b] = means
    return result
