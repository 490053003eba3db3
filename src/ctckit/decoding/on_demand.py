"""The log-probability of a text that is computed when it is asked for, from a copy of the frames.

The exact log p(y | x) costs T · N. For long items it is the sum of what pieces of the text contribute, as in a stream:
with the text a b and its likeliest alignment, frames more than ``WINDOW`` after a say nothing about where a ends, and

    log p(a b | x) = Σ over the pieces a of  log p(a b' | x') − log p(b' | x'[f:])

where x' is a window of the frames that begins with those of a, a b' the tokens in this window, and f the frame where
the alignment passes from a to b'. So it costs T · ``WINDOW`` at most.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.alignment.spans import Runs
from ctckit.decoding.hypothesis import Hypothesis
from ctckit.kernels.batch import TargetBatch
from ctckit.kernels.loss import native
from ctckit.kernels.search.plan import Decoded, Parts, Rescoring
from ctckit.vocabulary import Vocabulary

EXACT = 4096  # frames: longer items are summed up in windows
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
        if not isinstance(columns, np.ndarray):  # a tensor on a GPU
            columns = columns.float().cpu().numpy()
        found = log_prob_in_windows(columns, self._tokens, self.starts, self.ends, self._blank)
        object.__setattr__(self, "_columns", None)  # not needed any more
        return found

    def __reduce__(self) -> tuple[type[Rescoring], tuple[Any, ...]]:
        """Pickle the numbers, not the frames."""
        return Rescoring, (self.log_prob, self.starts, self.ends, self.token_log_probs, self.confidences)

    _columns: Any
    _blank: int
    _tokens: npt.NDArray[np.int32]


def log_prob_in_windows(
    frames: npt.NDArray[Any],
    tokens: npt.NDArray[np.int32],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    blank: int,
) -> float:
    """Return log p(tokens | x): exact for at most ``EXACT`` frames, and otherwise summed up as above.

    Args:
        frames: (T, C) natural log-probabilities.
        tokens: (N,) the text.
        starts: (N,) first frames of the tokens in the likeliest alignment.
        ends: (N,) one past their last frames.
        blank: The class of the blank.
    """
    pieces: list[float] = []
    frame = token = 0  # of the rest
    while len(frames) - frame > EXACT:
        last = int(np.searchsorted(starts, frame + 2 * WINDOW))  # one past the last token in the window
        cut_token = int(np.searchsorted(ends, frame + WINDOW, side="right"))
        cut_token = max(cut_token, token)
        cut = min(frame + WINDOW, int(starts[cut_token])) if cut_token < len(tokens) else frame + WINDOW
        cut = cut if cut > frame else frame + WINDOW  # a token that lasts a whole window
        window = frames[frame : frame + 2 * WINDOW]
        whole = exact_log_prob(window, tokens[token:last], blank)
        rest = exact_log_prob(window[cut - frame :], tokens[cut_token:last], blank)
        if -math.inf in (whole, rest):
            return -math.inf
        pieces.append(whole - rest)
        frame, token = cut, cut_token
    return math.fsum([*pieces, exact_log_prob(frames[frame:], tokens[token:], blank)])


def exact_log_prob(frames: npt.NDArray[Any], tokens: npt.NDArray[np.int32], blank: int) -> float:
    """Return log p(tokens | x), summed over all alignments in (T, C) frames."""
    batch = TargetBatch(tokens[None], np.array([len(frames)]), np.array([len(tokens)]), blank)
    return 0.0 - float(native.ctc_loss(frames[None], batch, input_kind="scores")[0])
