"""A network becomes an ONNX graph, by torch's exporter.

Before the network, ``Before`` turns the levels of the file's input into what networks take, and finds the width of
each line: columns in which all levels are 0 are padding. After it, ``After`` computes log-probabilities (or
probabilities), and gives the frames of the padding to the blank. So a program that does not cut them off reads the same
texts.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ctckit.errors import DataError, MissingDependencyError
from ctckit.ocr.networks.base import Network
from ctckit.ocr.onnx.metadata import INK, PAPER

if TYPE_CHECKING:
    import onnx

OPSET = 20  # the first with Gelu; ONNX Runtime has it since 1.17
_EXAMPLE = (3, 320, 160)  # lines, columns, and the columns of the last line: it has padding


def trace(network: Network, order: Sequence[int], output: str) -> onnx.ModelProto:
    """Return the graph of a network: images (B, channels, height, W) to (B, T, C).

    Args:
        network: The network, in eval mode and on the CPU. It must compute with tensors only, so that torch can trace
            it: the sizes and the widths of a batch may not be Python numbers that choose what is computed.
        order: The class of each output, the blank first.
        output: "log_probs" or "probs".

    Raises:
        DataError: If torch cannot export it.
    """

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.before = Before()
            self.after = After(order, output)

        def forward(self, levels: Tensor) -> Tensor:
            images, widths = self.before(levels)
            logits, lengths = self.network(images, widths)
            found: Tensor = self.after(logits, lengths)
            return found

    axes = {"x": {0: "B", 1: "channels", 3: "W"}, output: {0: "B", 1: "T"}}
    return export_module(Whole(), (example_of(network.height),), ["x"], [output], axes)


def example_of(height: int) -> Tensor:
    """Return levels that a module is traced with."""
    lines, columns, last = _EXAMPLE
    levels = torch.rand(lines, 1, height, columns, generator=torch.Generator().manual_seed(0)) * 1.8 - 0.9
    levels[-1, :, :, last:] = 0.0
    return levels


def export_module(
    module: nn.Module,
    example: tuple[Tensor, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
    axes: Mapping[str, Mapping[int, str]],
) -> onnx.ModelProto:
    """Return the graph of a module, by torch's exporter.

    Args:
        module: The module.
        example: What it is called with.
        inputs: The names of its inputs.
        outputs: The names of its outputs.
        axes: The names of the axes of any size.

    Raises:
        DataError: If it cannot be exported.
        MissingDependencyError: If onnx is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingDependencyError("the export to ONNX", "onnx", "export") from error
    content: Any = io.BytesIO()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # The exporter that traces needs no other package and makes one operation of an LSTM. It warns that it is
            # the older one, and of each Python value; what it exports is compared with the network afterwards.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module.eval(),
                example,
                content,
                dynamo=False,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_axes={name: dict(sizes) for name, sizes in axes.items()},
            )
    except Exception as error:  # of the exporter, of the network
        said = " ".join(str(error).split())[:300]
        raise DataError(f"torch cannot export {type(module).__name__} to ONNX ({said}).") from error
    return onnx.load_from_string(content.getvalue())


def widths_of(levels: Tensor) -> Tensor:
    """Return the width (B,) of each line in levels (B, channels, height, W): beyond it all levels are 0."""
    columns = torch.arange(1, levels.shape[3] + 1, device=levels.device)
    used = levels.abs().amax(dim=(1, 2)) > 0
    return (used * columns).amax(dim=1).clamp(min=1)


def inside(lengths: Tensor, size: Any) -> Tensor:
    """Return a mask (B, size): whether a column or a frame belongs to the line."""
    return torch.arange(size)[None] < lengths[:, None]


class Before(nn.Module):
    """Levels (B, channels, height, W), paper 1, ink −1, padding 0, to images (B, 1, height, W), paper 0, and widths."""

    def forward(self, levels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images and the widths."""
        widths = widths_of(levels)
        ink = (PAPER - levels.mean(dim=1, keepdim=True)) / (PAPER - INK)
        return ink * inside(widths, levels.shape[3])[:, None, None], widths


class After(nn.Module):
    """Logits (B, T, C) and lengths (B,) to log-probabilities, or probabilities."""

    blank: Tensor

    def __init__(self, order: Sequence[int], output: str) -> None:
        super().__init__()
        self.order = None if list(order) == list(range(len(order))) else torch.tensor(order)
        self.normalize: Callable[..., Any] = torch.softmax if output == "probs" else torch.log_softmax
        blank = torch.zeros(len(order)) if output == "probs" else torch.full((len(order),), -torch.inf)
        blank[0] = 1.0 if output == "probs" else 0.0
        self.register_buffer("blank", blank)

    def forward(self, logits: Tensor, lengths: Tensor) -> Tensor:
        """Return the log-probabilities, or the probabilities."""
        if self.order is not None:
            logits = logits.index_select(2, self.order)
        found = self.normalize(logits, dim=2)
        return torch.where(inside(lengths, logits.shape[1])[:, :, None], found, self.blank)
