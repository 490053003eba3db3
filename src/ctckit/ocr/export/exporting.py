"""``export_onnx``: a model becomes an ONNX file, and the file is compared with the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ctckit import _checks
from ctckit._files import make_folder, rename_into_place, sync_folder, write_temporary
from ctckit.errors import DataError, InvalidInputError
from ctckit.ocr.data.images import GrayImage
from ctckit.ocr.data.lines import LineSet, load_lines
from ctckit.ocr.export.graph_nodes import write_graph
from ctckit.ocr.export.quantizing import quantize
from ctckit.ocr.export.tracing import trace
from ctckit.ocr.model_folder import SavedModel, load_model
from ctckit.ocr.networks import Network
from ctckit.ocr.networks.pretrained.network import ROUNDING, PretrainedNetwork
from ctckit.ocr.onnx.metadata import Description, metadata_of
from ctckit.ocr.onnx.session import OnnxSession
from ctckit.ocr.recognizer import ONNX_SUFFIX, LineImage, Recognizer
from ctckit.ocr.training.evaluation import character_error_rate, compute_log_probs
from ctckit.vocabulary import Vocabulary

if TYPE_CHECKING:
    import onnx

EXPORTED = ("log_probs", "probs")
TOLERANCE = 1e-4  # nats, between the file and the network
_LARGE = 1e-5  # the same, as a share of large numbers
_TRIED = ((1,), (37, 200, 90), (511, 512, 513, 449), (33,))  # widths of the lines with which they are compared
_UNLIKELY = -80.0  # nats: smaller probabilities are not numbers of float32
_CALIBRATION = 64  # lines, about
_IN_MEMORY = 1024  # lines whose log-probabilities are in memory at once
_FRAMES = 64  # of the lines with which the frames of all lines are compared


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        path: The file.
        bytes: Its size.
        difference: The largest difference of its log-probabilities from those of the network, in nats; before the
            numbers became whole.
        lines: The number of lines that were read to compare it with the network; 0 without ``lines``.
        cer: The character error rate of the network on these lines; None without them.
        int8_cer: That of the file with whole numbers of 8 bits; None if it has none.
    """

    path: Path
    bytes: int
    difference: float
    lines: int = 0
    cer: float | None = None
    int8_cer: float | None = None

    @property
    def summary(self) -> str:
        """The result in a few words."""
        said = (
            f"{self.bytes / 1e6:.1f} MB; its log-probabilities differ from the network's by {self.difference:.1g} nats"
        )
        if self.cer is None:
            return f"{said} at most."
        if self.int8_cer is None:
            return f"{said} at most. CER on {self.lines} lines: {100 * self.cer:.2f} %."
        return (
            f"{self.bytes / 1e6:.1f} MB. CER on {self.lines} lines: {100 * self.cer:.2f} % before, "
            f"{100 * self.int8_cer:.2f} % with whole numbers of 8 bits."
        )


def export_onnx(
    model: str | Path | SavedModel,
    out: str | Path,
    *,
    output: str = "log_probs",
    int8: bool = False,
    lines: str | Path | None = None,
) -> Exported:
    """Write a model as an ONNX file, which ONNX Runtime runs without torch.

    The input of the file is ``x``, an image (B, channels, height, W) of float32 with any number of channels, whose
    mean is taken; its levels are 2 · level / 255 − 1, so paper is 1 and ink −1. Lines that are narrower than the batch
    are padded on the right with 0. The output has the log-probabilities (B, T, C), or the probabilities, of the
    frames; in the padding they are those of a certain blank. Class 0 is the blank.

    The log-probabilities are compared with those of the network before the file is written.

    Args:
        model: A model folder, or what :func:`~ctckit.ocr.model_folder.load_model` returns.
        out: The file; it is replaced if it exists.
        output: "log_probs", natural logarithms; or "probs", which other readers of PP-OCR's files expect.
        int8: Compute with whole numbers of 8 bits: faster, a smaller file, and a few more errors. It needs ``lines``.
        lines: A data set of lines (see :mod:`ctckit.ocr.data.sources`). The error rates are measured on all of them,
            and the ranges of the whole numbers come from some of them.

    Raises:
        DataError: If the model or the lines cannot be read, the file cannot be written, or torch cannot export the
            network.
        InvalidInputError: If a character cannot be in the metadata of a file; if ``int8`` is without ``lines``.
        MissingDependencyError: If onnx or onnxruntime is not installed.

    Example:
        >>> from pathlib import Path
        >>> from ctckit.ocr import export_onnx
        >>> from tempfile import mkdtemp
        >>> from ctckit import Vocabulary
        >>> from ctckit.ocr import CRNN, CRNNConfig
        >>> from ctckit.ocr.model_folder import save_model
        >>> from ctckit.ocr.data.synthetic import CHARSET
        >>> config = CRNNConfig(num_classes=11, channels=(4, 8), strides=((4, 2), (4, 2)), hidden=8)
        >>> folder = Path(mkdtemp())
        >>> model = save_model(folder / "model", CRNN(config), Vocabulary.from_characters(CHARSET))
        >>> exported = export_onnx(model, folder / "model.onnx")
        >>> exported.path.name, exported.difference < 1e-3
        ('model.onnx', True)
    """
    _checks.choice(output, "output", EXPORTED)
    out = Path(out)
    if out.suffix.lower() != ONNX_SUFFIX:
        raise InvalidInputError(f"{out} does not end with {ONNX_SUFFIX}, by which an ONNX file is known.")
    if int8 and lines is None:
        raise InvalidInputError(
            "int8 needs lines: the ranges of the numbers, and the error rate, are measured on them."
        )
    saved = model if isinstance(model, SavedModel) else load_model(model)
    known = None if lines is None else _load_lines(lines, saved)
    order = [saved.vocabulary.blank, *(n for n in range(len(saved.vocabulary)) if n != saved.vocabulary.blank)]
    network = saved.model.cpu().eval()
    graph = _graph(network, order, output, int8=int8)
    vocabulary = Vocabulary(tuple(saved.vocabulary.tokens[n] for n in order))
    content = _with_metadata(graph, _describe(saved, output), vocabulary)
    result = Exported(out, len(content), 0.0, 0 if known is None else len(known.lines))
    with _replacing(out, content) as temporary:
        session = OnnxSession(temporary)
        result = replace(result, difference=_compare(session, network, order))
        if known is not None:
            result = replace(result, cer=_error_rate(session, known))
        if known is not None and int8:
            few = known.lines[:: -(-len(known.lines) // _CALIBRATION)]
            session = _quantized(session, [line.image for line in few], temporary)
            result = replace(result, int8_cer=_error_rate(session, known), bytes=temporary.stat().st_size)
    return result


def _load_lines(source: str | Path, saved: SavedModel) -> LineSet:
    found = load_lines(source, height=saved.model.height, rules=saved.rules)
    found.expect_lines(source)
    return found


def _error_rate(session: OnnxSession, known: LineSet) -> float:
    recognizer = Recognizer(session, session.vocabulary, rules=session.description.lines)
    truths, reads = [], []
    for first in range(0, len(known.lines), _IN_MEMORY):
        part = known.lines[first : first + _IN_MEMORY]
        reads += [each.text for each in recognizer.read([LineImage.seen(line.image) for line in part])]
        truths += [line.text for line in part]
    return character_error_rate(truths, reads)


def _quantized(session: OnnxSession, lines: Sequence[GrayImage], path: Path) -> OnnxSession:
    """Write the network of a file again, with whole numbers of 8 bits."""
    import onnx

    content = quantize(path.read_bytes(), "x", [session.input_of([line]) for line in lines])
    model = onnx.load_from_string(content)
    path.write_bytes(_with_metadata(model, replace(session.description, int8=True), session.vocabulary))
    return OnnxSession(path)


def _graph(network: Network, order: Sequence[int], output: str, *, int8: bool) -> onnx.ModelProto:
    if isinstance(network, PretrainedNetwork):
        return write_graph(network, order, output, split_gelus=not int8)
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


def _with_metadata(graph: onnx.ModelProto, description: Description, vocabulary: Vocabulary) -> bytes:
    from onnx import helper

    graph.producer_name, graph.producer_version = "ctckit", version("ctckit")
    del graph.metadata_props[:]
    helper.set_model_props(graph, metadata_of(description, vocabulary))
    return bytes(graph.SerializeToString())


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
        rename_into_place(temporary, out)
        sync_folder(out.parent)
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror}). Choose another file.") from error
    finally:
        temporary.unlink(missing_ok=True)
