"""From frames to seconds: the alignment of a text as named tiers of texts with their times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ctckit.alignment.result import Alignment
from ctckit.alignment.spans import TimedText, WordSpan
from ctckit.alignment.transcript import Transcript, TranscriptWord
from ctckit.alignment.utterances import UtteranceSpan
from ctckit.alignment.writers.tiers import joined
from ctckit.vocabulary import Vocabulary


def timed_tiers(
    alignment: Alignment,
    transcript: Transcript,
    vocabulary: Vocabulary,
    frame_seconds: float,
    offset_seconds: float = 0.0,
    *,
    boundaries: str = "occupancy",
) -> dict[str, tuple[TimedText, ...]]:
    """Return the lines, words and tokens of a text, each with its time.

    Frame t begins at t · frame_seconds + offset_seconds. Words and lines that no frame emits have start = end at their
    place in the text. The confidence of a line is the mean of the confidences of its words.

    Args:
        alignment: The alignment of the transcript's tokens.
        transcript: The text.
        vocabulary: The texts of tokens. The result has no separators, no silent tokens and no wildcards.
        frame_seconds: Length of a frame, in seconds.
        offset_seconds: Start of the first frame, in seconds.
        boundaries: The definition of a token's start and end: see ``Alignment.boundaries``.

    Returns:
        "lines" (if the text has several), "words" and "tokens", as ``write_alignment`` takes them.

    Raises:
        InvalidInputError: If the alignment is of other tokens.

    Example:
        >>> from ctckit.alignment import forced_align
        >>> letters = Vocabulary.from_characters("abc", separator="c")
        >>> probs = np.full((9, 4), 0.1)
        >>> probs[range(9), [0, 1, 1, 0, 3, 0, 2, 2, 0]] = 0.7
        >>> said = Transcript("A, b!", letters)
        >>> [found] = forced_align(np.log(probs), said.tokens)
        >>> words = timed_tiers(found, said, letters, 0.5, boundaries="spike")["words"]
        >>> [(word.text, word.start_seconds, word.end_seconds) for word in words]
        [('A,', 0.5, 1.5), ('b!', 3.0, 4.0)]
    """
    edges = alignment.boundaries(boundaries) * frame_seconds + offset_seconds
    words = _words(alignment.words(transcript), transcript.words, alignment, edges, offset_seconds)
    tiers = {"words": tuple(words), "tokens": _tokens(alignment, vocabulary, edges)}
    line_numbers = [transcript.text.count("\n", 0, word.begin) for word in transcript.words]
    if len(set(line_numbers)) < 2:
        return tiers
    lines: dict[int, list[TimedText]] = {}
    for number, word in zip(line_numbers, words, strict=True):
        lines.setdefault(number, []).append(word)
    return {"lines": tuple(joined(line) for line in lines.values()), **tiers}


def timed_utterances(
    utterances: Sequence[UtteranceSpan],
    vocabulary: Vocabulary,
    frame_seconds: float,
    offset_seconds: float = 0.0,
    *,
    boundaries: str = "occupancy",
) -> dict[str, tuple[TimedText, ...]]:
    """Return the utterances of a recording, their words and tokens, each with its time; see ``timed_tiers``.

    Args:
        utterances: What ``align_utterances`` returned for texts or transcripts.
        vocabulary: The texts of tokens.
        frame_seconds: Length of a frame, in seconds.
        offset_seconds: Start of the first frame, in seconds.
        boundaries: The definition of a token's start and end: see ``Alignment.boundaries``.

    Returns:
        "lines": the texts as they are written, one entry for each utterance; "words" and "tokens".

    Example:
        >>> from ctckit.alignment import align_utterances
        >>> letters = Vocabulary.from_characters("ab")
        >>> probs = np.full((9, 3), 0.1)
        >>> probs[range(9), [0, 1, 1, 0, 0, 0, 2, 2, 0]] = 0.8
        >>> found = align_utterances(np.log(probs), ["A!", "b?"], letters)
        >>> lines = timed_utterances(found, letters, 0.5, boundaries="spike")["lines"]
        >>> [(line.text, line.start_seconds, line.end_seconds) for line in lines]
        [('A!', 0.5, 1.5), ('b?', 3.0, 4.0)]
    """
    if not utterances:
        return {"lines": (), "words": (), "tokens": ()}
    alignment = utterances[0].alignment
    edges = alignment.boundaries(boundaries) * frame_seconds + offset_seconds
    lines: list[TimedText] = []
    words: list[TimedText] = []
    at = offset_seconds
    for each in utterances:
        said = each.transcript.words if each.transcript is not None else ()
        own = _words(each.words, said, alignment, edges, at, each.positions.start)
        there = [k for k in each.positions if alignment.starts[k] < alignment.ends[k]]
        start = float(edges[there[0], 0]) if there else at
        at = float(edges[there[-1], 1]) if there else at
        lines.append(TimedText(each.text or "…", start, at, joined(own).confidence if own else each.confidence))
        words += [replace(word, before="\n") for word in own[:1]] + own[1:]
    return {"lines": tuple(lines), "words": tuple(words), "tokens": _tokens(alignment, vocabulary, edges)}


def _words(
    spans: Sequence[WordSpan],
    said: Sequence[TranscriptWord],
    alignment: Alignment,
    edges: npt.NDArray[np.float64],
    at: float,
    first: int = 0,
) -> list[TimedText]:
    """Return words in seconds.

    Args:
        spans: Their spans in frames.
        said: The same words in their transcript.
        alignment: The alignment.
        edges: (N, 2) start and end of each token of the alignment, in seconds.
        at: The time of a first word without frames.
        first: The position of the transcript's first token in the alignment.
    """
    words = []
    for word, span in zip(said, spans, strict=True):
        own = [first + k for k in word.positions] if span.aligned else []
        there = [k for k in own if alignment.starts[k] < alignment.ends[k]]
        start = float(edges[there[0], 0]) if there else at
        at = float(edges[there[-1], 1]) if there else at
        words.append(TimedText(word.text, start, at, span.confidence, word.before))
    return words


def _tokens(alignment: Alignment, vocabulary: Vocabulary, edges: npt.NDArray[np.float64]) -> tuple[TimedText, ...]:
    texts = []
    for (start, end), token, sure in zip(
        edges.tolist(), alignment.tokens.tolist(), alignment.confidences.tolist(), strict=True
    ):
        is_text = 0 <= token < len(vocabulary) and vocabulary[token] != vocabulary.separator
        if is_text and vocabulary.text_of(token).strip():
            texts.append(TimedText(vocabulary.name(token), start, end, None if np.isnan(sure) else sure))
    return tuple(texts)
