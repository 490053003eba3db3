"""Where each token is: spans of frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class TokenSpan:
    """One token and the frames that emit it.

    Attributes:
        token: The class.
        start: First frame.
        end: One past the last frame.
        log_prob: Mean log-probability of the class over these frames, in nats.
    """

    token: int
    start: int
    end: int
    log_prob: float

    def __len__(self) -> int:
        return self.end - self.start


def spans_of_path(
    states: npt.NDArray[np.int64], frame_tokens: npt.NDArray[np.int64], log_probs: npt.NDArray[np.floating], blank: int
) -> tuple[TokenSpan, ...]:
    """The runs of equal states on a path, those of the blank left out.

    Args:
        states: (T,) anything that changes where a new token begins: states of a lattice, or the classes themselves.
        frame_tokens: (T,) the class of each frame.
        log_probs: (T, C).
        blank: The class of the blank.
    """
    if len(states) == 0:
        return ()
    starts = np.flatnonzero(np.concatenate(([True], states[1:] != states[:-1])))
    ends = np.append(starts[1:], len(states))
    emitted = np.take_along_axis(log_probs, frame_tokens[:, None], axis=1)[:, 0].astype(np.float64)
    return tuple(
        TokenSpan(int(frame_tokens[start]), int(start), int(end), float(emitted[start:end].mean()))
        for start, end in zip(starts, ends, strict=True)
        if frame_tokens[start] != blank
    )
