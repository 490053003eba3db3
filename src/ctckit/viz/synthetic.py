"""A synthetic network output: frames that spell a text, for lattices in examples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ctckit.vocabulary import Vocabulary

LETTERS = "abcdefghijklmnopqrstuvwxyz "


def synthetic_vocabulary(text: str) -> Vocabulary:
    """Return a vocabulary of the blank, a to z, the space, and the other characters of the text."""
    return Vocabulary.from_characters([*LETTERS, *sorted(set(text) - set(LETTERS))])


def synthetic_log_probs(target: Sequence[int], classes: int, frames: int | None = None) -> npt.NDArray[np.float64]:
    """Return log-probabilities in which each token of the target has a bump; elsewhere the blank, class 0, is likely.

    Args:
        target: (N,) the tokens.
        classes: C.
        frames: T; by default 4·N + 3.

    Returns:
        (T, C) log-probabilities.

    Example:
        >>> synthetic_log_probs([1, 1], 3, 10).argmax(axis=1).tolist()
        [0, 1, 1, 1, 0, 0, 1, 1, 1, 0]
    """
    count = 4 * len(target) + 3 if frames is None else frames
    centers = (np.arange(len(target)) + 0.5) * count / max(1, len(target)) - 0.5
    logits = np.full((count, classes), -4.0)
    logits[:, 0] = 0.5
    for token, center in zip(target, centers, strict=True):
        bump = 2.5 - 0.9 * (np.arange(count) - center) ** 2
        logits[:, token] = np.maximum(logits[:, token], bump)
    log_probs: npt.NDArray[np.float64] = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return log_probs
