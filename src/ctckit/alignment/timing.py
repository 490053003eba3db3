"""From frames to seconds: the alignment of a text as named tiers of texts with their times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit._unicode import is_modifier
from ctckit.alignment import boundaries as borders
from ctckit.alignment.contiguous import contiguous
from ctckit.alignment.result import Alignment
from ctckit.alignment.spans import TimedText, WordSpan
from ctckit.alignment.transcript import Transcript, TranscriptWord
from ctckit.alignment.utterances import UtteranceSpan
from ctckit.alignment.writers.tiers import joined
from ctckit.topology import Floats
from ctckit.vocabulary import Vocabulary

CONTIGUOUS = "contiguous"
_TIES = ("\u0361", "\u035c")  # above and below: two symbols, one sound


def timed_tiers(
    alignment: Alignment,
    transcript: Transcript,
    vocabulary: Vocabulary,
    frame_seconds: float,
    offset_seconds: float = 0.0,
    *,
    boundaries: str = "occupancy",
    lag_seconds: float = 0.0,
    quiet: Floats | None = None,
    duration_seconds: float | None = None,
) -> dict[str, tuple[TimedText, ...]]:
    """Return the lines, words and tokens of a text, each with its time.

    Frame t begins at t · frame_seconds + offset_seconds − lag_seconds. No time is outside of the recording, or below 0.
    Words and lines that no frame emits have start = end at their place in the text. The confidence of a line is the
    mean of the confidences of its words.

    Args:
        alignment: The alignment of the transcript's tokens.
        transcript: The text.
        vocabulary: The texts of tokens. The result has no separators, no silent tokens and no wildcards. A length mark,
            an aspiration or another modifier is one entry with the sound before it.
        frame_seconds: Length of a frame, in seconds.
        offset_seconds: Start of the recording, in seconds; below 0 if its beginning is to be left out.
        boundaries: The definition of a token's start and end: see ``Alignment.boundaries``. Or "contiguous": each sound
            lasts until the next one begins, or until a pause.
        lag_seconds: The lag of the model, see ``AcousticModel.lag``.
        quiet: For "contiguous": (K, 2) the quiet parts of the recording, see ``quiet_spans``, in seconds from its
            start. Without them, pauses are found by the distances of the sounds.
        duration_seconds: Length of the recording; by default that of its frames, which may reach a little further.

    Returns:
        "lines", "words" and "tokens", as ``write_alignment`` takes them.

    Raises:
        InvalidInputError: If the alignment is of other tokens.

    Example:
        >>> import numpy as np
        >>> from ctckit import Transcript, Vocabulary
        >>> from ctckit.alignment import timed_tiers
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
    edges = token_times(
        alignment,
        vocabulary,
        frame_seconds,
        offset_seconds,
        boundaries=boundaries,
        lag=lag_seconds,
        quiet=quiet,
        duration=duration_seconds,
    )
    words = _words(alignment.words(transcript), transcript.words, alignment, edges, max(0.0, offset_seconds))
    lines: dict[int, list[TimedText]] = {}
    for written, timed in zip(transcript.words, words, strict=True):
        lines.setdefault(transcript.text.count("\n", 0, written.begin), []).append(timed)
    return {
        "lines": tuple(joined(line) for line in lines.values()),
        "words": tuple(words),
        "tokens": _tokens(alignment, vocabulary, edges),
    }


def token_times(
    alignment: Alignment,
    vocabulary: Vocabulary,
    frame_seconds: float,
    offset_seconds: float,
    *,
    boundaries: str,
    lag: float,
    quiet: Floats | None,
    duration: float | None = None,
) -> Floats:
    """Return (N, 2) the start and end of each token, in seconds; arguments as in ``timed_tiers``."""
    borders.expect_kind(boundaries, (*borders.KINDS, CONTIGUOUS))
    _checks.number(lag, "lag_seconds", -1.0, 1.0)
    if quiet is not None:
        quiet = _checks.floats(_checks.as_array(quiet, "quiet"), "quiet", "(K, 2)")
    if boundaries == CONTIGUOUS:
        edges = _contiguous(alignment, vocabulary, frame_seconds, lag, quiet)
    else:
        edges = alignment.boundaries(boundaries) * frame_seconds - lag
    last = alignment.frames * frame_seconds
    return np.maximum(np.clip(edges, 0.0, last if duration is None else min(last, duration)) + offset_seconds, 0.0)


def _contiguous(
    alignment: Alignment, vocabulary: Vocabulary, frame_seconds: float, lag: float, quiet: Floats | None
) -> Floats:
    """Return (N, 2) the times of the sounds. Separators are silent: their time belongs to the sounds beside them."""
    edges = alignment.boundaries("spike") * frame_seconds - lag
    sounds = alignment.starts < alignment.ends
    if vocabulary.separator is not None:
        sounds &= alignment.tokens != vocabulary.tokens.index(vocabulary.separator)
    spikes = borders.average_spike(alignment.durations)[sounds, 0] * frame_seconds
    edges[sounds] = contiguous(spikes, lag, quiet)
    return edges


def timed_utterances(
    utterances: Sequence[UtteranceSpan],
    vocabulary: Vocabulary,
    frame_seconds: float,
    offset_seconds: float = 0.0,
    *,
    boundaries: str = "occupancy",
    lag_seconds: float = 0.0,
    quiet: Floats | None = None,
    duration_seconds: float | None = None,
) -> dict[str, tuple[TimedText, ...]]:
    """Return the utterances of a recording, their words and tokens, each with its time; see ``timed_tiers``.

    Args:
        utterances: What ``align_utterances`` returned for texts or transcripts.
        vocabulary: The texts of tokens.
        frame_seconds: Length of a frame, in seconds.
        offset_seconds: Start of the recording, in seconds.
        boundaries: The definition of a token's start and end: see ``timed_tiers``.
        lag_seconds: The lag of the model.
        quiet: For "contiguous": the quiet parts of the recording, see ``timed_tiers``.
        duration_seconds: Length of the recording; by default that of its frames.

    Returns:
        "lines": the texts as they are written, one entry for each utterance; "words" and "tokens".

    Example:
        >>> import numpy as np
        >>> from ctckit import Vocabulary
        >>> from ctckit.alignment import timed_utterances
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
    edges = token_times(
        alignment,
        vocabulary,
        frame_seconds,
        offset_seconds,
        boundaries=boundaries,
        lag=lag_seconds,
        quiet=quiet,
        duration=duration_seconds,
    )
    lines: list[TimedText] = []
    words: list[TimedText] = []
    at = max(0.0, offset_seconds)
    for each in utterances:
        said = each.transcript.words if each.transcript is not None else ()
        own = _words(each.words, said, alignment, edges, at, each.positions.start)
        if own:  # a wildcard at the end of a line may lie far behind its words
            lines.append(replace(joined(own), text=each.text or "…", before=" "))
        else:
            there = [k for k in each.positions if alignment.starts[k] < alignment.ends[k]]
            start, end = (float(edges[there[0], 0]), float(edges[there[-1], 1])) if there else (at, at)
            lines.append(TimedText(each.text or "…", start, end, each.confidence))
        at = max(at, lines[-1].end_seconds)
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
    """Return the tokens that are text.

    One that only changes the sound before it ("ː"), or is tied to it ("t͡", "s"), is one entry with that sound.
    """
    texts: list[TimedText] = []
    joins = False  # whether the token before this one is text
    for (start, end), token, sure in zip(
        edges.tolist(), alignment.tokens.tolist(), alignment.confidences.tolist(), strict=True
    ):
        is_text = 0 <= token < len(vocabulary) and vocabulary[token] != vocabulary.separator
        if is_text and vocabulary.text_of(token).strip():
            entry = TimedText(vocabulary.name(token), start, end, None if np.isnan(sure) else sure)
            one_sound = joins and (is_modifier(entry.text) or texts[-1].text.endswith(_TIES))
            texts.append(_with_mark(texts.pop(), entry) if one_sound else entry)
        joins = is_text
    return tuple(texts)


def _with_mark(sound: TimedText, mark: TimedText) -> TimedText:
    sure = None if sound.confidence is None or mark.confidence is None else sound.confidence * mark.confidence
    return TimedText(sound.text + mark.text, sound.start_seconds, mark.end_seconds, sure)
