"""Occupancies, γ_t(s) = α_t(s) · β_t(s) / P: each tile by itself, from the states before and behind it.

    1. β backwards through the tile, its FRAMES rows kept in registers;
    2. α forwards; at each frame the product, divided by P.

Twice the work of one direction, but in parallel over all tiles of all items, where the sweep waits for each step; and
no row of α or β between the checkpoints is ever in memory.

Written are the tokens' occupancies and, for each frame, the sum over the blanks, which all emit one class. The sum over
a frame's blanks runs over lanes in a fixed order; each window (see triton_sweep.py) has a sum of its own.
"""

from __future__ import annotations

import triton
import triton.language as tl

from ctckit.kernels.loss.triton.common import (
    alpha_step,
    beta_step,
    emissions,
    load_tile,
    load_transitions,
    pack,
    power_of_two,
    unpack,
)
from ctckit.kernels.loss.triton.sweep import load_state


@triton.jit
def posterior(alpha, alpha_exp, beta, beta_exp, inverse, exponent):
    """α · β / P as an ordinary float, with ``inverse`` · 2^−exponent = 1 / P."""
    power = tl.minimum(alpha_exp + beta_exp - exponent, 2)  # above 0 by rounding only
    return (alpha * beta * inverse) * power_of_two(power)


@triton.jit(do_not_specialize=["all_frames", "all_tokens", "checkpoint_rows"])
def occupancies(
    logits_ptr,  # (B, T, C)
    top_ptr,  # (B, 2, T)
    labels_ptr,  # (B, N)
    facts_ptr,  # (B, 4)
    alpha_ptr,  # (B, ROWS, 2, N + 1) int64: α before each tile
    beta_ptr,  # (B, ROWS, 2, N + 1) int64: β behind each tile
    likelihood_ptr,  # (B,) int64
    transitions_ptr,  # (B, 11, N + 1) int64, read if WEIGHTED
    occupancy_ptr,  # (B, T, N) float32, written
    blanks_ptr,  # (B, T, W) float32, written: one sum a window
    blank_class,
    all_frames,
    all_tokens,
    checkpoint_rows,
    stride_item,
    stride_frame,
    HALO: tl.constexpr,  # pairs at either side that belong to other windows: 0 where there is one window
    PAIRS: tl.constexpr,
    FRAMES: tl.constexpr,
    WEIGHTED: tl.constexpr,
):
    """One tile of one window of one item. Programs: items × tiles, windows."""
    tiles = tl.cdiv(all_frames, FRAMES)
    b = (tl.program_id(0) // tiles).to(tl.int64)
    j = tl.program_id(0) % tiles
    w = tl.program_id(1)
    frames, tokens = tl.load(facts_ptr + b * 4), tl.load(facts_ptr + b * 4 + 1)
    first = j * FRAMES
    total, exponent = unpack(tl.load(likelihood_ptr + b))
    lanes = tl.arange(0, PAIRS)
    pairs = w * (PAIRS - 2 * HALO) - HALO + lanes
    if (first < frames) & (total > 0):  # a window beyond the target finds 0 everywhere, and writes it
        width = all_tokens + 1
        inverse = 1.0 / total
        checkpoint = (b * checkpoint_rows + j) * 2 * width
        labels, live, transitions = load_transitions(
            transitions_ptr + b * 11 * width, labels_ptr + b * all_tokens, width, pairs, tokens, WEIGHTED
        )
        inside = (pairs >= 0) & (pairs <= tokens)
        x, x_blank, top = load_tile(
            logits_ptr + b * stride_item, top_ptr + 2 * b * all_frames, stride_frame, first, frames, labels, live,
            blank_class, FRAMES,
        )  # fmt: skip
        of_token, of_blank = (), ()
        for f in tl.static_range(FRAMES):
            of_token += (emissions(x[f], top[f]),)
            of_blank += (emissions(x_blank[f], top[f]),)

        # 1.
        blank, blank_exp, token, token_exp = load_state(beta_ptr + checkpoint, width, pairs, inside)
        betas = ()  # of the last frame first
        for f in tl.static_range(FRAMES - 1, -1, -1):
            betas += (pack(blank, blank_exp), pack(token, token_exp))
            if f > 0:
                here = first + f < frames
                p, p_exp, q, q_exp = beta_step(
                    blank, blank_exp, token, token_exp, of_token[f], of_blank[f], transitions, lanes, PAIRS, WEIGHTED
                )
                blank, blank_exp = tl.where(here, p, blank), tl.where(here, p_exp, blank_exp)
                token, token_exp = tl.where(here, q, token), tl.where(here, q_exp, token_exp)

        # 2.
        own = inside & (lanes >= HALO) & (lanes < PAIRS - HALO)
        blank, blank_exp, token, token_exp = load_state(alpha_ptr + checkpoint, width, pairs, inside)
        for f in tl.static_range(FRAMES):
            blank, blank_exp, token, token_exp = alpha_step(
                blank,
                blank_exp,
                token,
                token_exp,
                of_token[f],
                of_blank[f],
                transitions,
                first + f,
                lanes,
                PAIRS,
                WEIGHTED,
            )
            beta, beta_exp = unpack(betas[2 * (FRAMES - 1 - f)])
            gamma = posterior(blank, blank_exp, beta, beta_exp, inverse, exponent)
            of_frame = b * all_frames + first + f
            inside_frame = first + f < frames
            gamma = tl.sum(tl.where(own, gamma, 0.0), axis=0)
            tl.store(blanks_ptr + of_frame * tl.num_programs(1) + w, gamma, mask=inside_frame)
            beta, beta_exp = unpack(betas[2 * (FRAMES - 1 - f) + 1])
            gamma = posterior(token, token_exp, beta, beta_exp, inverse, exponent)
            until = tl.where(inside_frame, tokens, 0)
            tl.store(occupancy_ptr + of_frame * all_tokens + pairs, gamma, mask=own & (pairs < until))
