"""The entries of a beam, as tuples whose parts have names.

pyctcdecode 0.5.0 has tuples; its development version has objects with these attributes. These types fit both.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Frames = tuple[int, int]
WordFrames = tuple[str, Frames]
LMState = Any

NULL_FRAMES: Frames = (-1, -1)
"""The frames of a word without letters."""


class Beam(NamedTuple):
    """A text while it is searched for.

    Attributes:
        text: Its complete words.
        next_word: The next word, which is complete and not yet scored; "" if there is none.
        partial_word: The beginning of the word after it.
        last_char: The label of the last frame; None before the first frame.
        text_frames: The frames [start, end) of each complete word.
        partial_frames: The frames of ``partial_word``.
        logit_score: The log-probability of the text in the frames read, nats.
    """

    text: str
    next_word: str
    partial_word: str
    last_char: str | None
    text_frames: list[Frames]
    partial_frames: Frames
    logit_score: float


class LMBeam(NamedTuple):
    """A ``Beam`` with its total score.

    Attributes:
        text: As in ``Beam``.
        next_word: As in ``Beam``.
        partial_word: As in ``Beam``.
        last_char: As in ``Beam``.
        text_frames: As in ``Beam``.
        partial_frames: As in ``Beam``.
        logit_score: As in ``Beam``.
        lm_score: ``logit_score`` with language model and hotwords, nats.
    """

    text: str
    next_word: str
    partial_word: str
    last_char: str | None
    text_frames: list[Frames]
    partial_frames: Frames
    logit_score: float
    lm_score: float


EMPTY_START_BEAM = Beam("", "", "", None, [], NULL_FRAMES, 0.0)
"""The beam before the first frame."""


class OutputBeam(NamedTuple):
    """A decoded text.

    Attributes:
        text: The text.
        last_lm_state: The language model's state after it; None without a model.
        text_frames: Its words with their frames [start, end).
        logit_score: The log-probability of the text, nats.
        lm_score: ``logit_score`` with language model and hotwords, nats.

    Example:
        >>> beam = OutputBeam("a", None, [("a", (0, 1))], -0.5, -0.5)
        >>> text, state, frames, logit_score, lm_score = beam
        >>> beam.text == text, beam.get_mp_safe_beam() == beam
        (True, True)
    """

    text: str
    last_lm_state: LMState
    text_frames: list[WordFrames]
    logit_score: float
    lm_score: float

    def get_mp_safe_beam(self) -> OutputBeamMPSafe:
        """Return the beam without the state."""
        return OutputBeamMPSafe(self.text, self.text_frames, self.logit_score, self.lm_score)

    def __eq__(self, other: object) -> bool:
        return other == self if isinstance(other, OutputBeamMPSafe) else tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other


class OutputBeamMPSafe(NamedTuple):
    """An ``OutputBeam`` without the state. It equals an ``OutputBeam`` whose state is None.

    Attributes:
        text: As in ``OutputBeam``.
        text_frames: As in ``OutputBeam``.
        logit_score: As in ``OutputBeam``.
        lm_score: As in ``OutputBeam``.
    """

    text: str
    text_frames: list[WordFrames]
    logit_score: float
    lm_score: float

    @property
    def last_lm_state(self) -> None:
        """None."""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, OutputBeam):
            return other.last_lm_state is None and self == tuple(other.get_mp_safe_beam())
        return tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other
