"""XML by lxml: nothing from outside of the file is read, and entities are refused."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ctckit.errors import DataError, MissingDependencyError, MissingFileError
from ctckit.ocr.data.pages.layout import Points

if TYPE_CHECKING:
    from lxml.etree import _Element, _ElementTree

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def parse(path: Path) -> _ElementTree[_Element]:
    """Return the tree of an XML file.

    Raises:
        DataError: If it cannot be read, is not well-formed, or defines entities.
        MissingDependencyError: If lxml is not installed.
    """
    try:
        from lxml import etree
    except ImportError:
        raise MissingDependencyError("reading ALTO and PAGE files", "lxml", "ocr") from None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        with path.open("rb") as file:
            tree = etree.parse(file, parser)
    except etree.XMLSyntaxError as error:
        raise DataError(f"{path}: is not valid XML ({error.msg}). Export the page again, or remove the file.") from None
    except FileNotFoundError:
        raise MissingFileError(f"{path}: there is no such file. Check the path.") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    if tree.docinfo.internalDTD is not None and any(True for _ in tree.docinfo.internalDTD.iterentities()):
        raise DataError(f"{path}: defines entities; expected plain XML. Remove the <!DOCTYPE …> from the file.")
    return tree


def kind(element: _Element) -> str:
    """Return the name of an element without its namespace; "" for comments and processing instructions."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def children(element: _Element, *kinds: str) -> Iterator[_Element]:
    """Yield the children of these kinds, in the order of the file."""
    return (child for child in element if kind(child) in kinds)


def child(element: _Element | None, *path: str) -> _Element | None:
    """Return the first child of a kind, its first child of the next kind in ``path``, and so on; None if absent."""
    for name in path:
        element = next(children(element, name), None) if element is not None else None
    return element


def inside(element: _Element, name: str) -> Iterator[_Element]:
    """Yield the elements of this kind inside of an element, at any depth, in the order of the file."""
    return (each for each in element.iter() if kind(each) == name)


def number(element: _Element, name: str, default: float = 0.0) -> float:
    """Return an attribute as a finite number; ``default`` if it is absent or not a number."""
    found = _NUMBER.fullmatch(element.get(name, "").strip())
    value = float(found.group()) if found else default
    return value if math.isfinite(value) else default


def points(text: str | None) -> Points:
    """Return the points of an attribute: "1,2 3,4", "1 2 3 4" and "1,2,3,4" are the same. An odd number is dropped.

    Example:
        >>> points("1,2 3,4.5")
        ((1.0, 2.0), (3.0, 4.5))
    """
    values = [float(each) for each in _NUMBER.findall(text or "")]
    if not all(map(math.isfinite, values)):
        return ()
    return tuple(zip(values[::2], values[1::2], strict=False))


def replace_children(
    element: _Element, kinds: Sequence[str], new: Sequence[_Element], *, before: Sequence[str] = ()
) -> None:
    """Replace the children of these kinds. The new ones come before the first child of the kinds ``before``, or last.

    White space between elements, and everything else, stays.
    """
    old = list(children(element, *kinds))
    tail = old[-1].tail if old else element.text
    for each in old:
        element.remove(each)
    place = next((n for n, each in enumerate(element) if kind(each) in before), len(element))
    for each in reversed(new):
        each.tail = tail
        element.insert(place, each)


def add(parent: _Element, name: str, **attributes: str) -> _Element:
    """Append a child in the namespace of its parent, and return it."""
    from lxml import etree

    return etree.SubElement(parent, qualified(parent, name), attributes)


def new(like: _Element, name: str, **attributes: str) -> _Element:
    """Return an element in the namespace of another one."""
    from lxml import etree

    return etree.Element(qualified(like, name), attributes)


def qualified(element: _Element, name: str) -> str:
    """Return the name in the namespace of an element, as lxml writes it."""
    namespace, closing, _ = str(element.tag).rpartition("}")
    return namespace + closing + name


def content(tree: _ElementTree[_Element]) -> bytes:
    """Return the bytes of a file, in the encoding that it had."""
    from lxml import etree

    encoding = tree.docinfo.encoding or "UTF-8"
    declaration = f'<?xml version="{tree.docinfo.xml_version or "1.0"}" encoding="{encoding}"?>\n'
    text = etree.tostring(tree, encoding="unicode")
    return (declaration + text).encode(encoding, "xmlcharrefreplace")


def box(points: Points) -> tuple[int, int, int, int]:
    """Return the smallest box of whole units around points: left, top, width, height."""
    left, top = (math.floor(min(each[axis] for each in points)) for axis in (0, 1))
    right, bottom = (math.ceil(max(each[axis] for each in points)) for axis in (0, 1))
    return max(0, left), max(0, top), right - max(0, left), bottom - max(0, top)
