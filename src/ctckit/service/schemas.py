"""The forms of answers."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class Error(BaseModel):
    """Why a request, or one item of it, has no result."""

    kind: str = Field(description="The name of the error, for programs.")
    message: str


class ErrorAnswer(BaseModel):
    """A request without a result."""

    error: Error


class CharacterSpan(BaseModel):
    """A character: frames [start, end), pixels of the image as it was sent, and its mean log-probability."""

    character: str
    start: int
    end: int
    left: int
    right: int
    top: int
    bottom: int
    log_prob: float


class Reading(BaseModel):
    """A text that was read in an image."""

    text: str
    log_prob: float
    confidence: float
    score: float
    spans: list[CharacterSpan]


class Line(BaseModel):
    """An image: its readings, best first, or an error."""

    name: str | None
    readings: list[Reading] = []
    error: Error | None = None


class ReadAnswer(BaseModel):
    """One entry for each image."""

    lines: list[Line]


class DecodeAnswer(BaseModel):
    """Texts, best first, each as ``Hypothesis.to_dict`` makes it: ``Hypothesis.from_dict`` reads it."""

    hypotheses: list[dict[str, Any]]


class TimedText(BaseModel):
    """A line, a word or a token with its times."""

    text: str
    start_seconds: float
    end_seconds: float
    confidence: float | None


class AlignAnswer(BaseModel):
    """The text in lines, in words and in tokens."""

    lines: list[TimedText]
    words: list[TimedText]
    tokens: list[TimedText]


class Health(BaseModel):
    """A service that takes requests."""

    status: str
    version: str
    models: list[str]
