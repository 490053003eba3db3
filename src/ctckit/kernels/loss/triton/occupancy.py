"""Occupancies, γ_t(s) = α_t(s) · β_t(s) / P: one program for each tile, from the states before and after the tile.

    1. backward: β in each frame of the tile; the states stay in registers;
    2. forward: α in each frame, and the product α · β / P.

This is twice the work of one direction. But it runs in parallel over all tiles of all items, whereas each step of the
sweep must wait for the step before. α and β between the checkpoints are never written to memory.

The kernel writes the occupancies of the tokens and, for each frame, the sum over the blanks, which all emit one class.
The sum over the blanks of a frame has a fixed order. Each window (see sweep.py) has its own sum.
"""

from __future__ import annotations

import triton
import triton.language as tl

from ctckit.kernels.loss.triton.common import (
    alpha_step,
    beta_step,
    chosen,
    emissions,
    item_of,
    load_tile,
    load_transitions,
    pack,
    power_of_two,
    unpack,
)
from ctckit.kernels.loss.triton.sweep import load_state


@triton.jit
def posterior(alpha, alpha_exp, beta, beta_exp, inverse, exponent):
    """Return α · β / P as an ordinary float, with ``inverse`` · 2^−exponent = 1 / P."""
    power = tl.minimum(alpha_exp + beta_exp - exponent, 2)  # it is above 0 only by rounding
    return (alpha * beta * inverse) * power_of_two(power)


@triton.jit(do_not_specialize=["sizes"])
def occupancies(
    given,  # common.Input
    targets,  # common.Targets
    checkpoints,  # sweep.Checkpoints
    transitions_ptr,  # (B, 11, N + 1) int64, read if WEIGHTED
    tokens_ptr,  # (B, T, N) float32, written
    blanks_ptr,  # (B, T, W) float32, written: one sum for each window
    sizes,  # common.Sizes
    HALO: tl.constexpr,  # pairs at either side that belong to other windows: 0 where there is one window
    PAIRS: tl.constexpr,
    FRAMES: tl.constexpr,
    WEIGHTED: tl.constexpr,
):
    """Write the occupancies of one tile of one window of one item. Programs: items × tiles, windows."""
    tiles = tl.cdiv(sizes.frames, FRAMES)
    b = (tl.program_id(0) // tiles).to(tl.int64)
    j = tl.program_id(0) % tiles
    w = tl.program_id(1)
    item = item_of(b, given, targets, transitions_ptr, sizes)
    first = j * FRAMES
    total, exponent = unpack(tl.load(checkpoints.likelihood_ptr + b))
    lanes = tl.arange(0, PAIRS)
    pairs = w * (PAIRS - 2 * HALO) - HALO + lanes
    if (first < item.frames) & (total > 0):  # a window beyond the target computes and writes 0
        width = item.width
        inverse = 1.0 / total
        checkpoint = (b * sizes.checkpoints + j) * 2 * width
        labels, live, transitions = load_transitions(item, pairs, WEIGHTED)
        inside = (pairs >= 0) & (pairs <= item.tokens)
        x, x_blank, top = load_tile(item, first, labels, live, FRAMES)
        emitted = ()
        for f in tl.static_range(FRAMES):
            emitted += ((emissions(x[f], top[f]), emissions(x_blank[f], top[f])),)

        # 1.
        state = load_state(checkpoints.beta_ptr + checkpoint, width, pairs, inside)
        betas = ()  # the last frame comes first
        for f in tl.static_range(FRAMES - 1, -1, -1):
            blank, blank_exp, token, token_exp = state
            betas += (pack(blank, blank_exp), pack(token, token_exp))
            if f > 0:
                step = beta_step(state, emitted[f], transitions, lanes, PAIRS, WEIGHTED)
                state = chosen(first + f < item.frames, step, state)

        # 2.
        own = inside & (lanes >= HALO) & (lanes < PAIRS - HALO)
        state = load_state(checkpoints.alpha_ptr + checkpoint, width, pairs, inside)
        for f in tl.static_range(FRAMES):
            state = alpha_step(state, emitted[f], transitions, first + f, lanes, PAIRS, WEIGHTED)
            blank, blank_exp, token, token_exp = state
            beta, beta_exp = unpack(betas[2 * (FRAMES - 1 - f)])
            gamma = posterior(blank, blank_exp, beta, beta_exp, inverse, exponent)
            of_frame = b * sizes.frames + first + f
            inside_frame = first + f < item.frames
            gamma = tl.sum(tl.where(own, gamma, 0.0), axis=0)
            tl.store(blanks_ptr + of_frame * tl.num_programs(1) + w, gamma, mask=inside_frame)
            beta, beta_exp = unpack(betas[2 * (FRAMES - 1 - f) + 1])
            gamma = posterior(token, token_exp, beta, beta_exp, inverse, exponent)
            until = tl.where(inside_frame, item.tokens, 0)
            tl.store(tokens_ptr + of_frame * sizes.tokens + pairs, gamma, mask=own & (pairs < until))
