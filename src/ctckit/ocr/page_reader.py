"""``read_page``: the texts of a page, and the page with these texts in ALTO or PAGE XML."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctckit.decoding.beam import BeamDecoder
from ctckit.errors import DataError
from ctckit.ocr.data.images import MAX_WIDTH
from ctckit.ocr.data.page_lines import LineOnPage
from ctckit.ocr.data.pages import xml
from ctckit.ocr.data.pages.cutting import CutLine
from ctckit.ocr.data.pages.files import find_image, load_page, read_pages, set_words
from ctckit.ocr.data.pages.layout import Glyph, Points, Word
from ctckit.ocr.data.pairs import Skipped
from ctckit.ocr.recognizer import CharacterSpan, LineImage, Reading, Recognizer


@dataclass(frozen=True)
class ReadLine:
    """A line of a page that was read.

    Attributes:
        name: The ID of the line in the file.
        page: The number of its page in the file, from 0.
        number: The number of the line in its page, from 0, in reading order.
        readings: What was read, at least one reading, best first.
        words: The words of the best one in reading order, with their places on the page, in the unit of the file.
    """

    name: str
    page: int
    number: int
    readings: tuple[Reading, ...]
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        """The text of the best reading."""
        return self.readings[0].text


@dataclass(frozen=True)
class ReadPage:
    """The lines that were read in a file of a page.

    Attributes:
        path: The file.
        lines: The lines in reading order.
        skipped: The lines that could not be read.

    Example:
        >>> from pathlib import Path
        >>> from ctckit import Vocabulary
        >>> from ctckit.ocr import CRNN, CRNNConfig, Recognizer, read_page
        >>> from ctckit.ocr.data.synthetic import CHARSET, held_out_strings
        >>> config = CRNNConfig(num_classes=11, channels=(4, 8), strides=((4, 2), (4, 2)), hidden=8)
        >>> recognizer = Recognizer(CRNN(config), Vocabulary.from_characters(CHARSET))  # untrained
        >>> from tempfile import mkdtemp
        >>> from PIL import Image
        >>> folder = Path(mkdtemp())
        >>> Image.fromarray(held_out_strings(1)[0].image).save(folder / "page.png")
        >>> namespace = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
        >>> outline = '<TextLine id="l1"><Coords points="0,0 106,0 106,32 0,32"/></TextLine>'
        >>> region = f'<TextRegion id="r">{outline}</TextRegion>'
        >>> page = f'<Page imageFilename="page.png" imageWidth="106" imageHeight="32">{region}</Page>'
        >>> _ = (folder / "page.xml").write_text(f'<PcGts xmlns="{namespace}">{page}</PcGts>')
        >>> page = read_page(recognizer, folder / "page.xml")
        >>> page.path.name, len(page.lines), page.skipped
        ('page.xml', 1, ())
        >>> page.lines[0].text == page.lines[0].readings[0].text
        True
    """

    path: Path
    lines: tuple[ReadLine, ...]
    skipped: tuple[Skipped, ...]

    @property
    def text(self) -> str:
        """The texts of the lines, a line each."""
        return "".join(f"{line.text}\n" for line in self.lines)

    def xml(self) -> bytes:
        """Return the file with these texts: words, characters, their boxes and confidences. All else is unchanged.

        Lines that could not be read, or in which nothing was read, stay as they are, with the texts that they have.

        Raises:
            DataError: If the file cannot be read any more.
        """
        tree = xml.parse(self.path)
        set_words(tree.getroot(), {(line.page, line.number): line.words for line in self.lines})
        return xml.content(tree)


def read_page(
    recognizer: Recognizer,
    path: str | Path,
    *,
    n_best: int = 1,
    batch_size: int = 32,
    decoder: BeamDecoder | None = None,
    max_width: int = MAX_WIDTH,
) -> ReadPage:
    """Read the lines of a page in ALTO or PAGE XML; its image is found as for training.

    Args:
        recognizer: The recognizer.
        path: The file.
        n_best: The most texts for each line.
        batch_size: As for :meth:`ctckit.ocr.Recognizer.read_n_best`.
        decoder: As for :meth:`ctckit.ocr.Recognizer.read_n_best`.
        max_width: As for :meth:`ctckit.ocr.Recognizer.read_n_best`.

    Raises:
        DataError: If the file is no page, or its image is missing or cannot be read.

    Example:
        >>> from pathlib import Path
        >>> from ctckit.ocr import read_page
        >>> from ctckit import Vocabulary
        >>> from ctckit.ocr import CRNN, CRNNConfig, Recognizer
        >>> from ctckit.ocr.data.synthetic import CHARSET, held_out_strings
        >>> config = CRNNConfig(num_classes=11, channels=(4, 8), strides=((4, 2), (4, 2)), hidden=8)
        >>> recognizer = Recognizer(CRNN(config), Vocabulary.from_characters(CHARSET))  # untrained
        >>> from tempfile import mkdtemp
        >>> from PIL import Image
        >>> folder = Path(mkdtemp())
        >>> Image.fromarray(held_out_strings(1)[0].image).save(folder / "page.png")
        >>> namespace = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
        >>> outline = '<TextLine id="l1"><Coords points="0,0 106,0 106,32 0,32"/></TextLine>'
        >>> region = f'<TextRegion id="r">{outline}</TextRegion>'
        >>> page = f'<Page imageFilename="page.png" imageWidth="106" imageHeight="32">{region}</Page>'
        >>> _ = (folder / "page.xml").write_text(f'<PcGts xmlns="{namespace}">{page}</PcGts>')
        >>> [(line.name, line.page, line.number) for line in read_page(recognizer, folder / "page.xml").lines]
        [('l1', 0, 0)]
    """
    path = Path(path)
    prepared: list[tuple[int, int, LineOnPage, CutLine, LineImage]] = []
    skipped: list[Skipped] = []
    for page, number, picture in _pictures(path):
        try:
            cut = picture.cut()
            image = recognizer.prepare(cut.image, name=picture.name, max_width=max_width)
            prepared.append((page, number, picture, cut, image))
        except DataError as error:
            skipped.append(Skipped(picture.name, "the line cannot be read", str(error)))
    images = [each[4] for each in prepared]
    found = recognizer.read_n_best(images, n_best, batch_size=batch_size, decoder=decoder)
    lines = [
        ReadLine(picture.line.name, page, number, tuple(readings), _words(recognizer, readings[0], picture, cut))
        for (page, number, picture, cut, _), readings in zip(prepared, found, strict=True)
    ]
    return ReadPage(path, tuple(lines), tuple(skipped))


def _pictures(path: Path) -> Iterator[tuple[int, int, LineOnPage]]:
    """Yield the number of each page, of each line in it, and the line.

    Raises:
        DataError: If the file is no page, or the image of a page cannot be read.
    """
    pages = read_pages(path)
    if not pages:
        raise DataError(f"{path}: is neither ALTO nor PAGE XML. Export the page in one of these formats.")
    for n, page in enumerate(pages):
        image = find_image(path, page.image)
        load_page(image, page.width, page.height)
        for number, line in enumerate(page.lines):
            yield n, number, LineOnPage(path, image, (page.width, page.height), line)


def _words(recognizer: Recognizer, reading: Reading, picture: LineOnPage, cut: CutLine) -> tuple[Word, ...]:
    """Return the words of a reading in logical order, with their places on the page."""
    x, y = picture.pixels(load_page(picture.image, *picture.size))
    shown = []
    for spans in between_spaces(reading.spans):
        glyphs = tuple(Glyph(span.character, _place(cut, span, x, y), math.exp(span.log_prob)) for span in spans)
        shown.append(Word(recognizer.rules.displayed("".join(glyph.text for glyph in glyphs)), glyphs))
    return tuple(_in_order(shown, reading.text.split()))


def _place(cut: CutLine, span: CharacterSpan, x: float, y: float) -> Points:
    return tuple((px / x, py / y) for px, py in cut.outline(span.left, span.right))


def between_spaces(spans: Sequence[CharacterSpan]) -> Iterator[list[CharacterSpan]]:
    """Yield the characters of each word, from left to right in the picture."""
    word: list[CharacterSpan] = []
    for span in spans:
        if not span.character.isspace():
            word.append(span)
        elif word:
            yield word
            word = []
    if word:
        yield word


def _in_order(shown: list[Word], logical: Sequence[str]) -> Iterator[Word]:
    """Yield words, given from left to right, in the order of the text."""
    left = list(shown)
    for text in logical:
        found = next((word for word in left if word.text == text), None)
        if found is not None:
            left.remove(found)
            yield found
    yield from left
