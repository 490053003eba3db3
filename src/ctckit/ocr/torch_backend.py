"""A network in PyTorch as a backend of the recognizer."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ctckit.ocr.data.images import GrayImage
from ctckit.ocr.networks.base import Network
from ctckit.ocr.training.evaluation import compute_log_probs


class TorchBackend:
    """Computes log-probabilities with a network; see :class:`~ctckit.ocr.backend.Backend`.

    Args:
        network: The network; it is brought into eval mode.
    """

    def __init__(self, network: Network) -> None:
        self.network = network.eval()

    @property
    def height(self) -> int:
        """Height in pixels of the lines that it reads."""
        return self.network.height

    @property
    def frame_pixels(self) -> int:
        """Pixel columns of the line for each frame."""
        return self.network.frame_pixels

    @property
    def num_classes(self) -> int:
        """C, the blank included."""
        return self.network.num_classes

    def compute_log_probs(self, lines: Sequence[GrayImage], *, batch_size: int = 32) -> list[torch.Tensor]:
        """Return log-probabilities (T, C) float32 on the CPU."""
        return compute_log_probs(self.network, lines, batch_size=batch_size)
