"""Formats with one line for each text: NIST's time-marked conversations (.ctm) and Audacity's labels (.txt)."""

from __future__ import annotations

from pathlib import Path

from ctckit.alignment.writers.tiers import Tiers


def ctm(tiers: Tiers) -> str:
    """Return lines of ``recording channel start duration text confidence``.

    The recording is ``media`` without its folder and ending, or else the name of this file without its ending. The
    channel is 1. Spaces within a name or a text are written as ``_``.
    """
    recording = "_".join(Path(tiers.media or tiers.name).stem.split())
    lines = []
    for each in tiers.only_tier():
        duration = round(each.end_seconds - each.start_seconds, 6)
        sure = "" if each.confidence is None else f" {each.confidence:.4f}"
        text = "_".join(each.text.split())
        lines.append(f"{recording} 1 {each.start_seconds:.6f} {duration:.6f} {text}{sure}\n")
    return "".join(lines)


def audacity(tiers: Tiers) -> str:
    """Return lines of ``start TAB end TAB text``. Tabs and line ends within a text are written as spaces."""
    return "".join(
        f"{each.start_seconds:.6f}\t{each.end_seconds:.6f}\t{' '.join(each.text.split())}\n"
        for each in tiers.only_tier()
    )
