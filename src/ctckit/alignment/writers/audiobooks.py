"""Read-along books, as EPUB 3 has them: the text with an id for each place (.xhtml), and when it is read (.smil)."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from ctckit.alignment.spans import TimedText
from ctckit.alignment.writers import xml
from ctckit.alignment.writers.lines import lines_with_words
from ctckit.alignment.writers.tiers import Tiers
from ctckit.errors import InvalidInputError


def smil(tiers: Tiers) -> str:
    """Return a media overlay: for each line, or each of its words, a place in the .xhtml file and a part of ``media``.

    A text that no frame emits has a place and no part.
    """
    if tiers.media is None:
        raise InvalidInputError(f"{tiers.name} names the recording, but media is None; expected its file name.")
    document = ElementTree.Element("smil", {"xmlns": "http://www.w3.org/ns/SMIL", "version": "3.0"})
    document.set("xmlns:epub", "http://www.idpf.org/2007/ops")
    body = ElementTree.SubElement(document, "body")
    book = Path(tiers.name).with_suffix(".xhtml").name
    for n, line in enumerate(lines_with_words(tiers), 1):
        if not line.words:
            _add_part(body, f"{book}#{_name(n)}", line.whole, tiers.media)
            continue
        part = ElementTree.SubElement(body, "seq", {"epub:textref": f"{book}#{_name(n)}"})
        for k, word in enumerate(line.words, 1):
            _add_part(part, f"{book}#{_name(n, k)}", word, tiers.media)
    ElementTree.indent(document)
    return xml.text_of(document)


def xhtml(tiers: Tiers) -> str:
    """Return the text: a paragraph for each line, and within it a span for each word if words have times."""
    document = ElementTree.Element("html", {"xmlns": "http://www.w3.org/1999/xhtml"})
    title = ElementTree.SubElement(ElementTree.SubElement(document, "head"), "title")
    title.text = xml.allowed(Path(tiers.name).stem)
    body = ElementTree.SubElement(document, "body")
    for n, line in enumerate(lines_with_words(tiers), 1):
        xml.add_text(body, "\n")
        paragraph = ElementTree.SubElement(body, "p", id=_name(n))
        if not line.words:
            xml.add_text(paragraph, " ".join(line.whole.text.split()))
        for k, word in enumerate(line.words, 1):
            xml.add_text(paragraph, " " * bool(k > 1 and word.before))
            ElementTree.SubElement(paragraph, "span", id=_name(n, k)).text = xml.allowed(word.text)
    xml.add_text(body, "\n")
    return xml.text_of(document)


def _add_part(parent: ElementTree.Element, place: str, text: TimedText, media: str) -> None:
    part = ElementTree.SubElement(parent, "par")
    ElementTree.SubElement(part, "text", src=place)
    if text.start_seconds < text.end_seconds:
        begin, end = f"{text.start_seconds:.3f}s", f"{text.end_seconds:.3f}s"
        ElementTree.SubElement(part, "audio", src=media, clipBegin=begin, clipEnd=end)


def _name(line: int, word: int | None = None) -> str:
    return f"l{line}" if word is None else f"l{line}w{word}"
