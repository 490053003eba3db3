"""``Recognizer``: reads text lines with a trained model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ctckit import _checks
from ctckit.decoding.beam import BeamDecoder
from ctckit.decoding.greedy import greedy_decode
from ctckit.decoding.hypothesis import Hypothesis
from ctckit.errors import DataError, InvalidInputError, MissingDependencyError
from ctckit.ocr.backend import Backend
from ctckit.ocr.bundled import path_of_model
from ctckit.ocr.data.finding import Frame, whole
from ctckit.ocr.data.images import MAX_WIDTH, GrayImage, is_blank, load_image, to_gray
from ctckit.ocr.data.rules import BEFORE, LineRules
from ctckit.ocr.training.record import TrainingRecord
from ctckit.vocabulary import Vocabulary

if TYPE_CHECKING:
    from ctckit.ocr.networks.base import Network

ONNX_SUFFIX = ".onnx"


@dataclass(frozen=True)
class LineImage:
    """An image that is ready to be read, as :meth:`Recognizer.prepare` makes it.

    Attributes:
        levels: (height, width) uint8, of the model's height.
        width: The columns of the image as it was given.
        height: Its rows.
        frame: The place of ``levels`` in it.
    """

    levels: GrayImage
    width: int
    height: int
    frame: Frame

    @classmethod
    def seen(cls, levels: GrayImage) -> LineImage:
        """Return an image that is already as the model sees it, such as a line that was prepared for training."""
        height, width = levels.shape
        return cls(levels, width, height, whole(levels))


ImageLike = str | Path | Image.Image | np.ndarray[Any, Any] | LineImage


@dataclass(frozen=True)
class CharacterSpan:
    """The place of one character in an image.

    Attributes:
        character: The character.
        start: The first frame.
        end: One past the last frame: frames ``[start, end)``.
        left: The first pixel column, in the image as it was given, upright.
        right: One past the last column: columns ``[left, right)``.
        top: The first row of the line at these columns.
        bottom: One past the last row.
        log_prob: Mean log-probability of the character in these frames.
    """

    character: str
    start: int
    end: int
    left: int
    right: int
    top: int
    bottom: int
    log_prob: float


@dataclass(frozen=True)
class Reading:
    """One text that was read in an image.

    Attributes:
        text: The text, in logical order. If the rules say so, white space is single spaces, and none at the ends.
        log_prob: ln P(text | image), summed over all alignments.
        spans: The place of each character of the text, from left to right in the picture.
        confidence: P(text | image) as a geometric mean per character, 0..1: comparable between short and long lines.
            0 for an empty text: nothing was read.
        score: The number that the decoder ranks by, in nats: ``log_prob`` plus the terms of the language models, the
            lexicon and the hotwords; without a beam decoder ``log_prob`` itself.

    Example:
        >>> from ctckit import Vocabulary
        >>> from ctckit.ocr import CRNN, CRNNConfig, Recognizer
        >>> from ctckit.ocr.data.synthetic import CHARSET, held_out_strings
        >>> config = CRNNConfig(num_classes=11, channels=(4, 8), strides=((4, 2), (4, 2)), hidden=8)
        >>> recognizer = Recognizer(CRNN(config), Vocabulary.from_characters(CHARSET))  # untrained
        >>> [reading] = recognizer.read([held_out_strings(1)[0].image])
        >>> reading.text == "".join(span.character for span in reading.spans)
        True
        >>> reading.score == reading.log_prob
        True
    """

    text: str
    log_prob: float
    spans: tuple[CharacterSpan, ...]
    confidence: float
    score: float

    def __str__(self) -> str:
        return self.text


class Recognizer:
    """Reads text lines with a network, in PyTorch or in an ONNX file.

    Args:
        model: The network; or another :class:`~ctckit.ocr.backend.Backend`, such as an ONNX file that is open.
        vocabulary: Its classes.
        record: How it was trained, if known.
        rules: The form of its texts, and how it sees images.

    Example:
        >>> from ctckit import Vocabulary
        >>> from ctckit.ocr import CRNN, CRNNConfig, Recognizer
        >>> from ctckit.ocr.data.synthetic import CHARSET, held_out_strings
        >>> config = CRNNConfig(num_classes=11, channels=(4, 8), strides=((4, 2), (4, 2)), hidden=8)
        >>> recognizer = Recognizer(CRNN(config), Vocabulary.from_characters(CHARSET))  # untrained
        >>> readings = recognizer.read([line.image for line in held_out_strings(3)])
        >>> [0 <= reading.confidence <= 1 for reading in readings]
        [True, True, True]
    """

    def __init__(
        self,
        model: Network | Backend,
        vocabulary: Vocabulary,
        *,
        record: TrainingRecord | None = None,
        rules: LineRules = BEFORE,
    ) -> None:
        self.model: Any = model
        self._backend = model if isinstance(model, Backend) else _with_torch(model)
        self.vocabulary = vocabulary
        self.record = record
        self.rules = rules

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "cpu") -> Recognizer:
        """Load a model folder, or an ONNX file; the latter without torch.

        Args:
            folder: A folder that ``ctckit train`` or ``ctckit demo`` wrote; or a file ``name.onnx`` that ``ctckit
                export`` wrote, or that follows the conventions of PP-OCR
                (see :class:`~ctckit.ocr.onnx.session.OnnxSession`); or a name in ``ctckit.ocr.bundled.BUNDLED``, such
                as "ppocr-v6-small": an ONNX file that an installed package has. A folder of this name comes first.
            device: A torch device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; ``"auto"`` is a GPU if there is one.
                For an ONNX file ``"cpu"``, ``"cuda"`` or ``"auto"``.

        Raises:
            ModelFormatError: If the folder is incomplete, damaged, or of an unknown version; if the file is no
                recognizer.
            InvalidInputError: If the device cannot be used.
            MissingDependencyError: If a package is not installed that it needs.
        """
        folder = path_of_model(folder)
        if folder.suffix.lower() == ONNX_SUFFIX and not folder.is_dir():
            from ctckit.ocr.onnx.session import OnnxSession

            session = OnnxSession(folder, device=device)
            return cls(session, session.vocabulary, rules=session.description.lines)
        return cls._load_folder(folder, device)

    @classmethod
    def _load_folder(cls, folder: Path, device: str) -> Recognizer:
        try:
            import torch

            from ctckit.ocr.model_folder import load_model
        except ModuleNotFoundError as error:
            if error.name is None or error.name.startswith("ctckit"):
                raise
            raise MissingDependencyError(f"{folder}, a model folder,", error.name, "ocr") from error
        saved = load_model(folder)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            network = saved.model.to(device)
        except (RuntimeError, AssertionError) as error:
            raise InvalidInputError(f'device="{device}" cannot be used here ({error}). Use device="cpu".') from error
        return cls(network, saved.vocabulary, record=saved.record, rules=saved.rules)

    def prepare(self, image: ImageLike, *, name: str = "image", max_width: int = MAX_WIDTH) -> LineImage:
        """Return the line in an image, in gray levels and scaled to the model's height.

        Args:
            image: As for :meth:`read`.
            name: What messages call an image that is not a file.
            max_width: The most columns of the scaled image.

        Raises:
            DataError: If a file is missing or unreadable, or the image is too wide.
            InvalidInputError: If it is not an image.
        """
        if isinstance(image, LineImage):
            return image
        _checks.positive_integer(max_width, "max_width")
        where = str(image) if isinstance(image, (str, Path)) else name
        gray = _gray(image, name)
        try:
            seen = self.rules.view(gray, self._backend.height, max_width=max_width)
        except DataError as error:
            raise DataError(f"{where}: {error}") from error
        return LineImage(seen.levels, gray.width, gray.height, seen.frame)

    def read(
        self,
        images: Sequence[ImageLike],
        *,
        batch_size: int = 32,
        decoder: BeamDecoder | None = None,
        max_width: int = MAX_WIDTH,
    ) -> list[Reading]:
        """Read line images.

        Args:
            images: Paths, PIL images, or uint8 arrays (height, width) or (height, width, 3); each with one text line;
                or what :meth:`prepare` returns.
            batch_size: The most images at once; of very wide ones fewer.
            decoder: A beam decoder over the tokens of ``vocabulary``, for example with a language model. By default
                the best path is read.
            max_width: The most columns of an image that is scaled to the model's height.

        Returns:
            One reading for each image, in order. The text of a blank image is empty.

        Raises:
            DataError: If files are missing or unreadable, or images are too wide; the message names all of them.
            InvalidInputError: If an entry is not an image.
        """
        found = self.read_n_best(images, 1, batch_size=batch_size, decoder=decoder, max_width=max_width)
        return [best for best, *_ in found]

    def read_n_best(
        self,
        images: Sequence[ImageLike],
        n_best: int,
        *,
        batch_size: int = 32,
        decoder: BeamDecoder | None = None,
        max_width: int = MAX_WIDTH,
    ) -> list[list[Reading]]:
        """Read line images, with several candidate texts for each.

        Args:
            images: As for :meth:`read`.
            n_best: The most texts for each image.
            batch_size: As for :meth:`read`.
            decoder: As for :meth:`read`; by default, with ``n_best`` above 1, a beam decoder without other knowledge.
            max_width: As for :meth:`read`.

        Returns:
            For each image, in order, at least one reading, best first. Texts that differ in white space alone are one
            reading if the rules say single spaces.

        Raises:
            DataError: As for :meth:`read`.
            InvalidInputError: If an entry is not an image, or ``n_best`` or ``batch_size`` is not positive.
        """
        _checks.positive_integer(n_best, "n_best")
        if isinstance(images, (str, Path, Image.Image, np.ndarray)):
            raise InvalidInputError("images is a single image; expected a list of them: read([image]).")
        lines = self._prepare_all(_listed(images), max_width)
        outputs = self.compute_log_probs([line.levels for line in lines], batch_size=batch_size)
        if decoder is None and n_best > 1:
            decoder = BeamDecoder(self.vocabulary)
        inked = [n for n, line in enumerate(lines) if not is_blank(line.levels)]
        readings = [[_NOTHING] for _ in lines]
        decoded = self._decode([outputs[n] for n in inked], decoder, n_best)
        for n, found in zip(inked, decoded, strict=True):
            readings[n] = self._interpret_all(found, lines[n])
        return readings

    def _prepare_all(self, images: Sequence[ImageLike], max_width: int) -> list[LineImage]:
        prepared, errors = [], []
        for index, image in enumerate(images):
            try:
                prepared.append(self.prepare(image, name=f"images[{index}]", max_width=max_width))
            except DataError as error:
                errors.append(error)
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise DataError("\n  ".join([f"{len(errors)} of {len(images)} images cannot be read:", *map(str, errors)]))
        return prepared

    def compute_log_probs(self, lines: Sequence[GrayImage], *, batch_size: int = 32) -> list[Any]:
        """Return log-probabilities (T, C) float32 of lines that already have the model's height.

        They are torch tensors on the CPU; of an ONNX file NumPy arrays.
        """
        return self._backend.compute_log_probs(lines, batch_size=batch_size)

    def _interpret_all(self, found: Sequence[Hypothesis], line: LineImage) -> list[Reading]:
        """Return the readings, of those with one text the first."""
        readings: dict[str, Reading] = {}
        for each in found:
            reading = self._interpret(each, line)
            readings.setdefault(reading.text, reading)
        return list(readings.values())

    def _decode(self, outputs: Sequence[Any], decoder: BeamDecoder | None, n_best: int) -> list[list[Hypothesis]]:
        """Return the texts of lines; a beam decoder gets all in one call, for all of its threads."""
        if not outputs:
            return []
        if decoder is not None:
            return decoder.decode(list(outputs), n_best=n_best)
        blank, vocabulary = self.vocabulary.blank, self.vocabulary
        return [greedy_decode(each, blank=blank, vocabulary=vocabulary) for each in outputs]  # one by one: no copies

    def _interpret(self, hypothesis: Hypothesis, line: LineImage) -> Reading:
        log_prob = min(0.0, hypothesis.log_prob)  # rounding in float32 can give a number slightly above 0
        if not hypothesis.text.strip():  # a picture does not show spaces alone
            return replace(_NOTHING, log_prob=log_prob, score=hypothesis.score)
        return Reading(
            text=self.rules.spaced(self.rules.displayed(hypothesis.text)),
            log_prob=log_prob,
            spans=self._spans(hypothesis, line),
            confidence=math.exp(log_prob / len(hypothesis.tokens)),
            score=hypothesis.score,
        )

    def _spans(self, hypothesis: Hypothesis, line: LineImage) -> tuple[CharacterSpan, ...]:
        pixels = line.frame.width / line.levels.shape[1]  # of the image for each column of the line
        along = self._backend.frame_pixels * pixels
        spans = tuple(
            CharacterSpan(
                self.vocabulary.decode([span.token]),
                span.start,
                span.end,
                *_place(line, span.start * along, span.end * along),
                log_prob=span.log_prob,
            )
            for span in hypothesis.spans
        )
        return _with_single_spaces(spans) if self.rules.spaces == "single" else spans


def _with_single_spaces(spans: Sequence[CharacterSpan]) -> tuple[CharacterSpan, ...]:
    """Return the spans without the spaces that a text with single spaces does not have."""
    kept: list[CharacterSpan] = []
    for span in spans:
        if not span.character.isspace():
            kept.append(span)
        elif kept and kept[-1].character != " ":
            kept.append(replace(span, character=" "))
    return tuple(kept[:-1] if kept and kept[-1].character == " " else kept)


def _with_torch(network: Network) -> Backend:
    from ctckit.ocr.torch_backend import TorchBackend

    return TorchBackend(network)


def _place(line: LineImage, start: float, end: float) -> tuple[int, int, int, int]:
    """Return the first column, one past the last, the first row and one past the last of a part of a line."""
    frame, middle = line.frame, line.frame.height / 2
    end = min(end, frame.width)
    left, right = frame.point(start, middle)[0], frame.point(end, middle)[0]
    _, top, _, bottom = frame.box(start, end)
    return *_whole_pixels(left, right, line.width), *_whole_pixels(top, bottom, line.height)


def _whole_pixels(start: float, end: float, size: int) -> tuple[int, int]:
    """Return the pixels that an interval touches, at least one of 0..size − 1; and one past the last."""
    first = min(size - 1, max(0, math.floor(start + 1e-6)))
    return first, min(size, max(first + 1, math.ceil(end - 1e-6)))


_NOTHING = Reading(text="", log_prob=0.0, spans=(), confidence=0.0, score=0.0)  # of an image without ink


def _listed(images: Iterable[ImageLike]) -> list[ImageLike]:
    try:
        return list(images)
    except TypeError as error:
        raise InvalidInputError(f"images is a {type(images).__name__}; expected a list of images.") from error


def _named(image: Image.Image, name: str) -> Image.Image:
    try:
        return to_gray(image)
    except DataError as error:
        raise DataError(f"{name}: {error}") from error


def _gray(image: ImageLike, name: str) -> Image.Image:
    if isinstance(image, (str, Path)):
        return load_image(image)
    if isinstance(image, Image.Image):
        return _named(image, name)
    if not isinstance(image, np.ndarray):
        raise InvalidInputError(f"{name} is a {type(image).__name__}; expected a path, a PIL image or a uint8 array.")
    shaped = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    if image.dtype != np.uint8 or not shaped or image.size == 0:
        raise InvalidInputError(
            f"{name} is an array of {image.dtype} with shape {image.shape}; expected uint8, (height, width) or "
            "(height, width, 3), 0 black and 255 white."
        )
    return to_gray(Image.fromarray(image))
