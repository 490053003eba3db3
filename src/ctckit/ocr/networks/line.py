"""The network for lines of handwriting and print: convolutions, the maximum of each column, bidirectional LSTMs.

::

    image    (B, 1, 64, W)     dark ink is 1, paper is 0
    convolutions               height / 16, width / 8
    slices   (B, T, 128)       the maximum of each channel over the rows of a column
    LSTMs    (B, T, 2 x hidden)   left to right and right to left
    logits   (B, T, C)

The maximum over a column keeps what is there and not how high it is: writers differ in where a line lies, and the
first LSTM has four times fewer weights than for all rows. In training, a linear layer also reads the slices directly,
and has a CTC loss of its own; so the convolutions learn to see characters while the LSTMs are still of no use. The idea
is from Retsinas, Sfikas, Gatos and Nikou, "Best practices for a handwritten text recognition system" (DAS 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ctckit.errors import InvalidInputError
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig


@dataclass(frozen=True)
class LineConfig(CRNNConfig):
    """The configuration of a :class:`LineNetwork`: that of a CRNN, with other defaults.

    Attributes:
        auxiliary: The weight of the loss of the second reading, 0 or more; that of the first is 1.
    """

    height: int = 64
    channels: tuple[int, ...] = (32, 64, 96, 96, 128, 128)
    strides: tuple[tuple[int, int], ...] = ((2, 2), (2, 2), (2, 2), (1, 1), (2, 1), (1, 1))
    hidden: int = 192
    layers: int = 2
    dropout: float = 0.1
    auxiliary: float = 0.3

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        if not self.auxiliary >= 0.0:
            raise InvalidInputError(f"auxiliary is {self.auxiliary}; expected the weight of a loss, 0 or more.")

    @property
    def slice_features(self) -> int:
        """Features of one slice: the last channels, 128 by default."""
        return self.channels[-1]


class LineNetwork(CRNN):
    """Maps a batch of text lines to logits: images (B, 1, height, W) to (B, T, C).

    Args:
        config: The configuration.

    Example:
        >>> import torch
        >>> from ctckit.ocr.networks.line import LineConfig, LineNetwork
        >>> model = LineNetwork(LineConfig(num_classes=80)).eval()
        >>> logits, input_lengths = model(torch.zeros(2, 1, 64, 100), torch.tensor([100, 60]))
        >>> tuple(logits.shape), input_lengths.tolist()
        ((2, 13, 80), [13, 8])
    """

    def __init__(self, config: LineConfig) -> None:
        super().__init__(config)
        self.auxiliary = nn.Linear(config.slice_features, config.num_classes)
        self.auxiliary_weight = config.auxiliary

    def training_logits(
        self, images: torch.Tensor, widths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return logits (B, T, C), input_lengths (B,), and the logits (B, T, C) of the second reading."""
        slices, lengths = self.slices(images, widths)
        return self.read(slices, lengths), lengths, self.auxiliary(slices)

    def _flattened(self, features: torch.Tensor) -> torch.Tensor:
        return features.amax(dim=2).transpose(1, 2)
