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
