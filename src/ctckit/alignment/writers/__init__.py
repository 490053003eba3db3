"""Alignments as files that other programs open, by the ending of the name.

::

    tiers.py       what is written: named rows of texts with their times, in order
    praat.py       .TextGrid
    elan.py        .eaf
    subtitles.py   .srt, .vtt
    tables.py      .ctm, and Audacity's labels as .txt
    document.py    .json
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ctckit import _checks, _files
from ctckit.alignment.spans import TimedText
from ctckit.alignment.writers import document, elan, praat, subtitles, tables
from ctckit.alignment.writers.tiers import Tiers, checked, subtitle_lines, timed
from ctckit.errors import DataError

__all__ = ["FORMATS", "subtitle_lines", "timed", "write_alignment"]

FORMATS: dict[str, Callable[[Tiers], str]] = {  # by the ending of the file's name, in small letters
    ".textgrid": praat.textgrid,
    ".eaf": elan.eaf,
    ".srt": subtitles.srt,
    ".vtt": subtitles.webvtt,
    ".ctm": tables.ctm,
    ".txt": tables.audacity,
    ".json": document.json_text,
}


def write_alignment(
    path: str | os.PathLike[str],
    tiers: Mapping[str, Sequence[TimedText]],
    *,
    duration_seconds: float | None = None,
    media: str | None = None,
) -> None:
    """Write who is where in a recording, as the ending of the name says.

    ========== ======================== ====== ===========================================================
    ending     for                      tiers  what stands for texts that no frame emits (start = end)
    ========== ======================== ====== ===========================================================
    .TextGrid  Praat                    any    points in a tier of their own, "NAME: not found"
    .eaf       ELAN                     any    annotations of 1 ms in a tier of their own, "NAME: not found"
    .srt .vtt  subtitles                one    part of the cue before (of the first cue, at the beginning)
    .ctm       NIST's scoring, Kaldi    one    a line with a duration of 0
    .txt       Audacity's labels        one    a point
    .json      anything else            any    an entry with start_seconds = end_seconds
    ========== ======================== ====== ===========================================================

    Everything is UTF-8. Times are rounded to microseconds, in subtitles and ELAN to milliseconds. The file is either
    whole or not there.

    Args:
        path: The file, its ending one of these.
        tiers: For each name, such as "words", its texts in the order of time.
        duration_seconds: How long the recording is; by default up to the last end.
        media: The recording's name: the file that ELAN opens, the first column of .ctm; a line in .json.

    Raises:
        InvalidInputError: If the ending is another, if the format holds one tier and there are several, or if a time
            is not a finite number of at least 0, is behind its end, or out of order; names tier and position.
        DataError: If the file cannot be written.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from ctckit import WordSpan
        >>> words = timed([WordSpan("so", 10, 14, 0.9), WordSpan("be", 14, 20, 0.8)], frame_seconds=0.02)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_alignment(f"{folder}/words.srt", {"words": words})
        ...     print(Path(f"{folder}/words.srt").read_text().rstrip())
        1
        00:00:00,200 --> 00:00:00,280
        so
        <BLANKLINE>
        2
        00:00:00,280 --> 00:00:00,400
        be
    """
    path = Path(path)
    write = FORMATS[format_of(path)]
    content = write(checked(path, tiers, duration_seconds, media))
    try:
        _files.write_atomically(path, content.encode())
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}).") from error


def format_of(path: Path) -> str:
    """The ending of the name, which is one of ``FORMATS``."""
    return _checks.choice(path.suffix.lower(), f"the ending of {path.name}", FORMATS)
