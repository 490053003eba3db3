"""What the Triton kernels share: numbers, tiles of emissions, one step of the recursion.

Numbers. As in the C++ core, a probability is a float32 mantissa times 2^exponent; the exponent is an int32. An addition
is a maximum, two exact shifts and one float addition, and the length of the input costs no digits. Each step brings
mantissas back to [1, 2). 0 has the exponent ``ZERO``, below every other. A number below 2^``FLOOR`` becomes 0, and a
logit more than ``DEEPEST`` below the maximum of its frame counts as −∞.

States. Pair i holds state 2i, the blank before token i, and state 2i + 1, token i. Pair N is the last blank alone. The
transitions of topology.py, in pairs:

    into blank i    stay from blank i, advance from token i − 1
    into token i    stay from token i, advance from blank i, skip from token i − 1

So a step needs one neighbor only. Variants weight each transition and have hops, from token i − 2 into either. They
have kernels of their own (``WEIGHTED``), made from the same text. One lane of a program holds one pair, or a few.

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

# What kernels take together. A kernel's arguments are such tuples of pointers and numbers.


class Input(NamedTuple):
    """The input of all items, and what ``normalizers`` wrote of each frame."""

    x_ptr: Any  # (B, T, C), classes side by side
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
    """2^difference for differences ≤ 0; below 2^-126 it is 0."""
    return ((tl.maximum(difference, -127) + 127) << 23).to(tl.float32, bitcast=True)


@triton.jit
def renormalized(mantissa, exponent):
    """The same number, its mantissa in [1, 2) or 0."""
    bits = mantissa.to(tl.int32, bitcast=True)
    zero = (bits == 0) | (exponent < FLOOR)
    kept = ((bits & 0x007FFFFF) | 0x3F800000).to(tl.float32, bitcast=True)
    return tl.where(zero, 0.0, kept), tl.where(zero, ZERO, exponent + (bits >> 23) - 127)


@triton.jit
def add(a, a_exponent, b, b_exponent):
    """A sum of two numbers."""
    shared = tl.maximum(a_exponent, b_exponent)
    return a * power_of_two(a_exponent - shared) + b * power_of_two(b_exponent - shared), shared


@triton.jit
def add3(a, a_exponent, b, b_exponent, c, c_exponent):
    """A sum of three numbers."""
    shared = tl.maximum(tl.maximum(a_exponent, b_exponent), c_exponent)
    total = a * power_of_two(a_exponent - shared) + b * power_of_two(b_exponent - shared)
    return total + c * power_of_two(c_exponent - shared), shared


@triton.jit
def pack(mantissa, exponent):
    """Both halves in one int64, as they are kept in memory and handed from lane to lane."""
    return (exponent.to(tl.int64) << 32) | mantissa.to(tl.int32, bitcast=True).to(tl.int64)


@triton.jit
def unpack(packed):
    """Mantissa and exponent of what ``pack`` made."""
    return packed.to(tl.int32).to(tl.float32, bitcast=True), (packed >> 32).to(tl.int32)


@triton.jit
def neighbor(mantissa, exponent, lanes, STEP: tl.constexpr, PAIRS: tl.constexpr):
    """The numbers of pair i + STEP at each pair i; 0 past the edges."""
    wanted = lanes + STEP
    inside = (wanted >= 0) & (wanted < PAIRS)
    packed = tl.gather(pack(mantissa, exponent), tl.minimum(tl.maximum(wanted, 0), PAIRS - 1), 0)
    mantissa, exponent = unpack(packed)
    return tl.where(inside, mantissa, 0.0), tl.where(inside, exponent, ZERO)


@triton.jit
def exp_split(z, error):
    """e^(z + error) for z ≤ 0 as a number, packed; 0 where z is −∞, nearly, or not a number.

    With n = z / ln 2, rounded, e^z = 2^n · e^r and |r| ≤ ln 2 / 2; e^r is a polynomial, right to 1 ulp. Beyond −2^24 n
    is no longer known to the unit: r is kept in its range, which costs the last digit of z, not the sign of e^z.
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
    """e^(x − top), packed. What rounding takes from a large difference is the relative error of its power: put back."""
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
    """Of each pair: the class of its token, whether there is one, whether it may be skipped to."""
    live = (pairs >= 0) & (pairs < tokens)
    labels = tl.load(labels_ptr + pairs, mask=live, other=0)
    inner = live & (pairs > 0)
    return labels, live, inner & (tl.load(labels_ptr + pairs - 1, mask=inner, other=0) != labels)


@triton.jit
def load_tile(item, first, labels, live, FRAMES: tl.constexpr):
    """The logits of a tile, a tuple entry a frame: (PAIRS,) of the tokens, of the blank, the frame's maximum.

    Nothing beyond the frames of the item is read: the values there, and in pairs that are not ``live``, are −∞.
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
    """The transitions into each pair, behind the classes and the mask of ``load_pairs``.

    Plain CTC: where a skip may be taken. Otherwise seven packed weights: stay, advance and hop into the blank; stay,
    advance, skip and hop into the token; and two of starting, in the blank and in the token.
    """
    labels, live, skips = load_pairs(item.labels_ptr, pairs, item.tokens)
    if WEIGHTED:
        transitions = ()
        for k in tl.static_range(INTO_PAIR):
            transitions += (load_weight(item, k, pairs),)
        return labels, live, transitions
    else:  # noqa: RET505  # Triton asks for it: the two returns differ in type
        return labels, live, (skips,)


@triton.jit
def load_weight(item, k, pairs):
    """Row k of an item's packed weights; 0 outside its pairs."""
    inside = (pairs >= 0) & (pairs <= item.tokens)
    return tl.load(item.transitions_ptr + k * item.width + pairs, mask=inside, other=0)


@triton.jit
def times(mantissa, exponent, packed):
    """A product. Where it is 0 its exponent is that of 0: a sum would make way for any other."""
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
