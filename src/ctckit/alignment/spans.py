"""Where each token and each word is: spans of frames, and of seconds."""

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
        confidence: Posterior probability of the token against its single edits; None where it was not computed.
    """

    token: int
    start: int
    end: int
    log_prob: float
    confidence: float | None = None

    def __len__(self) -> int:
        return self.end - self.start

    def seconds(self, frame_seconds: float) -> tuple[float, float]:
        """Start and end in seconds, for frames of this length."""
        return self.start * frame_seconds, self.end * frame_seconds


@dataclass(frozen=True)
class WordSpan:
    """One word and the frames that emit it.

    Attributes:
        text: The word.
        start: First frame of its first token.
        end: One past the last frame of its last token. A word that no frame emits has an empty span, start = end, where
            it would have been.
        confidence: Product of its tokens' confidences; None where these were not computed.
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
        """Start and end in seconds, for frames of this length."""
        return self.start * frame_seconds, self.end * frame_seconds


@dataclass(frozen=True)
class TimedText:
    """A word or a token, and when it was.

    Attributes:
        text: It.
        start_seconds: Its beginning.
        end_seconds: Its end.
        confidence: That of its span.
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
    """The runs of equal classes on a path, those of the blank left out.

    Args:
        frame_tokens: (T,) the class of each frame.
        log_probs: (T,) its log-probability.
        blank: The class of the blank.
    """
    starts = np.flatnonzero(np.append(True, frame_tokens[1:] != frame_tokens[:-1])[: len(frame_tokens)])
    ends = np.append(starts[1:], len(frame_tokens))
    sums = np.add.reduceat(log_probs.astype(np.float64), starts) if len(starts) else np.zeros(0)
    kept = frame_tokens[starts] != blank
    means = sums[kept] / (ends - starts)[kept]
    return Runs(frame_tokens[starts][kept].astype(np.int32), starts[kept], ends[: len(starts)][kept], means)


def words_of(tokens: Sequence[int], vocabulary: Vocabulary) -> list[tuple[str, list[int]]]:
    """The words that tokens spell, each with the positions of the tokens that have letters of it."""
    words: list[tuple[str, list[int]]] = []
    text, members = "", list[int]()
    for k, token in enumerate(tokens):
        for n, part in enumerate(vocabulary.word_parts[token]):
            if n > 0 and text:
                words.append((text, members))
                text, members = "", []
            if part:
                text += part
                members.append(k)
    return [*words, (text, members)] if text else words


def word_spans(
    spelled: Sequence[tuple[str, Sequence[int]]],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    confidences: npt.NDArray[np.float64],
    place: int = 0,
) -> tuple[WordSpan, ...]:
    """The spans of words from those of their tokens.

    Args:
        spelled: Each word and the positions of its tokens.
        starts: (N,) first frames of the tokens.
        ends: (N,) one past their last.
        confidences: (N,) NaN where a token has none.
        place: Where a word without frames stands if it is the first.
    """
    result = []
    for text, members in spelled:
        there = [k for k in members if starts[k] < ends[k]]
        known = [sure for sure in confidences[there].tolist() if sure == sure]
        start = int(starts[there[0]]) if there else place
        place = int(ends[there[-1]]) if there else place
        result.append(WordSpan(text, start, place, float(np.prod(known)) if known else None))
    return tuple(result)
