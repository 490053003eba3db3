"""Subtitles: SubRip (.srt), WebVTT (.vtt) and TTML (.ttml). A cue lasts whole milliseconds, at least one."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from xml.etree import ElementTree

from ctckit.alignment.spans import TimedText
from ctckit.alignment.writers import xml
from ctckit.alignment.writers.lines import Line, cues
from ctckit.alignment.writers.tiers import Tiers, milliseconds


def srt(tiers: Tiers) -> str:
    """Return numbered cues."""
    tiers.only_tier()
    written = [f"{n}\n{_times(cue, ',')}\n{cue.written(_text)}\n" for n, cue in enumerate(cues(tiers), 1)]
    return "\n".join(written)


def webvtt(tiers: Tiers) -> str:
    """Return cues without names; ``&``, ``<`` and ``>`` are escaped. A note before a cue has its confidence.

    If words have times, each has its start before it.
    """
    written = [f"{_note(cue)}{_times(cue, '.')}\n{cue.written(_marked(cue))}\n" for cue in cues(tiers)]
    return "\n".join(["WEBVTT\n", *written])


def ttml(tiers: Tiers) -> str:
    """Return a paragraph for each cue, and within it a span for each word if words have times."""
    document = ElementTree.Element("tt", {"xmlns": "http://www.w3.org/ns/ttml", "xml:lang": ""})
    division = ElementTree.SubElement(ElementTree.SubElement(document, "body"), "div")
    for cue in cues(tiers):
        start, end = _interval(cue)
        paragraph = ElementTree.SubElement(division, "p", begin=_time(start, "."), end=_time(end, "."))
        for n, row in enumerate(cue.rows()):
            if n:
                ElementTree.SubElement(paragraph, "br")
            for k, word in enumerate(row):
                xml.add_text(paragraph, " " * bool(k and word.before))
                if cue.words and word.start_seconds < word.end_seconds:  # times within a paragraph count from its start
                    begin, stop = (_time(at - start, ".") for at in _interval(Line(word)))
                    ElementTree.SubElement(paragraph, "span", begin=begin, end=stop).text = xml.allowed(word.text)
                else:
                    xml.add_text(paragraph, word.text)
    return xml.text_of(document)


def _note(cue: Line) -> str:
    sure = cue.whole.confidence
    return "" if sure is None else f"NOTE confidence {sure:.2f}\n\n"


def _text(word: TimedText) -> str:
    return word.text


def _marked(cue: Line) -> Callable[[TimedText], str]:
    """Return a function that writes a word with the time of its start, if that is within the cue."""
    start, end = _interval(cue)
    last = start

    def written(word: TimedText) -> str:
        nonlocal last
        at = milliseconds(word.start_seconds)
        mark = ""
        if cue.words and last < at < end:
            mark, last = f"<{_time(at, '.')}>", at
        return mark + escape(word.text, quote=False)

    return written


def _interval(cue: Line) -> tuple[int, int]:
    start = milliseconds(cue.whole.start_seconds)
    return start, max(start + 1, milliseconds(cue.whole.end_seconds))


def _times(cue: Line, point: str) -> str:
    start, end = _interval(cue)
    return f"{_time(start, point)} --> {_time(end, point)}"


def _time(total: int, point: str) -> str:
    seconds, rest = divmod(total, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{rest:03}"
