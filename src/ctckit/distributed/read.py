"""From images of lines, and pages, to texts: the work of ``ctckit read``, and a function of batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

from ctckit import _checks
from ctckit.bulk.rows import Problem, problem_of
from ctckit.decoding.beam import BeamDecoder
from ctckit.distributed.batches import Batch, BatchFunction, column, numbered
from ctckit.ocr.data.images import MAX_WIDTH, image_from_bytes
from ctckit.ocr.data.pages.files import PAGE_SUFFIX
from ctckit.ocr.page_reader import ReadLine, read_page
from ctckit.ocr.recognizer import CharacterSpan, LineImage, Reading, Recognizer


class Text(TypedDict):
    """A text that was read; see :class:`~ctckit.ocr.recognizer.Reading`."""

    text: str
    log_prob: float
    confidence: float
    score: float
    spans: Sequence[CharacterSpan]


class Best(Text):
    """The best text, and with ``--n-best`` all."""

    readings: Sequence[Text]


class PageWord(TypedDict):
    """A word of a line of a page; ``outline`` has its points (x, y), in the unit of the page."""

    text: str
    confidence: float
    outline: Sequence[Sequence[float]]


class PageLine(Best):
    """A line of a page, or why it cannot be read."""

    line: str
    error: Problem
    words: Sequence[PageWord]


class ReadColumns(Best):
    """What is read in an image; or the lines of a page, and their texts with line feeds between them."""

    lines: Sequence[PageLine]


@dataclass(frozen=True)
class ReadWork:
    """Reads images and pages.

    Attributes:
        recognizer: The recognizer.
        decoder: The beam decoder, or None to read the best path.
        n_best: The most texts of a line.
        max_width: The most columns of an image.
        spans: Whether the rows have the places of characters and words.
        at_once: How many inputs a thread takes.
        batch_size: The most lines that the network gets at once. On a CPU, lines of one width are quicker than many
            lines: 16 of 32 read a quarter more lines a second than 32 of 32.
    """

    recognizer: Recognizer
    decoder: BeamDecoder | None
    n_best: int
    max_width: int
    spans: bool
    at_once: int = 32
    batch_size: int = 16

    def load(self, path: Path) -> LineImage | Path:
        """Return the image of a line; of a page its path."""
        if path.suffix.lower() == PAGE_SUFFIX:
            return path
        return self.recognizer.prepare(path, max_width=self.max_width)

    def compute(self, loaded: Sequence[LineImage | Path]) -> list[dict[str, Any]]:
        """Return the columns, see ``ReadColumns``, of images and pages."""
        images = [each for each in loaded if isinstance(each, LineImage)]
        found = iter(self.recognizer.read_n_best(images, self.n_best, batch_size=self.batch_size, decoder=self.decoder))
        return [self._best(next(found)) if isinstance(each, LineImage) else self._page(each) for each in loaded]

    def _best(self, readings: Sequence[Reading]) -> dict[str, Any]:
        several = {"readings": [self._text(each) for each in readings]} if self.n_best > 1 else {}
        return {**self._text(readings[0]), **several}

    def _text(self, reading: Reading) -> dict[str, Any]:
        names = ["text", "log_prob", "confidence", "score"]
        spans = {"spans": [asdict(span) for span in reading.spans]} if self.spans else {}
        return {**{name: getattr(reading, name) for name in names}, **spans}

    def _page(self, path: Path) -> dict[str, Any]:
        page = read_page(self.recognizer, path, n_best=self.n_best, decoder=self.decoder, max_width=self.max_width)
        skipped = [{"line": each.name, "error": problem_of(each.detail, each.name)} for each in page.skipped]
        return {"text": page.text.removesuffix("\n"), "lines": [*map(self._line, page.lines), *skipped]}

    def _line(self, line: ReadLine) -> dict[str, Any]:
        words = [{"text": word.text, "confidence": word.confidence, "outline": word.outline} for word in line.words]
        return {
            "line": line.name,
            "error": None,
            **self._best(line.readings),
            **({"words": words} if self.spans else {}),
        }


@dataclass(frozen=True)
class _ColumnWork(ReadWork):
    """Reads the values of a column."""

    def load(self, given: Any) -> LineImage | Path:
        """Return an image, or the path of a page, from a name and a path, the content of a file, or an array."""
        name, value = given
        if isinstance(value, str):
            return super().load(Path(value))
        if isinstance(value, bytes):
            value = image_from_bytes(value, name)
        return self.recognizer.prepare(value, name=name, max_width=self.max_width)


class ReadLines(BatchFunction):
    """Reads images of text lines: a function of batches for Ray Data, Spark and others.

    A batch has one of these columns: ``image``, the contents of image files, or uint8 arrays (height, width) or
    (height, width, 3); or ``path``, image files. The result has the other columns of the batch, ``path`` and these:
    ``error``, None or what is wrong and its remedy; ``text``; ``log_prob``, ``confidence`` and ``score``, see
    :class:`~ctckit.ocr.Reading`. A path may also be that of a page, ALTO or PAGE XML; it has the texts of its lines.

    Of a batch, 32 images are read at a time, so a large batch needs no more memory for the network than a small one.

    Args:
        model: A model folder, an ONNX file or the name of a model, as ``Recognizer.load`` takes it.
        decoder: A beam decoder over the tokens of the model, for example with a language model in a mapped file. By
            default the best path is read.
        n_best: The most texts of a line. Above 1, the column ``readings`` has them, best first.
        device: Where to compute, for a model folder.
        max_width: The most columns of an image that is scaled to the model's height.
        spans: Whether to add ``spans``, the places of the characters.
        threads: How many threads compute in this process. Where a machine has many workers, one is best.

    Example:
        >>> from ctckit.distributed import ReadLines
        >>> read = ReadLines("model/", n_best=3)                      # the model is loaded at the first batch
        >>> read = ReadLines("ppocr-v6-small", spans=True)
    """

    _consumed = frozenset({"image"})

    def __init__(
        self,
        model: str | Path,
        *,
        decoder: BeamDecoder | None = None,
        n_best: int = 1,
        device: str = "cpu",
        max_width: int = MAX_WIDTH,
        spans: bool = False,
        threads: int = 1,
    ) -> None:
        more = {"spans": spans, "readings": n_best > 1}
        numbers = dict.fromkeys(("log_prob", "confidence", "score"), float)
        super().__init__({"text": str, **numbers, **{name: list for name, wanted in more.items() if wanted}}, threads)
        self._model, self._device = model, device
        self._settings = decoder, _checks.positive_integer(n_best, "n_best"), max_width, spans

    def _start(self) -> ReadWork:
        return _ColumnWork(Recognizer.load(self._model, device=self._device), *self._settings)

    def _inputs(self, batch: Batch) -> tuple[list[str], list[Any]]:
        name, values = column(batch, "image", "path")
        names = numbered(name, values)
        return names, list(zip(names, names if name == "path" else values, strict=True))
