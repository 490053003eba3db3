"""Formats that show each word as it is sung: Advanced SubStation Alpha (.ass) and lyrics (.lrc), in centiseconds."""

from __future__ import annotations

from ctckit.alignment.spans import TimedText
from ctckit.alignment.writers.lines import Line, cues
from ctckit.alignment.writers.tiers import Tiers

_HEAD = r"""[Script Info]
ScriptType: v4.00+
WrapStyle: 2
ScaledBorderAndShadow: yes
PlayResX: 1280
PlayResY: 720

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,48,&H00FFFFFF,&H00808080,&H00000000,&H64000000,0,0,0,0,100,100,0,0,1,2,1,2,40,40,40,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""  # noqa: E501
_BRACES = str.maketrans({"{": "｛", "}": "｝", "\\": "＼"})  # the plain ones are commands


def ass(tiers: Tiers) -> str:
    r"""Return a line of dialogue for each cue. If words have times, ``\k`` before each gives how long it is sung."""
    return _HEAD + "".join(
        f"Dialogue: 0,{_hours(cue.whole.start_seconds)},{_hours(cue.whole.end_seconds)},Default,,0,0,0,,{_sung(cue)}\n"
        for cue in cues(tiers)
    )


def lrc(tiers: Tiers) -> str:
    """Return a row for each line with its start; if words have times, each has its start before it."""
    return "".join(f"[{_minutes(line.whole.start_seconds)}]{_lyrics(line)}\n" for line in cues(tiers))


def _lyrics(line: Line) -> str:
    if not line.words:
        return line.written(lambda row: row.text, " ")
    return line.written(lambda word: f"<{_minutes(word.start_seconds)}>{word.text}", " ")


def _sung(cue: Line) -> str:
    if not cue.words:
        return cue.written(lambda word: word.text.translate(_BRACES), r"\N")
    starts = [_centiseconds(word.start_seconds) for word in cue.words]
    first = _centiseconds(cue.whole.start_seconds)
    ends = iter([*starts[1:], _centiseconds(cue.whole.end_seconds)])

    def syllable(word: TimedText) -> str:
        sung = max(0, next(ends) - _centiseconds(word.start_seconds))
        return rf"{{\k{sung}}}{word.text.translate(_BRACES)}"

    wait = rf"{{\k{starts[0] - first}}}" if starts[0] > first else ""
    return wait + cue.written(syllable, r"\N")


def _centiseconds(seconds: float) -> int:
    return round(seconds * 100)


def _hours(seconds: float) -> str:
    whole, rest = divmod(_centiseconds(seconds), 100)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}.{rest:02}"


def _minutes(seconds: float) -> str:
    whole, rest = divmod(_centiseconds(seconds), 100)
    return f"{whole // 60:02}:{whole % 60:02}.{rest:02}"
