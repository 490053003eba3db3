"""What computes the log-probabilities of lines: a network in PyTorch, or an ONNX file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from ctckit.ocr.data.images import GrayImage


@runtime_checkable
class Backend(Protocol):
    """Computes log-probabilities of lines.

    A batch equals its items: which lines are computed together changes nothing but rounding.
    """

    @property
    def height(self) -> int:
        """Height in pixels of the lines that it reads."""

    @property
    def frame_pixels(self) -> int:
        """Pixel columns of the line for each frame."""

    @property
    def num_classes(self) -> int:
        """C, the blank included."""

    def compute_log_probs(self, lines: Sequence[GrayImage], *, batch_size: int = 32) -> list[Any]:
        """Return the log-probabilities of lines.

        Args:
            lines: (height, width) uint8; dark ink on light paper.
            batch_size: The most lines at once; of very wide lines fewer.

        Returns:
            For each line, in the order given, log_probs (T, C) float32: NumPy arrays, or torch tensors on the CPU.
        """
