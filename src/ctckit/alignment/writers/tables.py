"""Formats with a line for each text: NIST's words (.ctm) and speakers (.rttm), Audacity's labels (.txt)."""

from __future__ import annotations

from pathlib import Path

from ctckit.alignment.spans import TimedText
from ctckit.alignment.writers.tiers import Tiers


def ctm(tiers: Tiers) -> str:
    """Return lines of ``recording channel start duration text confidence``.

    The recording is ``media`` without its folder and ending, or else the name of this file without its ending. The
    channel is 1. Spaces within a name or a text are written as ``_``. A text without a confidence has 0.
    """
    lines = []
    for each in tiers.only_tier():
        text, sure = "_".join(each.text.split()), each.confidence or 0.0
        lines.append(f"{_recording(tiers)} 1 {_start_and_duration(each)} {text} {sure:.4f}\n")
    return "".join(lines)


def rttm(tiers: Tiers) -> str:
    """Return a line for each text that frames emit: who speaks when. The name of a tier is that of its speaker.

    Recording and channel are as in ``ctm``. There is no column for the text.
    """
    spoken = [
        (each, "_".join(speaker.split()))
        for speaker, entries in tiers.entries.items()
        for each in entries
        if each.start_seconds < each.end_seconds
    ]
    return "".join(
        f"SPEAKER {_recording(tiers)} 1 {_start_and_duration(each)} <NA> <NA> {speaker} <NA> <NA>\n"
        for each, speaker in sorted(spoken, key=lambda entry: entry[0].start_seconds)
    )


def _recording(tiers: Tiers) -> str:
    return "_".join(Path(tiers.media or tiers.name).stem.split())


def _start_and_duration(entry: TimedText) -> str:
    return f"{entry.start_seconds:.6f} {entry.end_seconds - entry.start_seconds:.6f}"


def audacity(tiers: Tiers) -> str:
    """Return lines of ``start TAB end TAB text``. Tabs and line ends within a text are written as spaces."""
    return "".join(
        f"{each.start_seconds:.6f}\t{each.end_seconds:.6f}\t{' '.join(each.text.split())}\n"
        for each in tiers.only_tier()
    )
