"""Batches of lines. A batch depends only on the step number and the seed: runs can resume and can be repeated."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch

from ctckit.ocr.data.distortions import distort_image
from ctckit.ocr.data.lines import GrayImage, Line, TextLine, describe_lines, frames_needed
from ctckit.ocr.data.padding import WIDE as WIDE
from ctckit.ocr.data.padding import group_by_width as group_by_width
from ctckit.ocr.data.padding import pad_levels
from ctckit.ocr.data.scanning import vary_scan
from ctckit.ocr.networks.base import FrameCounter
from ctckit.ocr.networks.sharing import Share
from ctckit.vocabulary import Vocabulary


@dataclass(frozen=True)
class Batch:
    """Lines padded to one width, and their targets.

    Attributes:
        images: (B, 1, height, W) float32; ink 1, paper 0; 0 beyond each line's width.
        widths: (B,) int64, pixels.
        targets: (B, N) int64 classes, padded with 0.
        target_lengths: (B,) int64, tokens.
        texts: The B texts.
        share: Which lines of a batch these are, if several processes share it; None is a whole batch.
    """

    images: torch.Tensor
    widths: torch.Tensor
    targets: torch.Tensor
    target_lengths: torch.Tensor
    texts: tuple[str, ...]
    share: Share | None = None


class BatchSource(Protocol):
    """The batches of a training run; each depends on the step number alone, so that a run can resume.

    If a source has an attribute ``settings``, a mapping of JSON values by name, a run resumes only with equal ones. If
    it is a :class:`RowSource`, each of several processes makes only its own lines of a batch.
    """

    @property
    def batches_per_epoch(self) -> int:
        """The number of batches in an epoch."""

    def batch(self, step: int) -> Batch:
        """Return the batch of this step, counted from 0."""


@runtime_checkable
class RowSource(Protocol):
    """A source that can make some lines of a batch without the others."""

    def lines_in(self, step: int) -> int:
        """Return the number of lines in the batch of this step."""

    def rows(self, step: int, rows: range) -> Batch:
        """Return these lines of the batch of this step, padded to the widest of them."""


class SharedBatches:
    """The share of one process of each batch. All shares together are the batches of the source.

    Args:
        source: The batches.
        rank: The number of the process, 0 ≤ ``rank`` < ``ranks``.
        ranks: The number of processes.

    Example:
        >>> from ctckit import Vocabulary
        >>> from ctckit.ocr import CRNNConfig
        >>> from ctckit.ocr.data.batches import LineBatches, SharedBatches
        >>> from ctckit.ocr.data.synthetic import held_out_strings
        >>> lines, vocabulary = held_out_strings(5), Vocabulary.from_characters("0123456789")
        >>> source = LineBatches(lines, vocabulary, CRNNConfig(num_classes=11), batch_size=5)
        >>> shares = [SharedBatches(source, rank, 2).batch(0) for rank in (0, 1)]
        >>> [len(share.texts) for share in shares]
        [2, 3]
    """

    def __init__(self, source: BatchSource, rank: int, ranks: int) -> None:
        self._source = source
        self._rank, self._ranks = rank, ranks

    @property
    def batches_per_epoch(self) -> int:
        """The number of batches in an epoch."""
        return self._source.batches_per_epoch

    def batch(self, step: int) -> Batch:
        """Return this process's lines of the batch of this step."""
        if isinstance(self._source, RowSource):
            rows, share = self._share(self._source.lines_in(step))
            return replace(self._source.rows(step, rows), share=share)
        whole = self._source.batch(step)
        rows, share = self._share(len(whole.texts))
        part = slice(rows.start, rows.stop)
        return Batch(
            images=whole.images[part],
            widths=whole.widths[part],
            targets=whole.targets[part],
            target_lengths=whole.target_lengths[part],
            texts=whole.texts[part],
            share=share,
        )

    def _share(self, total: int) -> tuple[range, Share]:
        rows = range(total * self._rank // self._ranks, total * (self._rank + 1) // self._ranks)
        return (rows, Share(rows.start, total)) if rows else (range(1), Share(0, total, counts=False))


def pad_images(images: Sequence[GrayImage]) -> tuple[torch.Tensor, torch.Tensor]:
    """Pad lines of one height on the right.

    Returns:
        Images (B, 1, height, W) float32, with ink 1 and paper 0, and widths (B,) int64.
    """
    padded, widths = pad_levels(images)
    return (255.0 - torch.from_numpy(padded).float()) / 255.0, torch.from_numpy(widths)


def make_batch(lines: Sequence[TextLine], vocabulary: Vocabulary) -> Batch:
    """Return a batch of the lines, padded, with their texts encoded."""
    images, widths = pad_images([line.image for line in lines])
    encoded = [torch.tensor(vocabulary.encode(line.text), dtype=torch.int64) for line in lines]
    return Batch(
        images=images,
        widths=widths,
        targets=torch.nn.utils.rnn.pad_sequence(encoded, batch_first=True),
        target_lengths=torch.tensor([len(target) for target in encoded]),
        texts=tuple(line.text for line in lines),
    )


def bucket_by_width(
    widths: Sequence[int], batch_size: int, *, rng: np.random.Generator, pool: int = 8
) -> list[npt.NDArray[np.int64]]:
    """Shuffle lines and group them into batches of similar width.

    Each pool of ``pool`` batches is drawn at random and sorted by width; then the batches are shuffled.

    Returns:
        Arrays of positions; together they contain each position once.
    """
    order = rng.permutation(len(widths))
    size = np.asarray(widths)
    batches = []
    for start in range(0, len(order), pool * batch_size):
        part = order[start : start + pool * batch_size]
        part = part[np.argsort(size[part], kind="stable")]
        batches += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    return [batches[index] for index in rng.permutation(len(batches))]


class LineBatches:
    """Batches of a fixed set of lines: shuffled in each epoch, grouped by width, slightly distorted.

    Lines of more than ``WIDE`` = 2,048 columns come in batches of fewer lines, so that no batch has many more columns
    than ``batch_size`` lines of this width.

    Args:
        lines: The lines, all of the model's height.
        vocabulary: Encodes the texts.
        config: The network or its configuration; a distortion never makes a line too narrow for its text.
        batch_size: The most lines in a batch.
        seed: Seeds the order and the distortions.
        distort: Distort each line, differently in each epoch.
    """

    def __init__(
        self,
        lines: Sequence[TextLine],
        vocabulary: Vocabulary,
        config: FrameCounter,
        *,
        batch_size: int = 16,
        seed: int = 0,
        distort: bool = True,
    ) -> None:
        self._lines = tuple(lines)
        self._vocabulary = vocabulary
        self._config = config
        self._batch_size = batch_size
        self._seed = seed
        self._distort = distort
        self._order = lru_cache(maxsize=2)(self._epoch_order)
        self._widths = np.array([line.width for line in self._lines], dtype=np.int64)
        self._wide_batches = group_by_width(np.sort(self._widths[self._widths > WIDE]).tolist(), batch_size)

    @property
    def batches_per_epoch(self) -> int:
        """The number of batches that contain each line once."""
        usual = int((self._widths <= WIDE).sum())
        return -(-usual // self._batch_size) + len(self._wide_batches)

    @property
    def settings(self) -> dict[str, Any]:
        """What the batches depend on: the options, and the lines."""
        options = {"batch_size": self._batch_size, "distort": self._distort, "order_seed": self._seed}
        return {**options, **describe_lines(self._lines, "training")}

    def lines_in(self, step: int) -> int:
        """Return the number of lines in the batch of this step."""
        return len(self._positions(step))

    def batch(self, step: int) -> Batch:
        """Return the batch of this step."""
        return self.rows(step, range(self.lines_in(step)))

    def rows(self, step: int, rows: range) -> Batch:
        """Return these lines of the batch of this step, padded to the widest of them."""
        positions = self._positions(step)[rows.start : rows.stop]
        return make_batch([self._line(step, position) for position in positions], self._vocabulary)

    def _positions(self, step: int) -> npt.NDArray[np.int64]:
        epoch, number = divmod(step, self.batches_per_epoch)
        return self._order(epoch)[number]

    def _line(self, step: int, position: int) -> TextLine:
        line = self._lines[position]
        if not self._distort:
            return line
        return self._distorted(line, np.random.default_rng((self._seed, step, 1, position)))

    def _epoch_order(self, epoch: int) -> list[npt.NDArray[np.int64]]:
        rng = np.random.default_rng((self._seed, epoch, 0))
        usual, wide = np.flatnonzero(self._widths <= WIDE), np.flatnonzero(self._widths > WIDE)
        batches = bucket_by_width(self._widths[usual].tolist(), self._batch_size, rng=rng)
        batches = [usual[batch] for batch in batches]
        if not len(wide):
            return batches
        wide = rng.permutation(wide)  # lines of equal width change their batches
        wide = wide[np.argsort(self._widths[wide], kind="stable")]
        batches += [wide[part] for part in self._wide_batches]
        return [batches[index] for index in rng.permutation(len(batches))]

    def _distorted(self, line: TextLine, rng: np.random.Generator) -> TextLine:
        image = distort_image(vary_scan(line.image, rng), rng)
        if self._config.frames(image.shape[1]) < frames_needed(line.text):
            return line
        return Line(image, line.text, line.name)


def prefetch(source: BatchSource, steps: Sequence[int], *, ahead: int = 12, workers: int = 0) -> Iterator[Batch]:
    """Yield the batches of the steps in order; up to about ``ahead`` of them are made in advance.

    Args:
        source: The batches.
        steps: The steps.
        ahead: Batches in advance.
        workers: The number of processes that make them; 0 is a background thread of this process.
    """
    return _by_processes(source, steps, ahead, workers) if workers else _by_a_thread(source, steps, ahead)


def _by_a_thread(source: BatchSource, steps: Sequence[int], ahead: int) -> Iterator[Batch]:
    pending: deque[Future[Batch]] = deque()
    worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ctckit-batches")
    try:
        for index in range(len(steps) + ahead):
            if index < len(steps):
                pending.append(worker.submit(source.batch, steps[index]))
            if index >= ahead:
                yield pending.popleft().result()
    finally:
        worker.shutdown(wait=True, cancel_futures=True)


class _Steps(torch.utils.data.Dataset[Batch]):
    """The batches of steps, as torch's loader takes them."""

    def __init__(self, source: BatchSource, steps: Sequence[int]) -> None:
        self._source = source
        self._steps = steps

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, index: int) -> Batch:
        return self._source.batch(self._steps[index])


def _by_processes(source: BatchSource, steps: Sequence[int], ahead: int, workers: int) -> Iterator[Batch]:
    return iter(
        torch.utils.data.DataLoader(
            _Steps(source, steps),
            batch_size=None,
            num_workers=workers,
            prefetch_factor=max(1, ahead // workers),
            worker_init_fn=_leave_signals_to_the_parent,
        )
    )


def _leave_signals_to_the_parent(worker: int) -> None:
    """Ignore Ctrl-C, which reaches all processes of a terminal: the training process stops its workers itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
