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

from ctckit.kernels.triton_common import ZERO, alpha_step, beta_step, emissions, entry, load_tile, pack, row, unpack
from ctckit.kernels.triton_common import power_of_two
from ctckit.kernels.triton_sweep import load_pairs, load_state


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
):
    """One tile of one window of one item."""
    b = tl.program_id(0).to(tl.int64)
    j = tl.program_id(1)
    w = tl.program_id(2)
    frames, tokens = tl.load(facts_ptr + b * 4), tl.load(facts_ptr + b * 4 + 1)
    first = j * FRAMES
    total, exponent = unpack(tl.load(likelihood_ptr + b))
    lanes = tl.arange(0, PAIRS)
    pairs = w * (PAIRS - 2 * HALO) - HALO + lanes
    if (first < frames) & (w * (PAIRS - 2 * HALO) <= tokens) & (total > 0):
        width = all_tokens + 1
        inverse = 1.0 / total
        checkpoint = (b * checkpoint_rows + j) * 2 * width
        labels, live, skips = load_pairs(labels_ptr + b * all_tokens, pairs, tokens)
        inside = (pairs >= 0) & (pairs <= tokens)
        x, x_blank, top = load_tile(
            logits_ptr + b * stride_item, top_ptr + 2 * b * all_frames, stride_frame, first, frames, labels, live,
            blank_class, FRAMES,
        )  # fmt: skip
        of_token, of_blank = emissions(x, top[:, None]), emissions(x_blank, top)
        frame = tl.arange(0, FRAMES)

        # 1.
        blank, blank_exp, token, token_exp = load_state(beta_ptr + checkpoint, width, pairs, inside)
        blank_betas = tl.zeros((FRAMES, PAIRS), tl.int64)
        token_betas = tl.zeros((FRAMES, PAIRS), tl.int64)
        for back in tl.static_range(FRAMES):
            f: tl.constexpr = FRAMES - 1 - back
            here = first + f < frames
            blank_betas = tl.where(frame[:, None] == f, pack(blank, blank_exp)[None, :], blank_betas)
            token_betas = tl.where(frame[:, None] == f, pack(token, token_exp)[None, :], token_betas)
            if f > 0:
                frame_token, frame_blank = row(of_token, f, PAIRS, FRAMES), entry(of_blank, f, FRAMES)
                p, p_exp, q, q_exp = beta_step(
                    blank, blank_exp, token, token_exp, frame_token, frame_blank, skips, lanes, PAIRS
                )
                blank, blank_exp = tl.where(here, p, blank), tl.where(here, p_exp, blank_exp)
                token, token_exp = tl.where(here, q, token), tl.where(here, q_exp, token_exp)

        # 2.
        own = inside & (lanes >= HALO) & (lanes < PAIRS - HALO)
        blank, blank_exp, token, token_exp = load_state(alpha_ptr + checkpoint, width, pairs, inside)
        blank_gammas = tl.zeros((FRAMES, PAIRS), tl.float32)
        for f in tl.static_range(FRAMES):
            frame_token, frame_blank = row(of_token, f, PAIRS, FRAMES), entry(of_blank, f, FRAMES)
            blank, blank_exp, token, token_exp = alpha_step(
                blank, blank_exp, token, token_exp, frame_token, frame_blank, skips, lanes, PAIRS
            )
            beta, beta_exp = unpack(row(blank_betas, f, PAIRS, FRAMES))
            gamma = posterior(blank, blank_exp, beta, beta_exp, inverse, exponent)
            gamma = tl.where(own, gamma, 0.0)
            blank_gammas = tl.where(frame[:, None] == f, gamma[None, :], blank_gammas)
            beta, beta_exp = unpack(row(token_betas, f, PAIRS, FRAMES))
            gamma = posterior(token, token_exp, beta, beta_exp, inverse, exponent)
            place = occupancy_ptr + (b * all_frames + first + f) * all_tokens + pairs
            until = tl.where(first + f < frames, tokens, 0)
            tl.store(place, gamma, mask=own & (pairs < until))
        place = blanks_ptr + (b * all_frames + first + frame) * tl.num_programs(2) + w
        tl.store(place, tl.sum(blank_gammas, axis=1), mask=first + frame < frames)
