"""PAGE XML, 2013 to 2019, as Transkribus, eScriptorium, kraken and OCR-D write it (https://github.com/PRImA-Research-Lab)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ctckit.ocr.data.pages.layout import Page, PageLine, Points, Word
from ctckit.ocr.data.pages.xml import add, child, children, inside, kind, new, number, points, replace_children

if TYPE_CHECKING:
    from lxml.etree import _Element

ROOT = "PcGts"
_AFTER = ("TextEquiv", "TextStyle", "UserDefined", "Labels")  # what comes after the words of a line, in this order
_GROUPS = ("OrderedGroup", "UnorderedGroup", "OrderedGroupIndexed", "UnorderedGroupIndexed")
_REFERENCES = ("RegionRef", "RegionRefIndexed")


def read(root: _Element) -> list[Page]:
    """Return the pages of a PAGE file, usually one.

    The text of a line is its TextEquiv, that of the lowest index if there are several; without one, the texts of its
    words. Regions are in the order of ReadingOrder, then of the file; a region inside of another comes after the lines
    of the outer one.
    """
    return [_page(page) for page in children(root, "Page")]


def _page(page: _Element) -> Page:
    lines = tuple(_line(line, n) for n, line in enumerate(text_lines(page)))
    return Page(page.get("imageFilename", "").strip(), number(page, "imageWidth"), number(page, "imageHeight"), lines)


def text_lines(page: _Element) -> list[_Element]:
    """Return the TextLine elements of a Page in reading order."""
    order: dict[str, int] = {}
    reading = child(page, "ReadingOrder")
    if reading is not None:
        for reference in _references(reading):
            order.setdefault(reference, len(order))
    lines = list(inside(page, "TextLine"))
    places = [_place(line, order) for line in lines]
    return [line for _, line in sorted(zip(places, lines, strict=True), key=lambda pair: pair[0])]


def _references(group: _Element) -> Iterator[str]:
    """Yield the IDs of the regions of a group in its order: by index where there is one."""
    members = list(children(group, *_GROUPS, *_REFERENCES))
    if kind(group) in ("OrderedGroup", "OrderedGroupIndexed"):
        members.sort(key=lambda each: number(each, "index"))
    for member in members:
        if member.get("regionRef"):
            yield member.get("regionRef", "")
        if kind(member) in _GROUPS:
            yield from _references(member)


def _place(line: _Element, order: dict[str, int]) -> int:
    """Return the place of the region around a line, the innermost that has one; the others come last."""
    around = (each.get("id", "") for each in line.iterancestors())
    return next((order[name] for name in around if name in order), len(order))


def _line(line: _Element, index: int) -> PageLine:
    outline = _points_of(child(line, "Coords"))
    baseline = _points_of(child(line, "Baseline"))
    return PageLine(
        name=line.get("id") or f"line {index + 1}",
        text=_text(line),
        outline=outline if len(outline) >= 3 else _corners(outline),
        baseline=baseline if len(baseline) >= 2 else (),
        turned=next((-number(each, "orientation") for each in line.iterancestors() if each.get("orientation")), 0.0),
    )


def _points_of(element: _Element | None) -> Points:
    """Return the points of Coords or Baseline: an attribute; until 2010, Point elements."""
    if element is None:
        return ()
    if element.get("points") is not None:
        return points(element.get("points"))
    return tuple((number(each, "x"), number(each, "y")) for each in children(element, "Point"))


def _corners(outline: Points) -> Points:
    """Return the corners of a box that is given by two points."""
    if len(outline) != 2 or outline[0][0] == outline[1][0] or outline[0][1] == outline[1][1]:
        return ()
    (left, top), (right, bottom) = outline
    return (left, top), (right, top), (right, bottom), (left, bottom)


def _text(element: _Element) -> str | None:
    equivalents = list(children(element, "TextEquiv"))
    for each in sorted(equivalents, key=lambda each: number(each, "index", -1.0)):
        written = child(each, "Unicode")
        if written is None:
            written = child(each, "PlainText")
        if written is not None:
            return "".join(written.itertext())
    words = [_text(word) for word in children(element, "Word")]
    known = [word for word in words if word]
    return " ".join(known) if known else None


def set_words(line: _Element, words: Sequence[Word]) -> None:
    """Replace the text of a TextLine: a Word for each word with its glyphs, and the text of the line.

    There is at least one word.
    """
    name = line.get("id") or "line"
    replace_children(
        line, ("Word",), [_word(line, word, f"{name}_w{n + 1}") for n, word in enumerate(words)], before=_AFTER
    )
    equivalent = new(line, "TextEquiv", conf=f"{sum(word.confidence for word in words) / len(words):.4f}")
    add(equivalent, "Unicode").text = " ".join(word.text for word in words)
    replace_children(line, ("TextEquiv",), [equivalent], before=_AFTER[1:])


def _word(line: _Element, word: Word, name: str) -> _Element:
    element = new(line, "Word", id=name)
    add(element, "Coords", points=_written(word.outline))
    for n, glyph in enumerate(word.glyphs):
        inner = add(element, "Glyph", id=f"{name}_g{n + 1}")
        add(inner, "Coords", points=_written(glyph.outline))
        _add_text(inner, glyph.text, glyph.confidence)
    _add_text(element, word.text, word.confidence)
    return element


def _add_text(element: _Element, text: str, confidence: float) -> None:
    add(add(element, "TextEquiv", conf=f"{confidence:.4f}"), "Unicode").text = text


def _written(outline: Points) -> str:
    return " ".join(f"{max(0, round(x))},{max(0, round(y))}" for x, y in outline)
