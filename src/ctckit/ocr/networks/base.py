"""What a network for text lines is: the part of it that training, evaluation, saving and reading use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import nn

from ctckit.errors import InvalidInputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from typing_extensions import Self


class FrameCounter(Protocol):
    """Knows how many frames a line gives: a network, or its configuration."""

    def frames(self, width: int) -> int:
        """Return the number of frames T of a line of ``width`` pixels, exactly."""


class Network(FrameCounter, Protocol):
    """A ``torch.nn.Module`` that maps line images to logits.

    The members from ``training`` on are those of every ``torch.nn.Module``.
    """

    training: bool

    @property
    def config(self) -> DataclassInstance:
        """The frozen dataclass that the network was built from; its fields are JSON values or tuples of them."""

    @property
    def num_classes(self) -> int:
        """C, the blank included; also a field of ``config``."""

    @property
    def height(self) -> int:
        """Height in pixels of the lines that it reads."""

    @property
    def frame_pixels(self) -> int:
        """Pixel columns of the line for each frame."""

    def forward(self, images: torch.Tensor, widths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the logits of a batch of lines. In eval mode, a batch gives the same as its items alone.

        Args:
            images: (B, 1, height, W) float; ink 1, paper 0; columns at or beyond ``widths[b]`` are padding.
            widths: (B,) int64, the width of each line in pixels, 1..W.

        Returns:
            Logits (B, T, C), and input_lengths (B,) int64 with ``input_lengths[b] == frames(widths[b])``.
        """

    def __call__(self, images: torch.Tensor, widths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Call ``forward``."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Iterate over the parameters."""

    def state_dict(self) -> dict[str, Any]:
        """Return the parameters and buffers by name."""

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any:
        """Load parameters and buffers."""

    def train(self, mode: bool = True) -> Self:
        """Switch to training mode, or to eval mode with ``mode=False``."""

    def eval(self) -> Self:
        """Switch to eval mode."""

    def to(self, device: Any) -> Self:
        """Move the network to a device."""

    def cpu(self) -> Self:
        """Move the network to the CPU."""


@runtime_checkable
class TwoReadings(Protocol):
    """A network that reads a line twice in training: the second reading teaches its first layers.

    Attributes:
        auxiliary_weight: The weight of the loss of the second reading; that of the first is 1.
    """

    auxiliary_weight: float

    def training_logits(
        self, images: torch.Tensor, widths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return logits and input_lengths as ``forward`` does, and the logits (B, T, C) of the second reading."""


class ConfiguredNetwork(nn.Module):
    """What networks have in common: the values of their configuration, and the check of their input.

    Attributes:
        config: A frozen dataclass with ``num_classes``, ``height``, ``frame_pixels`` and ``frames``.
    """

    config: Any

    @property
    def num_classes(self) -> int:
        """C, the blank included."""
        return int(self.config.num_classes)

    @property
    def height(self) -> int:
        """Height in pixels of the lines that it reads."""
        return int(self.config.height)

    @property
    def frame_pixels(self) -> int:
        """Pixel columns of the line for each frame."""
        return int(self.config.frame_pixels)

    def frames(self, width: int) -> int:
        """Return the number of frames T of a line of ``width`` pixels, exactly."""
        return int(self.config.frames(width))

    def check(self, images: torch.Tensor, widths: torch.Tensor) -> None:
        """Check the arguments of ``forward``.

        Raises:
            InvalidInputError: If a shape or a width is wrong.
        """
        if images.ndim != 4 or images.shape[1] != 1:
            raise InvalidInputError(
                f"images has shape {tuple(images.shape)}; expected (B, 1, {self.height}, W): one gray channel."
            )
        if images.shape[2] != self.height:
            raise InvalidInputError(
                f"images has height {images.shape[2]}, this {type(self).__name__} reads lines {self.height} pixels "
                "high. Scale the lines (ctckit.ocr.data.lines.scale_to_height)."
            )
        if widths.shape != images.shape[:1]:
            raise InvalidInputError(
                f"widths has shape {tuple(widths.shape)} but images holds {images.shape[0]} lines; expected "
                f"({images.shape[0]},)."
            )
        if len(widths) and (int(widths.min()) < 1 or int(widths.max()) > images.shape[3]):
            raise InvalidInputError(
                f"widths lie in {int(widths.min())}..{int(widths.max())}; images {images.shape[3]} pixels wide hold "
                f"lines of 1..{images.shape[3]} pixels."
            )
