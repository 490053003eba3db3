"""``Team``: the processes that train together, and what they tell each other. One process alone is a team, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from lightning_fabric import Fabric
from torch import distributed

from ctckit.errors import CTCKitError, InvalidInputError
from ctckit.ocr.data.batches import Batch, BatchSource, SharedBatches
from ctckit.ocr.networks.base import FrameCounter
from ctckit.ocr.training.checkpoint import differences, saved_step
from ctckit.ocr.training.devices import is_launched, is_supervised

Item = TypeVar("Item")


class ProcessLostError(CTCKitError, RuntimeError):
    """Another process of the training has ended, or cannot be reached."""


@dataclass(frozen=True)
class Parts:
    """How much of a batch this process has.

    Attributes:
        total: The lines of the batch, in all processes.
        lines: Its part of the lines, 0..1.
        frames: Its part of the frames, 0..1.
    """

    total: int
    lines: float
    frames: float


class Team:
    """The processes that train together. Each has a part of each batch, and of the held-out lines.

    All must call the same methods in the same order: a method returns when all have called it.

    Args:
        fabric: Lightning Fabric, launched.

    Attributes:
        size: The number of processes.
        is_first: Whether this is the first of them, which writes and prints.
    """

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self.size = fabric.world_size
        self.is_first = fabric.is_global_zero

    def shared(self, source: BatchSource) -> BatchSource:
        """Return the part of this process of each batch."""
        return source if self.size == 1 else SharedBatches(source, self._fabric.global_rank, self.size)

    def aligned(self, batch: Batch, frames: FrameCounter) -> tuple[Batch, Parts]:
        """Return the part of a batch with its images as wide as the widest of all parts, and how much of it this is.

        Args:
            batch: The part.
            frames: Counts the frames of a line.
        """
        if batch.share is None:
            return batch, Parts(len(batch.texts), 1.0, 1.0)
        columns = batch.images.shape[3]
        mine = [sum(map(frames.frames, batch.widths.tolist())), len(batch.texts)] if batch.share.counts else [0, 0]
        counts = torch.zeros(self.size, 3, dtype=torch.int64)
        counts[self._fabric.global_rank] = torch.tensor([*mine, columns])
        counts = self._reduced(counts, distributed.ReduceOp.SUM)
        all_frames, all_lines, _ = counts.sum(dim=0).tolist()
        images = torch.nn.functional.pad(batch.images, (0, int(counts[:, 2].max()) - columns))
        return replace(batch, images=images), Parts(all_lines, mine[1] / all_lines, mine[0] / all_frames)

    def of_the_first(self, value: Item) -> Item:
        """Return the value of the first process."""
        return value if self.size == 1 else self._fabric.broadcast(value)

    def sum(self, value: float) -> float:
        """Return the sum of the values of all processes."""
        return value if self.size == 1 else float(self._reduced(torch.tensor(value), distributed.ReduceOp.SUM))

    def largest(self, number: int) -> int:
        """Return the largest number of all processes."""
        return number if self.size == 1 else int(self._reduced(torch.tensor(number), distributed.ReduceOp.MAX))

    def _reduced(self, values: torch.Tensor, how: Any) -> torch.Tensor:
        on_device = values.to(self._fabric.device)
        distributed.all_reduce(on_device, how)
        return on_device.cpu()

    def part_of(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return every ``size``-th item, for this process."""
        return items[self._fabric.global_rank :: self.size]

    def merged(self, part: Sequence[Item]) -> list[Item]:
        """Return all items, in their order, from what each process has made of :meth:`part_of` them."""
        parts = self.lists(part)
        items: list[Any] = [None] * sum(map(len, parts))
        for rank, each in enumerate(parts):
            items[rank :: self.size] = each
        return items

    def lists(self, mine: Sequence[Item]) -> list[list[Item]]:
        """Return the lists of all processes."""
        found: list[Any] = [list(mine)] * self.size
        if self.size > 1:
            distributed.all_gather_object(found, list(mine))
        return found

    def expect_same(self, settings: Mapping[str, Any]) -> None:
        """Check that all processes train with the same settings and lines.

        Raises:
            InvalidInputError: If this one has others than the first.
        """
        of_the_first = self.of_the_first(dict(settings))
        if of_the_first != settings:
            raise InvalidInputError(
                f"process {self._fabric.global_rank + 1} of {self.size} cannot train with the first one: "
                f"{differences(of_the_first, settings, 'there', 'here')}. Use the same lines and options everywhere."
            )


@contextmanager
def connected(checkpoint: Path | None, *, tell: Callable[[str], object]) -> Iterator[None]:
    """Tell in plain words, while the block runs, that another process of the training cannot be reached.

    It is told at once, because the launcher stops this process soon; but not if the launcher itself tells it.

    Args:
        checkpoint: The file with the state of the run.
        tell: Prints a message.

    Raises:
        ProcessLostError: If that is so; it names the last checkpoint.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_launched() or not _is_of_a_connection(error):
            raise
        saved = ""
        if checkpoint is not None and checkpoint.exists():
            saved = f" The state after step {saved_step(checkpoint)} is in {checkpoint}: resume it."
        message = f"another process of this training has ended, or cannot be reached.{saved}"
        if not is_supervised():
            tell(f"Stopped: {message}")
        raise ProcessLostError(message) from error


def _is_of_a_connection(error: RuntimeError) -> bool:
    return isinstance(error, distributed.DistError) or "gloo" in str(error).lower()
