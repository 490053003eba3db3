"""``evaluate_model``: reads the lines of a data set, and compares the readings with the texts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from heapq import nlargest
from itertools import islice
from pathlib import Path

from ctckit.decoding.beam import BeamDecoder
from ctckit.errors import DataError
from ctckit.ocr.comparing import ComparedLine, compare_lines
from ctckit.ocr.data.images import MAX_WIDTH
from ctckit.ocr.data.lines import documents_of, refuse_skipped
from ctckit.ocr.data.pairs import Skipped
from ctckit.ocr.data.preparing import Done, counted, prepare_all
from ctckit.ocr.data.sources import find_pairs
from ctckit.ocr.data.store import Prepared
from ctckit.ocr.judging.calibration import Calibration, Judged
from ctckit.ocr.judging.confidences import judge_characters, judge_words
from ctckit.ocr.judging.result import ModelEvaluation, PicturedLine
from ctckit.ocr.recognizer import LineImage, Recognizer

_AT_ONCE = 256  # line images in memory
WORST = 40


def evaluate_model(
    recognizer: Recognizer,
    data: str | Path,
    *,
    decoder: BeamDecoder | None = None,
    batch_size: int = 32,
    max_width: int = MAX_WIDTH,
    strict: bool = False,
    worst: int = WORST,
    done: Done = lambda ready, total: None,
) -> ModelEvaluation:
    """Return how well a model reads the lines of a data set.

    Lines that cannot be used are left out and listed, as in training. A line whose text has more characters than its
    picture has frames cannot be read without errors; it is read all the same, and its errors count.

    Args:
        recognizer: The model.
        data: See :mod:`ctckit.ocr.data.sources`.
        decoder: As for :meth:`ctckit.ocr.Recognizer.read`; by default the best path is read.
        batch_size: As for :meth:`ctckit.ocr.Recognizer.read`.
        max_width: The most columns of a line at the height of the model.
        strict: A line that cannot be used is an error; or it is left out.
        worst: The number of worst lines whose pictures are kept.
        done: Is called with the number of lines that are read, and of all.

    Raises:
        DataError: If there is no such data set, if no line can be used, or, with ``strict``, if one cannot: the message
            names all.

    Example:
        >>> from ctckit.ocr import evaluate_model
        >>> from ctckit import Vocabulary
        >>> from ctckit.ocr import CRNN, CRNNConfig, Recognizer
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
        >>> len(evaluation.lines), evaluation.cer > 0.5, evaluation.skipped
        (3, True, ())
    """
    start = time.perf_counter()
    judge = _Judge(recognizer, decoder, batch_size, worst)
    skipped: list[Skipped] = []
    usable = 0
    found = find_pairs(Path(data))
    height, rules = recognizer.model.height, recognizer.rules
    prepared = counted(prepare_all(found, height=height, max_width=max_width, rules=rules), done, len(found))
    for part in _parts(prepared):
        lines = [each for each in part if isinstance(each, Prepared)]
        skipped += [each for each in part if isinstance(each, Skipped)]
        usable += len(lines)
        if not (strict and skipped):  # otherwise only the message counts
            judge.read(lines)
    if strict or not usable:
        refuse_skipped(skipped, usable, data)
    if not usable:
        raise DataError(f"{data}: there are no lines in it. Check the path.")
    return judge.result(tuple(skipped), time.perf_counter() - start)


def _parts(items: Iterable[Prepared | Skipped]) -> Iterator[list[Prepared | Skipped]]:
    rest = iter(items)
    while part := list(islice(rest, _AT_ONCE)):
        yield part


class _Judge:
    """Reads lines, and keeps what an evaluation needs of them."""

    def __init__(self, recognizer: Recognizer, decoder: BeamDecoder | None, batch_size: int, worst: int) -> None:
        self._recognizer, self._decoder, self._batch_size, self._most = recognizer, decoder, batch_size, worst
        self._lines: list[ComparedLine] = []
        self._worst: list[PicturedLine] = []
        self._characters: list[Judged] = []
        self._words: list[Judged] = []
        self._unknown: Counter[str] = Counter()
        self._normalized = 0

    def read(self, lines: Sequence[Prepared]) -> None:
        """Read lines, and compare the readings with the texts."""
        rules, texts = self._recognizer.rules, [line.text for line in lines]
        images = [LineImage.seen(line.image) for line in lines]
        readings = self._recognizer.read(images, batch_size=self._batch_size, decoder=self._decoder)
        reads = [rules.normalized(reading.text) for reading in readings]
        for given, line, reading in zip(
            lines, compare_lines([line.name for line in lines], texts, reads), readings, strict=True
        ):
            self._add(given, replace(line, confidence=reading.confidence))
        shown = [rules.displayed(text) for text in texts]
        known = set(self._recognizer.vocabulary.tokens)
        self._unknown.update(character for text in shown for character in text if character not in known)
        self._characters += judge_characters(shown, readings)
        self._words += judge_words(shown, readings)

    def _add(self, given: Prepared, line: ComparedLine) -> None:
        self._lines.append(line)
        self._normalized += given.normalized
        if not line.exact:
            self._worst = nlargest(self._most, [*self._worst, PicturedLine(line, given.image)], key=_errors)

    def result(self, skipped: tuple[Skipped, ...], seconds: float) -> ModelEvaluation:
        """Return the evaluation of all lines."""
        names = [line.name for line in self._lines]
        documents = dict(zip(names, documents_of(names), strict=True))
        return ModelEvaluation(
            lines=tuple(replace(line, document=documents[line.name]) for line in self._lines),
            worst=tuple(
                replace(each, line=replace(each.line, document=documents[each.line.name])) for each in self._worst
            ),
            characters=Calibration.measure(self._characters),
            words=Calibration.measure(self._words),
            skipped=skipped,
            normalized=self._normalized,
            unknown=dict(self._unknown.most_common()),
            rules=self._recognizer.rules,
            seconds=seconds,
        )


def _errors(each: PicturedLine) -> tuple[int, float]:
    """Return what makes a line worse than another: what it adds to the error rate; then its own error rate."""
    return each.line.characters.errors, each.line.characters.rate
