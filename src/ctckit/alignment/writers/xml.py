"""What the formats in XML share."""

from __future__ import annotations

from xml.etree import ElementTree

_FORBIDDEN = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF, *range(0xD800, 0xE000)])


def allowed(text: str) -> str:
    """Return a text without the characters that XML forbids."""
    return text.translate(_FORBIDDEN)


def add_text(element: ElementTree.Element, text: str) -> None:
    """Append a text to the content of an element."""
    text = allowed(text)
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text


def text_of(document: ElementTree.Element) -> str:
    """Return a document as text, with its declaration."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(document, encoding="unicode")}\n'
