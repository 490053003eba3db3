"""Lines of pages: the files of pages in a folder, and their lines as pictures and texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image

from ctckit.errors import DataError, MissingFileError
from ctckit.ocr.data.pages.cutting import CutLine, cut_line
from ctckit.ocr.data.pages.files import PAGE_SUFFIX, find_image, load_page, read_pages
from ctckit.ocr.data.pages.layout import Page, PageLine
from ctckit.ocr.data.pairs import Found, Pair, Skipped, file_digest


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
        return self.cut().image

    def cut(self) -> CutLine:
        """Return the image of the line, and where it is on the page in pixels.

        Raises:
            DataError: If the page cannot be read, or the line has no usable coordinates.
        """
        page = load_page(self.image, *self.size)
        x, y = self.pixels(page)
        try:
            return cut_line(page, self.line.scaled(x, y))
        except DataError as error:
            raise DataError(f"{self.name}: {error}") from error

    def digest(self) -> bytes:
        """Return a digest of the image of the page, and of the line on it."""
        page = _digest_of_page(self.image, self.image.stat().st_mtime_ns if self.image.exists() else 0)
        return page + repr((self.size, self.line)).encode("utf-8", "surrogatepass")

    @property
    def shared(self) -> Path:
        """The image of the page."""
        return self.image

    def pixels(self, page: Image.Image) -> tuple[float, float]:
        """Return the pixels of a unit of the coordinates, in x and y."""
        width, height = self.size
        return (page.width / width, page.height / height) if width and height else (1.0, 1.0)


@lru_cache(maxsize=64)
def _digest_of_page(image: Path, changed: int) -> bytes:
    return file_digest(image)


@dataclass(frozen=True)
class Pages:
    """The pages among some files.

    Attributes:
        pages: The pages, with their files, ordered by path; XML files of other kinds are passed over.
        images: The images of the pages, which are not images of lines.
        broken: The XML files that cannot be read.
    """

    pages: tuple[tuple[Path, Page], ...]
    images: frozenset[Path]
    broken: tuple[Skipped, ...]

    @property
    def files(self) -> frozenset[Path]:
        """The files of the pages."""
        return frozenset(path for path, _ in self.pages)

    def pairs(self) -> Iterator[Found]:
        """Yield the lines of all pages, and what cannot be used."""
        yield from self.broken
        for path, page in self.pages:
            yield from _of_page(path, page)


def pages_among(files: Iterable[Path]) -> Pages:
    """Return the pages among files."""
    pages: list[tuple[Path, Page]] = []
    broken: list[Skipped] = []
    for path in sorted(files):
        if path.suffix.lower() == PAGE_SUFFIX:
            try:
                pages += [(path, page) for page in read_pages(path)]
            except DataError as error:
                broken.append(Skipped(str(path), "the page cannot be read", str(error)))
    return Pages(tuple(pages), frozenset(_images(pages)), tuple(broken))


def _images(pages: Iterable[tuple[Path, Page]]) -> Iterator[Path]:
    for path, page in pages:
        with suppress(MissingFileError):  # told where the page is read
            yield find_image(path, page.image)


def pairs_of_page(path: Path) -> list[Found]:
    """Return the lines of the pages in one file.

    Raises:
        DataError: If it is no page, or cannot be read.
    """
    pages = read_pages(path)
    if not pages:
        raise DataError(f"{path}: is neither ALTO nor PAGE XML. Export the page in one of these formats.")
    return [each for page in pages for each in _of_page(path, page)]


def _of_page(path: Path, page: Page) -> Iterator[Found]:
    try:
        image = find_image(path, page.image)
    except MissingFileError as error:
        yield Skipped(str(path), "the image of the page is missing", str(error))
        return
    if not page.lines:
        yield Skipped(str(path), "the page has no lines", f"{path}: the page has no lines. Draw them, or remove it.")
    elif not any((line.text or "").strip() for line in page.lines):
        count = f"{len(page.lines)} line{'' if len(page.lines) == 1 else 's'} without text"
        yield Skipped(str(path), "the page has no text", f"{path}: {count}. Transcribe the page, or remove it.")
        return
    for line in page.lines:
        picture = LineOnPage(path, image, (page.width, page.height), line)
        yield Pair(picture, line.text or "", picture.name)
