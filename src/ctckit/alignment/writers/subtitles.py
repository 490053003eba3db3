"""Subtitles: SubRip (.srt) and WebVTT (.vtt). A cue lasts a whole number of milliseconds, at least one."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ctckit.alignment.spans import TimedText
from ctckit.alignment.writers.tiers import Tiers, joined, milliseconds

_Cue = tuple[int, int, str, float | None]
"""Start and end in milliseconds; the text, without empty lines, which would end the cue; the confidence."""


def srt(tiers: Tiers) -> str:
    """Return numbered cues."""
    cues = [
        f"{n}\n{_time(start, ',')} --> {_time(end, ',')}\n{text}\n"
        for n, (start, end, text, _) in enumerate(_cues(tiers.only_tier()), 1)
    ]
    return "\n".join(cues)


def webvtt(tiers: Tiers) -> str:
    """Return cues without names; ``&``, ``<`` and ``>`` are escaped. A note before a cue has its confidence."""
    cues = [
        f"{_note(sure)}{_time(start, '.')} --> {_time(end, '.')}\n{escape(text, quote=False)}\n"
        for start, end, text, sure in _cues(tiers.only_tier())
    ]
    return "\n".join(["WEBVTT\n", *cues])


def _cues(entries: Sequence[TimedText]) -> list[_Cue]:
    """Return the cues of entries."""
    cues: list[list[TimedText]] = []
    leading: list[TimedText] = []
    for each in entries:
        if each.start_seconds < each.end_seconds:
            cues.append([*leading, each])
            leading = []
        else:
            (cues[-1] if cues else leading).append(each)
    if leading:  # all texts are without frames
        cues = [leading]
    return [_cue(joined(cue)) for cue in cues]


def _cue(whole: TimedText) -> _Cue:
    start = milliseconds(whole.start_seconds)
    lines = [line.strip() for line in whole.text.splitlines()]
    end = max(start + 1, milliseconds(whole.end_seconds))
    return start, end, "\n".join(line for line in lines if line), whole.confidence


def _note(confidence: float | None) -> str:
    return "" if confidence is None else f"NOTE confidence {confidence:.2f}\n\n"


def _time(total: int, point: str) -> str:
    seconds, rest = divmod(total, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{rest:03}"
