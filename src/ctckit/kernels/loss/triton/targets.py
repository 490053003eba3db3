"""Targets in the form that the other kernels need: out-of-range indices are rejected, equal tokens are linked.

The gradient of class c subtracts the occupancies of all tokens of class c. If each token added its own
occupancy, the additions would be atomic, and their order and the bits of the result would change from run to run. So
each class adds its tokens in a fixed order: ``head[c]`` is the first token of class c, ``following[i]`` the next token
equal to token i, −1 the end.

One program for each item: 1. check lengths and classes, 2. count repeats, 3. link equal tokens by comparing all with
all, in N² / BLOCK² tiles.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

NO_TOKEN = tl.constexpr(-1)
FACTS = 4  # frames, tokens, frames needed, whether the item is well formed


class Given(NamedTuple):
    """Targets and lengths as the caller passed them, on the device."""

    targets_ptr: Any  # (B, N) integers
    input_lengths_ptr: Any  # (B,)
    target_lengths_ptr: Any  # (B,)
    needed_ptr: Any  # (B,) int32, the fewest frames of other token graphs than plain CTC's, read if GRAPHS


@triton.jit
def link_equal_tokens(targets_ptr, following_ptr, head_ptr, count, BLOCK: tl.constexpr):
    """Write ``following`` of each token and ``head`` of each class that the target has."""
    for first in range(0, count, BLOCK):
        i = first + tl.arange(0, BLOCK)
        here = i < count
        token = tl.load(targets_ptr + i, mask=here, other=0).to(tl.int32)
        following = tl.full((BLOCK,), 1 << 30, tl.int32)
        earlier = tl.zeros((BLOCK,), tl.int32)
        for other_first in range(0, count, BLOCK):
            j = other_first + tl.arange(0, BLOCK)
            other = tl.load(targets_ptr + j, mask=j < count, other=0).to(tl.int32)
            same = (token[:, None] == other[None, :]) & (j < count)[None, :]
            later = same & (j[None, :] > i[:, None])
            following = tl.minimum(following, tl.min(tl.where(later, j[None, :], 1 << 30), axis=1))
            earlier += tl.sum((same & (j[None, :] < i[:, None])).to(tl.int32), axis=1)
        tl.store(following_ptr + i, tl.where(following == 1 << 30, NO_TOKEN, following), mask=here)
        tl.store(head_ptr + token, i, mask=here & (earlier == 0))


@triton.jit(do_not_specialize=["sizes", "blank", "stride_target"])
def link_targets(
    given,  # Given
    written,  # common.Targets
    sizes,  # common.Sizes
    blank,
    classes,
    stride_target,
    BLOCK: tl.constexpr,
    CLASS_BLOCK: tl.constexpr,
    GRAPHS: tl.constexpr,
):
    """Write labels, following, head and facts of one item."""
    b = tl.program_id(0).to(tl.int64)
    frames, tokens = sizes.frames, sizes.tokens
    targets_ptr = given.targets_ptr + b * stride_target
    labels_ptr = written.labels_ptr + b * tokens
    following_ptr = written.following_ptr + b * tokens
    head_ptr = written.head_ptr + b * classes

    # 1. An item whose lengths lie outside the arrays is malformed: it gets no frames and no tokens.
    length = tl.load(given.input_lengths_ptr + b)
    count = tl.load(given.target_lengths_ptr + b)
    good = (length >= 0) & (length <= frames) & (count >= 0) & (count <= tokens)
    length = tl.where(good, length, 0).to(tl.int32)
    count = tl.where(good, count, 0).to(tl.int32)
    wrong = 0
    repeats = 0
    for first in range(0, tokens, BLOCK):
        i = first + tl.arange(0, BLOCK)
        here = i < count
        token = tl.load(targets_ptr + i, mask=here, other=0)
        bad = here & ((token < 0) | (token >= classes) | (token == blank))
        wrong += tl.sum(bad.to(tl.int32), axis=0)
        # 2.
        before = tl.load(targets_ptr + i - 1, mask=here & (i > 0), other=0)
        repeats += tl.sum((here & (i > 0) & (before == token)).to(tl.int32), axis=0)
        tl.store(labels_ptr + i, tl.where(here & ~bad, token, 0).to(tl.int32), mask=i < tokens)
    good = good & (wrong == 0)
    needed = count + repeats
    if GRAPHS:
        needed = tl.load(given.needed_ptr + b)
    fact = tl.arange(0, 4)
    facts = tl.where(fact == 0, length, tl.where(fact == 1, count, tl.where(fact == 2, needed, good)))
    tl.store(written.facts_ptr + b * 4 + fact, facts)

    # 3. At first no class has a token. The barrier orders these writes before the following ones.
    for first in range(0, classes, CLASS_BLOCK):
        c = first + tl.arange(0, CLASS_BLOCK)
        tl.store(head_ptr + c, tl.full((CLASS_BLOCK,), NO_TOKEN, tl.int32), mask=c < classes)
    tl.debug_barrier()
    if good:
        link_equal_tokens(targets_ptr, following_ptr, head_ptr, count, BLOCK)
