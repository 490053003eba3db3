"""When an utterance has ended: rules on the silence after the text, as streaming recognizers have them.

Silence are the frames after the last token of the best text; marks between words do not count as tokens. There are
three rules, and each is in force if it has a duration: silence after some text, silence with or without a text, and the
length of the utterance.

Source: the rules of Kaldi's online decoders (Povey 2014), which sherpa has as well.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from ctckit.decoding.committing import frames_of
from ctckit.errors import InvalidInputError

Reason = Literal["silence_after_speech", "silence", "longest"]


@dataclass(frozen=True, kw_only=True)
class EndpointRules:
    """Rules for ``BeamDecoder.stream(endpoint=…)``: an utterance has ended as soon as one of them holds.

    Durations are in frames; or in seconds, if ``stream`` is given a ``stride``. None: no such rule.

    Attributes:
        silence_after_speech: There is a text, and this much silence after it; usually about a second.
        silence: There is this much silence, after a text or without any; usually longer.
        longest: The utterance lasts this long; usually 20 seconds or more.

    Example:
        >>> from ctckit.decoding import EndpointRules
        >>> import numpy as np
        >>> from ctckit import BeamDecoder
        >>> rules = EndpointRules(silence_after_speech=1.0, longest=20.0)
        >>> stream = BeamDecoder(["", "a"]).stream(endpoint=rules, stride=0.1)
        >>> stream.push(np.log([[0.01, 0.99], [0.99, 0.01], [0.01, 0.99]] + 9 * [[0.99, 0.01]]))
        >>> stream.endpoint() is None
        True
        >>> stream.push(np.log([[0.99, 0.01]]))
        >>> stream.endpoint(), stream.reset().text, stream.partial().text
        ('silence_after_speech', 'aa', '')
    """

    silence_after_speech: float | None = None
    silence: float | None = None
    longest: float | None = None

    def in_frames(self, stride: float | None) -> EndpointRules:
        """Return the rules in frames.

        Args:
            stride: The seconds from one frame to the next, if the durations are in seconds.

        Raises:
            InvalidInputError: If there is no rule, or a duration is not positive, or frames without being a whole
                number.
        """
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        if all(duration is None for duration in given.values()):
            raise InvalidInputError(f"endpoint has no rule; expected a duration for {' or '.join(given)}.")
        return EndpointRules(
            **{
                name: None if duration is None else frames_of(duration, f"endpoint.{name}", stride)
                for name, duration in given.items()
            }
        )

    def reason(self, *, silence: int, length: int, speech: bool) -> Reason | None:
        """Return the rule that holds, or None.

        Args:
            silence: The frames since the last token, or since the beginning of the utterance.
            length: The frames of the utterance.
            speech: Whether it has a text.
        """
        if speech and self.silence_after_speech is not None and silence >= self.silence_after_speech:
            return "silence_after_speech"
        if self.silence is not None and silence >= self.silence:
            return "silence"
        return "longest" if self.longest is not None and length >= self.longest else None
