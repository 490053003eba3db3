"""A decoded text as commands print it in JSON and write it into rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from ctckit import Hypothesis
    from ctckit.alignment import TimedText


class Place(TypedDict):
    """Where a token or a word is: frames ``[start, end)``; in seconds, too, if the length of a frame is known."""

    text: str
    start: int
    end: int
    confidence: float
    start_seconds: float
    end_seconds: float


class Timed(TypedDict):
    """A line, a word or a token with its time."""

    text: str
    start_seconds: float
    end_seconds: float
    confidence: float


class DecodedText(TypedDict):
    """A text with its scores in nats, and the places of its tokens and words."""

    text: str
    log_prob: float
    lm_log_prob: float
    score: float
    tokens: Sequence[Place]
    words: Sequence[Place]


def timed_columns(entries: Iterable[TimedText]) -> list[dict[str, Any]]:
    """Return the columns of entries with times, see ``Timed``."""
    return [{name: getattr(each, name) for name in Timed.__annotations__} for each in entries]


def text_columns(found: Hypothesis, frame_seconds: float | None, *, spans: bool = True) -> dict[str, Any]:
    """Return the columns of a text, see ``DecodedText``; without ``spans`` only the text and its scores."""
    vocabulary = found.vocabulary
    assert vocabulary is not None
    columns = {name: getattr(found, name) for name in ("text", "log_prob", "lm_log_prob", "score")}
    if spans:
        columns["tokens"] = [_place(vocabulary.name(span.token), span, frame_seconds) for span in found.spans]
        columns["words"] = [_place(word.text, word, frame_seconds) for word in found.words]
    return columns


def _place(text: str, span: Any, frame_seconds: float | None) -> dict[str, Any]:
    where = {"text": text, "start": span.start, "end": span.end, "confidence": span.confidence}
    if frame_seconds is not None:
        where["start_seconds"], where["end_seconds"] = span.seconds(frame_seconds)
    return where
