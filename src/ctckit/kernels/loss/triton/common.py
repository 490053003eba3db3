"""The shared parts of the Triton kernels: numbers, tiles of emissions, one step of the recursion.

Numbers. As in the C++ core, a probability is a float32 mantissa times 2^exponent; the exponent is an int32. An addition
is a maximum, two exact shifts and one float addition. Long inputs lose no precision. Each step brings
mantissas back to [1, 2). 0 has the exponent ``ZERO``, below every other. A number below 2^``FLOOR`` becomes 0, and a
logit more than ``DEEPEST`` below the maximum of its frame counts as −∞.

States. Pair i holds state 2i, the blank before token i, and state 2i + 1, token i. Pair N is the last blank alone. The
transitions of topology.py, in pairs:

    into blank i    stay from blank i, advance from token i − 1
    into token i    stay from token i, advance from blank i, skip from token i − 1

So a step needs only one neighbor. Variants weight each transition and have hops, from token i − 2 into either. They
have their own kernels (``WEIGHTED``), compiled from the same source. One lane of a program holds one pair or a few.

Frames are processed in tiles of ``FRAMES``. The logits of a tile are loaded while the tile before is computed, so the
latency of memory is paid once for each tile, not at each step. The recursion keeps the state before and after each tile
(a checkpoint); occupancy.py computes the frames between them again, all tiles in parallel.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

ROUNDING = {"enable_fp_fusion": True}  # a product and its sum are rounded once, in every version of Triton
FRAMES = 8  # in a tile; half of that where a program has MOST_PAIRS, which fills its registers
FEWEST_PAIRS = 32  # one a lane
MOST_PAIRS = 1024  # in a program; longer targets are cut into windows

ZERO = tl.constexpr(-900_000_000)
FLOOR = tl.constexpr(-(1 << 29))
DEEPEST = tl.constexpr(-1e8)
LN2_HIGH = tl.constexpr(0.693359375)  # ten bits: times an exponent under 2^14 it is exact
LN2_LOW = tl.constexpr(-2.12194440e-4)

# Arguments that belong together. A kernel takes such tuples of pointers and numbers.


class Input(NamedTuple):
    """The input of all items, and the results of ``normalizers`` for each frame."""

    x_ptr: Any  # (B, T, C), the last axis is contiguous
    top_ptr: Any  # (B, 2, T) float32: maximum, normalizer
    shift_ptr: Any  # (B, T) float64: the frame's part of the loss
    stride_item: Any
    stride_frame: Any
    blank: Any  # the class of the blank


class Targets(NamedTuple):
    """The targets of all items, as ``link_targets`` wrote them."""

    labels_ptr: Any  # (B, N) int32: the tokens, 0 beyond the length
    following_ptr: Any  # (B, N) int32: the next token of the same class, −1: none
    head_ptr: Any  # (B, C) int32: the first token of each class, −1: none
    facts_ptr: Any  # (B, 4) int32: frames, tokens, frames needed, whether the item is well formed


class Sizes(NamedTuple):
    """Sizes of the arrays. Kernels are not specialized for their values."""

    frames: Any  # T
    tokens: Any  # N
    checkpoints: Any = 0  # one for each tile and one more; 2 where they are not kept


class Item(NamedTuple):
    """One item inside a kernel: pointers to its first entry, its own sizes."""

    x_ptr: Any
    top_ptr: Any
    shift_ptr: Any
    labels_ptr: Any
    transitions_ptr: Any  # (11, width) int64, read if WEIGHTED: see ``load_transitions``
    stride_frame: Any
    blank: Any
    frames: Any
    tokens: Any
    width: Any  # N + 1, of the arrays


# The packed weights of transitions into a pair (``load_transitions``): their rows in (11, width). ``ROWS`` in launch.py
# says which weight of variants.TokenGraphs each one is.
BLANK_STAY, BLANK_ADVANCE, BLANK_HOP = tl.constexpr(0), tl.constexpr(1), tl.constexpr(2)
TOKEN_STAY, TOKEN_ADVANCE, TOKEN_SKIP, TOKEN_HOP = (tl.constexpr(k) for k in range(3, 7))
BLANK_START, TOKEN_START, BLANK_FINAL, TOKEN_FINAL = (tl.constexpr(k) for k in range(7, 11))
INTO_PAIR = 9  # all but the two of ending

# --- numbers ----------------------------------------------------------------------------------------------------------


@triton.jit
def power_of_two(difference):
    """Return 2^difference for differences ≤ 0; results below 2^-126 are 0."""
    return ((tl.maximum(difference, -127) + 127) << 23).to(tl.float32, bitcast=True)


@triton.jit
def renormalized(mantissa, exponent):
    """Return the same number with its mantissa in [1, 2), or 0."""
    bits = mantissa.to(tl.int32, bitcast=True)
    zero = (bits == 0) | (exponent < FLOOR)
    kept = ((bits & 0x007FFFFF) | 0x3F800000).to(tl.float32, bitcast=True)
    return tl.where(zero, 0.0, kept), tl.where(zero, ZERO, exponent + (bits >> 23) - 127)


@triton.jit
def add(a, a_exponent, b, b_exponent):
    """Return the sum of two numbers."""
    shared = tl.maximum(a_exponent, b_exponent)
    return a * power_of_two(a_exponent - shared) + b * power_of_two(b_exponent - shared), shared


@triton.jit
def add3(a, a_exponent, b, b_exponent, c, c_exponent):
    """Return the sum of three numbers."""
    shared = tl.maximum(tl.maximum(a_exponent, b_exponent), c_exponent)
    total = a * power_of_two(a_exponent - shared) + b * power_of_two(b_exponent - shared)
    return total + c * power_of_two(c_exponent - shared), shared


@triton.jit
def pack(mantissa, exponent):
    """Return mantissa and exponent in one int64, as they are stored in memory and passed between lanes."""
    return (exponent.to(tl.int64) << 32) | mantissa.to(tl.int32, bitcast=True).to(tl.int64)


@triton.jit
def unpack(packed):
    """Return mantissa and exponent of a packed number."""
    return packed.to(tl.int32).to(tl.float32, bitcast=True), (packed >> 32).to(tl.int32)


@triton.jit
def neighbor(mantissa, exponent, lanes, STEP: tl.constexpr, PAIRS: tl.constexpr):
    """Return the number of pair i + STEP at each pair i; 0 beyond the first and the last pair."""
    wanted = lanes + STEP
    inside = (wanted >= 0) & (wanted < PAIRS)
    packed = tl.gather(pack(mantissa, exponent), tl.minimum(tl.maximum(wanted, 0), PAIRS - 1), 0)
    mantissa, exponent = unpack(packed)
    return tl.where(inside, mantissa, 0.0), tl.where(inside, exponent, ZERO)


@triton.jit
def exp_split(z, error):
    """Return e^(z + error) for z ≤ 0 as a packed number; 0 where z is below ``DEEPEST`` or NaN.

    With n = z / ln 2, rounded, e^z = 2^n · e^r and |r| ≤ ln 2 / 2. A polynomial gives e^r to 1 ulp. For n below −2^24,
    float32 cannot represent each integer. r is clamped to its range then: z loses its last digit, e^z keeps its sign.
    """
    possible = z >= DEEPEST
    z = tl.where(possible, z, 0.0)
    n = tl.floor(z * 1.44269504088896341 + 0.5)
    r = ((z - n * LN2_HIGH) - n * LN2_LOW) + tl.where(possible, error, 0.0)
    r = tl.minimum(tl.maximum(r, -0.4), 0.4)
    series = 1.9875691500e-4 * r + 1.3981999507e-3
    series = series * r + 8.3334519073e-3
    series = series * r + 4.1665795894e-2
    series = series * r + 1.6666665459e-1
    series = series * r + 5.0000001201e-1
    mantissa = (series * r) * r + r + 1.0
    return pack(tl.where(possible, mantissa, 0.0), tl.where(possible, n.to(tl.int32), 0))


@triton.jit
def emissions(x, top):
    """Return e^(x − top), packed. The rounding error of x − top would be a relative error of it; it is added back."""
    z = x - top
    back = z - x
    return exp_split(z, (x - (z - back)) - (top + back))


# --- items and tiles --------------------------------------------------------------------------------------------------


@triton.jit
def item_of(b, given, targets, transitions_ptr, sizes):
    """Return item b of ``Input``, ``Targets`` and packed transitions."""
    width = sizes.tokens + 1
    return Item(
        given.x_ptr + b * given.stride_item,
        given.top_ptr + 2 * b * sizes.frames,
        given.shift_ptr + b * sizes.frames,
        targets.labels_ptr + b * sizes.tokens,
        transitions_ptr + b * 11 * width,
        given.stride_frame,
        given.blank,
        tl.load(targets.facts_ptr + b * 4),
        tl.load(targets.facts_ptr + b * 4 + 1),
        width,
    )


@triton.jit
def load_pairs(labels_ptr, pairs, tokens):
    """Return for each pair: the class of its token, whether it has a token, whether a skip into it is allowed."""
    live = (pairs >= 0) & (pairs < tokens)
    labels = tl.load(labels_ptr + pairs, mask=live, other=0)
    inner = live & (pairs > 0)
    return labels, live, inner & (tl.load(labels_ptr + pairs - 1, mask=inner, other=0) != labels)


@triton.jit
def load_tile(item, first, labels, live, FRAMES: tl.constexpr):
    """Return the logits of a tile as three tuples, one entry for each frame: tokens (PAIRS,), blank, maximum.

    Frames beyond the item are not read. The logits there, and in pairs that are not ``live``, are −∞.
    """
    x, of_blank, top = (), (), ()
    for f in tl.static_range(FRAMES):
        t = first + f
        inside = (t >= 0) & (t < item.frames)
        frame_ptr = item.x_ptr + tl.cast(t, tl.int64) * item.stride_frame
        until = tl.where(inside, labels, -1)
        x += (tl.load(frame_ptr + labels, mask=live & (until >= 0), other=float("-inf")).to(tl.float32),)
        of_blank += (tl.load(frame_ptr + item.blank, mask=inside, other=float("-inf")).to(tl.float32),)
        top += (tl.load(item.top_ptr + t, mask=inside, other=0.0),)
    return x, of_blank, top


@triton.jit
def load_transitions(item, pairs, WEIGHTED: tl.constexpr):
    """Return the classes and the mask of ``load_pairs``, and the transitions into each pair.

    Plain CTC: whether a skip is allowed. Otherwise nine packed weights: stay, advance and hop into the blank; stay,
    advance, skip and hop into the token; start in the blank, start in the token.
    """
    labels, live, skips = load_pairs(item.labels_ptr, pairs, item.tokens)
    if WEIGHTED:
        transitions = ()
        for k in tl.static_range(INTO_PAIR):
            transitions += (load_weight(item, k, pairs),)
        return labels, live, transitions
    else:  # noqa: RET505  # Triton needs it: the two returns differ in type
        return labels, live, (skips,)


@triton.jit
def load_weight(item, k, pairs):
    """Return row k of an item's packed weights; 0 outside its pairs."""
    inside = (pairs >= 0) & (pairs <= item.tokens)
    return tl.load(item.transitions_ptr + k * item.width + pairs, mask=inside, other=0)


@triton.jit
def times(mantissa, exponent, packed):
    """Return a product. A product of 0 has the exponent ``ZERO``, so that a sum uses the exponent of the other term."""
    factor, factor_exp = unpack(packed)
    product = mantissa * factor
    return product, tl.where(product > 0, exponent + factor_exp, ZERO)


# --- the recursion ----------------------------------------------------------------------------------------------------
#
# A state is four vectors over the pairs: mantissa and exponent of the blanks, mantissa and exponent of the tokens.


@triton.jit
def alpha_step(state, emitted, transitions, t, lanes, PAIRS: tl.constexpr, WEIGHTED: tl.constexpr):
    """Return α of frame t from α of the frame before; ``emitted``: the frame's emissions (token, blank), packed."""
    blank, blank_exp, token, token_exp = state
    of_token, of_blank = emitted
    before, before_exp = neighbor(token, token_exp, lanes, -1, PAIRS)
    if WEIGHTED:
        second, second_exp = neighbor(token, token_exp, lanes, -2, PAIRS)
        stay, stay_exp = times(token, token_exp, transitions[TOKEN_STAY])
        advance, advance_exp = times(blank, blank_exp, transitions[TOKEN_ADVANCE])
        skip, skip_exp = times(before, before_exp, transitions[TOKEN_SKIP])
        hop, hop_exp = times(second, second_exp, transitions[TOKEN_HOP])
        to_token, to_token_exp = add3(stay, stay_exp, advance, advance_exp, skip, skip_exp)
        to_token, to_token_exp = add(to_token, to_token_exp, hop, hop_exp)
        stay, stay_exp = times(blank, blank_exp, transitions[BLANK_STAY])
        advance, advance_exp = times(before, before_exp, transitions[BLANK_ADVANCE])
        hop, hop_exp = times(second, second_exp, transitions[BLANK_HOP])
        to_blank, to_blank_exp = add3(stay, stay_exp, advance, advance_exp, hop, hop_exp)
        start, start_exp = unpack(transitions[TOKEN_START])
        to_token, to_token_exp = tl.where(t == 0, start, to_token), tl.where(t == 0, start_exp, to_token_exp)
        start, start_exp = unpack(transitions[BLANK_START])
        to_blank, to_blank_exp = tl.where(t == 0, start, to_blank), tl.where(t == 0, start_exp, to_blank_exp)
    else:
        skip, skip_exp = tl.where(transitions[0], before, 0.0), tl.where(transitions[0], before_exp, ZERO)
        to_token, to_token_exp = add3(token, token_exp, blank, blank_exp, skip, skip_exp)
        to_blank, to_blank_exp = add(blank, blank_exp, before, before_exp)
    token, token_exp = times(to_token, to_token_exp, of_token)
    blank, blank_exp = times(to_blank, to_blank_exp, of_blank)
    token, token_exp = renormalized(token, token_exp)
    blank, blank_exp = renormalized(blank, blank_exp)
    return blank, blank_exp, token, token_exp


@triton.jit
def beta_step(state, emitted, transitions, lanes, PAIRS: tl.constexpr, WEIGHTED: tl.constexpr):
    """Return β of the frame before from β of a frame and its emissions: the same transitions, backwards."""
    blank, blank_exp, token, token_exp = state
    of_token, of_blank = emitted
    token, token_exp = times(token, token_exp, of_token)
    blank, blank_exp = times(blank, blank_exp, of_blank)
    if WEIGHTED:
        advance, advance_exp = times(blank, blank_exp, transitions[BLANK_ADVANCE])
        skip, skip_exp = times(token, token_exp, transitions[TOKEN_SKIP])
        ahead, ahead_exp = add(advance, advance_exp, skip, skip_exp)
        ahead, ahead_exp = neighbor(ahead, ahead_exp, lanes, 1, PAIRS)
        over, over_exp = times(blank, blank_exp, transitions[BLANK_HOP])
        hop, hop_exp = times(token, token_exp, transitions[TOKEN_HOP])
        over, over_exp = add(over, over_exp, hop, hop_exp)
        over, over_exp = neighbor(over, over_exp, lanes, 2, PAIRS)
        stay, stay_exp = times(blank, blank_exp, transitions[BLANK_STAY])
        advance, advance_exp = times(token, token_exp, transitions[TOKEN_ADVANCE])
        blank, blank_exp = add(stay, stay_exp, advance, advance_exp)
        stay, stay_exp = times(token, token_exp, transitions[TOKEN_STAY])
        token, token_exp = add3(stay, stay_exp, ahead, ahead_exp, over, over_exp)
    else:
        skip, skip_exp = tl.where(transitions[0], token, 0.0), tl.where(transitions[0], token_exp, ZERO)
        ahead, ahead_exp = add(blank, blank_exp, skip, skip_exp)
        ahead, ahead_exp = neighbor(ahead, ahead_exp, lanes, 1, PAIRS)
        blank, blank_exp = add(blank, blank_exp, token, token_exp)
        token, token_exp = add(token, token_exp, ahead, ahead_exp)
    blank, blank_exp = renormalized(blank, blank_exp)
    token, token_exp = renormalized(token, token_exp)
    return blank, blank_exp, token, token_exp


@triton.jit
def chosen(here, new, old):
    """Return the state ``new`` where ``here`` holds, else ``old``."""
    return (
        tl.where(here, new[0], old[0]),
        tl.where(here, new[1], old[1]),
        tl.where(here, new[2], old[2]),
        tl.where(here, new[3], old[3]),
    )


@triton.jit
def alpha_tile(
    state, tile, first, frames, transitions, lanes, PAIRS: tl.constexpr, FRAMES: tl.constexpr, WEIGHTED: tl.constexpr
):
    """Return α after a tile from α before it; ``tile`` from ``load_tile``."""
    x, x_blank, top = tile
    for f in tl.static_range(FRAMES):
        emitted = emissions(x[f], top[f]), emissions(x_blank[f], top[f])
        step = alpha_step(state, emitted, transitions, first + f, lanes, PAIRS, WEIGHTED)
        state = chosen(first + f < frames, step, state)
    return state


@triton.jit
def beta_tile(
    state, tile, first, frames, transitions, lanes, PAIRS: tl.constexpr, FRAMES: tl.constexpr, WEIGHTED: tl.constexpr
):
    """Return β before a tile (of the last frame before it) from β of its last frame."""
    x, x_blank, top = tile
    for f in tl.static_range(FRAMES - 1, -1, -1):
        emitted = emissions(x[f], top[f]), emissions(x_blank[f], top[f])
        step = beta_step(state, emitted, transitions, lanes, PAIRS, WEIGHTED)
        state = chosen(first + f < frames, step, state)
    return state
