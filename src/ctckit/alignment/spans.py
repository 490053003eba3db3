"""Spans of tokens and words, in frames and in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ctckit.vocabulary import Vocabulary


@dataclass(frozen=True)
class TokenSpan:
    """One token and the frames that emit it.

    Attributes:
        token: The class.
        start: First frame.
        end: One past the last frame.
        log_prob: Mean log-probability of the class over these frames, in nats.
        confidence: Posterior of the token against another token in its place, or none; None if not computed.
    """

    token: int
    start: int
    end: int
    log_prob: float
    confidence: float | None = None

    def __len__(self) -> int:
        return self.end - self.start

    def seconds(self, frame_seconds: float) -> tuple[float, float]:
        """Return start and end in seconds, for frames of this length."""
        return self.start * frame_seconds, self.end * frame_seconds


@dataclass(frozen=True)
class WordSpan:
    """One word and the frames that emit it.

    Attributes:
        text: The word.
        start: First frame of its first token.
        end: One past the last frame of its last token. A word that no frame emits has an empty span (start = end) at
            its place in the text.
        confidence: Product of the confidences of its tokens; None if these were not computed.
    """

    text: str
    start: int
    end: int
    confidence: float | None

    @property
    def aligned(self) -> bool:
        """Whether any frame emits it."""
        return self.start < self.end

    def seconds(self, frame_seconds: float) -> tuple[float, float]:
        """Return start and end in seconds, for frames of this length."""
        return self.start * frame_seconds, self.end * frame_seconds


@dataclass(frozen=True)
class TimedText:
    """A word or a token with its time.

    Attributes:
        text: The word or token.
        start_seconds: Its start.
        end_seconds: Its end.
        confidence: The confidence of its span.
    """

    text: str
    start_seconds: float
    end_seconds: float
    confidence: float | None


@dataclass(frozen=True, eq=False)
class Runs:
    """The tokens on a path, as arrays.

    Attributes:
        tokens: (N,) int32 their classes.
        starts: (N,) int64 first frames.
        ends: (N,) int64 one past the last frames.
        log_probs: (N,) float64 mean log-probability of the class over these frames.
    """

    tokens: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    log_probs: npt.NDArray[np.float64]


def runs_of_path(frame_tokens: npt.NDArray[np.int64], log_probs: npt.NDArray[np.floating], blank: int) -> Runs:
    """Return the runs of equal classes on a path, without the blank.

    Args:
        frame_tokens: (T,) the class of each frame.
        log_probs: (T,) its log-probability.
        blank: The class of the blank.
    """
    starts = np.flatnonzero(np.append(True, frame_tokens[1:] != frame_tokens[:-1])[: len(frame_tokens)])
    ends = np.append(starts[1:], len(frame_tokens))
    sums = np.add.reduceat(log_probs.astype(np.float64), starts) if len(starts) else np.zeros(0)
    kept = frame_tokens[starts] != blank
    means = sums[kept] / (ends - starts)[kept] + 0.0  # −0.0 becomes 0.0
    return Runs(frame_tokens[starts][kept].astype(np.int32), starts[kept], ends[: len(starts)][kept], means)


def words_of(tokens: Sequence[int], vocabulary: Vocabulary) -> list[tuple[str, list[int]]]:
    """Return the words that tokens spell, each with the positions of the tokens that contain its letters."""
    words: list[tuple[str, list[int]]] = []
    text, positions = "", list[int]()
    for k, token in enumerate(tokens):
        for n, part in enumerate(vocabulary.word_parts[token]):
            if n > 0 and text:
                words.append((vocabulary.spelled(text), positions))
                text, positions = "", []
            if part:
                text += part
                positions.append(k)
    return [*words, (vocabulary.spelled(text), positions)] if text else words


def texts_of(tokens: Sequence[int], vocabulary: Vocabulary) -> list[tuple[str, list[int]]]:
    """Return the texts of tokens, marks included, each with the positions of its tokens.

    Silent tokens have none. Tokens that are the bytes of one character have one text.
    """
    texts: list[tuple[str, list[int]]] = []
    text, positions = "", list[int]()
    for k, token in enumerate(tokens):
        part = vocabulary.text_of(token)
        if not part:
            continue
        text += part
        positions.append(k)
        if vocabulary.spelled(text, complete=False) == vocabulary.spelled(text):
            texts.append((vocabulary.spelled(text), positions))
            text, positions = "", []
    return [*texts, (vocabulary.spelled(text), positions)] if positions else texts


def word_spans(
    spelled: Sequence[tuple[str, Sequence[int]]],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    confidences: npt.NDArray[np.float64],
    place: int = 0,
) -> tuple[WordSpan, ...]:
    """Return the spans of words, computed from the spans of their tokens.

    Args:
        spelled: Each word and the positions of its tokens.
        starts: (N,) first frames of the tokens.
        ends: (N,) one past their last frames.
        confidences: (N,) NaN for a token without a confidence.
        place: The frame of the empty span of a first word that has no frames.
    """
    result = []
    for text, positions in spelled:
        there = [k for k in positions if starts[k] < ends[k]]
        known = [sure for sure in confidences[there].tolist() if sure == sure]
        start = int(starts[there[0]]) if there else place
        place = int(ends[there[-1]]) if there else place
        result.append(WordSpan(text, start, place, float(np.prod(known)) if known else None))
    return tuple(result)
