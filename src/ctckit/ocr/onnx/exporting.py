"""``export_onnx``: a model becomes an ONNX file, and the file is compared with the model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ctckit import _checks
from ctckit._files import make_folder, remove_abandoned, sync_folder, write_temporary
from ctckit.errors import DataError, InvalidInputError
from ctckit.ocr.model_folder import SavedModel, load_model
from ctckit.ocr.networks import Network
from ctckit.ocr.networks.pretrained.network import ROUNDING, PretrainedNetwork
from ctckit.ocr.onnx.graph_nodes import write_graph
from ctckit.ocr.onnx.metadata import Description, metadata_of
from ctckit.ocr.onnx.session import OnnxSession
from ctckit.ocr.onnx.tracing import trace
from ctckit.ocr.recognizer import ONNX_SUFFIX
from ctckit.ocr.training.evaluation import compute_log_probs
from ctckit.vocabulary import Vocabulary

if TYPE_CHECKING:
    import onnx

EXPORTED = ("log_probs", "probs")
TOLERANCE = 1e-4  # nats, between the file and the network
_LARGE = 1e-5  # the same, as a share of large numbers
_TRIED = ((1,), (37, 200, 90), (511, 512, 513, 449), (33,))  # widths of the lines with which they are compared
_UNLIKELY = -80.0  # nats: smaller probabilities are not numbers of float32
_FRAMES = 64  # of the lines with which the frames of all lines are compared


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        path: The file.
        bytes: Its size.
        difference: The largest difference of its log-probabilities from those of the network, in nats.
    """

    path: Path
    bytes: int
    difference: float


def export_onnx(model: str | Path | SavedModel, out: str | Path, *, output: str = "log_probs") -> Exported:
    """Write a model as an ONNX file, which ONNX Runtime runs without torch.

    The input of the file is ``x``, an image (B, channels, height, W) of float32 with any number of channels, the mean of
    which is taken; its levels are 2 · level / 255 − 1, so paper is 1 and ink −1. Lines that are narrower than the batch
    are padded on the right with 0. The output are the log-probabilities (B, T, C), or probabilities, of the frames; those
    of the padding are the blank's. Class 0 is the blank.

    The log-probabilities are compared with those of the network before the file is written.

    Args:
        model: A model folder, or what :func:`~ctckit.ocr.model_folder.load_model` returns.
        out: The file; it is replaced if it exists.
        output: "log_probs", natural logarithms; or "probs", which other readers of PP-OCR's files expect.

    Raises:
        DataError: If the model cannot be read, the file cannot be written, or torch cannot export the network.
        InvalidInputError: If a character cannot be in the metadata of a file.
        MissingDependencyError: If onnx or onnxruntime is not installed.

    Example:
        ::

            export_onnx("model", "model.onnx")
            Recognizer.load("model.onnx").read(["line.png"])
    """
    _checks.choice(output, "output", EXPORTED)
    saved = model if isinstance(model, SavedModel) else load_model(model)
    out = Path(out)
    if out.suffix.lower() != ONNX_SUFFIX:
        raise InvalidInputError(f"{out} does not end with {ONNX_SUFFIX}, by which an ONNX file is known.")
    vocabulary = saved.vocabulary
    order = [vocabulary.blank, *(n for n in range(len(vocabulary)) if n != vocabulary.blank)]
    described = _describe(saved, output)
    network = saved.model.cpu().eval()
    graph = _graph(network, order, output)
    _set_metadata(graph, metadata_of(described, Vocabulary(tuple(vocabulary.tokens[n] for n in order))))
    with _replacing(out, graph.SerializeToString()) as temporary:
        difference = _compare(OnnxSession(temporary), network, order)
    return Exported(out, out.stat().st_size, difference)


def _graph(network: Network, order: Sequence[int], output: str) -> onnx.ModelProto:
    if isinstance(network, PretrainedNetwork):
        return write_graph(network, order, output)
    return trace(network, order, output)


def _describe(saved: SavedModel, output: str) -> Description:
    """Return how the file will be used.

    Raises:
        DataError: If the frames of a line are not those of a constant stride.
    """
    network = saved.model
    pixels = network.frame_pixels
    described = Description(
        height=network.height,
        frame_pixels=pixels,
        more_frames=network.frames(_FRAMES * pixels) - _FRAMES,
        output=output,
        same_columns=ROUNDING * pixels if isinstance(network, PretrainedNetwork) else 0,
        lines=saved.rules,
        history=tuple(asdict(stage) for stage in saved.history),
    )
    for width in range(1, _FRAMES * pixels):
        if network.frames(width) != described.frames(width):
            raise DataError(
                f"{type(network).__name__} gives {network.frames(width)} frames for a line of {width} columns, and the "
                f"metadata of a file can only say {described.frames(width)}: a frame for each {pixels} columns."
            )
    return described


def _set_metadata(graph: onnx.ModelProto, metadata: Mapping[str, str]) -> None:
    from onnx import helper

    graph.producer_name, graph.producer_version = "ctckit", version("ctckit")
    helper.set_model_props(graph, dict(metadata))


def _compare(session: OnnxSession, network: Network, order: Sequence[int]) -> float:
    """Return the largest difference of the log-probabilities of a file from those of a network.

    Raises:
        DataError: If it is more than rounding.
    """
    rng = np.random.default_rng(0)
    largest = 0.0
    for widths in _TRIED:
        lines = [rng.integers(0, 256, (network.height, width)).astype(np.uint8) for width in widths]
        for found, computed in zip(session.compute_log_probs(lines), compute_log_probs(network, lines), strict=True):
            expected = computed.numpy()[:, list(order)]
            likely = expected > _UNLIKELY
            difference = np.abs(found - expected)[likely] if found.shape == expected.shape else np.array([np.inf])
            if not (difference <= TOLERANCE + _LARGE * np.abs(expected[likely])).all():
                raise DataError(
                    f"the exported {type(network).__name__} computes other log-probabilities than the network (by "
                    f"{difference.max():.2g} nats). Its forward must compute with tensors only, so that torch can "
                    "trace it for batches of all sizes."
                )
            largest = max(largest, float(difference.max()))
    return largest


@contextmanager
def _replacing(out: Path, content: bytes) -> Iterator[Path]:
    """Yield a temporary file with this content; it replaces ``out`` unless an error is raised."""
    make_folder(out.parent)
    try:
        temporary = write_temporary(out, content)
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror}). Choose another file.") from error
    try:
        yield temporary
        os.replace(temporary, out)
        remove_abandoned(out)
        sync_folder(out.parent)
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror}). Choose another file.") from error
    finally:
        temporary.unlink(missing_ok=True)
