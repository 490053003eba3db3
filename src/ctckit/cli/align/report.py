"""``--report``: a page with the suspicious lines, drawn and playable."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ctckit.cli.align.aligner import Aligned

if TYPE_CHECKING:
    from ctckit.alignment import AlignmentSummary, NumberedLine, TimedText
    from ctckit.viz.alignment_page import Sound, Stretch

MOST_SHOWN = 40  # their sounds make the page large
AROUND_SECONDS = 1.0
MOST_SECONDS = 20.0
RATE = 16000  # of the sounds in the page


def write_recording_report(path: Path, found: Aligned, *, offset: float) -> None:
    """Write the page of one recording.

    Raises:
        DataError: If it cannot be written.
    """
    name = found.source.media or found.text.path.name
    stretches = [
        _stretch(name, line, found.source.recording, found.tiers["words"], offset)
        for line in found.summary.suspicious[:MOST_SHOWN]
    ]
    _write(path, name, found.summary, stretches)


def write_corpus_report(
    path: Path,
    name: str,
    summary: AlignmentSummary,
    suspicious: Iterable[tuple[str, Path, NumberedLine]],
    offset: float,
) -> None:
    """Write the page of a corpus.

    Args:
        path: The file.
        name: The name of the corpus.
        summary: Of all its recordings.
        suspicious: For each suspicious line the name of the recording, its file, and the line.
        offset: The time of the first frame of each recording.

    Raises:
        DataError: If it cannot be written.
    """
    few = sorted(suspicious, key=lambda each: each[2].line.confidence or 0.0)[:MOST_SHOWN]
    _write(path, name, summary, [_stretch(of, line, recording, (), offset) for of, recording, line in few])


def _write(path: Path, name: str, summary: AlignmentSummary, stretches: list[Stretch]) -> None:
    from ctckit._page.page import write_page
    from ctckit.viz.alignment_page import alignment_page

    write_page(path, alignment_page(name, summary, stretches))


def _stretch(
    name: str, line: NumberedLine, recording: Path | None, words: Iterable[TimedText], offset: float
) -> Stretch:
    from ctckit.viz.alignment_page import Stretch

    start = max(offset, line.line.start_seconds - AROUND_SECONDS)
    end = min(line.line.end_seconds + AROUND_SECONDS, start + MOST_SECONDS)
    near = tuple(word for word in words if word.start_seconds < end and word.end_seconds > start)
    return Stretch(name, line, None if recording is None else _sound(recording, start, end, offset), near)


def _sound(recording: Path, start: float, end: float, offset: float) -> Sound | None:
    import numpy as np

    from ctckit.acoustic_models import audio
    from ctckit.viz.alignment_page import Sound

    if recording.suffix.lower() == ".npz":
        return None
    samples, rate = audio.excerpt(recording, start - offset, end - offset)
    if rate > RATE:
        samples, rate = np.concatenate(list(audio.resampled([samples], rate, RATE))), RATE
    return Sound(samples, rate, start)
