"""The options of subtitles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

if TYPE_CHECKING:
    from ctckit.alignment import CueLimits, TimedText


class Preset(str, Enum):
    """Limits of subtitles' cues, see ``ctckit.alignment.writers.PRESETS``."""

    streaming = "streaming"
    broadcast = "broadcast"
    vertical = "vertical"
    karaoke = "karaoke"


@dataclass(frozen=True)
class SubtitleOptions:
    """The limits of subtitles' cues, and whether their words have times."""

    panel: ClassVar[str] = "Subtitles"
    preset: Annotated[
        Preset,
        typer.Option(
            help="Limits for the cues. streaming: two lines of 42 characters, 0.84 to 7 s, 20 characters a second; "
            "broadcast: two lines of 37, 1 to 7 s, 15 a second; vertical: two lines of 20, 0.5 to 3 s; karaoke: one "
            "line of 42, half a second early. The options below change single limits."
        ),
    ] = Preset.streaming
    cue_seconds: Annotated[
        tuple[float, float] | None, typer.Option(help="The shortest and the longest time of a cue.")
    ] = None
    cue_lines: Annotated[int | None, typer.Option(min=1, help="Most lines of a cue.")] = None
    cue_characters: Annotated[int | None, typer.Option(min=1, help="Most characters of a line.")] = None
    cue_gap: Annotated[float | None, typer.Option(min=0.0, help="Least seconds between two cues.")] = None
    cue_padding: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Seconds for which a cue is shown before its first word and behind its last one."),
    ] = None
    reading_speed: Annotated[
        float | None, typer.Option(help="Characters a second: a cue stays for them, if there is time.")
    ] = None
    karaoke: Annotated[
        bool,
        typer.Option("--karaoke", help="Give each word its time within its line: .vtt, .ass, .lrc, .ttml, .smil."),
    ] = False

    def cues(self, words: Sequence[TimedText], duration_seconds: float) -> tuple[TimedText, ...]:
        """Return the cues of words."""
        from ctckit.alignment.writers import subtitle_cues

        return subtitle_cues(words, self._limits(), duration_seconds=duration_seconds)

    def times(self, cues: Iterable[tuple[str, Sequence[TimedText]]], duration_seconds: float) -> tuple[TimedText, ...]:
        """Return cues that are given with their words, with times within the limits."""
        from ctckit.alignment.writers import timed_cues

        return timed_cues(cues, self._limits(), duration_seconds=duration_seconds)

    def _limits(self) -> CueLimits:
        from ctckit.alignment.writers import PRESETS

        shortest, longest = self.cue_seconds or (None, None)
        before, behind = self.cue_padding or (None, None)
        changed: dict[str, Any] = {
            "characters": self.cue_characters,
            "lines": self.cue_lines,
            "shortest_seconds": shortest,
            "longest_seconds": longest,
            "gap_seconds": self.cue_gap,
            "characters_per_second": self.reading_speed,
            "before_seconds": before,
            "behind_seconds": behind,
        }
        given = {name: value for name, value in changed.items() if value is not None}
        return replace(PRESETS[self.preset.value], **given)
