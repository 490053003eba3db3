"""The confidences of the characters and words of readings, and which of them are right.

Texts are compared in display order, in which the characters of a reading have their places.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import jiwer

from ctckit.ocr.comparing import compare_characters
from ctckit.ocr.judging.calibration import Judged
from ctckit.ocr.page_reader import between_spaces
from ctckit.ocr.recognizer import CharacterSpan, Reading


def judge_characters(texts: Sequence[str], readings: Sequence[Reading]) -> Iterator[Judged]:
    """Yield the confidence of each character that was read, and whether the text has it there.

    Args:
        texts: The true texts, in display order; none is empty.
        readings: The readings.
    """
    reads = [_text(reading.spans) for reading in readings]
    alignments = compare_characters(texts, reads).alignments if texts else ()
    for reading, read, chunks in zip(readings, reads, alignments, strict=True):
        right, end = _right(chunks, len(read)), 0
        for span in reading.spans:
            start, end = end, end + len(span.character)
            if span.character:
                yield math.exp(span.log_prob), all(right[start:end])


def judge_words(texts: Sequence[str], readings: Sequence[Reading]) -> Iterator[Judged]:
    """Yield the confidence of each word that was read, as in a page that is written, and whether the text has it there.

    Args:
        texts: The true texts, in display order; none is empty.
        readings: The readings.
    """
    words = [list(between_spaces(reading.spans)) for reading in readings]
    reads = [" ".join(map(_text, each)) for each in words]
    alignments = jiwer.process_words(list(texts), reads).alignments if texts else ()
    for each, chunks in zip(words, alignments, strict=True):
        for word, right in zip(each, _right(chunks, len(each)), strict=True):
            yield math.exp(sum(span.log_prob for span in word) / len(word)), right


def _text(spans: Iterable[CharacterSpan]) -> str:
    return "".join(span.character for span in spans)


def _right(chunks: Iterable[jiwer.AlignmentChunk], length: int) -> list[bool]:
    """Return which of the characters or words that were read are right."""
    right = [False] * length
    for chunk in chunks:
        if chunk.type == "equal":
            right[chunk.hyp_start_idx : chunk.hyp_end_idx] = [True] * (chunk.hyp_end_idx - chunk.hyp_start_idx)
    return right
