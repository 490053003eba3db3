"""A network that began as an ONNX file becomes an ONNX graph again: its operations have the names of ONNX.

Such a network looks at whole lines, so padding would change what it computes. As in PyTorch, lines are made wider by
their last columns: to a multiple of 8 frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ctckit.ocr.export.tracing import OPSET, After, example_of, export_module, widths_of
from ctckit.ocr.networks.pretrained.graph import Operation
from ctckit.ocr.networks.pretrained.network import ROUNDING, PretrainedConfig, PretrainedNetwork, constant
from ctckit.ocr.onnx.metadata import INK, PAPER

if TYPE_CHECKING:
    import onnx

_AFTER = "after_"  # begins names of the last part; those of the first begin with "/"
_MIDDLE = "net_"
_SINGLE = {10: 1, 11: 1}  # half and double precision become single precision


def write_graph(
    network: PretrainedNetwork, order: Sequence[int], output: str, *, split_gelus: bool = True
) -> onnx.ModelProto:
    """Return the graph of a network.

    Args:
        network: The network.
        order: As for :func:`~ctckit.ocr.export.tracing.trace`.
        output: The same.
        split_gelus: Write a Gelu as five operations, which ONNX Runtime puts together again, and computes twice as fast
            as the Gelu of ONNX; but not between whole numbers of 8 bits.
    """
    from onnx import compose

    levels = example_of(network.height)
    image, lengths, steps = _Before(network.config)(levels)
    features = torch.zeros(len(levels), network.frames(image.shape[3]), network.config.features)
    any_size = {"x": {0: "B", 1: "channels", 3: "W"}, "image": {0: "B", 3: "columns"}, "lengths": {0: "B"}}
    any_size |= {"steps": {0: "T"}, "features": {0: "B", 1: "frames"}, output: {0: "B", 1: "T"}}

    def part(module: nn.Module, example: tuple[Tensor, ...], inputs: list[str], outputs: list[str]) -> onnx.ModelProto:
        return export_module(module, example, inputs, outputs, {name: any_size[name] for name in (*inputs, *outputs)})

    before = part(_Before(network.config), (levels,), ["x"], ["image", "lengths", "steps"])
    after = part(_After(network, order, output), (features, lengths, steps), ["features", "lengths", "steps"], [output])
    after = compose.add_prefix(after, _AFTER, rename_inputs=False, rename_outputs=False)
    joined = compose.merge_models(
        before, _middle(network, before.ir_version, split_gelus), [("image", _MIDDLE + "image")]
    )
    whole = compose.merge_models(
        joined, after, [(_MIDDLE + "features", "features"), ("lengths", "lengths"), ("steps", "steps")]
    )
    del whole.opset_import[1:]  # each part brought the same
    return whole


class _Before(nn.Module):
    """Levels to the images that the graph takes, the frames of each line, and the numbers of all frames."""

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, levels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        config, widths = self.config, widths_of(levels)
        step = ROUNDING * config.frame_pixels
        columns = (levels.shape[3] + step - 1) // step * step
        places = torch.minimum(torch.arange(columns), widths[:, None] - 1)
        gray = levels.mean(dim=1, keepdim=True)
        filled = gray.gather(3, places[:, None, None].expand(-1, 1, levels.shape[2], -1))
        if (config.paper, config.ink) != (PAPER, INK):
            filled = config.paper + (config.ink - config.paper) / (INK - PAPER) * (filled - PAPER)
        frames: Any = self.frames(torch.arange(1, levels.shape[3] + 1)).amax()
        return filled.expand(-1, config.graph.channels, -1, -1), self.frames(widths), torch.arange(frames)

    def frames(self, widths: Tensor) -> Tensor:
        """Return the number of frames of each width, as ``config.frames`` does of one."""
        pixels = self.config.frame_pixels
        return ((widths + pixels - 1) // pixels + self.config.more_frames).clamp(min=1)


class _After(nn.Module):
    """Features (B, frames, F) of lines that were made wider to log-probabilities (B, T, C)."""

    def __init__(self, network: PretrainedNetwork, order: Sequence[int], output: str) -> None:
        super().__init__()
        self.classes = network.classes
        self.after = After(order, output)

    def forward(self, features: Tensor, lengths: Tensor, steps: Tensor) -> Tensor:
        found: Tensor = self.after(self.classes(features.index_select(1, steps)), lengths)
        return found


def _middle(network: PretrainedNetwork, ir_version: int, split_gelus: bool) -> onnx.ModelProto:
    """Return the graph of the network itself, from images to features."""
    from onnx import TensorProto, helper, numpy_helper

    config = network.config
    values = {name: np.asarray(each.detach()) for name, each in network.features().items()}
    values |= {name: np.asarray(constant(each)) for name, each in config.graph.constants.items()}
    renamed = {config.graph.image: "image", config.graph.features: "features", "": ""}

    def named(value: str) -> str:
        return _MIDDLE + renamed.get(value, f"v_{value}") if value else ""

    nodes = [
        helper.make_node(
            node.kind, [named(each) for each in node.inputs], [named(each) for each in node.outputs], **node.attributes
        )
        for operation in config.graph.operations
        for node in _nodes(operation, values, split_gelus)
    ]
    used = {name for node in nodes for name in node.input}
    weights = [numpy_helper.from_array(each, named(name)) for name, each in values.items() if named(name) in used]
    image = helper.make_tensor_value_info(
        named(config.graph.image), TensorProto.FLOAT, ["B", config.graph.channels, config.height, "columns"]
    )
    features = helper.make_tensor_value_info(
        named(config.graph.features), TensorProto.FLOAT, ["B", "frames", config.features]
    )
    return helper.make_model(
        helper.make_graph(nodes, "network", [image], [features], weights),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=ir_version,
    )


@dataclass(frozen=True)
class _Node:
    """A node of ONNX, with the names that the values have in our graph."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)


def _nodes(operation: Operation, values: dict[str, Any], split_gelus: bool) -> Iterator[_Node]:
    """Yield the nodes of an operation; constants that they need in addition are put into ``values``."""
    kind, inputs, output, attributes = operation.kind, operation.inputs, operation.output, dict(operation.attributes)

    def part(name: str) -> str:
        return f"{output}/{name}"

    if kind == "Linear":
        x, weight, *bias = inputs
        values[f"{weight}/transposed"] = np.ascontiguousarray(values[weight].T)
        product = part("product") if bias else output
        yield _Node("MatMul", (x, f"{weight}/transposed"), (product,))
        if bias:
            yield _Node("Add", (product, *bias), (output,))
    elif kind == "Swish":
        yield _Node("Sigmoid", inputs, (part("sigmoid"),))
        yield _Node("Mul", (*inputs, part("sigmoid")), (output,))
    elif kind == "Gelu" and split_gelus and not attributes:
        values[part("root")], values[part("one")], values[part("half")] = map(np.float32, (2**0.5, 1.0, 0.5))
        yield _Node("Div", (*inputs, part("root")), (part("scaled"),))
        yield _Node("Erf", (part("scaled"),), (part("erf"),))
        yield _Node("Add", (part("erf"), part("one")), (part("sum"),))
        yield _Node("Mul", (*inputs, part("sum")), (part("product"),))
        yield _Node("Mul", (part("product"), part("half")), (output,))
    elif kind == "Attention":
        query, key, value = inputs
        values[part("scale")] = np.float32(attributes["scale"])
        yield _Node("Mul", (query, part("scale")), (part("query"),))
        yield _Node("Einsum", (part("query"), key), (part("scores"),), {"equation": "...tf,...sf->...ts"})
        yield _Node("Softmax", (part("scores"),), (part("shares"),), {"axis": -1})
        yield _Node("MatMul", (part("shares"), value), (output,))
    elif kind == "Split":
        position, count = attributes.pop("part"), attributes.pop("parts")
        outputs = tuple(output if n == position else part(str(n)) for n in range(count))
        if len(inputs) < 2 and "split" not in attributes:
            attributes["num_outputs"] = count
        yield _with_inputs(_Node(kind, inputs, outputs, attributes), values)
    elif kind == "Dropout":
        yield _Node("Identity", inputs[:1], (output,))
    elif kind == "BatchNormalization":
        yield _Node(kind, inputs, (output,), {name: attributes[name] for name in attributes if name == "epsilon"})
    elif kind == "Cast":
        yield _Node(kind, inputs, (output,), {"to": _SINGLE.get(attributes["to"], attributes["to"])})
    else:
        yield _with_inputs(_Node(kind, inputs, (output,), attributes), values)


def _with_inputs(node: _Node, values: dict[str, Any]) -> _Node:
    """Return a node in today's form: what were attributes in older versions of ONNX, such as axes, are inputs."""
    from onnx import defs

    schema = defs.get_schema(node.kind, OPSET, "")
    inputs, attributes = list(node.inputs), dict(node.attributes)
    for position, each in enumerate(schema.inputs):
        if each.name in attributes:
            name = f"{node.outputs[0]}/{each.name}"
            values[name] = np.array(attributes.pop(each.name), dtype=np.int64)
            inputs += [""] * (position + 1 - len(inputs))
            inputs[position] = name
    return replace(node, inputs=tuple(inputs), attributes=attributes)
