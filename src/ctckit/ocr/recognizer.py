"""``Recognizer``: reads text lines with a trained model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ctckit import _checks
from ctckit.decoding.beam import BeamDecoder
from ctckit.decoding.greedy import greedy_decode
from ctckit.decoding.hypothesis import Hypothesis
from ctckit.errors import InvalidInputError
from ctckit.ocr.data.lines import GrayImage, load_image, scale_to_height, to_gray
from ctckit.ocr.model_folder import load_model
from ctckit.ocr.networks.base import Network
from ctckit.ocr.training.evaluation import compute_log_probs
from ctckit.ocr.training.record import TrainingRecord
from ctckit.vocabulary import Vocabulary

ImageLike = str | Path | Image.Image | np.ndarray[Any, Any]


@dataclass(frozen=True)
class CharacterSpan:
    """The place of one character in an image.

    Attributes:
        character: The character.
        start: The first frame.
        end: One past the last frame: frames ``[start, end)``.
        left: The first pixel column, in the image as it was given.
        right: One past the last column: columns ``[left, right)``.
        log_prob: Mean log-probability of the character in these frames.
    """

    character: str
    start: int
    end: int
    left: int
    right: int
    log_prob: float


@dataclass(frozen=True)
class Reading:
    """One text that was read in an image.

    Attributes:
        text: The text.
        log_prob: ln P(text | image), summed over all alignments.
        spans: The place of each character.
        confidence: P(text | image) as a geometric mean per character, 0..1: comparable between short and long lines.
        score: The number that the decoder ranks by, in nats: ``log_prob`` plus the terms of the language models, the
            lexicon and the hotwords; without a beam decoder ``log_prob`` itself.
    """

    text: str
    log_prob: float
    spans: tuple[CharacterSpan, ...]
    confidence: float
    score: float

    def __str__(self) -> str:
        return self.text


class Recognizer:
    """Reads text lines with a network.

    Args:
        model: The network.
        vocabulary: Its classes.
        record: How it was trained, if known.

    Example:
        ::

            recognizer = Recognizer.load("model")
            for reading in recognizer.read(["line1.png", "line2.png"]):
                print(reading.text, f"{reading.confidence:.0%}")
    """

    def __init__(self, model: Network, vocabulary: Vocabulary, *, record: TrainingRecord | None = None) -> None:
        self.model = model.eval()
        self.vocabulary = vocabulary
        self.record = record

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "cpu") -> Recognizer:
        """Load a model folder.

        Args:
            folder: A folder that ``ctckit train`` or ``ctckit demo`` wrote.
            device: A torch device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; ``"auto"`` is a GPU if there is one.

        Raises:
            ModelFormatError: If the folder is incomplete, damaged, or of an unknown version.
            InvalidInputError: If the device cannot be used.
        """
        saved = load_model(folder)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            model = saved.model.to(device)
        except (RuntimeError, AssertionError) as error:
            raise InvalidInputError(f'device="{device}" cannot be used here ({error}). Use device="cpu".') from error
        return cls(model, saved.vocabulary, record=saved.record)

    def read(
        self, images: Sequence[ImageLike], *, batch_size: int = 32, decoder: BeamDecoder | None = None
    ) -> list[Reading]:
        """Read line images.

        Args:
            images: Paths, PIL images, or uint8 arrays (height, width) or (height, width, 3); each of any size, with
                one text line, dark on light.
            batch_size: Images at once.
            decoder: A beam decoder over the tokens of ``vocabulary``, for example with a language model. By default
                the best path is read.

        Returns:
            One reading for each image, in order.

        Raises:
            DataError: If a file is missing or unreadable.
            InvalidInputError: If an entry is not an image.
        """
        return [best for best, *_ in self.read_n_best(images, 1, batch_size=batch_size, decoder=decoder)]

    def read_n_best(
        self, images: Sequence[ImageLike], n_best: int, *, batch_size: int = 32, decoder: BeamDecoder | None = None
    ) -> list[list[Reading]]:
        """Read line images, with several candidate texts for each.

        Args:
            images: As for :meth:`read`.
            n_best: The most texts for each image.
            batch_size: Images at once.
            decoder: As for :meth:`read`; by default, with ``n_best`` above 1, a beam decoder without other knowledge.

        Returns:
            For each image, in order, at least one reading, best first.

        Raises:
            DataError: If a file is missing or unreadable.
            InvalidInputError: If an entry is not an image, or ``n_best`` is not positive.
        """
        _checks.positive_integer(n_best, "n_best")
        if isinstance(images, (str, Path, Image.Image, np.ndarray)):
            raise InvalidInputError("images is a single image; expected a list of them: read([image]).")
        grays = [_gray(image, f"images[{index}]") for index, image in enumerate(images)]
        lines = [scale_to_height(gray, self.model.height) for gray in grays]
        outputs = self.compute_log_probs(lines, batch_size=batch_size)
        if decoder is None and n_best > 1:
            decoder = BeamDecoder(self.vocabulary)
        return [
            [self._interpret(each, line.shape[1], gray.width) for each in self._decode(log_probs, decoder, n_best)]
            for log_probs, line, gray in zip(outputs, lines, grays, strict=True)
        ]

    def compute_log_probs(self, lines: Sequence[GrayImage], *, batch_size: int = 32) -> list[torch.Tensor]:
        """Return log-probabilities (T, C) float32 of lines that already have the model's height."""
        return compute_log_probs(self.model, lines, batch_size=batch_size)

    def _decode(self, log_probs: torch.Tensor, decoder: BeamDecoder | None, n_best: int) -> list[Hypothesis]:
        if decoder is not None:
            return decoder.decode(log_probs, n_best=n_best)[0]
        return greedy_decode(log_probs, blank=self.vocabulary.blank, vocabulary=self.vocabulary)

    def _interpret(self, hypothesis: Hypothesis, scaled_width: int, width: int) -> Reading:
        log_prob = min(0.0, hypothesis.log_prob)  # rounding in float32 can give a number slightly above 0
        return Reading(
            text=hypothesis.text,
            log_prob=log_prob,
            spans=self._spans(hypothesis, scaled_width, width),
            confidence=math.exp(log_prob / max(1, len(hypothesis.tokens))),
            score=hypothesis.score,
        )

    def _spans(self, hypothesis: Hypothesis, scaled_width: int, width: int) -> tuple[CharacterSpan, ...]:
        columns = self.model.frame_pixels * width / scaled_width  # columns of the given image for each frame
        return tuple(
            CharacterSpan(
                character=self.vocabulary.decode([span.token]),
                start=span.start,
                end=span.end,
                left=min(width - 1, math.floor(span.start * columns)),
                right=min(width, math.ceil(span.end * columns)),
                log_prob=span.log_prob,
            )
            for span in hypothesis.spans
        )


def _gray(image: ImageLike, name: str) -> Image.Image:
    if isinstance(image, (str, Path)):
        return load_image(image)
    if isinstance(image, Image.Image):
        return to_gray(image)
    if not isinstance(image, np.ndarray):
        raise InvalidInputError(f"{name} is a {type(image).__name__}; expected a path, a PIL image or a uint8 array.")
    shaped = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    if image.dtype != np.uint8 or not shaped or image.size == 0:
        raise InvalidInputError(
            f"{name} is an array of {image.dtype} with shape {image.shape}; expected uint8, (height, width) or "
            "(height, width, 3), 0 black and 255 white."
        )
    return to_gray(Image.fromarray(image))
