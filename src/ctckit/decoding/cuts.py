"""Where a stream can cut its text: after which token, and before which frame."""

from __future__ import annotations

import numpy as np

from ctckit.kernels.search.plan import BOUNDARY, Alignment, SearchPlan

Tokens = tuple[int, ...]


def is_mark(token: int, plan: SearchPlan) -> bool:
    """Tell whether a token has no letters, only a mark between words if anything."""
    return all(letter == BOUNDARY for letter in plan.letters[token])


def between_words(tokens: Tokens, count: int, plan: SearchPlan) -> bool:
    """Tell whether a word ends with the first ``count`` tokens."""
    last = plan.letters[tokens[count - 1]][-1:]
    first = plan.letters[tokens[count]][:1] if count < len(tokens) else ()
    return BOUNDARY in last + first


def ended(alignment: Alignment, window: int) -> int:
    """Return the number of tokens that end in the window, with a frame to spare for a blank after them."""
    return int(np.searchsorted(alignment.ends, window, side="left"))


def frame_before(count: int, alignment: Alignment, window: int) -> int:
    """Return the frame in the window where a cut closes ``count`` tokens.

    It is before the next token begins; or, if that is in the first quarter of the window, within that token.
    """
    if count == len(alignment.starts) or alignment.ends[-1] == 0:  # 0: there is no alignment
        return window
    start, end = int(alignment.starts[count]), int(alignment.ends[count])
    frame = start if window <= 4 * start else max(1, end - 1)
    return min(window, frame)


def nearly_all(tokens: Tokens, alignment: Alignment, window: int, plan: SearchPlan) -> int:
    """Return how many tokens to close, so that most of the window can be dropped: whole words if possible."""
    count = ended(alignment, window)
    for fewer in range(count, 0, -1):
        if not plan.has_words or 4 * frame_before(fewer, alignment, window) < window:
            break
        if between_words(tokens, fewer, plan):
            return fewer
    return count


def whole_words(tokens: Tokens, alignment: Alignment, window: int, plan: SearchPlan) -> int:
    """Return how many tokens to close, so that they are whole words; where there are no words, all in the window."""
    count = ended(alignment, window)
    if not plan.has_words:
        return count
    return next((fewer for fewer in range(count, 0, -1) if between_words(tokens, fewer, plan)), 0)
