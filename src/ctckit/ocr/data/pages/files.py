"""Files of pages: which files of a folder are pages, and where their images are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

from ctckit.errors import DataError, MissingFileError
from ctckit.ocr.data.images import IMAGE_SUFFIXES, load_image
from ctckit.ocr.data.pages import alto, page_xml
from ctckit.ocr.data.pages.cutting import with_outlines
from ctckit.ocr.data.pages.layout import Page, Word
from ctckit.ocr.data.pages.xml import inside, kind, parse

if TYPE_CHECKING:
    from lxml.etree import _Element

PAGE_SUFFIX = ".xml"
_FORMATS = {alto.ROOT: alto, page_xml.ROOT: page_xml}
_ABOVE = 3  # folders above the file in which its image may be
_BESIDE = ("images", "image", "img", "imgs", "pages")  # folders beside the file, or above it, that may hold its image
_ALIKE = 0.02  # two ratios of width and height that differ by less are the same


def read_pages(path: Path) -> list[Page]:
    """Return the pages of a file, usually one; none, if it is neither ALTO nor PAGE.

    Raises:
        DataError: If it cannot be read, or is not valid XML.
    """
    root = parse(path).getroot()
    form = _FORMATS.get(kind(root))
    return [replace(page, lines=with_outlines(page.lines)) for page in form.read(root)] if form else []


def set_words(root: _Element, words: Mapping[tuple[int, int], Sequence[Word]]) -> None:
    """Replace the texts of lines in the tree of a file.

    Args:
        root: Its root.
        words: The words of a line, by the number of its page in the file and its number in that page. A line without
            words stays as it is.
    """
    form = _FORMATS[kind(root)]
    for n, page in enumerate(inside(root, "Page")):
        for number, line in enumerate(form.text_lines(page)):
            if found := words.get((n, number)):
                form.set_words(line, found)


def find_image(path: Path, named: str) -> Path:
    """Return the image of a page.

    It is looked for under the name in the file, also with another suffix, then under the name of the file, beside it,
    in the folders above it, and in folders such as ``images`` there.

    Args:
        path: The file of the page.
        named: The name of the image in the file; it may be a path of another machine.

    Raises:
        MissingFileError: If there is none.
    """
    for candidate in _candidates(path, named):
        if candidate.is_file():
            return candidate
    looked = f"{named!r}" if named else f"{path.stem} with {', '.join(IMAGE_SUFFIXES)}"
    raise MissingFileError(
        f"{path}: there is no image of this page (looked for {looked} beside it, in the folders above it, and in "
        f"{', '.join(f'{each}/' for each in _BESIDE)} there). Put the image beside the file, with the same name."
    )


def _candidates(path: Path, named: str) -> Iterator[Path]:
    given = PurePosixPath(named.replace("\\", "/").rpartition("://")[2]) if named else PurePosixPath(path.stem)
    folders = [path.parent, *path.parent.parents[:_ABOVE]]
    if named:
        yield from (folder / given for folder in folders)
    stems = dict.fromkeys([given.stem, *_stems(path)])
    names = [given.name] if named else []
    names += [stem + suffix for stem in stems for suffix in (*IMAGE_SUFFIXES, *map(str.upper, IMAGE_SUFFIXES))]
    for folder in folders:
        for where in (folder, *(folder / each for each in _BESIDE)):
            if where.is_dir():
                yield from (where / name for name in names)


def _stems(path: Path) -> Iterator[str]:
    """Yield the names that the image of a page may have: of ``a.b.xml``, "a.b" and "a"."""
    stem = path.name
    while "." in stem[1:]:
        stem = stem.rpartition(".")[0]
        yield stem


@lru_cache(maxsize=8)  # the lines of a page come one after the other, in each thread those of another page
def load_page(image: Path, width: float, height: float) -> Image.Image:
    """Return the image of a page in gray levels.

    It is turned as its EXIF orientation says, as other images are, unless only the image as it is stored has the shape
    of the page in the file.

    Args:
        image: Its path.
        width: The width of the page in the file, in any unit; 0 if it is not known.
        height: Its height.

    Raises:
        DataError: If it cannot be read.
    """
    shown = load_image(image)
    if not width or not height or _alike(shown.width / shown.height, width / height):
        return shown
    if not _alike(shown.height / shown.width, width / height):
        raise DataError(
            f"{image}: the image has {shown.width} × {shown.height} pixels, the page {width:g} × {height:g}: another "
            "shape. Check that the image is the one of the file."
        )
    with Image.open(image) as opened:
        turned = ImageOps.exif_transpose(opened).size != opened.size
    return load_image(image, upright=False) if turned else shown


def _alike(one: float, other: float) -> bool:
    return abs(one - other) <= _ALIKE * other
