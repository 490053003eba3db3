"""Greedy decoding: the likeliest class of each frame, collapsed. Fast, and right where the model is certain."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit._distributions import expect_distributions
from ctckit._padding import frames_of_items
from ctckit.alignment.spans import Runs, runs_of_path
from ctckit.decoding.hypothesis import Hypothesis
from ctckit.decoding.on_demand import BestPathHypothesis
from ctckit.errors import InvalidInputError
from ctckit.kernels.search.native import plausible
from ctckit.vocabulary import Vocabulary, blank_of


def greedy_decode(
    log_probs: npt.ArrayLike | Any,
    input_lengths: Any = None,
    *,
    blank: int | None = None,
    vocabulary: Vocabulary | None = None,
) -> list[Hypothesis]:
    """Return the best path of each item as a text: the arg-max of each frame, repeats merged, blanks removed.

    The text of the best path is not always the best text: a text's probability is the sum over all its alignments.

    Args:
        log_probs: (B, T, C), or (T, C) for one item; NumPy array, torch tensor or lists, natural logarithms. Or a list
            of B items (T_b, C) of different lengths. Of equal scores the lower class wins. On a GPU, log p is computed
            in float32.
        input_lengths: (B,) frames of each item; by default all T. Frames beyond them are not read.
        blank: The class of the blank; by default that of ``vocabulary``, or 0.
        vocabulary: Writes the tokens in ``Hypothesis.text``; by default as numbers.

    Returns:
        B hypotheses with tokens, spans (without confidences), and log p(tokens | x) over all alignments. That is
        computed when it is asked for, from a copy of the frames; for hours of frames with cuts, as in a stream.

    Raises:
        InvalidInputError: On a wrong rank, type or length, NaN within the lengths, or values above 0.

    Example:
        >>> from ctckit import greedy_decode
        >>> import numpy as np
        >>> probs = np.array([[0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8]])
        >>> best = greedy_decode(np.log(probs))[0]
        >>> best.tokens, [(span.start, span.end) for span in best.spans]
        ((1, 2), [(0, 2), (3, 4)])
    """
    scores: _CPUFrames | _DeviceFrames
    if getattr(log_probs, "is_cuda", False):
        scores = _DeviceFrames(log_probs)
        input_lengths = input_lengths.cpu() if hasattr(input_lengths, "cpu") else input_lengths
    else:
        log_probs, input_lengths = frames_of_items(log_probs, input_lengths)
        scores = _CPUFrames(log_probs)
    items, frames, classes = scores.shape
    blank = blank_of(blank, vocabulary)
    if vocabulary is not None:
        _checks.expect_vocabulary(vocabulary.blank, len(vocabulary), blank, classes)
    _checks.class_index(blank, "blank", classes)
    given = np.full(items, frames) if input_lengths is None else input_lengths
    _checks.expect_batch_first(scores.shape, given, "log_probs")
    lengths = _checks.lengths(given, "input_lengths", items, frames, f"log_probs has T = {frames} frames")
    best, top = scores.best()
    found = [_runs(best[b, :length], top[b, :length], b, blank) for b, length in enumerate(lengths)]
    scores.expect_distributions(lengths)
    return [
        BestPathHypothesis.of(scores.scores[b, :length], runs, blank, vocabulary)
        for b, (runs, length) in enumerate(zip(found, lengths.tolist(), strict=True))
    ]


class _CPUFrames:
    """(B, T, C) log-probabilities in memory."""

    def __init__(self, log_probs: Any) -> None:
        array = _checks.as_array(log_probs, "log_probs")
        self.scores = _checks.floats(array[None] if array.ndim == 2 else array, "log_probs", "(B, T, C)")
        self.shape: tuple[int, ...] = self.scores.shape

    def best(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        """Return the (B, T) likeliest classes, the lower one of equals, and their log-probabilities."""
        best = self.scores.argmax(axis=2)
        return best, np.take_along_axis(self.scores, best[:, :, None], axis=2)[:, :, 0]

    def expect_distributions(self, lengths: npt.NDArray[np.int64]) -> None:
        """Check that the numbers look like log-probabilities; see ``_distributions``."""
        if self.scores.dtype != np.float32 or not plausible(self.scores, lengths, np.inf):
            expect_distributions(lambda items, frames: self.scores[items, frames], lengths)


class _DeviceFrames:
    """(B, T, C) log-probabilities on a GPU. Only a class and a number for each frame are copied to the CPU."""

    def __init__(self, log_probs: Any) -> None:
        self.scores = _checks.frames_on_device(log_probs)
        self.shape: tuple[int, ...] = tuple(self.scores.shape)

    def best(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        """See ``_CPUFrames``."""
        top, best = self.scores.max(dim=2)
        return best.cpu().numpy(), top.float().cpu().numpy()

    def expect_distributions(self, lengths: npt.NDArray[np.int64]) -> None:
        """See ``_CPUFrames``."""
        expect_distributions(self._rows, lengths)

    def _rows(self, items: npt.NDArray[np.int64], frames: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = self.scores[items.tolist(), frames.tolist()].float().cpu().numpy()
        return found


def _runs(best: npt.NDArray[np.int64], top: npt.NDArray[Any], item: int, blank: int) -> Runs:
    for t in np.flatnonzero(np.isnan(top))[:1]:  # arg-max lands on a NaN wherever there is one
        raise InvalidInputError(f"log_probs[{item}, {t}, {best[t]}] is nan; expected finite numbers or −∞.")
    _checks.expect_log_probs(top, str(item))
    return runs_of_path(best, top, blank)
