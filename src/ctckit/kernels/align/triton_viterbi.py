"""The best path: the forward recursion with a maximum instead of the sum.

    best_t(s) = e_t(s) + max_{r → s} best_{t−1}(r)        step_t(s) = s − r of the best r: 0, 1 or 2

The kernel does the same float64 additions in the same order as reference.viterbi. So it finds the same path, also for
ties (stay before advance before skip; of two end states the later one). One program computes one item:

    1. forward: write the best transition into each state, one byte each;
    2. backward: from the better end state, follow these transitions.

Windows are as in loss/triton/sweep.py: a window begins FRAMES pairs early, so its own pairs are right after FRAMES
frames.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from ctckit.kernels.loss.triton.common import load_pairs


@triton.jit
def left(values, lanes, PAIRS: tl.constexpr):
    """Return the value of pair i − 1 at each pair i; −∞ at the first pair."""
    return tl.where(lanes > 0, tl.gather(values, tl.maximum(lanes - 1, 0), 0), float("-inf"))


class Scores(NamedTuple):
    """The log-probabilities of all items."""

    x_ptr: Any  # (B, T, C), the last axis is contiguous
    stride_item: Any
    stride_frame: Any
    blank: Any  # the class of the blank


@triton.jit
def best_step(blank, token, x_blank, x, skips, lanes, PAIRS: tl.constexpr):
    """Return ``best`` after a frame from ``best`` before it, and the steps into the blanks and into the tokens."""
    before = left(token, lanes, PAIRS)
    over = tl.where(skips, before, float("-inf"))
    entered = tl.maximum(blank, over)
    of_blank = tl.where(blank >= before, 0, 1)
    of_token = tl.where(token >= entered, 0, tl.where(blank >= over, 1, 2))
    return tl.maximum(blank, before) + x_blank, tl.maximum(token, entered) + x, of_blank, of_token


@triton.jit
def follow(state, found, length, frames, width, steps_ptr, paths_ptr):
    """Write the path that ends in ``state``, from its last frame to the first; −1 beyond the length."""
    for i in range(frames):
        t = frames - 1 - i
        here = (t < length) & found
        tl.store(paths_ptr + t, tl.where(here, state, -1))
        place = steps_ptr + (tl.cast(t, tl.int64) * 2 + state % 2) * width + state // 2
        state -= tl.load(place, mask=here, other=0).to(tl.int32)


@triton.jit(do_not_specialize=["sizes"])
def best_paths(
    given,  # Scores
    targets,  # common.Targets
    states_ptr,  # (B, 2, 2, N + 1) float64: the states between the tiles of longer targets, in two alternating buffers
    steps_ptr,  # (B, T, 2, N + 1) int8, written: the transition taken into each state
    paths_ptr,  # (B, T) int32, written: states, −1 beyond the length and where there is no path
    log_probs_ptr,  # (B,) float64, written
    sizes,  # common.Sizes
    WINDOWED: tl.constexpr,
    PAIRS: tl.constexpr,
    FRAMES: tl.constexpr,
):
    """Find the best path of one item."""
    b = tl.program_id(0).to(tl.int64)
    frames, tokens = tl.load(targets.facts_ptr + b * 4), tl.load(targets.facts_ptr + b * 4 + 1)
    good = tl.load(targets.facts_ptr + b * 4 + 3)
    width = sizes.tokens + 1
    scores_ptr = given.x_ptr + b * given.stride_item
    labels_ptr = targets.labels_ptr + b * sizes.tokens
    states_ptr += b * 4 * width
    steps_ptr += b * sizes.frames * 2 * width
    paths_ptr += b * sizes.frames
    lanes = tl.arange(0, PAIRS)
    halo: tl.constexpr = FRAMES if WINDOWED else 0
    own: tl.constexpr = PAIRS - halo
    windows = tl.cdiv(tokens + 1, own)

    # 1. Before the first frame the path is in the first blank.
    blank = tl.where(lanes == 0, 0.0, float("-inf")).to(tl.float64)
    token = tl.full((PAIRS,), float("-inf"), tl.float64)
    for w in range(windows):
        pairs = w * own + lanes
        inside = (lanes < own) & (pairs <= tokens)
        tl.store(states_ptr + pairs, tl.where(pairs == 0, 0.0, float("-inf")).to(tl.float64), mask=inside)
        tl.store(states_ptr + width + pairs, token, mask=inside)
    for j in range(tl.cdiv(frames, FRAMES)):
        tl.debug_barrier()
        source = states_ptr + (j % 2) * 2 * width
        target = states_ptr + ((j + 1) % 2) * 2 * width
        for w in range(windows):
            pairs = w * own - halo + lanes
            labels, live, skips = load_pairs(labels_ptr, pairs, tokens)
            inside = (pairs >= 0) & (pairs <= tokens)
            if WINDOWED:
                blank = tl.load(source + pairs, mask=inside, other=float("-inf"))
                token = tl.load(source + width + pairs, mask=inside, other=float("-inf"))
            inside = inside & (lanes >= halo)
            for f in tl.static_range(FRAMES):
                t = j * FRAMES + f
                here = t < frames
                frame_ptr = scores_ptr + tl.cast(t, tl.int64) * given.stride_frame
                until = tl.where(here, tokens, -1)
                x = tl.load(frame_ptr + labels, mask=live & (pairs < until), other=float("-inf")).to(tl.float64)
                x_blank = tl.load(frame_ptr + given.blank, mask=here, other=float("-inf")).to(tl.float64)
                next_blank, next_token, of_blank, of_token = best_step(blank, token, x_blank, x, skips, lanes, PAIRS)
                blank, token = tl.where(here, next_blank, blank), tl.where(here, next_token, token)
                place = steps_ptr + tl.cast(t, tl.int64) * 2 * width + pairs
                tl.store(place, of_blank.to(tl.int8), mask=inside & (pairs <= until))
                tl.store(place + width, of_token.to(tl.int8), mask=inside & (pairs < until))
            if WINDOWED or (j + 1) * FRAMES >= frames:
                tl.store(target + pairs, blank, mask=inside)
                tl.store(target + width + pairs, token, mask=inside)
    tl.debug_barrier()

    # 2. Of two equally good end states the later one wins.
    last = states_ptr + (tl.cdiv(frames, FRAMES) % 2) * 2 * width
    by_blank = tl.load(last + tokens)
    by_token = tl.load(last + width + tl.maximum(tokens - 1, 0))
    by_token = tl.where(tokens > 0, by_token, float("-inf"))
    best = tl.maximum(by_blank, by_token)
    best = tl.where(good == 0, float("nan"), best)
    tl.store(log_probs_ptr + b, best)
    state = tl.where(by_blank >= by_token, 2 * tokens, 2 * tokens - 1)
    follow(state, best > float("-inf"), frames, sizes.frames, width, steps_ptr, paths_ptr)
