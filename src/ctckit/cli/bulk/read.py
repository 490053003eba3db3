"""Rows of ``ctckit read``: one for each image of a line, and one for each page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

from ctckit._files import files_under
from ctckit.bulk.inputs import Inputs
from ctckit.bulk.rows import Problem, problem_of
from ctckit.decoding.beam import BeamDecoder
from ctckit.errors import DataError
from ctckit.ocr.data.images import IMAGE_SUFFIXES
from ctckit.ocr.data.pages.files import PAGE_SUFFIX, find_image, read_pages
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


def inputs_to_read(given: Sequence[Path]) -> Inputs:
    """Return the images of lines and the pages; in folders without the images of the pages, and other XML files."""
    excluded = frozenset(path for folder in given if folder.is_dir() for path in _not_lines(files_under(folder)))
    return Inputs(given, (*IMAGE_SUFFIXES, PAGE_SUFFIX), excluded)


def _not_lines(files: Iterable[Path]) -> Iterable[Path]:
    for path in files:
        if path.suffix.lower() != PAGE_SUFFIX:
            continue
        with suppress(DataError):  # its row says it
            pages = read_pages(path)
            yield from () if pages else [path]
            for page in pages:
                with suppress(DataError):
                    yield find_image(path, page.image)
