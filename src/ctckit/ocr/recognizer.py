"""Reading text lines with a trained model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ctckit.decoding.beam import BeamDecoder
from ctckit.decoding.greedy import greedy_decode
from ctckit.decoding.hypothesis import Hypothesis
from ctckit.errors import InvalidInputError
from ctckit.ocr.data.lines import GreyImage, load_image, scale_to_height, to_grey
from ctckit.ocr.model_folder import load_model
from ctckit.ocr.networks.crnn import CRNN
from ctckit.ocr.training.evaluation import compute_log_probs
from ctckit.ocr.training.record import TrainingRecord
from ctckit.vocabulary import Vocabulary

ImageLike = str | Path | Image.Image | np.ndarray[Any, Any]


@dataclass(frozen=True)
class CharacterSpan:
    """Where a character was read.

    Attributes:
        character: The character.
        start: First frame.
        end: Frame after the last: frames ``[start, end)``.
        left: First pixel column, in the image as it was given.
        right: Column after the last: columns ``[left, right)``.
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
    """What was read in one image.

    Attributes:
        text: The text.
        log_prob: ln P(text | image), summed over all alignments.
        spans: Where each character is.
        confidence: P(text | image) as a geometric mean per character, 0..1: comparable between short and long lines.
    """

    text: str
    log_prob: float
    spans: tuple[CharacterSpan, ...]
    confidence: float

    def __str__(self) -> str:
        return self.text


class Recognizer:
    """Reads text lines.

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

    def __init__(self, model: CRNN, vocabulary: Vocabulary, *, record: TrainingRecord | None = None) -> None:
        self.model = model.eval()
        self.vocabulary = vocabulary
        self.record = record

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "cpu") -> Recognizer:
        """Load a model folder.

        Args:
            folder: What ``ctckit train`` or ``ctckit demo`` wrote.
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
            images: Paths, PIL images, or uint8 arrays (height, width) or (height, width, 3); one text line each, dark
                on light, of any size.
            batch_size: Images at once.
            decoder: A beam decoder over the tokens of ``vocabulary``, with a language model say; by default the best
                path is read.

        Returns:
            One reading for each image, in order.

        Raises:
            DataError: If a file is missing or unreadable.
            InvalidInputError: If something else than an image is given.
        """
        if isinstance(images, (str, Path, Image.Image, np.ndarray)):
            raise InvalidInputError("images is a single image; expected a list of them: read([image]).")
        greys = [_grey(image, f"images[{index}]") for index, image in enumerate(images)]
        lines = [scale_to_height(grey, self.model.config.height) for grey in greys]
        outputs = self.compute_log_probs(lines, batch_size=batch_size)
        return [
            self._interpret(self._decode(log_probs, decoder), line.shape[1], grey.width)
            for log_probs, line, grey in zip(outputs, lines, greys, strict=True)
        ]

    def compute_log_probs(self, lines: Sequence[GreyImage], *, batch_size: int = 32) -> list[torch.Tensor]:
        """Log-probabilities (T, C) float32 of lines that have the model's height already."""
        return compute_log_probs(self.model, lines, batch_size=batch_size)

    def _decode(self, log_probs: torch.Tensor, decoder: BeamDecoder | None) -> Hypothesis:
        if decoder is not None:
            return decoder.decode(log_probs)[0][0]
        return greedy_decode(log_probs, blank=self.vocabulary.blank, vocabulary=self.vocabulary)[0]

    def _interpret(self, hypothesis: Hypothesis, scaled_width: int, width: int) -> Reading:
        log_prob = min(0.0, hypothesis.log_prob)  # float32 rounding may lift a sure one above 0
        return Reading(
            text=hypothesis.text,
            log_prob=log_prob,
            spans=self._spans(hypothesis, scaled_width, width),
            confidence=math.exp(log_prob / max(1, len(hypothesis.tokens))),
        )

    def _spans(self, hypothesis: Hypothesis, scaled_width: int, width: int) -> tuple[CharacterSpan, ...]:
        columns = self.model.config.frame_pixels * width / scaled_width  # columns of the given image for each frame
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


def _grey(image: ImageLike, name: str) -> Image.Image:
    if isinstance(image, (str, Path)):
        return load_image(image)
    if isinstance(image, Image.Image):
        return to_grey(image)
    if not isinstance(image, np.ndarray):
        raise InvalidInputError(f"{name} is a {type(image).__name__}; expected a path, a PIL image or a uint8 array.")
    shaped = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    if image.dtype != np.uint8 or not shaped or image.size == 0:
        raise InvalidInputError(
            f"{name} is an array of {image.dtype} with shape {image.shape}; expected uint8, (height, width) or "
            "(height, width, 3), 0 black and 255 white."
        )
    return to_grey(Image.fromarray(image))
