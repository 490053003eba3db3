"""A search that goes on after an earlier text: the language models are in the state after it.

The search reads the last tokens as frames that are certain of them. After these frames, its beam holds one text, in the
state that it has after those tokens in any text.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.kernels.search.plan import BOUNDARY, SearchPlan

Tokens = npt.NDArray[np.int32]

CONTEXT_TOKENS = 64  # more than the language models see


def ended_words(tokens: Tokens, plan: SearchPlan) -> Tokens:
    """Return a text with a mark at its end, if the vocabulary has a token for it."""
    single = np.flatnonzero(np.diff(plan.letters.offsets) == 1)
    marks = single[plan.letters.values[plan.letters.offsets[single]] == BOUNDARY]
    if not len(marks) or not len(tokens) or plan.letters[int(tokens[-1])][-1:] == (BOUNDARY,):
        return tokens
    return np.append(tokens, np.int32(marks[0]))


def search_after(decoder: Any, past: Tokens) -> Any:
    """Return a search whose language models have seen the tokens; a new one if they cannot be read.

    Args:
        decoder: The decoder.
        past: The tokens. If they begin within a word, those of that word are not read.
    """
    search, plan = decoder.search(), decoder.plan
    if plan.has_words and len(past):
        begins = (k for k, token in enumerate(past.tolist()) if plan.letters[token][:1] == (BOUNDARY,))
        past = past[next(begins, 0) if len(past) == CONTEXT_TOKENS else 0 :]
    if not len(past):
        return search
    frames = np.full((2 * len(past), plan.classes), -np.inf, dtype=np.float32)
    frames[::2, :][np.arange(len(past)), past] = 0.0
    frames[1::2, plan.blank] = 0.0
    search.push(decoder.prepare(frames))
    if search.stable() != tuple(past.tolist()):
        return decoder.search()
    search.forget(len(past))
    return search
