"""ALTO, versions 1 to 4, as libraries, eScriptorium and kraken write it (https://www.loc.gov/standards/alto)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ctckit.ocr.data.pages.layout import Page, PageLine, Points, Word
from ctckit.ocr.data.pages.xml import add, box, child, children, inside, kind, new, number, points, replace_children

if TYPE_CHECKING:
    from lxml.etree import _Element

ROOT = "alto"
_WITH_GLYPHS = ("/ns-v4#", "/ns-v5#")  # namespaces


def read(root: _Element) -> list[Page]:
    """Return the pages of an ALTO file.

    The text of a line is the CONTENT of its strings, with a space between two of them, and its hyphen. Lines are in
    the order of the file, or in that of its ReadingOrder.
    """
    source = child(root, "Description", "sourceImageInformation", "fileName")
    image = "".join(source.itertext()).strip() if source is not None else ""
    return [_page(page, image) for page in inside(root, "Page")]


def _page(page: _Element, image: str) -> Page:
    lines = tuple(_line(line, n) for n, line in enumerate(text_lines(page)))
    return Page(image, number(page, "WIDTH"), number(page, "HEIGHT"), lines)


def text_lines(page: _Element) -> list[_Element]:
    """Return the TextLine elements of a Page in reading order."""
    lines = list(inside(page, "TextLine"))
    order = {each.get("REF", ""): n for n, each in enumerate(_references(page))}
    if not order:
        return lines
    places = [_place(line, order) for line in lines]
    return [line for _, line in sorted(zip(places, lines, strict=True), key=lambda pair: pair[0])]


def _references(page: _Element) -> Iterator[_Element]:
    root = page.getroottree().getroot()
    for order in (*inside(root, "ReadingOrder"),):
        yield from inside(order, "ElementRef")


def _place(line: _Element, order: dict[str, int]) -> int:
    """Return the place of a line, or of the block around it, in the reading order; the others come last."""
    around = (line, *line.iterancestors())
    return next((order[each.get("ID", "")] for each in around if each.get("ID", "") in order), len(order))


def _line(line: _Element, index: int) -> PageLine:
    outline = points(_polygon(line))
    return PageLine(
        name=line.get("ID") or f"line {index + 1}",
        text=_text(line),
        outline=outline if len(outline) >= 3 else _box(line),
        baseline=_baseline(line),
        turned=next((-number(each, "ROTATION") for each in line.iterancestors() if each.get("ROTATION")), 0.0),
    )


def _polygon(line: _Element) -> str | None:
    polygon = child(line, "Shape", "Polygon")
    return polygon.get("POINTS") if polygon is not None else None


def _box(line: _Element) -> Points:
    left, top, width, height = (number(line, name) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT"))
    if width <= 0 or height <= 0:
        return ()
    return (left, top), (left + width, top), (left + width, top + height), (left, top + height)


def _baseline(line: _Element) -> Points:
    """Return the points of the baseline; in ALTO 2 and 3 it is one number, the y of a horizontal line."""
    given = line.get("BASELINE", "").split()
    if len(given) == 1 and "," not in given[0]:
        left, width, y = number(line, "HPOS"), number(line, "WIDTH"), number(line, "BASELINE", -1.0)
        return ((left, y), (left + width, y)) if y >= 0 and width > 0 else ()
    found = points(line.get("BASELINE"))
    return found if len(found) >= 2 else ()


def _text(line: _Element) -> str | None:
    strings = list(children(line, "String", "HYP"))
    if not strings:
        return None
    words = [each.get("CONTENT", "") for each in strings if kind(each) == "String"]
    hyphen = "".join(each.get("CONTENT", "") for each in strings if kind(each) == "HYP")
    return " ".join(words) + hyphen


def set_words(line: _Element, words: Sequence[Word]) -> None:
    """Replace the text of a TextLine: a String for each word, with its box and confidence, and in ALTO 4 its glyphs.

    There is at least one word.
    """
    strings: list[_Element] = []
    for word in words:
        if strings:
            strings.append(new(line, "SP"))
        string = new(line, "String", CONTENT=word.text, **_position(word.outline), WC=f"{word.confidence:.4f}")
        if any(mark in str(line.tag) for mark in _WITH_GLYPHS):
            for glyph in word.glyphs:
                add(string, "Glyph", CONTENT=glyph.text, **_position(glyph.outline), GC=f"{glyph.confidence:.4f}")
        strings.append(string)
    replace_children(line, ("String", "SP", "HYP"), strings)


def _position(outline: Points) -> dict[str, str]:
    return dict(zip(("HPOS", "VPOS", "WIDTH", "HEIGHT"), map(str, box(outline)), strict=True))
