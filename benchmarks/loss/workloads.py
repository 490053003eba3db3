"""The workloads W1–W5: seeded float32 logits and targets. Only NumPy is needed, so every environment can make them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.common.arrays import Array


@dataclass(frozen=True)
class Problem:
    """A batch in ctckit's layout: padded, batch first; the blank is class 0."""

    logits: Array  # (B, T, C) float32
    targets: Array  # (B, N) int64
    input_lengths: Array  # (B,) int64
    target_lengths: Array  # (B,) int64

    def save(self, path: Path) -> None:
        """Write the problem to a file; all worker processes read the same bits."""
        np.savez(path, **vars(self))

    @staticmethod
    def load(path: Path) -> Problem:
        """Read a problem that ``save`` wrote."""
        with np.load(path) as arrays:
            return Problem(**arrays)

    @property
    def weights(self) -> Array:
        """The weight of each item's loss in the mean, (B,): 1 / (N_b · B)."""
        return 1 / (self.target_lengths * len(self.target_lengths))

    @property
    def cells(self) -> int:
        """The number of states × frames of all items, Σ T_b · (2 N_b + 1)."""
        return int(self.input_lengths @ (2 * self.target_lengths + 1))

    @property
    def bytes_moved(self) -> int:
        """The least number of bytes to move: valid logits are read once, the whole gradient is written once."""
        frame_bytes = self.logits.shape[2] * self.logits.itemsize
        return int(self.input_lengths.sum()) * frame_bytes + self.logits.nbytes


@dataclass(frozen=True)
class Workload:
    """A kind of batch: ``items`` sequences of ``least_frames`` to ``frames`` frames; ``tokens`` is the range of N."""

    name: str
    stands_for: str
    frames: int
    items: int
    classes: int
    tokens: tuple[int, int]
    least_frames: int

    def make(self, seed: int = 0) -> Problem:
        """Make logits with standard deviation 2, and targets without adjacent repeats."""
        rng = np.random.default_rng(seed)
        logits = rng.standard_normal((self.items, self.frames, self.classes), dtype=np.float32) * np.float32(2)
        input_lengths = rng.integers(self.least_frames, self.frames + 1, self.items)
        input_lengths[0] = self.frames
        target_lengths = rng.integers(self.tokens[0], self.tokens[1] + 1, self.items)
        steps = rng.integers(1, self.classes - 1, (self.items, int(target_lengths.max())))
        targets = 1 + np.cumsum(steps, axis=1) % (self.classes - 1)  # a step is never 0 modulo C − 1: no repeats
        return Problem(logits, targets, input_lengths, target_lengths)


WORKLOADS = (
    Workload("W1", "text lines, Latin", 64, 256, 97, (5, 20), 32),
    Workload("W2", "text lines, Chinese", 80, 64, 6625, (10, 25), 80),
    Workload("W3", "speech, characters", 800, 16, 32, (150, 250), 800),
    Workload("W4", "speech, BPE", 400, 32, 1024, (40, 80), 400),
    Workload("W5", "long recordings", 5000, 2, 32, (950, 1050), 5000),
)
WARM_UP = Workload("W0", "a first step, so that code and threads are there", 8, 2, 8, (2, 3), 8)
