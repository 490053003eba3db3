"""Forced alignment: the frames of each token of a target.

::

    forced.py           forced_align: the best path of each item
    frames.py           the log-probabilities to align to, in memory or on a GPU
    wildcards.py        targets with wildcards, and targets that may begin late and end early
    result.py           Alignment: spans, path, confidences, words
    boundaries.py       where a token begins and ends, by three definitions
    contiguous.py       sounds without gaps between them, and silence kept
    silence.py          quiet_spans: the quiet parts of a recording
    transcript.py       Transcript: from a written text to tokens and back, with words.py, spelling.py and characters.py
    spoken.py           number_words, romanized: words that are not spoken as they are written
    utterances.py       align_utterances: a list of texts in one recording
    lines.py            align_lines: the lines of a written text, with the best pronunciations
    summary.py          summarize: how well a text fits, and the lines that probably were not said
    pronunciation.py    PronouncingDictionary: the pronunciations of words, in the symbols of a model
    spelling_choice.py  SpellingChoice: words with several pronunciations
    spans.py            TokenSpan, WordSpan (frames), TimedText (seconds)
    timing.py           timed_tiers, timed_utterances: lines, words and tokens in seconds
    readers/            texts from plain files, subtitles, TextGrids and ELAN files
    writers/            subtitle_cues; write_alignment: Praat, ELAN, subtitles, karaoke, books, tables, JSON
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ctckit.alignment.spans import Runs, Spans, TimedText, TokenSpan, WordSpan, runs_of_path

if TYPE_CHECKING:
    from ctckit.alignment.forced import forced_align
    from ctckit.alignment.lines import align_lines
    from ctckit.alignment.pronunciation import PronouncingDictionary
    from ctckit.alignment.result import Alignment
    from ctckit.alignment.silence import quiet_spans
    from ctckit.alignment.spelling_choice import SpellingChoice
    from ctckit.alignment.spoken import number_words, romanized
    from ctckit.alignment.summary import AlignmentSummary, NumberedLine, summarize
    from ctckit.alignment.timing import timed_tiers, timed_utterances
    from ctckit.alignment.transcript import Transcript, TranscriptWord
    from ctckit.alignment.utterances import UtteranceSpan, align_utterances
    from ctckit.alignment.writers import CueLimits, Tiers, subtitle_cues, subtitle_lines, timed, write_alignment

__all__ = [
    "Alignment",
    "AlignmentSummary",
    "CueLimits",
    "NumberedLine",
    "PronouncingDictionary",
    "Runs",
    "Spans",
    "SpellingChoice",
    "Tiers",
    "TimedText",
    "TokenSpan",
    "Transcript",
    "TranscriptWord",
    "UtteranceSpan",
    "WordSpan",
    "align_lines",
    "align_utterances",
    "forced_align",
    "number_words",
    "quiet_spans",
    "romanized",
    "runs_of_path",
    "subtitle_cues",
    "subtitle_lines",
    "summarize",
    "timed",
    "timed_tiers",
    "timed_utterances",
    "write_alignment",
]

_ON_DEMAND = {  # decoders need the spans only
    "Alignment": "result",
    "AlignmentSummary": "summary",
    "CueLimits": "writers",
    "NumberedLine": "summary",
    "PronouncingDictionary": "pronunciation",
    "SpellingChoice": "spelling_choice",
    "Tiers": "writers",
    "Transcript": "transcript",
    "TranscriptWord": "transcript",
    "UtteranceSpan": "utterances",
    "align_lines": "lines",
    "align_utterances": "utterances",
    "forced_align": "forced",
    "number_words": "spoken",
    "quiet_spans": "silence",
    "romanized": "spoken",
    "subtitle_cues": "writers",
    "subtitle_lines": "writers",
    "summarize": "summary",
    "timed": "writers",
    "timed_tiers": "timing",
    "timed_utterances": "timing",
    "write_alignment": "writers",
}


def __getattr__(name: str) -> Any:
    if name not in _ON_DEMAND:
        raise AttributeError(f"module 'ctckit.alignment' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"ctckit.alignment.{_ON_DEMAND[name]}"), name)
    return value
