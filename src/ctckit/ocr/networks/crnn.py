"""The CRNN: convolutions over the image, a bidirectional LSTM over its columns, one linear layer to the classes.

::

    image   (B, 1, 32, W)    dark ink is 1, paper is 0
    convolutions             height / 8, width / 4: a column of the result is a slice of the line, left to right
    slices  (B, T, 256)      64 channels x 4 rows for each of T = frames(W) slices
    LSTM    (B, T, 2 x hidden)   left to right and right to left
    logits  (B, T, C)

**A batch equals its items.** Lines of different widths are padded on the right. After each convolution the columns
beyond a line's own width are set to zero, as the convolution itself assumes beyond the border. The right-to-left LSTM
starts at each line's own last frame. So, in eval mode, padding changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import torch
from torch import nn

from ctckit.errors import InvalidInputError
from ctckit.ocr.networks.base import ConfiguredNetwork
from ctckit.ocr.networks.sharing import SharedBatchNorm2d, random_rows

# far beyond what can be trained; a configuration from a file may claim anything
_LARGEST = {"num_classes": 2**20, "height": 1024, "hidden": 2**16, "layers": 64, "channels": 2**14, "strides": 64}


@dataclass(frozen=True)
class CRNNConfig:
    """The configuration of a :class:`CRNN`.

    Attributes:
        num_classes: C, the blank included.
        height: Height in pixels of the lines it reads.
        channels: Channels of each convolution.
        strides: Vertical and horizontal stride of each convolution.
        hidden: Units of the LSTM in each direction.
        layers: Bidirectional LSTM layers.
        dropout: Share of features dropped in training, 0..1.
    """

    num_classes: int
    height: int = 32
    channels: tuple[int, ...] = (32, 64, 64, 96, 64)
    strides: tuple[tuple[int, int], ...] = ((2, 2), (2, 2), (1, 1), (2, 1), (1, 1))
    hidden: int = 128
    layers: int = 1
    dropout: float = 0.25

    def __post_init__(self) -> None:
        """Check the values."""
        sizes = {"num_classes": self.num_classes, "height": self.height, "hidden": self.hidden, "layers": self.layers}
        for name, value in sizes.items():
            _expect_size(name, value, _LARGEST[name], least=2 if name == "num_classes" else 1)
        if len(self.channels) != len(self.strides):
            raise InvalidInputError(
                f"channels has {len(self.channels)} entries and strides {len(self.strides)}; each layer needs both."
            )
        for layer, (channels, strides) in enumerate(zip(self.channels, self.strides, strict=True)):
            _expect_size(f"channels[{layer}]", channels, _LARGEST["channels"])
            if not isinstance(strides, tuple) or len(strides) != 2:
                raise InvalidInputError(f"strides[{layer}] is {strides!r}; expected (vertical, horizontal).")
            for stride in strides:
                _expect_size(f"strides[{layer}]", stride, _LARGEST["strides"])
        shrink = prod(stride for stride, _ in self.strides)
        if not self.channels or self.height < shrink or self.height % shrink:
            raise InvalidInputError(
                f"height is {self.height}; the vertical strides divide it by {shrink}, so it must be a multiple."
            )
        if not 0.0 <= self.dropout < 1.0:
            raise InvalidInputError(f"dropout is {self.dropout}; expected 0 <= dropout < 1.")

    @property
    def slice_features(self) -> int:
        """Features of one slice: last channels x remaining rows, 256 by default."""
        return self.channels[-1] * (self.height // prod(stride for stride, _ in self.strides))

    @property
    def frame_pixels(self) -> int:
        """Pixel columns of the line for each frame, 4 by default."""
        return prod(stride for _, stride in self.strides)

    def shaped(self, *, height: int | None = None, frame_pixels: int | None = None) -> CRNNConfig:
        """Return the configuration with another height, or with finer or coarser frames; None leaves it as it is.

        Args:
            height: Height in pixels of the lines; a multiple of the product of the vertical strides, 8 by default.
            frame_pixels: Pixel columns of the line for each frame: 1, 2, 4, … The first layers that reduce the
                height halve the width as well, as many as needed.

        Raises:
            InvalidInputError: If there is no such configuration.

        Example:
            >>> from ctckit.ocr import CRNNConfig
            >>> CRNNConfig(num_classes=11).shaped(frame_pixels=2).frames(101)
            51
        """
        strides = self.strides if frame_pixels is None else self._strides_for(frame_pixels)
        return replace(self, height=self.height if height is None else height, strides=strides)

    @property
    def frame_choices(self) -> tuple[int, ...]:
        """The pixel columns that a frame can have: 1, 2, 4, 8 by default."""
        return tuple(2**count for count in range(1 + sum(vertical > 1 for vertical, _ in self.strides)))

    def _strides_for(self, frame_pixels: int) -> tuple[tuple[int, int], ...]:
        if frame_pixels not in self.frame_choices:
            choices = ", ".join(map(str, self.frame_choices))
            raise InvalidInputError(f"frame_pixels is {frame_pixels!r}; expected one of {choices}.")
        shrinking = [layer for layer, (vertical, _) in enumerate(self.strides) if vertical > 1]
        chosen = shrinking[: self.frame_choices.index(frame_pixels)]
        return tuple((vertical, 2 if layer in chosen else 1) for layer, (vertical, _) in enumerate(self.strides))

    def frames(self, width: int) -> int:
        """Return the number of frames T of a line of ``width`` pixels, exactly.

        Example:
            >>> from ctckit.ocr import CRNNConfig
            >>> CRNNConfig(num_classes=11).frames(101)
            26
        """
        for _, stride in self.strides:
            width = -(-width // stride)
        return width


def _expect_size(name: str, value: object, largest: int, *, least: int = 1) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidInputError(f"{name} is {value!r}; expected a whole number, {least}..{largest}.")
    if not least <= value <= largest:
        size = "small" if value < least else "large"
        raise InvalidInputError(f"{name} is too {size}: {value}; expected {least}..{largest}.")


class _Convolution(nn.Module):
    """3x3 convolution, batch norm, ReLU, and zeros beyond each line's own width; a shortcut if the shapes allow it."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm = SharedBatchNorm2d(outputs)
        self.shortcut = inputs == outputs and stride == (1, 1)

    def forward(self, images: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        result = self.norm(self.convolution(images))
        if self.shortcut:
            result = result + images
        result = torch.relu(result)
        return result if mask is None else result * mask.to(result.dtype)  # which is lower in mixed precision


class _BidirectionalLSTM(nn.Module):
    """Two LSTMs; the right-to-left one starts at each item's own end.

    It runs two dense passes and reverses by gather: exact, and on a CPU faster than packed sequences.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.rightward = nn.LSTM(inputs, hidden, batch_first=True)
        self.leftward = nn.LSTM(inputs, hidden, batch_first=True)

    def forward(self, slices: torch.Tensor, reversal: torch.Tensor) -> torch.Tensor:
        rightward, _ = self.rightward(slices)
        leftward, _ = self.leftward(_reorder(slices, reversal))
        return torch.cat((rightward, _reorder(leftward, reversal)), dim=2)


class _FeatureDropout(nn.Module):
    """Drops features of a whole line, not of single frames, so that the LSTM cannot restore them from other frames."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.share:
            return states
        kept = random_rows(len(states), 1, states.shape[2], device=states.device) >= self.share
        return states * (kept.to(states.dtype) / (1.0 - self.share))


class CRNN(ConfiguredNetwork):
    """Maps a batch of text lines to logits: images (B, 1, height, W) to (B, T, C).

    Args:
        config: The configuration.

    Example:
        >>> import torch
        >>> from ctckit.ocr import CRNN, CRNNConfig
        >>> model = CRNN(CRNNConfig(num_classes=11)).eval()
        >>> logits, input_lengths = model(torch.zeros(2, 1, 32, 100), torch.tensor([100, 60]))
        >>> tuple(logits.shape), input_lengths.tolist()
        ((2, 25, 11), [25, 15])
    """

    def __init__(self, config: CRNNConfig) -> None:
        super().__init__()
        self.config: CRNNConfig = config
        inputs = (1, *config.channels[:-1])
        self.convolutions = nn.ModuleList(
            _Convolution(i, o, s) for i, o, s in zip(inputs, config.channels, config.strides, strict=True)
        )
        widths = (config.slice_features, *(2 * config.hidden for _ in range(config.layers - 1)))
        self.lstms = nn.ModuleList(_BidirectionalLSTM(width, config.hidden) for width in widths)
        self.dropout = _FeatureDropout(config.dropout)
        self.classes = nn.Linear(2 * config.hidden, config.num_classes)

    @property
    def parameter_count(self) -> int:
        """The number of trained parameters."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    def slices(self, images: torch.Tensor, widths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the features of each column slice.

        Args:
            images: (B, 1, height, W) float; ink 1, paper 0; columns at or beyond ``widths[b]`` are padding.
            widths: (B,) int64, the width of each line in pixels, 1..W.

        Returns:
            Slices (B, T, 256) from left to right, zero in the padding, and input_lengths (B,) int64.
        """
        self.check(images, widths)
        columns, lengths = images.shape[3], widths
        padded = bool((widths < columns).any())
        result = images * _column_mask(widths, columns, images) if padded else images
        result = result.contiguous(memory_format=torch.channels_last)
        for convolution, (_, stride) in zip(self.convolutions, self.config.strides, strict=True):
            # not -(-columns // stride): exported to ONNX, divisions of negative numbers round towards 0
            columns, lengths = (columns + stride - 1) // stride, (lengths + stride - 1) // stride
            result = convolution(result, _column_mask(lengths, columns, images) if padded else None)
        return self._flattened(result), lengths

    def forward(self, images: torch.Tensor, widths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (B, T, C) and input_lengths (B,); arguments as in :meth:`slices`."""
        slices, lengths = self.slices(images, widths)
        return self.read(slices, lengths), lengths

    def read(self, slices: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, T, C) of slices, with arguments as :meth:`slices` returns them."""
        reversal = _reversal(lengths, slices.shape[1])
        states = self.dropout(slices)
        for lstm in self.lstms:
            states = self.dropout(lstm(states, reversal))
        logits: torch.Tensor = self.classes(states)
        return logits

    def _flattened(self, features: torch.Tensor) -> torch.Tensor:
        """Return slices (B, T, F) of features (B, channels, rows, T)."""
        return features.permute(0, 3, 1, 2).flatten(2)


def _column_mask(lengths: torch.Tensor, columns: int, like: torch.Tensor) -> torch.Tensor:
    """Return a mask (B, 1, 1, columns): 1 where a column belongs to the line, 0 beyond."""
    inside = torch.arange(columns, device=like.device) < lengths.to(like.device)[:, None]
    return inside[:, None, None, :].to(like.dtype)


def _reversal(lengths: torch.Tensor, frames: int) -> torch.Tensor:
    """Return an order (B, T) that reverses the frames of each item and leaves its padding in place."""
    steps = torch.arange(frames, device=lengths.device)
    backwards = lengths[:, None] - 1 - steps
    return torch.where(backwards >= 0, backwards, steps)


def _reorder(values: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    return values.gather(1, order.to(values.device)[:, :, None].expand_as(values))
