"""α from the first frame to the last and β from the last to the first, in two parallel programs for each item.

    α_t(s) = e_t(s) · Σ_{r → s} α_{t−1}(r)      β_{t−1}(r) = Σ_{r → s} e_t(s) · β_t(s)      e_t(s) = e^(x_t(s) − top_t)

Each of these T steps depends on the step before, so they determine the running time. Other kernels compute everything
that the next step does not need. States are in registers. Only the states between tiles are written (``Checkpoints``):
the state before each tile for α, the state after it for β. From these, occupancy.py computes the rest, in parallel over
tiles.

α before the first frame is 1 in the first blank and 0 elsewhere: one step leads to the two states in which a path may
start. β of the last frame is 1 in the two states in which a path may end. The first program ends with the loss:

    P = α_{T−1}(last blank) + α_{T−1}(last token)      loss = Σ_t shift_t − log P

Targets of more than PAIRS − 1 tokens are cut into windows. In FRAMES frames a path moves at most FRAMES pairs to the
right (twice as many by hops). A window that begins that much earlier (for β: ends that much later) therefore has its
own pairs right, and windows exchange no states within a tile. Between tiles they exchange states in memory.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from ctckit.kernels.loss.triton.common import (
    BLANK_FINAL,
    LN2_HIGH,
    LN2_LOW,
    TOKEN_FINAL,
    ZERO,
    add,
    alpha_tile,
    beta_tile,
    item_of,
    load_tile,
    load_transitions,
    load_weight,
    pack,
    power_of_two,
    renormalized,
    times,
    unpack,
)


class Checkpoints(NamedTuple):
    """States between tiles, and P."""

    alpha_ptr: Any  # (B, checkpoints, 2, N + 1) int64: α before each tile
    beta_ptr: Any  # (B, checkpoints, 2, N + 1) int64: β after each tile
    likelihood_ptr: Any  # (B,) int64: P, packed


@triton.jit
def store_state(row_ptr, width, pairs, own, state):
    """Write one checkpoint: (2, width) packed numbers, blanks and tokens."""
    blank, blank_exp, token, token_exp = state
    tl.store(row_ptr + pairs, pack(blank, blank_exp), mask=own)
    tl.store(row_ptr + width + pairs, pack(token, token_exp), mask=own)


@triton.jit
def load_state(row_ptr, width, pairs, inside):
    """Return the state that ``store_state`` wrote; 0 outside."""
    blank, blank_exp = unpack(tl.load(row_ptr + pairs, mask=inside, other=0))
    token, token_exp = unpack(tl.load(row_ptr + width + pairs, mask=inside, other=0))
    blank_exp, token_exp = tl.where(inside, blank_exp, ZERO), tl.where(inside, token_exp, ZERO)
    return blank, blank_exp, token, token_exp


@triton.jit
def one_at(where_one):
    """Return the number 1 where ``where_one`` holds, else 0."""
    return tl.where(where_one, 1.0, 0.0), tl.where(where_one, 0, ZERO)


@triton.jit
def first_state(pairs):
    """Return α before the first frame: the path is in the first blank."""
    blank, blank_exp = one_at(pairs == 0)
    token, token_exp = one_at(pairs < 0)
    return blank, blank_exp, token, token_exp


@triton.jit
def last_state(item, pairs, WEIGHTED: tl.constexpr):
    """Return β of the last frame: the weight of ending in each state."""
    blank, blank_exp = one_at(pairs == item.tokens)
    token, token_exp = one_at(pairs == item.tokens - 1)
    if WEIGHTED:
        one, one_exp = one_at(pairs >= 0)
        blank, blank_exp = times(one, one_exp, load_weight(item, BLANK_FINAL, pairs))
        token, token_exp = times(one, one_exp, load_weight(item, TOKEN_FINAL, pairs))
    return blank, blank_exp, token, token_exp


@triton.jit
def ends(item, pairs, state, WEIGHTED: tl.constexpr):
    """Return the part of P in these pairs: the last blank and token, or all states times their weight of ending."""
    blank, blank_exp, token, token_exp = state
    if WEIGHTED:
        blank, blank_exp = times(blank, blank_exp, load_weight(item, BLANK_FINAL, pairs))
        token, token_exp = times(token, token_exp, load_weight(item, TOKEN_FINAL, pairs))
    else:
        blank, token = tl.where(pairs == item.tokens, blank, 0.0), tl.where(pairs == item.tokens - 1, token, 0.0)
        blank_exp, token_exp = tl.where(blank > 0, blank_exp, ZERO), tl.where(token > 0, token_exp, ZERO)
    each, each_exp = add(blank, blank_exp, token, token_exp)
    shared = tl.max(each_exp, axis=0)
    return renormalized(tl.sum(each * power_of_two(each_exp - shared), axis=0), shared)


@triton.jit
def finish(b, total, exponent, facts_ptr, shift, losses_ptr, likelihood_ptr, BOUNDED: tl.constexpr):
    """Write the loss from P: +∞ where P is 0, NaN where a logit is NaN, 0 for no frame if none is needed."""
    tl.store(likelihood_ptr + b, pack(total, exponent))
    power = exponent.to(tl.float64)
    log = tl.log(tl.where(total > 0, total, 1.0).to(tl.float64)) + (power * LN2_HIGH + power * LN2_LOW)
    loss = shift - log
    if BOUNDED:
        loss = tl.where(loss < 0, 0.0, loss)  # a probability is at most 1; rounding may exceed it
    loss = tl.where(total > 0, loss, float("inf"))
    loss = tl.where(shift == shift, loss, float("nan"))
    length, needed = tl.load(facts_ptr + b * 4), tl.load(facts_ptr + b * 4 + 2)
    loss = tl.where(length == 0, 0.0, loss)
    loss = tl.where(length < needed, float("inf"), loss)
    tl.store(losses_ptr + b, tl.where(tl.load(facts_ptr + b * 4 + 3) == 0, float("nan"), loss))


@triton.jit
def sum_shifts(item, total, first, FRAMES: tl.constexpr):
    """Add a tile's parts of the loss to ``total``, (FRAMES,) float64."""
    t = first + tl.arange(0, FRAMES)
    return total + tl.load(item.shift_ptr + t, mask=t < item.frames, other=0.0)


@triton.jit
def sweep_alpha(item, alpha_ptr, KEEP: tl.constexpr, PAIRS: tl.constexpr, FRAMES: tl.constexpr, WEIGHTED: tl.constexpr):
    """Compute α of a target that fits one program. Return P and the sum of the frames' parts of the loss."""
    lanes = tl.arange(0, PAIRS)
    labels, live, transitions = load_transitions(item, lanes, WEIGHTED)
    shifts = tl.zeros((FRAMES,), tl.float64)
    state = first_state(lanes)
    tile = load_tile(item, 0, labels, live, FRAMES)
    for j in range(tl.cdiv(item.frames, FRAMES)):
        next_tile = load_tile(item, (j + 1) * FRAMES, labels, live, FRAMES)
        shifts = sum_shifts(item, shifts, j * FRAMES, FRAMES)
        if KEEP:
            row_ptr = alpha_ptr + tl.cast(j, tl.int64) * 2 * item.width
            store_state(row_ptr, item.width, lanes, lanes <= item.tokens, state)
        state = alpha_tile(state, tile, j * FRAMES, item.frames, transitions, lanes, PAIRS, FRAMES, WEIGHTED)
        tile = next_tile
    total, exponent = ends(item, lanes, state, WEIGHTED)
    return total, exponent, tl.sum(shifts, axis=0)


@triton.jit
def sweep_beta(item, beta_ptr, PAIRS: tl.constexpr, FRAMES: tl.constexpr, WEIGHTED: tl.constexpr):
    """Compute β of a target that fits one program, and write its checkpoints."""
    lanes = tl.arange(0, PAIRS)
    labels, live, transitions = load_transitions(item, lanes, WEIGHTED)
    state = last_state(item, lanes, WEIGHTED)
    tiles = tl.cdiv(item.frames, FRAMES)
    tile = load_tile(item, (tiles - 1) * FRAMES, labels, live, FRAMES)
    for i in range(tiles):
        j = tiles - 1 - i
        next_tile = load_tile(item, (j - 1) * FRAMES, labels, live, FRAMES)
        row_ptr = beta_ptr + tl.cast(j, tl.int64) * 2 * item.width
        store_state(row_ptr, item.width, lanes, lanes <= item.tokens, state)
        state = beta_tile(state, tile, j * FRAMES, item.frames, transitions, lanes, PAIRS, FRAMES, WEIGHTED)
        tile = next_tile


@triton.jit
def sweep_alpha_windows(
    item,
    alpha_ptr,
    KEEP: tl.constexpr,
    HALO: tl.constexpr,
    PAIRS: tl.constexpr,
    FRAMES: tl.constexpr,
    WEIGHTED: tl.constexpr,
):
    """Compute α of a longer target, window by window in each tile.

    Its states are in memory: all checkpoints if KEEP, else two alternating buffers.
    """
    lanes = tl.arange(0, PAIRS)
    own: tl.constexpr = PAIRS - HALO
    width = item.width
    tiles, windows = tl.cdiv(item.frames, FRAMES), tl.cdiv(item.tokens + 1, own)
    shifts = tl.zeros((FRAMES,), tl.float64)
    for w in range(windows):
        pairs = w * own + lanes
        inside = (lanes < own) & (pairs <= item.tokens)
        store_state(alpha_ptr, width, pairs, inside, first_state(pairs))
    for j in range(tiles):
        tl.debug_barrier()
        source = alpha_ptr + tl.cast(j if KEEP else j % 2, tl.int64) * 2 * width
        target = alpha_ptr + tl.cast(j + 1 if KEEP else (j + 1) % 2, tl.int64) * 2 * width
        shifts = sum_shifts(item, shifts, j * FRAMES, FRAMES)
        for w in range(windows):
            pairs = w * own - HALO + lanes
            labels, live, transitions = load_transitions(item, pairs, WEIGHTED)
            inside = (pairs >= 0) & (pairs <= item.tokens)
            state = load_state(source, width, pairs, inside)
            tile = load_tile(item, j * FRAMES, labels, live, FRAMES)
            state = alpha_tile(state, tile, j * FRAMES, item.frames, transitions, lanes, PAIRS, FRAMES, WEIGHTED)
            store_state(target, width, pairs, inside & (lanes >= HALO), state)
    tl.debug_barrier()
    last = alpha_ptr + tl.cast(tiles if KEEP else tiles % 2, tl.int64) * 2 * width
    total, exponent = 0.0 * item.frames.to(tl.float32), 0 * item.frames + ZERO
    for w in range(windows):
        pairs = w * own + lanes
        inside = (lanes < own) & (pairs <= item.tokens)
        part, part_exp = ends(item, pairs, load_state(last, width, pairs, inside), WEIGHTED)
        total, exponent = add(total, exponent, part, part_exp)
        total, exponent = renormalized(total, exponent)
    return total, exponent, tl.sum(shifts, axis=0)


@triton.jit
def sweep_beta_windows(
    item, beta_ptr, HALO: tl.constexpr, PAIRS: tl.constexpr, FRAMES: tl.constexpr, WEIGHTED: tl.constexpr
):
    """Compute β of a longer target, window by window in each tile, and write all checkpoints."""
    lanes = tl.arange(0, PAIRS)
    own: tl.constexpr = PAIRS - HALO
    width = item.width
    tiles, windows = tl.cdiv(item.frames, FRAMES), tl.cdiv(item.tokens + 1, own)
    for w in range(windows):
        pairs = w * own + lanes
        row_ptr = beta_ptr + tl.cast(tl.maximum(tiles - 1, 0), tl.int64) * 2 * width
        inside = (lanes < own) & (pairs <= item.tokens)
        store_state(row_ptr, width, pairs, inside, last_state(item, pairs, WEIGHTED))
    for i in range(tiles - 1):
        j = tiles - 1 - i
        tl.debug_barrier()
        source = beta_ptr + tl.cast(j, tl.int64) * 2 * width
        for w in range(windows):
            pairs = w * own + lanes
            labels, live, transitions = load_transitions(item, pairs, WEIGHTED)
            inside = pairs <= item.tokens
            state = load_state(source, width, pairs, inside)
            tile = load_tile(item, j * FRAMES, labels, live, FRAMES)
            state = beta_tile(state, tile, j * FRAMES, item.frames, transitions, lanes, PAIRS, FRAMES, WEIGHTED)
            store_state(source - 2 * width, width, pairs, inside & (lanes < own), state)


@triton.jit(do_not_specialize=["sizes"])
def sweep(
    given,  # common.Input
    targets,  # common.Targets
    checkpoints,  # Checkpoints, written
    losses_ptr,  # (B,) float64, written
    transitions_ptr,  # (B, 11, N + 1) int64, read if WEIGHTED: see load_transitions
    sizes,  # common.Sizes
    IS_LOGITS: tl.constexpr,
    KEEP: tl.constexpr,  # checkpoints are wanted
    WINDOWED: tl.constexpr,
    PAIRS: tl.constexpr,
    FRAMES: tl.constexpr,
    WEIGHTED: tl.constexpr,
):
    """Compute one item. Program 0 of axis 1 computes α and the loss, program 1 computes β."""
    b = tl.program_id(0).to(tl.int64)
    item = item_of(b, given, targets, transitions_ptr, sizes)
    alpha_ptr = checkpoints.alpha_ptr + b * sizes.checkpoints * 2 * item.width
    beta_ptr = checkpoints.beta_ptr + b * sizes.checkpoints * 2 * item.width
    halo: tl.constexpr = FRAMES * (2 if WEIGHTED else 1)
    if tl.program_id(1) == 0:
        if WINDOWED:
            total, exponent, shift = sweep_alpha_windows(item, alpha_ptr, KEEP, halo, PAIRS, FRAMES, WEIGHTED)
        else:
            total, exponent, shift = sweep_alpha(item, alpha_ptr, KEEP, PAIRS, FRAMES, WEIGHTED)
        bounded: tl.constexpr = IS_LOGITS and not WEIGHTED
        finish(b, total, exponent, targets.facts_ptr, shift, losses_ptr, checkpoints.likelihood_ptr, bounded)
    elif WINDOWED:
        sweep_beta_windows(item, beta_ptr, halo, PAIRS, FRAMES, WEIGHTED)
    else:
        sweep_beta(item, beta_ptr, PAIRS, FRAMES, WEIGHTED)
