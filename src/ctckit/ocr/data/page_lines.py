"""Lines of pages: the files of pages in a folder, and their lines as pictures and texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ctckit.errors import DataError, MissingFileError
from ctckit.ocr.data.pages.cutting import cut_line
from ctckit.ocr.data.pages.files import PAGE_SUFFIX, find_image, load_page, read_pages
from ctckit.ocr.data.pages.layout import Page, PageLine
from ctckit.ocr.data.pairs import Found, Pair, Skipped


@dataclass(frozen=True)
class LineOnPage:
    """The picture of a line, cut out of a page.

    Attributes:
        file: The file of the page.
        image: Its image.
        size: The width and height of the page, in the unit of the line's coordinates; 0 if the file does not say them.
        line: The line.
    """

    file: Path
    image: Path
    size: tuple[float, float]
    line: PageLine

    @property
    def name(self) -> str:
        """The file and the line."""
        return f"{self.file}, {self.line.name}"

    def load(self) -> Image.Image:
        """Return the image in gray levels (mode ``L``), upright and straight."""
        page = load_page(self.image, *self.size)
        width, height = self.size
        in_pixels = self.line.scaled(page.width / width, page.height / height) if width and height else self.line
        try:
            return cut_line(page, in_pixels)
        except DataError as error:
            raise DataError(f"{self.name}: {error}") from error


@dataclass(frozen=True)
class PagesInFolder:
    """The pages of a folder.

    Attributes:
        found: Their lines, and what cannot be used.
        images: The images of the pages, which are not images of lines.
    """

    found: tuple[Found, ...]
    images: frozenset[Path]


def pages_among(files: Iterable[Path]) -> PagesInFolder:
    """Return the lines of the pages among files, ordered by path; XML files that are no pages are passed over."""
    found: list[Found] = []
    images: set[Path] = set()
    for path in sorted(files):
        if path.suffix.lower() == PAGE_SUFFIX:
            try:
                for page in read_pages(path):
                    found += _of_page(path, page, images)
            except DataError as error:
                found.append(Skipped(str(path), "the page cannot be read", str(error)))
    return PagesInFolder(tuple(found), frozenset(images))


def pairs_of_page(path: Path) -> list[Found]:
    """Return the lines of the pages in one file.

    Raises:
        DataError: If it is no page, or cannot be read.
    """
    pages = read_pages(path)
    if not pages:
        raise DataError(f"{path}: is neither ALTO nor PAGE XML. Export the page in one of these formats.")
    return [each for page in pages for each in _of_page(path, page, set())]


def _of_page(path: Path, page: Page, images: set[Path]) -> Iterator[Found]:
    try:
        image = find_image(path, page.image)
    except MissingFileError as error:
        yield Skipped(str(path), "the image of the page is missing", str(error))
        return
    images.add(image)
    if not page.lines:
        yield Skipped(str(path), "the page has no lines", f"{path}: the page has no lines. Draw them, or remove it.")
    for line in page.lines:
        picture = LineOnPage(path, image, (page.width, page.height), line)
        yield Pair(picture, line.text or "", picture.name)
