"""A recognizer in an ONNX file becomes a network that can be trained further."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ctckit.errors import DataError, MissingDependencyError, MissingFileError
from ctckit.ocr.charsets import split_characters, with_space
from ctckit.ocr.networks.pretrained.graph import Graph, Operation, as_tuples
from ctckit.ocr.networks.pretrained.network import PretrainedConfig, PretrainedNetwork
from ctckit.ocr.networks.pretrained.operations import OPERATIONS
from ctckit.ocr.networks.pretrained.patterns import Draft
from ctckit.ocr.networks.pretrained.simplifying import simplify
from ctckit.vocabulary import Vocabulary

if TYPE_CHECKING:
    import onnx

_NORMALIZING = ("Softmax", "LogSoftmax")
_HEIGHT = 48  # of PP-OCR's recognizers, for files that leave it open
_LARGEST_STRIDE = 64
_FRAMES = 64  # of the lines with which the stride is found


@dataclass(frozen=True)
class OnnxRecognizer:
    """The content of an ONNX file.

    Attributes:
        network: The network, in eval mode.
        vocabulary: Its classes.
        sha256: The digest of the file.
    """

    network: PretrainedNetwork
    vocabulary: Vocabulary
    sha256: str


def read_onnx(path: str | Path) -> OnnxRecognizer:
    """Read a CTC recognizer of text lines from an ONNX file.

    The file must follow the conventions of PP-OCR. Its input is an image (B, 3 or 1, height, W) with levels
    (level / 255 - 0.5) / 0.5, where 255 is white. Its output has the shape (B, T, C); class 0 is the blank. The other
    characters are in the metadata, under "character", or in a text file of the same name (``x.txt`` beside ``x.onnx``),
    one on each line. If there is one class more, it is the space.

    Args:
        path: The file.

    Raises:
        MissingFileError: If there is no such file.
        DataError: If it cannot be read, or has operations that are not supported; the message names all of them.
        MissingDependencyError: If onnx is not installed.
    """
    path = Path(path)
    model = _load(path)
    try:
        draft = _draft(model)
        simplify(draft)
        weight, bias = _take_classes(draft)
        config = _config(draft, _height(model), len(weight))
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except (RuntimeError, ValueError, TypeError, LookupError) as error:  # a file can hold anything
        raise DataError(f"{path}: its operations do not fit together ({error}). Export it again.") from error
    tokens = _tokens(path, model, len(weight))
    network = PretrainedNetwork(replace(config, num_classes=len(tokens)))
    network.load_features(draft.constants)
    rows = list(tokens.values())
    with torch.no_grad():
        network.classes.weight.copy_(weight[rows])
        network.classes.bias.copy_(bias[rows])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return OnnxRecognizer(network.eval(), Vocabulary(tuple(tokens)), digest)


def _load(path: Path) -> onnx.ModelProto:
    try:
        import onnx
    except ImportError as error:
        raise MissingDependencyError("an ONNX file", "onnx", "pretrained") from error
    if not path.is_file():
        raise MissingFileError(f"{path}: there is no such file. Check the path.")
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:  # of protobuf, of onnx, of the operating system
        said = str(error).strip().partition("\n")[0]
        raise DataError(f"{path}: cannot be read as an ONNX file ({said}). Export it again.") from error
    return model


def _draft(model: onnx.ModelProto) -> Draft:
    """Return the operations and constants of a model.

    Raises:
        DataError: If it has operations that are not supported, or not one input and one output.
    """
    from onnx import numpy_helper

    graph = model.graph
    constants = {each.name: torch.tensor(numpy_helper.to_array(each)) for each in graph.initializer}
    images = [each.name for each in graph.input if each.name not in constants]
    if len(images) != 1 or len(graph.output) != 1:
        raise DataError(
            f"it has {len(images)} inputs and {len(graph.output)} outputs; expected the image of a line and its logits."
        )
    draft = Draft([], constants, images[0], graph.output[0].name)
    unknown: set[str] = set()
    for node in graph.node:
        _add(draft, node, unknown)
    if unknown:
        raise DataError(
            f"these operations are not supported: {', '.join(sorted(unknown))}. "
            f"Supported are {', '.join(sorted(OPERATIONS))}."
        )
    for name, value in draft.constants.items():
        draft.constants[name] = value.float() if value.is_floating_point() else value
    return draft


def _add(draft: Draft, node: onnx.NodeProto, unknown: set[str]) -> None:
    attributes = dict(_attributes(node))
    inputs, output = list(node.input), node.output[0]
    if node.op_type == "Constant":
        ((_, value),) = attributes.items()
        draft.constants[output] = value if isinstance(value, torch.Tensor) else torch.tensor(value)
        return
    if node.op_type == "Clip":  # before version 11 of ONNX, its limits were attributes
        inputs += [
            _constant(draft, f"{output}.{name}", attributes.pop(name)) for name in ("min", "max") if name in attributes
        ]
    if node.op_type == "ReduceMean" and len(inputs) == 2 and inputs[1] in draft.constants:  # since version 18, an input
        attributes["axes"] = as_tuples(draft.constants[inputs.pop()].tolist())
    parts = list(node.output) if node.op_type == "Split" else [output]
    for n, part in enumerate(parts):
        more = {"part": n, "parts": len(parts)} if node.op_type == "Split" else {}
        operation = Operation(node.op_type, tuple(inputs), part, {**attributes, **more})
        if reason := _unsupported(operation):
            unknown.add(reason)
        draft.operations.append(operation)


def _constant(draft: Draft, name: str, value: float) -> str:
    draft.constants[name] = torch.tensor(value)
    return name


def _attributes(node: onnx.NodeProto) -> Iterator[tuple[str, Any]]:
    from onnx import TensorProto, helper, numpy_helper

    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        if isinstance(value, TensorProto):
            yield attribute.name, torch.tensor(numpy_helper.to_array(value))
        elif isinstance(value, bytes):
            yield attribute.name, value.decode()
        else:
            yield attribute.name, as_tuples(list(value) if isinstance(value, (list, tuple)) else value)


def _unsupported(operation: Operation) -> str | None:
    """Return what is not supported of an operation: its name, or its name with the attributes."""
    if operation.kind not in OPERATIONS:
        return operation.kind
    try:
        signature = inspect.signature(OPERATIONS[operation.kind])
    except ValueError:  # of a function in C; it takes no attributes
        known = not operation.attributes
    else:
        try:
            signature.bind(*operation.inputs, **operation.attributes)
            known = True
        except TypeError:
            known = False
    return None if known else f"{operation.kind} with {', '.join(sorted(operation.attributes)) or 'such inputs'}"


def _take_classes(draft: Draft) -> tuple[torch.Tensor, torch.Tensor]:
    """Take the last linear layer off a draft, and return its weights (C, F) and bias (C,)."""
    makers = {each.output: each for each in draft.operations}
    last = makers.get(draft.output)
    if last is not None and last.kind in _NORMALIZING:
        last = makers.get(last.inputs[0])
    if last is None or last.kind != "Linear":
        found = "nothing" if last is None else last.kind
        raise DataError(
            f"its last operation is {found}; expected a linear layer to the classes, and a softmax or none."
        )
    features, *names = last.inputs
    weight, *bias = (draft.constants[name] for name in names)
    draft.output = features
    draft.remove_unneeded()
    return weight, bias[0] if bias else torch.zeros(len(weight))


def _config(draft: Draft, height: int, num_classes: int) -> PretrainedConfig:
    channels = _gray(draft)
    constants, shapes = {}, {}
    for name, value in draft.constants.items():
        if not value.is_floating_point():
            constants[name] = as_tuples(value.tolist())
        elif value.numel() == 1:
            constants[name] = float(value)
        else:
            shapes[name] = tuple(value.shape)
    graph = Graph(tuple(draft.operations), shapes, constants, draft.image, channels, draft.output)
    draft.constants = {name: draft.constants[name] for name in shapes}
    return _with_geometry(PretrainedConfig(num_classes, graph, height, features=1, frame_pixels=1))


def _gray(draft: Draft) -> int:
    """Let the first convolutions take one channel instead of three equal ones; return the channels of the image."""
    first = [each for each in draft.operations if draft.image in each.inputs]
    kernels = {each.inputs[1] for each in first if each.kind == "Conv"}
    is_shared = any(kernels.intersection(each.inputs) for each in draft.operations if each not in first)
    if any(each.kind != "Conv" or each.attributes.get("group", 1) != 1 for each in first) or is_shared:
        return 3
    for name in kernels:
        draft.constants[name] = draft.constants[name].sum(dim=1, keepdim=True)
    return 1


def _with_geometry(config: PretrainedConfig) -> PretrainedConfig:
    """Return a configuration with the features of a frame and the frames of lines, found by computing shapes."""
    with torch.device("meta"):
        network = PretrainedNetwork(config)

    def shape(width: int) -> tuple[int, ...]:
        images = torch.empty(2, config.graph.channels, config.height, width, device="meta")
        return tuple(network._features(images).shape)

    for stride in range(1, _LARGEST_STRIDE + 1):
        widths = [stride * (_FRAMES + more) for more in (0, 1, 2, 5, 8)]
        try:
            shapes = [shape(width) for width in widths]
        except (RuntimeError, ValueError, IndexError) as error:
            raise DataError(
                f"it does not take lines of {widths[-1]} columns and height {config.height} ({error}). "
                "Expected a network for lines of any width."
            ) from error
        frames = [each[1] if len(each) == 3 and each[0] == 2 else 0 for each in shapes]
        more = frames[0] - _FRAMES
        if frames[0] and frames == [width // stride + more for width in widths]:
            return replace(config, features=shapes[0][2], frame_pixels=stride, more_frames=more)
    raise DataError(
        f"its output has shape {shapes[0]} for two lines; expected (2, T, C) with T growing with the width."
    )


def _height(model: onnx.ModelProto) -> int:
    names = {each.name for each in model.graph.initializer}
    (image,) = (each for each in model.graph.input if each.name not in names)
    sizes = image.type.tensor_type.shape.dim
    if len(sizes) != 4:
        raise DataError(f"its input has {len(sizes)} dimensions; expected (B, channels, height, W).")
    return int(sizes[2].dim_value) or _HEIGHT


def _tokens(path: Path, model: onnx.ModelProto, num_classes: int) -> Mapping[str, int]:
    """Return the class of each token; of tokens that are there twice, the first."""
    text = next((each.value for each in model.metadata_props if each.key == "character"), None)
    beside = path.with_suffix(".txt")
    if text is None:
        if not beside.is_file():
            raise DataError(
                f'{path}: its characters are not known. Expected them in the metadata, under "character", or in '
                f"{beside}, one on each line."
            )
        try:
            text = beside.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{beside}: cannot be read as UTF-8 text ({error}). Save it as UTF-8.") from error
    try:
        characters = with_space(split_characters(text), num_classes)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    tokens = {"": 0}
    for position, character in enumerate(characters, 1):
        tokens.setdefault(character, position)
    return tokens
