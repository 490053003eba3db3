"""``OnnxSession``: a recognizer in an ONNX file, run by ONNX Runtime. It needs no torch.

Our own files say in their metadata how they are used. Other files follow the conventions of PP-OCR, and the number of
classes, the columns of a frame and the kind of the output are found by computing the log-probabilities of a few random
images.

**A batch equals its items.** Lines are padded with 0, which no gray level becomes, and our files find the width of each
line by it. Networks that look at whole lines, as those of PP-OCR do, get batches of lines whose widths are equal after
they are rounded up to multiples of 8 frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.errors import DataError, InvalidInputError, MissingDependencyError, MissingFileError, ModelFormatError
from ctckit.kernels.runtime import num_threads
from ctckit.ocr.charsets import split_characters, with_space
from ctckit.ocr.data.images import GrayImage
from ctckit.ocr.data.padding import group_by_width
from ctckit.ocr.onnx.metadata import PADDING, Description, characters_of, description_of
from ctckit.vocabulary import Vocabulary

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Floats = npt.NDArray[np.float32]

_HEIGHT = 48  # of PP-OCR's recognizers, for files that leave it open
_ROUNDING = 8  # frames; as in the network that starts from such a file
_LEVELS = (np.arange(256, dtype=np.float32) / 255 - 0.5) / 0.5
_TRIED = (192, 384, 200)  # columns of the lines with which the stride is found; the third may need rounding up
_SLACK = 1e-3  # of sums of float32 that are 1
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class OnnxSession:
    """Computes log-probabilities with an ONNX file; see :class:`~ctckit.ocr.backend.Backend`.

    It can be pickled and copied: then the file is loaded again.

    Args:
        path: A file that ``ctckit export`` wrote, or one that follows the conventions of PP-OCR: its input is an image
            (B, 3 or 1, height, W) with levels (level / 255 - 0.5) / 0.5, its output (B, T, C) probabilities or logits,
            its class 0 the blank. The other characters are in the metadata, under "character", or in a text file of the
            same name (``x.txt`` beside ``x.onnx``), one on each line. If there is one class more, it is the space.
        device: "cpu", "cuda", or "auto", a GPU if there is one that ONNX Runtime can use.
        threads: The number of threads; None is ``ctckit.num_threads()``.

    Attributes:
        vocabulary: The classes.
        description: How the file is used.
        metadata: All entries of the metadata.

    Raises:
        MissingFileError: If there is no such file.
        ModelFormatError: If it is no ONNX file, or not a recognizer.
        MissingDependencyError: If onnxruntime is not installed.
        InvalidInputError: If the device cannot be used.
    """

    def __init__(self, path: str | Path, *, device: str = "cpu", threads: int | None = None) -> None:
        self.path = Path(path)
        self._device = device
        self._threads = num_threads() if threads is None else _checks.positive_integer(threads, "threads")
        self._session = _open(self.path, device, self._threads)
        try:
            self._set_up()
        except ModelFormatError as error:
            raise ModelFormatError(f"{self.path}: {error}") from error

    def _set_up(self) -> None:
        session = self._session
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelFormatError(
                f"it has {len(inputs)} inputs and {len(outputs)} outputs; expected the image of a line and its frames."
            )
        self._name = inputs[0].name
        self._most, self._channels, height = _sizes(inputs[0])
        self.metadata = dict(session.get_modelmeta().custom_metadata_map)
        described = description_of(self.metadata)
        self._fills_itself = described is not None
        if described is None:
            tried = self._try(height or _HEIGHT)
            self.description, self.num_classes = tried
        else:
            self.description = described
            if height not in (None, described.height):
                raise ModelFormatError(
                    f"its metadata say height {described.height}, its input has height {height}. Export it again."
                )
            self.num_classes = self._check_output()
        self.vocabulary, self._kept = self._classes(ours=described is not None)
        self.num_classes = len(self.vocabulary)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the path."""
        return _load, (self.path, self._device, self._threads)

    def __deepcopy__(self, memo: Any) -> OnnxSession:
        """Return itself: it does not change."""
        return self

    @property
    def height(self) -> int:
        """Height in pixels of the lines that it reads."""
        return self.description.height

    @property
    def frame_pixels(self) -> int:
        """Pixel columns of the line for each frame."""
        return self.description.frame_pixels

    def compute_log_probs(self, lines: Sequence[GrayImage], *, batch_size: int = 32) -> list[Floats]:
        """Return the log-probabilities of lines; see :meth:`ctckit.ocr.backend.Backend.compute_log_probs`."""
        _checks.positive_integer(batch_size, "batch_size")
        for n, line in enumerate(lines):
            if line.ndim != 2 or line.shape[0] != self.height or not line.shape[1] or line.dtype != np.uint8:
                raise InvalidInputError(
                    f"lines[{n}] is an array of {line.dtype} with shape {line.shape}; expected uint8, "
                    f"({self.height}, width)."
                )
        widths = [line.shape[1] for line in lines]
        order = np.argsort(widths, kind="stable")
        results: list[Any] = [None] * len(lines)
        limit = batch_size if self._most is None else min(batch_size, self._most)
        for part in group_by_width(sorted(widths), limit, step=self.description.same_columns):
            positions = order[part]
            batch = self._run(self.input_of([lines[position] for position in positions]))
            for position, output in zip(positions, batch, strict=True):
                results[position] = self._log_probs(output[: self.description.frames(widths[position])])
        return results

    def input_of(self, lines: Sequence[GrayImage]) -> Floats:
        """Return lines as the input of the network: (B, channels, height, W)."""
        columns, step = max(line.shape[1] for line in lines), self.description.same_columns
        if not self._fills_itself:
            columns = -(-columns // step) * step
        images = np.full((len(lines), 1, self.height, columns), PADDING, dtype=np.float32)
        for image, line in zip(images, lines, strict=True):
            image[0, :, : line.shape[1]] = _LEVELS[line]
            if not self._fills_itself:
                image[0, :, line.shape[1] :] = image[0, :, line.shape[1] - 1 : line.shape[1]]
        return images if self._channels == 1 else np.repeat(images, self._channels, axis=1)

    def _run(self, images: Floats) -> Floats:
        try:
            (found,) = self._session.run(None, {self._name: images})
        except Exception as error:  # ONNX Runtime's own classes, one for each of its codes
            raise DataError(
                f"{self.path}: ONNX Runtime cannot compute it for images of shape {images.shape} "
                f"({_said(error)}). Export it again."
            ) from error
        return np.asarray(found, dtype=np.float32)

    def _log_probs(self, output: Floats) -> Floats:
        if self._kept is not None:
            output = output[:, self._kept]
        if self.description.output == "log_probs":
            return output if self._kept is None else _log_softmax(output)
        if self.description.output == "logits":
            return _log_softmax(output)
        if self._kept is not None:
            output /= output.sum(axis=1, keepdims=True)
        np.minimum(output, np.float32(1.0), out=output)  # rounding can give a number slightly above 1
        with np.errstate(divide="ignore"):
            return np.log(output, out=output)

    def _classes(self, *, ours: bool) -> tuple[Vocabulary, npt.NDArray[np.int64] | None]:
        """Return the vocabulary, and the columns of its classes if a token is there twice: then the first counts."""
        characters = characters_of(self.metadata)
        if characters is None:
            if ours:
                raise ModelFormatError('its metadata have no entry "character". Export it again.')
            characters = _characters_beside(self.path)
        if ours and len(characters) != self.num_classes - 1:
            raise ModelFormatError(
                f"{len(characters)} characters for {self.num_classes} classes; expected {self.num_classes - 1}. "
                "Export it again."
            )
        tokens = {"": 0}
        for position, character in enumerate(with_space(characters, self.num_classes), 1):
            tokens.setdefault(character, position)
        if ours and len(tokens) != self.num_classes:
            raise ModelFormatError("a character is twice in its metadata, or is empty. Export it again.")
        kept = None if len(tokens) == self.num_classes else np.array(list(tokens.values()), dtype=np.int64)
        return Vocabulary(tuple(tokens)), kept

    def _check_output(self) -> int:
        """Return the number of classes of one of our own files.

        Raises:
            ModelFormatError: If it does not compute what its metadata say.
        """
        width = 3 * self.frame_pixels
        output = self._try_one(1, self.height, width)
        frames = self.description.frames(width)
        if output.ndim != 3 or output.shape[:2] != (1, frames):
            raise ModelFormatError(
                f"its output has shape {output.shape} for a line of {width} columns; by its metadata expected "
                f"(1, {frames}, C). Export it again."
            )
        return int(output.shape[2])

    def _try(self, height: int) -> tuple[Description, int]:
        """Return how a file without a description is used, and its classes."""
        items = 1 if self._most == 1 else 2
        outputs = [self._try_one(items, height, width) for width in _TRIED]
        shape = outputs[0].shape
        if any(each.ndim != 3 or each.shape[0] != items or each.shape[2] != shape[2] for each in outputs):
            raise ModelFormatError(
                f"its output has shape {shape} for {items} lines; expected ({items}, T, C): frames and classes."
            )
        frames = [each.shape[1] for each in outputs]
        growth = frames[1] - frames[0]
        stride = (_TRIED[1] - _TRIED[0]) // growth if growth > 0 else 0
        if not stride or stride * growth != _TRIED[1] - _TRIED[0]:
            raise ModelFormatError(
                f"lines of {_TRIED[0]} and {_TRIED[1]} columns give {frames[0]} and {frames[1]} frames; expected a "
                "number of frames that grows with the width."
            )
        more = frames[0] - _TRIED[0] // stride
        sums = outputs[0].sum(axis=2)
        is_probs = bool(outputs[0].min() >= 0.0 and np.abs(sums - 1.0).max() < _SLACK)
        output = "probs" if is_probs else "logits"
        return Description(height, stride, more, output, same_columns=_ROUNDING * stride), int(shape[2])

    def _try_one(self, items: int, height: int, width: int) -> Floats:
        image = np.random.default_rng(0).integers(0, 256, (height, width)).astype(np.uint8)
        levels = np.broadcast_to(_LEVELS[image], (items, self._channels, height, width))
        try:
            return self._run(np.ascontiguousarray(levels))
        except DataError as error:
            cause = error.__cause__ or error
            raise ModelFormatError(
                f"it does not take an image of shape {levels.shape} ({_said(cause)}). Expected a network for lines of "
                "any width."
            ) from error


def _load(path: Path, device: str, threads: int) -> OnnxSession:
    return OnnxSession(path, device=device, threads=threads)


def _open(path: Path, device: str, threads: int) -> InferenceSession:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError("an ONNX file", "onnxruntime", "onnx") from error
    available = onnxruntime.get_available_providers()
    if device == "auto":
        device = "cuda" if _PROVIDERS["cuda"] in available else "cpu"
    if _PROVIDERS.get(device) not in available:
        raise InvalidInputError(
            f'device="{device}" cannot be used with an ONNX file here: ONNX Runtime has {", ".join(available)}. '
            'Use device="cpu".'
        )
    if not path.is_file():
        raise MissingFileError(f"{path}: there is no such file. Check the path.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # threads that wait leave the processor
    options.log_severity_level = 4  # its errors are raised, too
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=[_PROVIDERS[device]])
    except Exception as error:  # as above
        raise ModelFormatError(f"{path}: cannot be read as an ONNX file ({_said(error)}). Export it again.") from error


def _sizes(image: Any) -> tuple[int | None, int, int | None]:
    """Return the most lines of a batch, the channels and the height; None is any."""
    sizes = [size if isinstance(size, int) else None for size in image.shape]
    if len(sizes) != 4 or sizes[1] not in (None, 1, 3) or image.type != "tensor(float)":
        raise ModelFormatError(
            f"its input is {image.type} of shape {image.shape}; expected tensor(float) of (B, 3 or 1, height, W)."
        )
    return sizes[0], sizes[1] or 1, sizes[2]


def _characters_beside(path: Path) -> list[str]:
    beside = path.with_suffix(".txt")
    if not beside.is_file():
        raise ModelFormatError(
            f'its characters are not known. Expected them in the metadata, under "character", or in {beside}, one on '
            "each line."
        )
    try:
        return split_characters(beside.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelFormatError(f"{beside} cannot be read as UTF-8 text ({error}). Save it as UTF-8.") from error


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    found: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return found


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
