"""A text beside what was read, character by character."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from html import escape

from ctckit.ocr.comparing import aligned_pieces

_NOTHING = "·"
_SPACE = "␣"
_WORD = re.compile(r"\s*\S+\s*|\s+")


def draw_alignment(truth: str, read: str) -> str:
    """Return a text above what was read, as HTML that breaks into lines between words; the differences are marked."""
    cells = (_cell(above, below) for above, below in _pieces(truth, read))
    return f'<div class="aligned" dir="auto">{"".join(cells)}</div>'


def _pieces(truth: str, read: str) -> Iterator[tuple[str, str]]:
    """Yield the pieces of both texts; equal ones word by word."""
    for above, below in aligned_pieces([truth], [read]):
        if above == below:
            yield from ((word, word) for word in _WORD.findall(above))
        elif above and below:
            yield from zip(above, below, strict=True)
        else:
            yield from ((word, "") if above else ("", word) for word in _WORD.findall(above or below))


def _cell(above: str, below: str) -> str:
    if above == below:
        return f"<span><i>{escape(above)}</i><i>{escape(below)}</i></span>"
    marked = (f"<mark>{show(each) if each else _NOTHING * len(above or below)}</mark>" for each in (above, below))
    return f'<span class="wrong">{"".join(marked)}</span>'


def show(text: str) -> str:
    r"""Return characters as HTML that can be seen: spaces too, and marks without a base.

    Example:
        >>> show("a \u0301\u200d")
        'a␣◌́U+200D'
    """
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character == " ":
        return _SPACE
    kind = unicodedata.category(character)
    if kind.startswith("M"):
        return f"◌{character}"
    return f"U+{ord(character):04X}" if kind[0] in "CZ" else escape(character)
