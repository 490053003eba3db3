"""Rows of ``ctckit transcribe``: one for each recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from ctckit.acoustic_models import AcousticModel
from ctckit.acoustic_models.recordings import MEDIA
from ctckit.alignment.corpus.pairs import RECORDINGS
from ctckit.decoding.hypothesis import Hypothesis
from ctckit.distributed.columns import Timed, timed_columns

SUFFIXES = (*(each for each in RECORDINGS if each != ".npz"), *MEDIA)


class TranscribeColumns(TypedDict):
    """The text of a recording, its length, its scores in nats, and its words; or tokens, of a model without words."""

    text: str
    seconds: float
    log_prob: float
    score: float
    words: Sequence[Timed]


@dataclass(frozen=True)
class TranscribeWork:
    """Transcribes recordings, each in bounded memory.

    Attributes:
        acoustic: The acoustic model.
        decode: Returns the text and the length of a recording.
        spans: Whether the rows have words.
        at_once: How many recordings a thread takes.
    """

    acoustic: AcousticModel
    decode: Callable[[Path], tuple[Hypothesis, float]]
    spans: bool
    at_once: int = 1

    def load(self, path: Path) -> Path:
        """Return the path: a recording is read while it is decoded."""
        return path

    def compute(self, loaded: Sequence[Path]) -> list[dict[str, Any]]:
        """Return the columns, see ``TranscribeColumns``."""
        return [self._columns(*self.decode(each)) for each in loaded]

    def _columns(self, found: Hypothesis, seconds: float) -> dict[str, Any]:
        columns = {"text": found.text, "seconds": seconds, "log_prob": found.log_prob, "score": found.score}
        times = found.times(self.acoustic.frame_seconds, self.acoustic.lag or 0.0)
        return {**columns, **({"words": timed_columns(times)} if self.spans else {})}
