"""Where each token is: forced alignment, and what its results are made of.

::

    forced.py         forced_align: the best path of each item
    wildcards.py      stars in the target, free ends
    result.py         Alignment: spans, path, confidences, words
    boundaries.py     where a token begins, by three definitions
    transcript.py     Transcript: from a text as it is written to tokens and back, with spelling.py
    utterances.py     align_utterances: a list of texts in one recording
    spans.py          TokenSpan, WordSpan (frames), TimedText (seconds)
"""

from __future__ import annotations

from ctckit.alignment.forced import forced_align
from ctckit.alignment.result import Alignment
from ctckit.alignment.spans import Runs, TimedText, TokenSpan, WordSpan, runs_of_path
from ctckit.alignment.transcript import Transcript, TranscriptWord

__all__ = [
    "Alignment",
    "Runs",
    "TimedText",
    "TokenSpan",
    "Transcript",
    "TranscriptWord",
    "WordSpan",
    "forced_align",
    "runs_of_path",
]
