"""Alignments as files for other programs. The ending of the file's name says the format.

::

    formats.py     which writer an ending has; other packages can add writers
    tiers.py       Tiers: what a writer gets, named tiers of texts with their times
    cues.py        subtitle_cues: from words to the cues of subtitles, within limits; timed_cues: times of given cues
    lines.py       lines with the times of their words, for the formats that can hold both
    praat.py       .TextGrid
    elan.py        .eaf
    subtitles.py   .srt, .vtt, .ttml
    karaoke.py     .ass, .lrc
    audiobooks.py  .smil, .xhtml
    tables.py      .ctm, .rttm, and .txt for Audacity
    document.py    .json
    xml.py         what the formats in XML share
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ctckit import _files
from ctckit.alignment.spans import TimedText
from ctckit.alignment.writers.cues import PRESETS, CueLimits, subtitle_cues, timed_cues
from ctckit.alignment.writers.formats import FORMATS, content_of, format_of
from ctckit.alignment.writers.tiers import Tiers, checked, subtitle_lines, timed
from ctckit.errors import DataError

__all__ = [
    "FORMATS",
    "PRESETS",
    "CueLimits",
    "Tiers",
    "alignment_content",
    "format_of",
    "subtitle_cues",
    "subtitle_lines",
    "timed",
    "timed_cues",
    "write_alignment",
]


def write_alignment(
    path: str | os.PathLike[str],
    tiers: Mapping[str, Sequence[TimedText]],
    *,
    duration_seconds: float | None = None,
    media: str | None = None,
) -> None:
    """Write texts with their times to a file. The ending of its name says the format.

    =============== ======================== ================ ==================================================
    ending          for                      tiers            how a text that no frame emits (start = end) is written
    =============== ======================== ================ ==================================================
    .TextGrid       Praat                    any              a point in a separate tier, "NAME: not found"
    .eaf            ELAN                     any              an annotation of 1 ms in such a tier
    .srt            subtitles                one              part of the cue before (of the first cue, at the
                                                              beginning)
    .vtt .ttml .ass subtitles, karaoke       one, or lines    the same
                                             and words
    .lrc            lyrics                   as .vtt          the same
    .smil .xhtml    books read aloud, EPUB 3 as .vtt          a place in the text without a part of the recording
    .ctm            NIST's scoring, Kaldi    one              a line with a duration of 0
    .rttm           who speaks when          one per speaker  left out: it holds no texts
    .txt            Audacity's labels        one              a point
    .json           anything else            any              an entry with start_seconds = end_seconds
    =============== ======================== ================ ==================================================

    With two tiers "lines" and "words" of the same text, each word has its time within its line.

    Other packages can add formats by entry points of the group ``ctckit.alignment_writers``; see
    ``ctckit.alignment.writers.formats``.

    Files are UTF-8. Times are rounded to microseconds, in subtitles and ELAN to milliseconds. The file is written
    completely or not at all.

    Args:
        path: The file. Its ending is one of the table, or one that another package has added.
        tiers: For each name, such as "words", its texts in the order of time.
        duration_seconds: Length of the recording; by default the last end.
        media: The recording's name: the file that ELAN and .smil (which needs it) open, the name of the recording in
            .ctm and .rttm, a field of .json.

    Raises:
        InvalidInputError: If no writer has the ending, or a package's writer cannot be imported; if the format holds
            one tier and there are several; if the words are not those of the lines; or if a time is not a finite number
            of at least 0, is behind its end, or out of order. Names the tier and the position.
        DataError: If the file cannot be written.

    Example:
        >>> from ctckit.alignment import timed, write_alignment
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
    content = alignment_content(path, tiers, duration_seconds=duration_seconds, media=media)
    try:
        _files.write_atomically(path, content)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}).") from error


def alignment_content(
    path: str | os.PathLike[str],
    tiers: Mapping[str, Sequence[TimedText]],
    *,
    duration_seconds: float | None = None,
    media: str | None = None,
) -> bytes:
    """Return what ``write_alignment`` would write into this file, which need not exist."""
    path = Path(path)
    return content_of(format_of(path), checked(path, tiers, duration_seconds, media))
