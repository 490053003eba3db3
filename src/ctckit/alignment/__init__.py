"""Where each token is: forced alignment, and what its results are made of.

::

    forced.py         forced_align: the best path of each item
    wildcards.py      stars in the target, free ends
    result.py         Alignment: spans, path, confidences, words
    boundaries.py     where a token begins, by three definitions
    transcript.py     Transcript: from a text as it is written to tokens and back, with spelling.py
    utterances.py     align_utterances: a list of texts in one recording
    pronouncing.py    SpellingChoice: words that can be said in several ways
    spans.py          TokenSpan, WordSpan (frames), TimedText (seconds)
    timing.py         timed_tiers: lines, words and tokens in seconds
    writers/          write_alignment: TextGrid, ELAN, subtitles, CTM, labels, JSON
"""

from __future__ import annotations

from ctckit.alignment.forced import forced_align
from ctckit.alignment.pronouncing import SpellingChoice
from ctckit.alignment.result import Alignment
from ctckit.alignment.spans import Runs, TimedText, TokenSpan, WordSpan, runs_of_path
from ctckit.alignment.timing import timed_tiers
from ctckit.alignment.transcript import Transcript, TranscriptWord
from ctckit.alignment.writers import subtitle_lines, timed, write_alignment

__all__ = [
    "Alignment",
    "Runs",
    "SpellingChoice",
    "TimedText",
    "TokenSpan",
    "Transcript",
    "TranscriptWord",
    "WordSpan",
    "forced_align",
    "runs_of_path",
    "subtitle_lines",
    "timed",
    "timed_tiers",
    "write_alignment",
]
