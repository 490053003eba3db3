"""α from the first frame on and β from the last one back, at the same time, in two programs an item.

    α_t(s) = e_t(s) · Σ_{r → s} α_{t−1}(r)      β_{t−1}(r) = Σ_{r → s} e_t(s) · β_t(s)      e_t(s) = e^(x_t(s) − top_t)

T steps, each waiting for the one before: here the time goes, and all that is not needed for the next step is
elsewhere. States are in registers; only every FRAMES-th of them is written (``alpha``, ``beta``: the state before each
tile, the state behind it). From these triton_occupancy.py computes the rest, in parallel over tiles.

α before the first frame is 1 in the first blank and 0 elsewhere: one step leads to the two states in which a path may
start. β of the last frame is 1 in the two states in which a path may end. The first program ends with the loss:

    P = α_{T−1}(last blank) + α_{T−1}(last token)      loss = Σ_t shift_t − log P

Targets of more than PAIRS − 1 tokens are cut into windows. In FRAMES frames a path moves at most FRAMES pairs to the
right (twice as many by hops), so a window that begins so much early (for β: ends so much late) has its own pairs right:
windows need not talk to each other within a tile. Between tiles their states go through memory.
"""

from __future__ import annotations

import triton
import triton.language as tl

from ctckit.kernels.loss.triton.common import (
    LN2_HIGH,
    LN2_LOW,
    ZERO,
    add,
    alpha_tile,
    beta_tile,
    load_tile,
    load_transitions,
    load_weight,
    pack,
    power_of_two,
    renormalized,
    times,
    unpack,
)


@triton.jit
def store_state(row_ptr, width, pairs, own, blank, blank_exp, token, token_exp):
    """One checkpoint: (2, width) packed numbers, blanks and tokens."""
    tl.store(row_ptr + pairs, pack(blank, blank_exp), mask=own)
    tl.store(row_ptr + width + pairs, pack(token, token_exp), mask=own)


@triton.jit
def load_state(row_ptr, width, pairs, inside):
    """What ``store_state`` wrote; 0 outside."""
    blank, blank_exp = unpack(tl.load(row_ptr + pairs, mask=inside, other=0))
    token, token_exp = unpack(tl.load(row_ptr + width + pairs, mask=inside, other=0))
    blank_exp, token_exp = tl.where(inside, blank_exp, ZERO), tl.where(inside, token_exp, ZERO)
    return blank, blank_exp, token, token_exp


@triton.jit
def one_at(where_one):
    """1 at some pairs, 0 at the others."""
    return tl.where(where_one, 1.0, 0.0), tl.where(where_one, 0, ZERO)


@triton.jit
def last_state(transitions_ptr, width, pairs, tokens, WEIGHTED: tl.constexpr):
    """β of the last frame: how paths end in each state."""
    blank, blank_exp = one_at(pairs == tokens)
    token, token_exp = one_at(pairs == tokens - 1)
    if WEIGHTED:
        one, one_exp = one_at(pairs >= 0)
        blank, blank_exp = times(one, one_exp, load_weight(transitions_ptr, 9, width, pairs, tokens))
        token, token_exp = times(one, one_exp, load_weight(transitions_ptr, 10, width, pairs, tokens))
    return blank, blank_exp, token, token_exp


@triton.jit
def ends(transitions_ptr, width, pairs, tokens, blank, blank_exp, token, token_exp, WEIGHTED: tl.constexpr):
    """P's share of these pairs: the last blank and the last token, or all states, weighted with how paths end there."""
    if WEIGHTED:
        blank, blank_exp = times(blank, blank_exp, load_weight(transitions_ptr, 9, width, pairs, tokens))
        token, token_exp = times(token, token_exp, load_weight(transitions_ptr, 10, width, pairs, tokens))
    else:
        blank, token = tl.where(pairs == tokens, blank, 0.0), tl.where(pairs == tokens - 1, token, 0.0)
        blank_exp, token_exp = tl.where(blank > 0, blank_exp, ZERO), tl.where(token > 0, token_exp, ZERO)
    each, each_exp = add(blank, blank_exp, token, token_exp)
    shared = tl.max(each_exp, axis=0)
    return renormalized(tl.sum(each * power_of_two(each_exp - shared), axis=0), shared)


@triton.jit
def finish(b, total, exponent, facts_ptr, shift, losses_ptr, likelihood_ptr, BOUNDED: tl.constexpr):
    """The loss from P: +∞ where P is 0, NaN where a logit is none; 0 where no frame is there and none is needed."""
    tl.store(likelihood_ptr + b, pack(total, exponent))
    power = exponent.to(tl.float64)
    log = tl.log(tl.where(total > 0, total, 1.0).to(tl.float64)) + (power * LN2_HIGH + power * LN2_LOW)
    loss = shift - log
    if BOUNDED:
        loss = tl.where(loss < 0, 0.0, loss)  # a probability is at most 1; rounding may pass it
    loss = tl.where(total > 0, loss, float("inf"))
    loss = tl.where(shift == shift, loss, float("nan"))
    length, needed = tl.load(facts_ptr + b * 4), tl.load(facts_ptr + b * 4 + 2)
    loss = tl.where(length == 0, 0.0, loss)
    loss = tl.where(length < needed, float("inf"), loss)
    tl.store(losses_ptr + b, tl.where(tl.load(facts_ptr + b * 4 + 3) == 0, float("nan"), loss))


@triton.jit
def sum_shifts(shift_ptr, total, first, frames, FRAMES: tl.constexpr):
    """Adds a tile's parts of the loss to ``total``, (FRAMES,) float64."""
    t = first + tl.arange(0, FRAMES)
    return total + tl.load(shift_ptr + t, mask=t < frames, other=0.0)


@triton.jit
def sweep_alpha(
    x_ptr, top_ptr, shift_ptr, labels_ptr, transitions_ptr, alpha_ptr, blank_class, frames, tokens, width, stride_frame,
    KEEP: tl.constexpr, PAIRS: tl.constexpr, FRAMES: tl.constexpr, WEIGHTED: tl.constexpr,
):  # fmt: skip
    """α of a target that one program holds. Returns P and the sum of the frames' parts of the loss."""
    lanes = tl.arange(0, PAIRS)
    labels, live, transitions = load_transitions(transitions_ptr, labels_ptr, width, lanes, tokens, WEIGHTED)
    shifts = tl.zeros((FRAMES,), tl.float64)
    blank, blank_exp = one_at(lanes == 0)
    token, token_exp = one_at(lanes < 0)
    x, x_blank, top = load_tile(x_ptr, top_ptr, stride_frame, 0, frames, labels, live, blank_class, FRAMES)
    for j in range(tl.cdiv(frames, FRAMES)):
        first = (j + 1) * FRAMES
        next_x, next_x_blank, next_top = load_tile(
            x_ptr, top_ptr, stride_frame, first, frames, labels, live, blank_class, FRAMES
        )
        shifts = sum_shifts(shift_ptr, shifts, j * FRAMES, frames, FRAMES)
        if KEEP:
            row_ptr = alpha_ptr + tl.cast(j, tl.int64) * 2 * width
            store_state(row_ptr, width, lanes, lanes <= tokens, blank, blank_exp, token, token_exp)
        blank, blank_exp, token, token_exp = alpha_tile(
            blank, blank_exp, token, token_exp, x, x_blank, top, j * FRAMES, frames, transitions, lanes,
            PAIRS, FRAMES, WEIGHTED,
        )  # fmt: skip
        x, x_blank, top = next_x, next_x_blank, next_top
    total, exponent = ends(transitions_ptr, width, lanes, tokens, blank, blank_exp, token, token_exp, WEIGHTED)
    return total, exponent, tl.sum(shifts, axis=0)


@triton.jit
def sweep_beta(
    x_ptr, top_ptr, labels_ptr, transitions_ptr, beta_ptr, blank_class, frames, tokens, width, stride_frame,
    PAIRS: tl.constexpr, FRAMES: tl.constexpr, WEIGHTED: tl.constexpr,
):  # fmt: skip
    """β of a target that one program holds."""
    lanes = tl.arange(0, PAIRS)
    labels, live, transitions = load_transitions(transitions_ptr, labels_ptr, width, lanes, tokens, WEIGHTED)
    blank, blank_exp, token, token_exp = last_state(transitions_ptr, width, lanes, tokens, WEIGHTED)
    tiles = tl.cdiv(frames, FRAMES)
    x, x_blank, top = load_tile(
        x_ptr, top_ptr, stride_frame, (tiles - 1) * FRAMES, frames, labels, live, blank_class, FRAMES
    )
    for i in range(tiles):
        j = tiles - 1 - i
        next_x, next_x_blank, next_top = load_tile(
            x_ptr, top_ptr, stride_frame, (j - 1) * FRAMES, frames, labels, live, blank_class, FRAMES
        )
        row_ptr = beta_ptr + tl.cast(j, tl.int64) * 2 * width
        store_state(row_ptr, width, lanes, lanes <= tokens, blank, blank_exp, token, token_exp)
        blank, blank_exp, token, token_exp = beta_tile(
            blank, blank_exp, token, token_exp, x, x_blank, top, j * FRAMES, frames, transitions, lanes,
            PAIRS, FRAMES, WEIGHTED,
        )  # fmt: skip
        x, x_blank, top = next_x, next_x_blank, next_top


@triton.jit
def sweep_alpha_windows(
    x_ptr, top_ptr, shift_ptr, labels_ptr, transitions_ptr, alpha_ptr, blank_class, frames, tokens, width, stride_frame,
    KEEP: tl.constexpr, HALO: tl.constexpr, PAIRS: tl.constexpr, FRAMES: tl.constexpr, WEIGHTED: tl.constexpr,
):  # fmt: skip
    """α of a longer target, window by window in each tile; rows of α in memory, two in turn if they are not kept."""
    lanes = tl.arange(0, PAIRS)
    own: tl.constexpr = PAIRS - HALO
    tiles, windows = tl.cdiv(frames, FRAMES), tl.cdiv(tokens + 1, own)
    shifts = tl.zeros((FRAMES,), tl.float64)
    for w in range(windows):
        pairs = w * own + lanes
        blank, blank_exp = one_at(pairs == 0)
        token, token_exp = one_at(pairs < 0)
        inside = (lanes < own) & (pairs <= tokens)
        store_state(alpha_ptr, width, pairs, inside, blank, blank_exp, token, token_exp)
    for j in range(tiles):
        tl.debug_barrier()
        source = alpha_ptr + tl.cast(j if KEEP else j % 2, tl.int64) * 2 * width
        target = alpha_ptr + tl.cast(j + 1 if KEEP else (j + 1) % 2, tl.int64) * 2 * width
        shifts = sum_shifts(shift_ptr, shifts, j * FRAMES, frames, FRAMES)
        for w in range(windows):
            pairs = w * own - HALO + lanes
            labels, live, transitions = load_transitions(transitions_ptr, labels_ptr, width, pairs, tokens, WEIGHTED)
            inside = (pairs >= 0) & (pairs <= tokens)
            blank, blank_exp, token, token_exp = load_state(source, width, pairs, inside)
            x, x_blank, top = load_tile(
                x_ptr, top_ptr, stride_frame, j * FRAMES, frames, labels, live, blank_class, FRAMES
            )
            blank, blank_exp, token, token_exp = alpha_tile(
                blank, blank_exp, token, token_exp, x, x_blank, top, j * FRAMES, frames, transitions, lanes,
                PAIRS, FRAMES, WEIGHTED,
            )  # fmt: skip
            store_state(target, width, pairs, inside & (lanes >= HALO), blank, blank_exp, token, token_exp)
    tl.debug_barrier()
    last = alpha_ptr + tl.cast(tiles if KEEP else tiles % 2, tl.int64) * 2 * width
    total, exponent = 0.0 * frames.to(tl.float32), 0 * frames + ZERO
    for w in range(windows):
        pairs = w * own + lanes
        inside = (lanes < own) & (pairs <= tokens)
        blank, blank_exp, token, token_exp = load_state(last, width, pairs, inside)
        part, part_exp = ends(transitions_ptr, width, pairs, tokens, blank, blank_exp, token, token_exp, WEIGHTED)
        total, exponent = add(total, exponent, part, part_exp)
        total, exponent = renormalized(total, exponent)
    return total, exponent, tl.sum(shifts, axis=0)


@triton.jit
def sweep_beta_windows(
    x_ptr, top_ptr, labels_ptr, transitions_ptr, beta_ptr, blank_class, frames, tokens, width, stride_frame,
    HALO: tl.constexpr, PAIRS: tl.constexpr, FRAMES: tl.constexpr, WEIGHTED: tl.constexpr,
):  # fmt: skip
    """β of a longer target, likewise; its rows are always kept."""
    lanes = tl.arange(0, PAIRS)
    own: tl.constexpr = PAIRS - HALO
    tiles, windows = tl.cdiv(frames, FRAMES), tl.cdiv(tokens + 1, own)
    for w in range(windows):
        pairs = w * own + lanes
        blank, blank_exp, token, token_exp = last_state(transitions_ptr, width, pairs, tokens, WEIGHTED)
        row_ptr = beta_ptr + tl.cast(tl.maximum(tiles - 1, 0), tl.int64) * 2 * width
        inside = (lanes < own) & (pairs <= tokens)
        store_state(row_ptr, width, pairs, inside, blank, blank_exp, token, token_exp)
    for i in range(tiles - 1):
        j = tiles - 1 - i
        tl.debug_barrier()
        source = beta_ptr + tl.cast(j, tl.int64) * 2 * width
        for w in range(windows):
            pairs = w * own + lanes
            labels, live, transitions = load_transitions(transitions_ptr, labels_ptr, width, pairs, tokens, WEIGHTED)
            inside = pairs <= tokens
            blank, blank_exp, token, token_exp = load_state(source, width, pairs, inside)
            x, x_blank, top = load_tile(
                x_ptr, top_ptr, stride_frame, j * FRAMES, frames, labels, live, blank_class, FRAMES
            )
            blank, blank_exp, token, token_exp = beta_tile(
                blank, blank_exp, token, token_exp, x, x_blank, top, j * FRAMES, frames, transitions, lanes,
                PAIRS, FRAMES, WEIGHTED,
            )  # fmt: skip
            inside = inside & (lanes < own)
            store_state(source - 2 * width, width, pairs, inside, blank, blank_exp, token, token_exp)


@triton.jit(do_not_specialize=["all_frames", "all_tokens", "checkpoint_rows"])
def sweep(
    logits_ptr,  # (B, T, C)
    top_ptr,  # (B, 2, T) from normalizers
    shift_ptr,  # (B, T)
    labels_ptr,  # (B, N)
    facts_ptr,  # (B, 4)
    alpha_ptr,  # (B, ROWS, 2, N + 1) int64, written: α before each tile
    beta_ptr,  # (B, ROWS, 2, N + 1) int64, written: β behind each tile
    losses_ptr,  # (B,) float64, written
    likelihood_ptr,  # (B,) int64, written: P, packed
    transitions_ptr,  # (B, 11, N + 1) int64, read if WEIGHTED: see load_transitions; rows 9 and 10 are how paths end
    blank_class,
    all_frames,
    all_tokens,
    checkpoint_rows,  # one for each tile and one more; 2 where they are not kept
    stride_item,
    stride_frame,
    IS_LOGITS: tl.constexpr,
    KEEP: tl.constexpr,  # checkpoints are wanted
    WINDOWED: tl.constexpr,
    PAIRS: tl.constexpr,
    FRAMES: tl.constexpr,
    WEIGHTED: tl.constexpr,
):
    """One item; program 0 of axis 1 computes α and the loss, program 1 computes β."""
    b = tl.program_id(0).to(tl.int64)
    frames, tokens = tl.load(facts_ptr + b * 4), tl.load(facts_ptr + b * 4 + 1)
    width = all_tokens + 1
    labels_ptr += b * all_tokens
    x_ptr = logits_ptr + b * stride_item
    top_ptr += 2 * b * all_frames
    shift_ptr += b * all_frames
    alpha_ptr += b * checkpoint_rows * 2 * width
    beta_ptr += b * checkpoint_rows * 2 * width
    transitions_ptr += b * 11 * width
    halo: tl.constexpr = FRAMES * (2 if WEIGHTED else 1)
    if tl.program_id(1) == 0:
        if WINDOWED:
            total, exponent, shift = sweep_alpha_windows(
                x_ptr, top_ptr, shift_ptr, labels_ptr, transitions_ptr, alpha_ptr, blank_class, frames, tokens, width,
                stride_frame, KEEP, halo, PAIRS, FRAMES, WEIGHTED,
            )  # fmt: skip
        else:
            total, exponent, shift = sweep_alpha(
                x_ptr, top_ptr, shift_ptr, labels_ptr, transitions_ptr, alpha_ptr, blank_class, frames, tokens, width,
                stride_frame, KEEP, PAIRS, FRAMES, WEIGHTED,
            )  # fmt: skip
        finish(b, total, exponent, facts_ptr, shift, losses_ptr, likelihood_ptr, IS_LOGITS and not WEIGHTED)
    elif WINDOWED:
        sweep_beta_windows(
            x_ptr, top_ptr, labels_ptr, transitions_ptr, beta_ptr, blank_class, frames, tokens, width, stride_frame,
            halo, PAIRS, FRAMES, WEIGHTED,
        )  # fmt: skip
    else:
        sweep_beta(
            x_ptr, top_ptr, labels_ptr, transitions_ptr, beta_ptr, blank_class, frames, tokens, width, stride_frame,
            PAIRS, FRAMES, WEIGHTED,
        )  # fmt: skip
