"""The log-probability of a text that is computed when it is asked for, from a copy of the frames.

The exact log p(y | x) costs T · N. Where that is much, the item is cut as a stream is (streaming.py), every ``WINDOW``
frames: each cut keeps the probabilities of the states that a path may be in there. So it costs T · ``WINDOW`` at most.
It assumes that tokens are within ``WINDOW`` frames of their place in the best path.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.alignment.spans import Runs
from ctckit.decoding.hypothesis import Hypothesis
from ctckit.kernels.search import native
from ctckit.kernels.search.plan import Border, Decoded, Parts, Rescoring
from ctckit.vocabulary import Vocabulary

EXACT = 1 << 24  # frames · tokens: larger items are cut
WINDOW = 1024


class BestPathHypothesis(Hypothesis):
    """The text of a best path. Its log-probability is computed when it is asked for; then it is kept."""

    def __init__(self, decoded: Decoded, vocabulary: Vocabulary | None) -> None:
        for name, value in (("decoded", decoded), ("vocabulary", vocabulary), ("word_names", None)):
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, frames: Any, path: Runs, blank: int, vocabulary: Vocabulary | None) -> BestPathHypothesis:
        """Return the text of a path.

        Args:
            frames: (T, C) the frames of the item; those columns are copied that the text needs.
            path: The tokens of the best path and where they are.
            blank: The class of the blank.
            vocabulary: Writes the tokens as text.
        """
        return cls(Decoded(path.tokens, RescoringOnDemand(frames, path, blank), Parts()), vocabulary)

    def __reduce__(self) -> tuple[type[Hypothesis], tuple[Any, ...]]:
        """Pickle the numbers, not the frames."""
        return Hypothesis, (self.decoded, self.log_prob, self.vocabulary)

    @property
    def score(self) -> float:
        """The log-probability: there is nothing else in the score of a best path."""
        return self.log_prob


class RescoringOnDemand(Rescoring):
    """A rescoring whose ``log_prob`` is computed when it is asked for; see ``BestPathHypothesis``."""

    def __init__(self, frames: Any, path: Runs, blank: int) -> None:
        classes = np.unique(np.append(path.tokens, np.int32(blank)))
        values = {
            "starts": path.starts,
            "ends": path.ends,
            "token_log_probs": path.log_probs,
            "confidences": np.full(len(path.tokens), np.nan),
            "_columns": frames[:, classes.tolist()],  # a copy: the caller may change the frames
            "_blank": int(np.searchsorted(classes, blank)),
            "_tokens": np.searchsorted(classes, path.tokens).astype(np.int32),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @cached_property
    def log_prob(self) -> float:
        """Log p(y | x), over all alignments."""
        columns = self._columns
        if columns is None:  # another thread has computed it
            return float(self._found)
        if not isinstance(columns, np.ndarray):  # a tensor on a GPU
            columns = columns.float().cpu().numpy()
        found = log_prob_in_windows(columns, self._tokens, self.starts, self.ends, self._blank)
        object.__setattr__(self, "_found", found)
        object.__setattr__(self, "_columns", None)  # not needed any more
        return found

    def __reduce__(self) -> tuple[type[Rescoring], tuple[Any, ...]]:
        """Pickle the numbers, not the frames."""
        return Rescoring, (self.log_prob, self.starts, self.ends, self.token_log_probs, self.confidences)

    _columns: Any
    _found: float
    _blank: int
    _tokens: npt.NDArray[np.int32]


def log_prob_in_windows(
    frames: npt.NDArray[Any],
    tokens: npt.NDArray[np.int32],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    blank: int,
) -> float:
    """Return log p(tokens | x): in one piece for at most ``EXACT`` frames · tokens, and otherwise with cuts.

    Args:
        frames: (T, C) natural log-probabilities.
        tokens: (N,) the text.
        starts: (N,) first frames of the tokens in the likeliest alignment.
        ends: (N,) one past their last frames.
        blank: The class of the blank.
    """
    border, log_mass = Border(), 0.0
    frame = token = 0  # of the rest
    while (len(frames) - frame) * (len(tokens) - token) > EXACT and len(frames) - frame > 2 * WINDOW:
        last = int(np.searchsorted(starts, frame + 2 * WINDOW))  # one past the last token in the window
        closed = max(0, int(np.searchsorted(ends, frame + WINDOW, side="right")) - token)
        window, text = frames[frame : frame + 2 * WINDOW], tokens[token:last]
        border = native.cut(border, window, text, blank, frame=WINDOW, closed=closed, agreed=len(text))
        log_mass += border.log_mass
        frame, token = frame + WINDOW, token + closed
    return log_mass + native.log_prob_after(border, frames[frame:], tokens[token:], blank)
