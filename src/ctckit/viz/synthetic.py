"""A made-up network: frames that say a text, more or less, to see lattices with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ctckit.vocabulary import Vocabulary

LETTERS = "abcdefghijklmnopqrstuvwxyz "


def made_up_vocabulary(text: str) -> Vocabulary:
    """The blank, a to z, the space, and whatever else the text holds."""
    return Vocabulary.from_characters([*LETTERS, *sorted(set(text) - set(LETTERS))])


def made_up_log_probs(target: Sequence[int], classes: int, frames: int | None = None) -> npt.NDArray[np.float64]:
    """Frame scores in which each token of the target has a bump, and the blank, class 0, the rest.

    Args:
        target: (N,) the tokens.
        classes: C.
        frames: T; by default 4·N + 3.

    Returns:
        (T, C) log-probabilities.

    Example:
        >>> made_up_log_probs([1, 1], 3, 10).argmax(axis=1).tolist()
        [0, 1, 1, 1, 0, 0, 1, 1, 1, 0]
    """
    count = 4 * len(target) + 3 if frames is None else frames
    centres = (np.arange(len(target)) + 0.5) * count / max(1, len(target)) - 0.5
    logits = np.full((count, classes), -4.0)
    logits[:, 0] = 0.5
    for token, centre in zip(target, centres, strict=True):
        bump = 2.5 - 0.9 * (np.arange(count) - centre) ** 2
        logits[:, token] = np.maximum(logits[:, token], bump)
    log_probs: npt.NDArray[np.float64] = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return log_probs
