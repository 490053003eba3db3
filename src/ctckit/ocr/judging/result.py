"""``ModelEvaluation``: all numbers of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from ctckit.ocr.comparing import ComparedLine, Confusion, ErrorRates, find_confusions
from ctckit.ocr.data.images import GrayImage
from ctckit.ocr.data.lines import count_reasons
from ctckit.ocr.data.pairs import Skipped
from ctckit.ocr.data.rules import LineRules
from ctckit.ocr.judging.calibration import Calibration


@dataclass(frozen=True)
class PicturedLine:
    """A line with its picture.

    Attributes:
        line: The line.
        image: (height, width) uint8, as the model saw it.
    """

    line: ComparedLine
    image: GrayImage = field(repr=False, compare=False)


@dataclass(frozen=True)
class ModelEvaluation:
    """How well a model reads the lines of a data set.

    Texts and readings are compared in logical order, in the form that the model's rules say: with the defaults, in
    Unicode NFC, with single spaces and none at the ends. Then ``cer`` and ``wer`` are the numbers of ``jiwer.cer`` and
    ``jiwer.wer`` for the strings of ``lines``.

    Attributes:
        lines: All lines that were read, in the order of the data set.
        worst: The lines with the most character errors, the worst first, with their pictures.
        characters: Calibration of the confidences of characters: their mean probability in their frames.
        words: Calibration of the confidences of words: geometric means over their characters.
        skipped: The lines that cannot be used.
        normalized: The number of lines whose text was changed by the rules.
        unknown: Characters in the texts that the model does not have, with their counts, the most frequent first.
        rules: The rules of the model.
        seconds: Wall time of loading and reading.

    Example:
        >>> from ctckit import Vocabulary
        >>> from ctckit.ocr import CRNN, CRNNConfig, Recognizer, evaluate_model
        >>> from ctckit.ocr.data.synthetic import CHARSET, held_out_strings
        >>> config = CRNNConfig(num_classes=11, channels=(4, 8), strides=((4, 2), (4, 2)), hidden=8)
        >>> recognizer = Recognizer(CRNN(config), Vocabulary.from_characters(CHARSET))  # untrained
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> from PIL import Image
        >>> folder = Path(mkdtemp())
        >>> for n, line in enumerate(held_out_strings(3)):
        ...     Image.fromarray(line.image).save(folder / f"{n}.png")
        ...     _ = (folder / f"{n}.gt.txt").write_text(line.text)
        >>> evaluation = evaluate_model(recognizer, folder)
        >>> len(evaluation.lines), len(evaluation.worst), evaluation.exact < 0.5
        (3, 3, True)
    """

    lines: tuple[ComparedLine, ...]
    worst: tuple[PicturedLine, ...]
    characters: Calibration
    words: Calibration
    skipped: tuple[Skipped, ...]
    normalized: int
    unknown: Mapping[str, int]
    rules: LineRules
    seconds: float

    @cached_property
    def rates(self) -> ErrorRates:
        """The errors of all lines."""
        return ErrorRates.of(self.lines)

    @property
    def cer(self) -> float:
        """Character errors per true character."""
        return self.rates.cer

    @property
    def wer(self) -> float:
        """Word errors per true word."""
        return self.rates.wer

    @property
    def exact(self) -> float:
        """The share of lines without any error, 0..1."""
        return self.rates.exact

    @cached_property
    def documents(self) -> Mapping[str, ErrorRates]:
        """The errors of each document, the one with the highest character error rate first.

        Documents are told by the names of the lines: see :func:`ctckit.ocr.data.lines.documents_of`.
        """
        lines: dict[str, list[ComparedLine]] = {}
        for line in self.lines:
            lines.setdefault(line.document, []).append(line)
        rates = {name: ErrorRates.of(each) for name, each in lines.items()}
        return dict(sorted(rates.items(), key=lambda item: (-item[1].cer, item[0])))

    @cached_property
    def confusions(self) -> tuple[Confusion, ...]:
        """The characters that were misread, the most frequent confusion first."""
        return find_confusions([line.text for line in self.lines], [line.read for line in self.lines])

    @property
    def skipped_counts(self) -> str:
        """The number of skipped lines for each reason, the most frequent first."""
        return count_reasons(self.skipped)

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers and texts as JSON-ready values."""
        return {
            **self.rates.to_dict(),
            "documents": {name: rates.to_dict() for name, rates in self.documents.items()},
            "confusions": all_as_dicts(self.confusions),
            "calibration": {"characters": self.characters.to_dict(), "words": self.words.to_dict()},
            "unknown_characters": dict(self.unknown),
            "normalized": self.normalized,
            "rules": self.rules.to_dict(),
            "seconds": self.seconds,
            "skipped": all_as_dicts(self.skipped),
            "readings": [line.to_dict() for line in self.lines],
        }


def all_as_dicts(items: Sequence[Any]) -> list[dict[str, Any]]:
    """Return dataclasses as JSON-ready values."""
    return [asdict(item) for item in items]
