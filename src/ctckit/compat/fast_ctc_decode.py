"""``beam_search`` and ``viterbi_search`` of the package fast-ctc-decode, on ctckit's search.

They take (T, C) probabilities of one item; class 0 is the blank, whatever its letter. The guide
docs/guides/moving_from_other_decoders.md lists what is different. CRF models and the search in two outputs (duplex)
are not here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.compat._errors import ArgumentTypeError
from ctckit.decoding.beam import BeamDecoder
from ctckit.errors import InvalidInputError

LEAST_ERROR = 1e-4  # the error probability of the highest quality, 40
FIRST_CHARACTER = 33  # "!", quality 0


class SearchError(InvalidInputError, RuntimeError):
    """The search cannot rank its texts. It is a ``RuntimeError`` as well, as in fast-ctc-decode."""


def beam_search(
    network_output: Any,
    alphabet: Sequence[str],
    beam_size: int = 5,
    beam_cut_threshold: float = 0.0,
    collapse_repeats: bool = True,
) -> tuple[str, list[int]]:
    """Return the most probable text, summed over alignments, and the frame where each label begins.

    Args:
        network_output: (T, C) probabilities, a column for each label. The rows need not sum to 1.
        alphabet: The C labels, of any length, as a string or a sequence. The first is the blank.
        beam_size: The number of texts kept from frame to frame.
        beam_cut_threshold: Numbers below it count as 0; at least 0 and below 1 / C.
        collapse_repeats: Must be True.

    Raises:
        InvalidInputError: On a wrong argument; a ``ValueError``.
        SearchError: On NaN, or if a frame has no label left; a ``RuntimeError``.

    Example:
        >>> import numpy as np
        >>> from ctckit.compat.fast_ctc_decode import beam_search
        >>> probs = np.array([[0.1, 0.9, 0.0], [0.8, 0.1, 0.1], [0.3, 0.1, 0.6]], np.float32)
        >>> beam_search(probs, "NAC", beam_size=5, beam_cut_threshold=0.05)
        ('AC', [0, 2])
    """
    probs, labels = _checked(network_output, alphabet)
    _expect_settings(len(labels), beam_size, beam_cut_threshold, collapse_repeats)
    if not len(probs):
        return "", []
    decoder = _decoder(len(labels), int(beam_size))
    best = decoder.decode(_log_probs(probs, beam_cut_threshold))[0][0]
    return "".join(labels[token] for token in best.tokens), [span.start for span in best.spans]


def viterbi_search(
    network_output: Any,
    alphabet: Sequence[str],
    qstring: bool = False,
    qscale: float = 1.0,
    qbias: float = 0.0,
    collapse_repeats: bool = True,
) -> tuple[str, list[int]]:
    """Return the text of the most probable label of each frame, and the frame where each label begins.

    Args:
        network_output: (T, C) probabilities, a column for each label.
        alphabet: The C labels, of any length, as a string or a sequence. The first is the blank.
        qstring: Whether a quality character for each label follows the text. The quality of a label, with p the mean of
            its probability in its frames, is −10 · log10(max(1 − p, 1e-4)) · qscale + qbias, rounded, at least 0. Its
            character has the code 33 + quality.
        qscale: The scale of the qualities.
        qbias: Added to the qualities.
        collapse_repeats: Whether equal labels in adjacent frames are one label.

    Raises:
        InvalidInputError: On a wrong argument; a ``ValueError``.
        SearchError: On NaN; a ``RuntimeError``.

    Example:
        >>> import numpy as np
        >>> from ctckit.compat.fast_ctc_decode import viterbi_search
        >>> probs = np.array([[0.1, 0.9, 0.0], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.4, 0.0, 0.6]], np.float32)
        >>> viterbi_search(probs, "NAC", qstring=True)
        ('AC+&', [0, 2])
    """
    probs, labels = _checked(network_output, alphabet)
    best = probs.argmax(axis=1)
    begins = np.ones(len(best), bool)
    if collapse_repeats:
        begins[1:] = best[1:] != best[:-1]
    runs = [(start, end) for start, end in pairwise([*np.flatnonzero(begins).tolist(), len(best)]) if best[start]]
    text = "".join(labels[best[start]] for start, _ in runs)
    if qstring:
        text += "".join(_quality(float(probs[start:end, best[start]].mean()), qscale, qbias) for start, end in runs)
    return text, [start for start, _ in runs]


def _quality(prob: float, scale: float, bias: float) -> str:
    """Return the character of a Phred quality."""
    quality = -10 * math.log10(max(1 - prob, LEAST_ERROR)) * scale + bias
    return chr(FIRST_CHARACTER + max(0, math.floor(quality + 0.5)))


@lru_cache(maxsize=16)
def _decoder(classes: int, beam_size: int) -> BeamDecoder:
    return BeamDecoder(["", *map(str, range(1, classes))], beam_width=beam_size)


def _checked(network_output: Any, alphabet: Sequence[str]) -> tuple[npt.NDArray[Any], list[str]]:
    """Return the (T, C) numbers and the labels."""
    probs = _checks.floats(_checks.as_array(network_output, "network_output"), "network_output", "(T, C)")
    if not isinstance(alphabet, Iterable):
        raise ArgumentTypeError(f"alphabet is {alphabet!r}; expected a string or a sequence of strings.")
    labels = [str(label) for label in alphabet]
    if len(labels) != probs.shape[1]:
        raise InvalidInputError(
            f"alphabet size {len(labels)} does not match probability matrix inner dimension {probs.shape[1]}; expected "
            "a label for each column, with the blank first."
        )
    for t, c in np.argwhere(np.isnan(probs) | np.isposinf(probs))[:1].tolist():
        raise SearchError(f"Failed to compare values (NaNs in input?): network_output[{t}, {c}] is {probs[t, c]}.")
    return probs, labels


def _expect_settings(classes: int, beam_size: int, threshold: float, collapse_repeats: bool) -> None:
    if beam_size == 0:
        raise InvalidInputError("beam_size cannot be 0; expected a positive integer.")
    _checks.positive_integer(beam_size, "beam_size")
    if not threshold >= 0:
        raise InvalidInputError(f"beam_cut_threshold must be at least 0.0; it is {threshold}.")
    if threshold >= 1 / classes:
        raise InvalidInputError(
            f"beam_cut_threshold cannot be more than {1 / classes:g}; it is {threshold}. Expected less than 1 / C, so "
            "that a label remains in every frame."
        )
    if not collapse_repeats:
        raise InvalidInputError(
            "collapse_repeats=False: beam_search always collapses repeats, as CTC does. viterbi_search takes it."
        )


def _log_probs(probs: npt.NDArray[Any], threshold: float) -> npt.NDArray[Any]:
    """Return the logarithms; −∞ below the threshold. Each row sums to 1, which changes no ranking."""
    kept = np.where((probs >= threshold) & (probs > 0), probs, 0).astype(np.float64)
    sums = kept.sum(axis=1, keepdims=True)
    for t in np.flatnonzero(sums == 0)[:1]:
        raise SearchError(
            f"Ran out of search space (beam_cut_threshold too high): network_output[{t}] has no number above "
            f"{threshold:g}. Expected probabilities; take the exponential of log-probabilities."
        )
    with np.errstate(divide="ignore"):  # the logarithm of 0 is −∞
        return np.asarray(np.log(kept / sums))
