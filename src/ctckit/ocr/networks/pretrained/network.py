"""``PretrainedNetwork``: a network that began as an ONNX file, as a module whose parameters can be trained.

**A batch equals its items.** Such networks average over whole lines, and look at whole lines by attention, so padding
would change what they compute. In eval mode the width of each line is rounded up by a rule that knows only this line,
the new columns repeat its last one, and lines of equal rounded width are one batch. In training mode all lines are as
wide as the widest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn

from ctckit.errors import InvalidInputError
from ctckit.ocr.networks.base import ConfiguredNetwork
from ctckit.ocr.networks.pretrained.graph import Graph, Operation
from ctckit.ocr.networks.pretrained.operations import OPERATIONS

ROUNDING = 8  # frames: in eval mode, widths are multiples of so many
_LARGEST = {"num_classes": 2**20, "height": 1024, "frame_pixels": 1024, "features": 2**16}


@dataclass(frozen=True)
class PretrainedConfig:
    """The configuration of a :class:`PretrainedNetwork`.

    Attributes:
        num_classes: C, the blank included.
        graph: The operations from images to features; also as a mapping of its fields, from JSON.
        height: Height in pixels of the lines that it reads.
        features: F, the features of a frame.
        frame_pixels: Pixel columns of the line for each frame.
        more_frames: A line of n x ``frame_pixels`` columns gives n + ``more_frames`` frames; usually 0.
        paper: What the network takes for paper.
        ink: What the network takes for ink.
    """

    num_classes: int
    graph: Graph
    height: int
    features: int
    frame_pixels: int
    more_frames: int = 0
    paper: float = 1.0
    ink: float = -1.0

    def __post_init__(self) -> None:
        """Check the values."""
        given: Any = self.graph
        if not isinstance(given, Graph):
            object.__setattr__(self, "graph", Graph.from_dict(given))
        for name, largest in _LARGEST.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= largest:
                raise InvalidInputError(f"{name} is {value!r}; expected a whole number, 1..{largest}.")
        unknown = sorted({each.kind for each in self.graph.operations} - set(OPERATIONS))
        if unknown:
            raise InvalidInputError(f"the graph has operations that are not known: {', '.join(unknown)}.")

    def frames(self, width: int) -> int:
        """Return the number of frames T of a line of ``width`` pixels, exactly."""
        return max(1, -(-width // self.frame_pixels) + self.more_frames)


class PretrainedNetwork(ConfiguredNetwork):
    """Maps a batch of text lines to logits: images (B, 1, height, W) to (B, T, C).

    The last layer, ``classes``, is a linear layer from features to classes.

    Args:
        config: The configuration, as :func:`~ctckit.ocr.networks.pretrained.reading.read_onnx` makes it.
    """

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__()
        self.config: PretrainedConfig = config
        self._keys = dict(zip(config.graph.shapes, _keys(config.graph.shapes), strict=True))
        self.weights = nn.ParameterDict(
            {self._keys[name]: nn.Parameter(_empty(shape)) for name, shape in config.graph.shapes.items()}
        )
        self.classes = nn.Linear(config.features, config.num_classes)
        self._constants = {name: constant(value) for name, value in config.graph.constants.items()}
        self._operations = tuple(config.graph.last_uses())

    def forward(self, images: Tensor, widths: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (B, T, C) and input_lengths (B,).

        Args:
            images: (B, 1, height, W) float; ink 1, paper 0; columns at or beyond ``widths[b]`` are padding.
            widths: (B,) int64, the width of each line in pixels, 1..W.
        """
        self.check(images, widths)
        if not len(images):
            return images.new_zeros(0, 0, self.num_classes), widths
        lengths = torch.tensor([self.frames(width) for width in widths.tolist()], device=widths.device)
        if self.training:
            return self._logits(images, widths, self._rounded(int(widths.max()), 1)), lengths
        rounded = torch.tensor([self._rounded(width) for width in widths.tolist()], device=widths.device)
        frames = int(lengths.max())
        logits: Tensor | None = None
        for columns in sorted(set(rounded.tolist())):
            group = (rounded == columns).nonzero()[:, 0]
            part = self._logits(images[group], widths[group], columns)[:, :frames]
            if logits is None:
                logits = part.new_zeros(len(images), frames, self.num_classes)
            logits[group, : part.shape[1]] = part
        assert logits is not None  # there is at least one line
        return logits, lengths

    def load_features(self, tensors: Mapping[str, Tensor]) -> None:
        """Load the parameters of the graph, by their names in it."""
        with torch.no_grad():
            for name, key in self._keys.items():
                self.weights[key].copy_(tensors[name])

    def features(self) -> dict[str, Tensor]:
        """Return the parameters of the graph, by their names in it."""
        return {name: self.weights[key] for name, key in self._keys.items()}

    def _rounded(self, width: int, multiple: int = ROUNDING) -> int:
        """Return the columns for a line of this width: they give a whole number of frames, a multiple of some."""
        frames = max(-(-width // self.config.frame_pixels), 1 - self.config.more_frames)
        return -(-frames // multiple) * multiple * self.config.frame_pixels

    def _logits(self, images: Tensor, widths: Tensor, columns: int) -> Tensor:
        """Return the logits of lines that are filled up to some columns with their last ones."""
        places = torch.minimum(torch.arange(columns, device=images.device), widths[:, None] - 1)
        filled = images.gather(3, places[:, None, None].expand(-1, 1, images.shape[2], -1))
        config = self.config
        levels = config.paper + (config.ink - config.paper) * filled
        levels = levels.expand(-1, config.graph.channels, -1, -1).contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.classes(self._features(levels))
        return logits

    def _features(self, levels: Tensor) -> Tensor:
        values: dict[str, Tensor] = {self.config.graph.image: levels, **self._constants}
        values |= self.features()
        for operation, unneeded in self._operations:
            values[operation.output] = run(operation, values)
            for name in unneeded:
                del values[name]
        return values[self.config.graph.features]


def _empty(shape: Sequence[int]) -> Tensor:
    """Return a parameter without values; kernels are channels-last, as the images are: reading is a third faster."""
    layout = torch.channels_last if len(shape) == 4 else torch.contiguous_format
    return torch.empty(tuple(shape), memory_format=layout)


def constant(value: Any) -> Tensor:
    """Return a constant of a graph as a tensor of the CPU: whole numbers, or one number."""
    dtype = torch.float32 if isinstance(value, float) else torch.int64
    return torch.tensor(value, dtype=dtype, device="cpu")


def run(operation: Operation, values: Mapping[str, Tensor]) -> Tensor:
    """Return the result of an operation on named values."""
    inputs = [values[name] if name else None for name in operation.inputs]
    return OPERATIONS[operation.kind](*inputs, **operation.attributes)


def _keys(names: Iterable[str]) -> list[str]:
    """Return names for parameters of a module, in which no point may be."""
    taken: set[str] = set()
    keys = []
    for name in names:
        plain = name.replace(".", "_")
        key = next(key for n in count() if (key := f"{plain}_{n}" if n else plain) not in taken)
        taken.add(key)
        keys.append(key)
    return keys
