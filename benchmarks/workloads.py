"""The workloads W1–W5: float32 logits and targets, seeded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Workload:
    """A kind of batch: ``items`` sequences of ``least_frames``..``frames`` frames and N = ``tokens`` tokens."""

    name: str
    stands_for: str
    frames: int
    items: int
    classes: int
    tokens: tuple[int, int]
    least_frames: int

    def make(self, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits (B, T, C), targets (B, N), input_lengths (B,), target_lengths (B,); no adjacent repeats."""
        rng = np.random.default_rng(seed)
        logits = rng.standard_normal((self.items, self.frames, self.classes), dtype=np.float32) * np.float32(2)
        input_lengths = rng.integers(self.least_frames, self.frames + 1, self.items)
        input_lengths[0] = self.frames
        target_lengths = rng.integers(self.tokens[0], self.tokens[1] + 1, self.items)
        steps = rng.integers(1, self.classes - 1, (self.items, int(target_lengths.max())))
        targets = 1 + np.cumsum(steps, axis=1) % (self.classes - 1)  # a step is never 0 modulo C − 1: no repeats
        return tuple(map(torch.from_numpy, (logits, targets, input_lengths, target_lengths)))  # type: ignore[return-value]


WORKLOADS = (
    Workload("W1", "text lines, Latin", 64, 256, 97, (5, 20), 32),
    Workload("W2", "text lines, Chinese", 80, 64, 6625, (10, 25), 80),
    Workload("W3", "speech, characters", 800, 16, 32, (150, 250), 800),
    Workload("W4", "speech, BPE", 400, 32, 1024, (40, 80), 400),
    Workload("W5", "long recordings", 5000, 2, 32, (950, 1050), 5000),
)
