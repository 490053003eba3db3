"""The texts of subtitles."""

from __future__ import annotations

import re
from html import unescape

_MARKUP = re.compile(r"<[^<>\n]*>|\{\\[^{}\n]*\}")


def srt(content: str) -> dict[str, list[str]]:
    """Return the texts of SubRip's cues."""
    return {"lines": _cues(content)}


def webvtt(content: str) -> dict[str, list[str]]:
    """Return the texts of WebVTT's cues, without their markup. Notes, styles and settings are left out."""
    if not content.startswith("WEBVTT"):
        raise ValueError("it does not begin with WEBVTT; expected subtitles in this format.")
    return {"lines": [unescape(_MARKUP.sub("", cue)) for cue in _cues(content)]}


def without_markup(text: str) -> str:
    """Return the text of a cue as it is spoken."""
    return _MARKUP.sub("", text).strip()


def _cues(content: str) -> list[str]:
    """Return what stands between each line of times and the next empty line."""
    cues: list[list[str]] = []
    inside = False
    for line in content.split("\n"):
        if "-->" in line:
            cues.append([])
            inside = True
        elif not line.strip():
            inside = False
        elif inside:
            cues[-1].append(line)
    return ["\n".join(cue) for cue in cues]
